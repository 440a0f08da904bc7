"""What a run leaves in its folder while it goes: the logs of each host and every other event."""

from __future__ import annotations

import json
from datetime import datetime
from typing import IO, TYPE_CHECKING

from sm_emulate.events import JobEvent, LogLines, LogPart, MetricRecorded, Progress
from sm_emulate.storage.trouble import told

if TYPE_CHECKING:
    from types import TracebackType

    from sm_emulate.events import Event
    from sm_emulate.storage.run_folder import RunFolder


def event_line(event: Event) -> str:
    """Give one line of `events.ndjson`: the kind of the event, then its fields by name, times as ISO 8601."""
    return _encode({"event": type(event).__name__, **vars(event)}) + "\n"


def _plain(value: object) -> str:
    return value.isoformat(timespec="milliseconds") if isinstance(value, datetime) else str(value)


_encode = json.JSONEncoder(default=_plain).encode  # made once: an endpoint writes a line for each request


class RunFiles:
    """Listens to one run and writes `logs/<host>.log`, `events.ndjson` and, where there are any, `metrics.ndjson`."""

    def __init__(self, run: RunFolder) -> None:
        self._run = run
        self._logs: dict[str, IO[bytes]] = {}
        self._metrics: IO[str] | None = None
        self._events: IO[str] = run.events.open("a", encoding="utf-8", buffering=1)

    def __call__(self, event: Event) -> None:
        if isinstance(event, JobEvent):
            return  # the training job's own folder has it
        with told("the run's logs cannot be written", self._run.path):
            if isinstance(event, (LogLines, LogPart)):
                if (log := self._logs.get(event.host)) is None:
                    path = self._run.log(event.host)
                    if "/" in event.host:  # VARIANT/INSTANCE
                        path.parent.mkdir(parents=True, exist_ok=True)
                    log = self._logs[event.host] = path.open("ab")
                # a part is written when it comes, and not again with its whole line
                log.write(event.data[event.shown :] if isinstance(event, LogLines) else event.data)
                log.flush()
            elif not isinstance(event, Progress):
                self._events.write(event_line(event))
                if isinstance(event, MetricRecorded):
                    self._note(event)

    def _note(self, metric: MetricRecorded) -> None:
        from sm_emulate.storage.metric_series import as_line

        if self._metrics is None:
            self._metrics = self._run.metrics.open("a", encoding="utf-8", buffering=1)
        self._metrics.write(as_line(metric))

    def __enter__(self) -> RunFiles:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._events.close()
        if self._metrics is not None:
            self._metrics.close()
        for log in self._logs.values():
            log.close()
