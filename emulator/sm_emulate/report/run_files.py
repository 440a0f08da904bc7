"""What a run leaves in its folder while it goes: the logs of each host and every other event."""

from __future__ import annotations

import json
from datetime import datetime
from json.encoder import encode_basestring_ascii as _quoted
from typing import IO, TYPE_CHECKING

from sm_emulate.events import Invoked, JobEvent, LogLines, LogPart, MetricRecorded, Progress
from sm_emulate.storage.trouble import told

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from sm_emulate.events import Event
    from sm_emulate.storage.run_folder import RunFolder


def event_line(event: Event) -> str:
    """Give one line of `events.ndjson`: the kind of the event, then its fields by name, times as ISO 8601."""
    if isinstance(event, Invoked):
        return _invoked_line(event)
    return json.dumps({"event": type(event).__name__, **vars(event)}, default=_plain) + "\n"


def _plain(value: object) -> str:
    return value.isoformat(timespec="milliseconds") if isinstance(value, datetime) else str(value)


def _invoked_line(event: Invoked) -> str:
    """Give the same by hand: a busy endpoint writes thousands of these in a second."""
    original = "null" if event.original_status is None else event.original_status
    return (
        f'{{"event": "Invoked", "at": "{event.at.isoformat(timespec="milliseconds")}", '
        f'"path": {_quoted(event.path)}, "status": {event.status}, "original_status": {original}, '
        f'"model_seconds": {event.model_seconds!r}, "overhead_seconds": {event.overhead_seconds!r}, '
        f'"bytes_in": {event.bytes_in}, "bytes_out": {event.bytes_out}, '
        f'"failure": {_quoted(event.failure)}, "variant": {_quoted(event.variant)}}}\n'
    )


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

    def hear_all(self, events: Sequence[Event]) -> None:
        """Write down events that came together; invocations with one system call."""
        if not all(isinstance(event, Invoked) for event in events):
            for event in events:
                self(event)
            return
        with told("the run's logs cannot be written", self._run.path):
            self._events.write("".join(map(event_line, events)))

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
