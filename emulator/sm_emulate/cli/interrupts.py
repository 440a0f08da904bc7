"""Ctrl-C, SIGTERM and a closed terminal stop what runs, not us."""

from __future__ import annotations

import os
import signal
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from types import FrameType

    from typing_extensions import Self


SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


class Stoppable(Protocol):
    """A training job or an endpoint: stopped gently the first time, killed the second."""

    def stop(self) -> None: ...


class _Handler(ABC):
    """Hears these signals inside its `with`; afterwards they mean what they meant before."""

    def __init__(self) -> None:
        self._before: dict[int, Any] = {}

    @abstractmethod
    def _heard(self, number: int, frame: FrameType | None, /) -> None: ...

    def __enter__(self) -> Self:
        for number in SIGNALS:
            self._before[number] = signal.signal(number, self._heard)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


class Interrupts(_Handler):
    """Inside its `with`, the first of these signals stops what it was given, the second one kills it."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: int | None = None
        self._running: Stoppable | None = None

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


class PassedOn(_Handler):
    """Inside its `with`, these signals go to a child process that is waited for."""

    def __init__(self) -> None:
        super().__init__()
        self._child: int | None = None

    def to(self, child: int) -> None:
        """From now on they go there; before, they interrupt us."""
        self._child = child

    def _heard(self, number: int, _frame: FrameType | None) -> None:
        if self._child is None:
            raise KeyboardInterrupt
        with suppress(ProcessLookupError):
            os.kill(self._child, number)
