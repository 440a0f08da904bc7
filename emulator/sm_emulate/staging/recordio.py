"""RecordIO framing, as SageMaker wraps objects in Pipe mode: little-endian, padded to four bytes.

https://github.com/aws/sagemaker-tensorflow-extensions src/pipemode_op/RecordIOReader
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MAGIC = 0xCED7230A
LONGEST = (1 << 29) - 1
"""Bytes that the length of one part can say."""
_WHOLE, _START, _MIDDLE, _END = 0, 1, 2, 3


@dataclass(frozen=True, kw_only=True)
class Part:
    """One part of a record: a header, so many bytes of the payload, padding."""

    header: bytes
    length: int
    padding: bytes


def parts(size: int, *, longest: int = LONGEST) -> Iterator[Part]:
    """Frame a payload of `size` bytes: in one part, or where it is too long in several, told by their flags."""
    if size <= longest:
        yield _part(_WHOLE, size)
        return
    step = longest - longest % 4  # whole words, so that only the last part is padded
    yield _part(_START, step)
    left = size - step
    while left > longest:
        yield _part(_MIDDLE, step)
        left -= step
    yield _part(_END, left)


def record(payload: bytes) -> bytes:
    """Give a short payload as one record."""
    (part,) = parts(len(payload))
    return part.header + payload + part.padding


def _part(flag: int, length: int) -> Part:
    return Part(
        header=struct.pack("<II", MAGIC, flag << 29 | length), length=length, padding=bytes(-length % 4)
    )
