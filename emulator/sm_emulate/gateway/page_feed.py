"""What the page is told while it is open: it reads what the run folder gains.

Nothing is kept for a page that is not open, and what one page has not read yet lies in the files, not in memory.
"""

from __future__ import annotations

import json
import math
import os
from datetime import datetime
from time import time
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl, urlencode

from sm_emulate.gateway.meters import counts
from sm_emulate.gateway.run_tail import Tail
from sm_emulate.request.secrets import HIDDEN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sm_emulate.gateway.page_source import PageSource

EVENTS_SEED = 1024 * 1024
EVENTS_MOST = 4 * 1024 * 1024
"""Read at once; a page that is further behind loses what is older."""
LOG_SEED = 64 * 1024
LOG_MOST = 256 * 1024
TICK_S = 1.0
"""How often a page is told the time, and looks whether the endpoint stands otherwise than before."""
SETTLED_S = 1.3
"""An invocation is written down at most so long after the second in which it ended has begun."""
_EVENTS = "events"
_LOG = "log:"


class Message(NamedTuple):
    """One server-sent event."""

    kind: str
    data: Any


class PageFeed:
    """Gives the messages for one open page, round by round, in a thread that may wait for files.

    Args:
        source: of the facts.
        since: where another feed of the same endpoint had come to, as `position` told it; empty for a new page.
    """

    def __init__(self, source: PageSource, since: str = "") -> None:
        self._source = source
        known = dict(parse_qsl(since))
        self._resumes = _EVENTS in known
        self._events = Tail(
            source.run.events, most=EVENTS_MOST, position=_number(known.get(_EVENTS)), seed=EVENTS_SEED
        )
        self._logs = {
            key.removeprefix(_LOG): self._log(key.removeprefix(_LOG), _number(value))
            for key, value in known.items()
            if key.startswith(_LOG)
        }
        self._seconds: dict[tuple[int, str], _Second] = {}
        self._told: dict[str, Any] | None = None
        self._next_tick = 0.0

    @property
    def position(self) -> str:
        """How far it has come, for `since` of the next feed."""
        ends = {_EVENTS: self._events.position}
        ends |= {f"{_LOG}{host}": tail.position for host, tail in self._logs.items()}
        return urlencode(ends)

    def round(self) -> list[Message]:
        """Give what is new since the last round."""
        found = [*self._standing(), *self._new_events(), *self._new_lines()]
        found += self._settled_seconds()
        return found

    def _standing(self) -> Iterator[Message]:
        now = time()
        if now < self._next_tick:
            return
        self._next_tick = now + TICK_S
        described = dict(self._source.describe())
        stands = {key: value for key, value in described.items() if key != "LastModifiedTime"}
        if stands != self._told:
            self._told = stands
            yield Message("endpoint", described)
        yield Message("tick", {"At": now})

    def _new_events(self) -> Iterator[Message]:
        block, lost = self._events.read()
        if lost:
            yield Message("lost", {"Of": "events.ndjson", "Bytes": lost})
        for line in self._shown(block).splitlines():
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if event.get("event") != "Invoked":
                yield Message("event", event)
            elif counts(event.get("variant", ""), event.get("path", "")):
                at = datetime.fromisoformat(event["at"]).timestamp()
                second = self._seconds.setdefault((int(at), event["variant"]), _Second())
                second.add(event)

    def _settled_seconds(self) -> Iterator[Message]:
        until = time() - SETTLED_S
        for at, variant in sorted(self._seconds):
            if at < until:
                told = self._seconds.pop((at, variant)).told()
                yield Message("invocations", {"At": at, "Variant": variant, **told})

    def _new_lines(self) -> Iterator[Message]:
        for host in self._hosts():
            if host not in self._logs:
                # the log of a container that was started after the page was opened begins at its beginning
                self._logs[host] = self._log(host, 0 if self._resumes else None)
            block, lost = self._logs[host].read()
            if block or lost:
                yield Message("log", {"Host": host, "Text": self._shown(block), "Lost": lost})
        self._resumes = True

    def _hosts(self) -> list[str]:
        folder = self._source.run.path / "logs"
        return sorted(
            os.path.relpath(os.path.join(where, name), folder).removesuffix(".log")  # noqa: PTH118  # of os.walk
            for where, _, names in os.walk(folder)
            for name in names
            if name.endswith(".log")
        )

    def _log(self, host: str, position: int | None) -> Tail:
        return Tail(self._source.run.log(host), most=LOG_MOST, position=position, seed=LOG_SEED)

    def _shown(self, block: bytes) -> str:
        text = block.decode("utf-8", "replace")
        if text:
            for value in sorted(self._source.hidden(), key=len, reverse=True):
                text = text.replace(value, HIDDEN)
        return text


class _Second:
    """The invocations of one variant that ended in one second."""

    __slots__ = ("count", "failed_by_caller", "failed_by_model", "model", "overhead")

    def __init__(self) -> None:
        self.count = self.failed_by_caller = self.failed_by_model = 0
        self.model: list[float] = []
        self.overhead: list[float] = []

    def add(self, event: dict[str, Any]) -> None:
        self.count += 1
        status = event["original_status"]
        if status is None or status >= 500:
            self.failed_by_model += 1
        elif status >= 400:
            self.failed_by_caller += 1
        self.model.append(event["model_seconds"])
        self.overhead.append(event["overhead_seconds"])

    def told(self) -> dict[str, Any]:
        return {
            "Invocations": self.count,
            "Invocation4XXErrors": self.failed_by_caller,
            "Invocation5XXErrors": self.failed_by_model,
            "ModelLatency": _spread(self.model),
            "OverheadLatency": _spread(self.overhead),
        }


def _spread(seconds: list[float]) -> dict[str, float]:
    """Give durations as `describe` does, in microseconds; exact, since all of them are here."""
    ordered = sorted(seconds)

    def quantile(part: float) -> float:
        return round(ordered[max(0, math.ceil(part * len(ordered)) - 1)] * 1e6, 1)

    return {"p50": quantile(0.5), "p99": quantile(0.99), "Maximum": round(ordered[-1] * 1e6, 1)}


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() and len(text) < 19 else None
