"""What data capture is given of an invocation."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, NamedTuple

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


def header_of(lines: Sequence[bytes], name: bytes) -> str | None:
    """Give the value of a header among whole lines, whose names are spelled as the API spells them."""
    start = name + b": "
    for line in lines:
        if line.startswith(start):
            return line[len(start) :].strip().decode("latin-1")
    return None
