"""RecordIO framing, as Pipe mode wraps objects and batch splits them: little-endian, padded to four bytes.

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
HEADER_BYTES = 8
_WHOLE, _START, _MIDDLE, _END = 0, 1, 2, 3
_HEADER = struct.Struct("<II")


class NotRecordIOError(ValueError):
    """A part of a record does not begin with the magic number."""


@dataclass(frozen=True, kw_only=True)
class Header:
    """What the first bytes of a part say."""

    length: int
    """Of the part's payload."""
    ends: bool
    """Whether the record ends with this part."""

    @property
    def padded(self) -> int:
        """The length with its padding."""
        return self.length + -self.length % 4


def read_header(head: bytes, offset: int = 0) -> Header:
    """Read the HEADER_BYTES of a part.

    Raises:
        NotRecordIOError: they are none.
    """
    magic, word = _HEADER.unpack_from(head, offset) if len(head) >= offset + HEADER_BYTES else (0, 0)
    if magic != MAGIC:
        raise NotRecordIOError("this is no RecordIO: a record does not begin with its magic number")
    return Header(length=word & LONGEST, ends=word >> 29 in {_WHOLE, _END})


def payload_of(record: bytes) -> bytes:
    """Give a whole record's own bytes, without framing and padding."""
    parts, here = [], 0
    while here < len(record):
        header = read_header(record, here)
        here += HEADER_BYTES
        parts.append(record[here : here + header.length])
        here += header.padded
    return b"".join(parts)


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
    return Part(header=_HEADER.pack(MAGIC, flag << 29 | length), length=length, padding=bytes(-length % 4))
