"""Who is told how far a check is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Watch(Protocol):
    """Is told what happens while a check runs; by several threads at once."""

    def said(self, words: str) -> None:
        """Something outside of all probes: the image is pulled."""

    def planned(self, probes: Sequence[str]) -> None:
        """These probes will run."""

    def began(self, probe: str) -> None: ...

    def doing(self, probe: str, words: str) -> None: ...

    def ended(self, probe: str, seconds: float) -> None: ...


class Lines:
    """A watch for callers who want a sentence now and then."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    def said(self, words: str) -> None:
        self._say(words)

    def planned(self, probes: Sequence[str]) -> None:
        """Every probe tells of itself."""

    def began(self, probe: str) -> None:
        self._say(probe)

    def doing(self, probe: str, words: str) -> None:
        self._say(f"{probe}: {without_name(probe, words)}")

    def ended(self, probe: str, seconds: float) -> None:
        """Its results tell."""


def without_name(probe: str, words: str) -> str:
    """Give what a probe says without its own name in front: whoever listens knows it."""
    return words.removeprefix(probe).lstrip(": ") or words
