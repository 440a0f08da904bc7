"""A training job's status machine, running: it takes allowed steps only, and remembers them."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sm_emulate.errors import BugError
from sm_emulate.events import StatusChanged, now
from sm_emulate.spec.training_job import (
    TERMINAL,
    SecondaryStatus,
    TrainingJobStatus,
    next_allowed,
    status_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sm_emulate.events import Event


@dataclass(frozen=True, kw_only=True)
class Transition:
    """One item of SecondaryStatusTransitions."""

    secondary: SecondaryStatus
    message: str
    start: datetime
    end: datetime | None = None

    @property
    def seconds(self) -> float:
        """How long it lasted, or has lasted so far."""
        return ((self.end or now()) - self.start).total_seconds()


class StatusMachine:
    """The statuses of one job, from Starting to its end. Threads may share it."""

    def __init__(self, publish: Callable[[Event], None]) -> None:
        self._publish = publish
        self._lock = threading.RLock()
        self.transitions: list[Transition] = []
        self.stopping = False

    @property
    def secondary(self) -> SecondaryStatus:
        return self.transitions[-1].secondary

    @property
    def status(self) -> TrainingJobStatus:
        return status_of(self.secondary, stopping=self.stopping)

    @property
    def over(self) -> bool:
        return bool(self.transitions) and self.secondary in TERMINAL

    def enter(self, secondary: SecondaryStatus, message: str) -> None:
        """Go on to the next status.

        Raises:
            BugError: the step is not in the platform's machine.
        """
        with self._lock:
            moment = now()
            if self.transitions:
                last = self.transitions[-1]
                if not next_allowed(last.secondary, secondary):
                    raise BugError(
                        "a status that cannot follow", value=f"{last.secondary.value} -> {secondary.value}"
                    )
                self.transitions[-1] = replace(last, end=moment)
            end = moment if secondary in TERMINAL else None
            self.transitions.append(Transition(secondary=secondary, message=message, start=moment, end=end))
            self.stopping = self.stopping or secondary is SecondaryStatus.STOPPING
            self._tell(moment)

    def say(self, secondary: SecondaryStatus, message: str) -> None:
        """Put a new message into a status; nothing happens if it has that message, or is over."""
        with self._lock:
            last = self.transitions[-1]
            if last.secondary is secondary and last.message != message:
                self.transitions[-1] = replace(last, message=message)
                self._tell(now())

    def _tell(self, moment: datetime) -> None:
        self._publish(
            StatusChanged(
                at=moment,
                status=self.status.value,
                secondary=self.secondary.value,
                message=self.transitions[-1].message,
            )
        )
