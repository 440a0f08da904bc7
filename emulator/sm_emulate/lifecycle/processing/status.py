"""A processing job's status machine, running: it takes allowed steps only."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from sm_emulate.errors import BugError
from sm_emulate.events import StatusChanged, now
from sm_emulate.spec.processing_job import ALLOWED, TERMINAL, ProcessingJobStatus

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sm_emulate.events import Event


class ProcessingStatus:
    """The status of one job. Threads may share it."""

    def __init__(self, publish: Callable[[Event], None]) -> None:
        self._publish = publish
        self._lock = threading.RLock()
        self.status = ProcessingJobStatus.IN_PROGRESS
        self.changed = self.created = now()
        """When it entered this status, or said something new about it."""
        self.started: datetime | None = None
        """When its containers ran."""

    @property
    def over(self) -> bool:
        return self.status in TERMINAL

    def say(self, message: str) -> None:
        """Tell what is going on in this status."""
        with self._lock:
            self._tell(message)

    def running(self, message: str) -> None:
        """Note that the containers run; only the first time counts."""
        with self._lock:
            if self.started is None:
                self.started = now()
                self._tell(message)

    def enter(self, status: ProcessingJobStatus, message: str) -> None:
        """Go on to the next status.

        Raises:
            BugError: the step is not in the platform's machine.
        """
        with self._lock:
            if status not in ALLOWED[self.status]:
                raise BugError("a status that cannot follow", value=f"{self.status} -> {status}")
            self.status = status
            self._tell(message)

    def _tell(self, message: str) -> None:
        self.changed = now()
        self._publish(StatusChanged(at=self.changed, status=self.status.value, message=message))
