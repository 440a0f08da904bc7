"""Ctrl-C, SIGTERM and a closed terminal stop what runs, not us."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from types import FrameType


class Stoppable(Protocol):
    """A training job or an endpoint: stopped gently the first time, killed the second."""

    def stop(self) -> None: ...


class Interrupts:
    """Inside its `with`, the first of these signals stops what it was given, the second one kills it."""

    def __init__(self) -> None:
        self.seen: int | None = None
        self._running: Stoppable | None = None
        self._before: dict[int, Any] = {}

    def stop(self, running: Stoppable) -> None:
        """From now on they stop this; before, they interrupt us."""
        self._running = running

    @property
    def by_person(self) -> bool:
        """Whether Ctrl-C was pressed."""
        return self.seen == signal.SIGINT

    def _heard(self, number: int, _frame: FrameType | None) -> None:
        if self._running is None:
            raise KeyboardInterrupt
        self.seen = self.seen or number
        self._running.stop()

    def __enter__(self) -> Interrupts:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self._before[number] = signal.signal(number, self._heard)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
