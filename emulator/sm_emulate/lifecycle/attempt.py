"""One life of a job's containers: started together, followed to their ends, stopped when there is a reason to."""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from sm_emulate.events import Noted
from sm_emulate.lifecycle.containers import Containers
from sm_emulate.lifecycle.stop_request import POLL_SECONDS, stopping

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sm_emulate.engine.protocol import Engine
    from sm_emulate.events import Event
    from sm_emulate.lifecycle.stop_request import StopRequest


class Stop(Enum):
    """Why containers are stopped before their end."""

    ASKED = "asked"
    MAX_RUNTIME = "max-runtime"
    MAX_WAIT = "max-wait"
    INTERRUPTED = "interrupted"
    """The spot instances are taken away."""
    HOST_FAILED = "host-failed"
    COMPANION_FAILED = "companion-failed"


@dataclass(frozen=True, kw_only=True)
class Interruption:
    """How spot instances are taken away."""

    after_s: float
    """Seconds after all hosts have started."""
    signal: str
    """`SIGTERM`, and SIGKILL after the grace period; or `SIGKILL` at once."""


class Attempt:
    """Runs the containers of all hosts once.

    Args:
        engine: runs them.
        publish: hears what happens, and what is done about it.
        asked: whether somebody wants the job to stop.
        grace_s: between the first signal and SIGKILL.
        companion_failed: whether something that works beside the containers has failed.
        on_stop: given the reason before the first signal is sent.
        interruption: when and how the instances are taken away; None is never.
        signal: the first signal of every other stop.
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
        interruption: Interruption | None = None,
        signal: str = "SIGTERM",
    ) -> None:
        self.containers = Containers(engine, publish=publish)
        self.stop: Stop | None = None
        """Why the containers were stopped; None when they ended by themselves."""
        self._publish, self._asked, self._grace = publish, asked, grace_s
        self._companion_failed, self._on_stop, self._interruption = companion_failed, on_stop, interruption
        self._signal = signal
        self._deadlines: dict[Stop, float] = {}
        self._asked_by_then = 0
        self._kill_at: float | None = None

    def follow(self, begin: Callable[[Containers], None], *, deadlines: Mapping[Stop, float]) -> None:
        """Start the containers and wait until all have ended; stop them when there is a reason to.

        Args:
            begin: starts each host's container. It is not called if there is a reason to stop already.
            deadlines: by `time.monotonic`, when they are stopped for which reason.
        """
        self._deadlines = dict(deadlines)
        if (reason := self._reason(time.monotonic())) is not None:
            self._stop(reason)
        else:
            begin(self.containers)
        while not self.containers.over:
            moment, pause = time.monotonic(), POLL_SECONDS
            if self.stop is None:
                if (reason := self._reason(moment)) is not None:
                    self._stop(reason)
                else:
                    pause = min(pause, *(when - moment for when in self._deadlines.values()))
            elif self._kill_at is not None and (
                moment >= self._kill_at or self._asked.times > self._asked_by_then
            ):
                self._kill_at = None
                self.containers.signal("SIGKILL")
            if self._kill_at is not None:
                pause = min(pause, max(0.0, self._kill_at - moment))
            self.containers.hear(pause)
            self._await_interruption()

    def _await_interruption(self) -> None:
        """Count the time to the interruption from when all hosts run."""
        if self._interruption is not None and self.containers.all_started:
            self._deadlines.setdefault(Stop.INTERRUPTED, time.monotonic() + self._interruption.after_s)

    def _reason(self, moment: float) -> Stop | None:
        if self.containers.failed:
            return Stop.HOST_FAILED
        if self._companion_failed():
            return Stop.COMPANION_FAILED
        if self._asked.times:
            return Stop.ASKED
        passed = [(when, reason) for reason, when in self._deadlines.items() if moment >= when]
        return min(passed, key=lambda each: each[0])[1] if passed else None

    def _stop(self, reason: Stop) -> None:
        self.stop = reason
        # an interrupted job that is asked to stop is on its way already: only asking again hurries it
        self._asked_by_then = 1 if reason in (Stop.ASKED, Stop.INTERRUPTED) else self._asked.times
        self._on_stop(reason)
        signal = self._signal
        if reason is Stop.INTERRUPTED and self._interruption is not None:
            signal = self._interruption.signal
        if signal != "SIGKILL":
            self._kill_at = time.monotonic() + self._grace
            if not self.containers.over:
                self._publish(Noted(message=stopping(self._grace, signal)))
        self.containers.signal(signal)
