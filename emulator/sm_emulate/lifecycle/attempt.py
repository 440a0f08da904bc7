"""One life of a job's containers: started together, followed to their ends, stopped when there is a reason to."""

from __future__ import annotations

import time
from enum import Enum
from typing import TYPE_CHECKING

from sm_emulate.events import Noted
from sm_emulate.lifecycle.containers import Containers
from sm_emulate.lifecycle.stop_request import POLL_SECONDS, stopping

if TYPE_CHECKING:
    from collections.abc import Callable

    from sm_emulate.engine.protocol import Engine
    from sm_emulate.events import Event
    from sm_emulate.lifecycle.stop_request import StopRequest


class Stop(Enum):
    """Why containers are stopped before their end."""

    ASKED = "asked"
    MAX_RUNTIME = "max-runtime"
    HOST_FAILED = "host-failed"
    COMPANION_FAILED = "companion-failed"


class Attempt:
    """Runs the containers of all hosts once.

    Args:
        engine: runs them.
        publish: hears what happens, and what is done about it.
        asked: whether somebody wants the job to stop.
        grace_s: between the first signal and SIGKILL.
        companion_failed: whether something that works beside the containers has failed.
        on_stop: given the reason before the first signal is sent.
        signal: the first signal.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        publish: Callable[[Event], None],
        asked: StopRequest,
        grace_s: float,
        companion_failed: Callable[[], bool],
        on_stop: Callable[[Stop], None],
        signal: str = "SIGTERM",
    ) -> None:
        self.containers = Containers(engine, publish=publish)
        self.stop: Stop | None = None
        """Why the containers were stopped; None when they ended by themselves."""
        self._publish, self._asked, self._grace = publish, asked, grace_s
        self._companion_failed, self._on_stop, self._signal = companion_failed, on_stop, signal
        self._asked_by_then = 0
        self._kill_at: float | None = None

    def follow(self, begin: Callable[[Containers], None], *, deadline: float) -> None:
        """Start the containers and wait until all have ended; stop them when there is a reason to.

        Args:
            begin: starts each host's container. It is not called if there is a reason to stop already.
            deadline: when they have run for too long, by `time.monotonic`.
        """
        if (reason := self._reason(time.monotonic(), deadline)) is not None:
            self._stop(reason)
        else:
            begin(self.containers)
        while not self.containers.over:
            moment, pause = time.monotonic(), POLL_SECONDS
            if self.stop is None:
                if (reason := self._reason(moment, deadline)) is not None:
                    self._stop(reason)
                else:
                    pause = min(pause, deadline - moment)
            elif self._kill_at is not None and (
                moment >= self._kill_at or self._asked.times > self._asked_by_then
            ):
                self._kill_at = None
                self.containers.signal("SIGKILL")
            if self._kill_at is not None:
                pause = min(pause, max(0.0, self._kill_at - moment))
            self.containers.hear(pause)

    def _reason(self, moment: float, deadline: float) -> Stop | None:
        if self.containers.failed:
            return Stop.HOST_FAILED
        if self._companion_failed():
            return Stop.COMPANION_FAILED
        if self._asked.times:
            return Stop.ASKED
        return Stop.MAX_RUNTIME if moment >= deadline else None

    def _stop(self, reason: Stop) -> None:
        self.stop = reason
        self._asked_by_then = 1 if reason is Stop.ASKED else self._asked.times
        self._kill_at = time.monotonic() + self._grace
        self._on_stop(reason)
        if not self.containers.over:
            self._publish(Noted(message=stopping(self._grace, self._signal)))
        self.containers.signal(self._signal)
