"""What data capture is given of an invocation."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from time import time
from typing import TYPE_CHECKING, NamedTuple

from sm_emulate.spec.invocation import INFERENCE_ID_HEADER

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Captured(NamedTuple):
    """One invocation that the container answered with 2xx."""

    at: float
    """When it was answered, in seconds since 1970."""
    variant_name: str
    inference_id: str | None
    request_type: str | None
    request: bytes
    answer_type: str | None
    answer: bytes


@dataclass(frozen=True)
class Capture:
    """Which invocations are captured, and who takes them.

    Args:
        percentage: of the invocations, 0 to 100.
        take: called in the gateway's thread: it must not wait for anything.
    """

    percentage: float
    take: Callable[[Captured], None]
    random: Random = field(default_factory=Random)

    def chosen(self) -> bool:
        """Draw whether the next invocation is captured."""
        return self.random.random() * 100 < self.percentage


class Transcript:
    """The bodies of one invocation that is captured, written down as they pass by.

    Args:
        capture: who takes it.
        request: what has come of the request so far.
    """

    __slots__ = ("_capture", "answer", "request")

    def __init__(self, capture: Capture, request: Sequence[bytes]) -> None:
        self._capture = capture
        self.request = list(request)
        self.answer: list[bytes] = []

    def hand_in(self, variant_name: str, asked: Sequence[bytes], answered: Sequence[bytes]) -> None:
        """Have it captured, with what the header lines of the request and of the answer say."""
        self._capture.take(
            Captured(
                at=time(),
                variant_name=variant_name,
                inference_id=header_of(asked, INFERENCE_ID_HEADER.encode()),
                request_type=header_of(asked, b"Content-Type"),
                request=b"".join(self.request),
                answer_type=header_of(answered, b"Content-Type"),
                answer=b"".join(self.answer),
            )
        )


def header_of(lines: Sequence[bytes], name: bytes) -> str | None:
    """Give the value of a header among whole lines, whose names are spelled as the API spells them."""
    start = name + b": "
    for line in lines:
        if line.startswith(start):
            return line[len(start) :].strip().decode("latin-1")
    return None
