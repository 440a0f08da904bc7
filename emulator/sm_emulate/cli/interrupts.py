"""Ctrl-C, SIGTERM and a closed terminal stop what runs, not us."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from types import FrameType


SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


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
        if number == signal.SIGQUIT:  # in a hurry
            self._running.stop()

    def __enter__(self) -> Interrupts:
        for number in SIGNALS:
            self._before[number] = signal.signal(number, self._heard)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


class PassedOn:
    """Inside its `with`, these signals go to a child process that is waited for."""

    def __init__(self) -> None:
        self._child: int | None = None
        self._before: dict[int, Any] = {}

    def to(self, child: int) -> None:
        """From now on they go there; before, they interrupt us."""
        self._child = child

    def _heard(self, number: int, _frame: FrameType | None) -> None:
        if self._child is None:
            raise KeyboardInterrupt
        with suppress(ProcessLookupError):
            os.kill(self._child, number)

    def __enter__(self) -> PassedOn:
        for number in SIGNALS:
            self._before[number] = signal.signal(number, self._heard)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
