"""What happened in a probe's containers, second by second: for the timeline, the log tails and the timings."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sm_emulate.events import Invoked, Pinged, now

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sm_emulate.events import Event, Listener

FIRST_LINES, LAST_LINES, LINE_CHARACTERS = 50, 200, 2000
"""What is kept of a container's log: it may write without end."""
MARKS = 20_000
"""Pings, invocations and signals kept for one probe."""


@dataclass(kw_only=True)
class Life:
    """One container, from its start to its end; times are seconds since the check began."""

    name: str
    number: int
    """Its place among its probe's containers, from 1."""
    start: float
    end: float | None = None
    exit_code: int | None = None
    killed: bool = False
    """The probe ended it by force: its exit code says nothing of it."""
    first: list[tuple[float, str]] = field(default_factory=list)
    last: deque[tuple[float, str]] = field(default_factory=lambda: deque(maxlen=LAST_LINES))
    lines: int = 0
    rest: bytes = b""

    @property
    def label(self) -> str:
        return f"{self.number} {self.name}".rstrip()

    def hear(self, at: float, data: bytes) -> None:
        """Take bytes as the container wrote them; a line may come in pieces."""
        *whole, self.rest = (self.rest + data).split(b"\n")
        if len(self.rest) > 2 * LINE_CHARACTERS:
            whole, self.rest = [*whole, self.rest], b""
        self.lines += len(whole)
        free = FIRST_LINES - len(self.first)
        if free > 0:
            self.first += [(at, _line(one)) for one in whole[:free]]
            whole = whole[free:]
        self.last.extend((at, _line(one)) for one in whole[-LAST_LINES:])

    def log(self) -> list[tuple[float, str]]:
        """Give the lines that were kept, one saying how many were not."""
        rest = [(self.end or self.start, _line(self.rest))] if self.rest.strip() else []
        left_out = self.lines - len(self.first) - len(self.last)
        between = [(self.first[-1][0], f"... {left_out} lines left out ...")] if left_out > 0 else []
        return [*self.first, *between, *self.last, *rest]


class Recorder:
    """Remembers what one probe and its containers did. Any thread may tell it.

    Args:
        probe: whose record it is.
        began: when the whole check began, on the monotonic clock.
    """

    def __init__(self, probe: str = "", began: float | None = None) -> None:
        self.probe = probe
        self._began = time.monotonic() if began is None else began
        self._lives: list[Life] = []
        self._marks: list[dict[str, Any]] = []
        self._lock = threading.Lock()
        self.names: dict[str, str] = {}
        """How people call a run's containers, by the name of its job or endpoint, where that says too little."""

    def now(self) -> float:
        """Give the seconds since the check began."""
        return time.monotonic() - self._began

    def life(self, name: str, start: float, end: float | None = None, exit_code: int | None = None) -> Life:
        """A container lived; give its record, which `over` closes if its end is not known yet."""
        with self._lock:
            life = Life(name=name, number=len(self._lives) + 1, start=start, end=end, exit_code=exit_code)
            self._lives.append(life)
        return life

    def over(self, life: Life, exit_code: int | None = None) -> None:
        """This container has ended, now; told twice, the first time counts."""
        with self._lock:
            if life.end is None:
                life.end = self.now()
            if life.exit_code is None:
                life.exit_code = exit_code

    def hear(self, life: Life, data: bytes) -> None:
        """This container wrote something."""
        with self._lock:
            life.hear(self.now(), data)

    def ping(self, at: float, status: int | None, seconds: float, failure: str = "") -> None:
        """A GET /ping that began then."""
        self._mark("ping", at, status=status, seconds=round(seconds, 4), failure=failure)

    def invocation(
        self, at: float, status: int | None, seconds: float, path: str = "/invocations", failure: str = ""
    ) -> None:
        """A request with a payload that began then."""
        self._mark("invocation", at, status=status, seconds=round(seconds, 4), path=path, failure=failure)

    def signal(self, life: Life, name: str) -> None:
        """A signal was sent to this container's PID 1, now."""
        life.killed = life.killed or name == "SIGKILL"
        self._mark("signal", self.now(), name=name, container=life.label)

    def listener(self) -> Listener:
        """Give a listener for a job or an endpoint: it records pings and invocations; the engine tells the rest."""

        def hear(event: Event) -> None:
            if isinstance(event, Pinged):
                self.ping(self.now() - event.seconds, event.status, event.seconds, event.failure)
            elif isinstance(event, Invoked):
                took = event.model_seconds + event.overhead_seconds
                status = event.original_status or event.status or None
                # told a moment after it was finished
                began = self.now() - (now() - event.at).total_seconds() - took
                self.invocation(began, status, took, event.path, event.failure)

        return hear

    def _mark(self, what: str, at: float, **more: Any) -> None:
        with self._lock:
            if len(self._marks) < MARKS:
                self._marks.append({"at": round(at, 3), "probe": self.probe, "what": what, **more})

    @property
    def containers(self) -> int:
        return len(self._lives)

    def container_seconds(self) -> float:
        """Give how long its containers lived, all together."""
        with self._lock:
            return sum((self.now() if life.end is None else life.end) - life.start for life in self._lives)

    def log_tail(self, lines: int = 20) -> tuple[str, ...]:
        """Give the last lines of the container that ended last with anything in its log."""
        with self._lock:
            spoke = [life for life in self._lives if life.lines or life.rest]
            if not spoke:
                return ()
            last = max(spoke, key=lambda life: self.now() if life.end is None else life.end)
            return tuple(line for _, line in last.log()[-lines:])

    def timeline(self) -> list[Mapping[str, Any]]:
        """Give everything in order, as JSON objects with `at`, `probe` and `what`."""
        with self._lock:
            told: list[Mapping[str, Any]] = list(self._marks)
            for life in self._lives:
                told.append(
                    {
                        "at": round(life.start, 3),
                        "probe": self.probe,
                        "what": "container",
                        "name": life.label,
                        "until": round(self.now() if life.end is None else life.end, 3),
                        "exit_code": life.exit_code,
                        "killed": life.killed,
                    }
                )
                told += [
                    {
                        "at": round(at, 3),
                        "probe": self.probe,
                        "what": "log",
                        "container": life.label,
                        "line": line,
                    }
                    for at, line in life.log()
                ]
        return sorted(told, key=lambda each: float(each["at"]))


def _line(data: bytes) -> str:
    text = data.decode("utf-8", "replace").rstrip("\r")
    return text if len(text) <= LINE_CHARACTERS else f"{text[:LINE_CHARACTERS]}..."
