"""What a person sees while a tuning job goes: each training job's beginning and end, and how those that run do."""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from sm_emulate.events import (
    JobEnded,
    JobEvent,
    JobLaunched,
    LogLines,
    LogPart,
    MetricRecorded,
    Noted,
    Progress,
    StatusChanged,
    Warned,
)
from sm_emulate.report.terminal import GREY, PLAIN, YELLOW, Terminal
from sm_emulate.request.wording import shorten

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from rich.live import Live

    from sm_emulate.events import Event


REASON_CHARACTERS = 200
"""Of a training job's FailureReason; its description has all of it."""


@dataclass
class _Running:
    """What one line of the display says of a training job."""

    number: int
    hyperparameters: Mapping[str, str]
    status: str = "Starting"
    values: int = 0
    latest: float | None = None

    def line(self) -> str:
        now = "" if self.latest is None else f"  {self.latest:g} at step {self.values}"
        return f"{self.number:03d}  {self.status}{now}  {words_of(self.hyperparameters)}"


class TuningTerminal:
    """Listens to a tuning job and tells it on a stream: lines that stay, and on a terminal one for each that runs.

    Args:
        objective: the metric whose latest value is shown.
        stream: where to write.
        logs: pass the containers' log lines on, each behind the number of its training job.
        quiet: tell warnings, and log lines where asked for, only.
        colour: allow colours on a terminal.
        live: allow lines that change on a terminal.
    """

    def __init__(
        self,
        objective: str,
        stream: TextIO | None = None,
        *,
        logs: bool = False,
        quiet: bool = False,
        colour: bool = True,
        live: bool = True,
    ) -> None:
        self._objective, self._stream = objective, stream or sys.stderr
        self._logs, self._quiet = logs, quiet
        on_terminal = self._stream.isatty()
        self._colour = on_terminal and colour
        self._is_live = on_terminal and live and not quiet
        self._pulling = Terminal(self._stream, quiet=quiet, colour=colour, bars=live)
        self._running: dict[str, _Running] = {}
        self._best = ""
        self._said: set[str] = set()
        self._live: Live | None = None
        self._deaf = False

    def __call__(self, event: Event) -> None:
        if self._deaf:
            return
        try:
            self._tell(event)
        except OSError:  # the reader has left, or the terminal was closed; the run goes on
            self._deaf = True

    def _tell(self, event: Event) -> None:
        if isinstance(event, JobEvent):
            self._of_job(event)
        elif isinstance(event, JobLaunched):
            self._running[event.job] = _Running(event.number, event.hyperparameters)
            self._say(f"{event.number:03d} launched  {words_of(event.hyperparameters)}", GREY)
        elif isinstance(event, JobEnded):
            self._running.pop(event.job, None)
            self._say(self._ended(event), PLAIN if event.best else GREY)
            if event.failure_reason:
                reason = shorten(" ".join(event.failure_reason.split()), REASON_CHARACTERS)
                self._say(f"{event.number:03d} {reason}", YELLOW)
        elif isinstance(event, StatusChanged):
            words = f"{event.status} - {event.message}" if event.message else event.status
            self._say(f"{event.at.astimezone():%Y-%m-%d %H:%M:%S} {words}", GREY)
        elif isinstance(event, Noted):
            self._say(event.message, GREY)
        elif isinstance(event, Warned):
            self._say(f"warning: {event.message}", YELLOW, always=True)
        elif isinstance(event, Progress):
            self._pulling(event)
        self._refresh()

    def _ended(self, event: JobEnded) -> str:
        objective = "no objective" if event.objective is None else f"{self._objective} {event.objective:g}"
        if event.best:
            self._best = f"best so far: {objective} by {event.number:03d}"
        status = "Stopped early" if event.early_stopped else event.status
        return f"{event.number:03d} {status}  {objective}{'  the best so far' if event.best else ''}"

    def _of_job(self, event: JobEvent) -> None:
        inner, running = event.event, self._running.get(event.job)
        if isinstance(inner, (LogLines, LogPart)):
            if self._logs and isinstance(inner, LogLines):
                text = inner.data.decode("utf-8", "replace")
                for line in text.split("\n")[:-1]:
                    self._say(f"{event.number:03d} | {line}", PLAIN, always=True)
        elif isinstance(inner, (Warned, Noted)) and inner.message in self._said:
            pass  # training jobs of one image have the same to say, each of them
        elif isinstance(inner, Noted):
            self._said.add(inner.message)
            self._say(f"{event.number:03d} {inner.message}", GREY)
        elif isinstance(inner, Warned):
            self._said.add(inner.message)
            self._say(f"{event.number:03d} warning: {inner.message}", YELLOW, always=True)
        elif running is not None and isinstance(inner, StatusChanged):
            running.status = inner.secondary or inner.status
        elif running is not None and isinstance(inner, MetricRecorded) and inner.name == self._objective:
            running.latest, running.values = inner.value, running.values + 1

    def _say(self, words: str, colour: str, *, always: bool = False) -> None:
        if self._quiet and not always:
            return
        text = f"{colour}{words}{PLAIN}" if self._colour and colour != PLAIN else words
        if self._live is not None:
            from rich.text import Text

            self._live.console.print(Text.from_ansi(text), soft_wrap=True)
            return
        self._stream.write(text + "\n")
        self._stream.flush()

    def _refresh(self) -> None:
        if not self._is_live:
            return
        if not self._running:
            self._end_live()
            return
        from rich.text import Text

        lines = [each.line() for each in self._running.values()] + ([self._best] if self._best else [])
        shown = Text("\n".join(lines), no_wrap=True, overflow="ellipsis")
        if self._live is None:
            from rich.console import Console
            from rich.live import Live

            self._live = Live(shown, console=Console(file=self._stream), transient=True, auto_refresh=False)
            self._live.start()
        self._live.update(shown, refresh=True)

    def _end_live(self) -> None:
        if self._live is not None:
            live, self._live = self._live, None
            live.stop()

    def __enter__(self) -> TuningTerminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._end_live()
        self._pulling.__exit__(kind, error, trace)


def words_of(hyperparameters: Mapping[str, str]) -> str:
    """Give hyperparameters in one line, numbers in a few digits."""
    return " ".join(f"{name}={short(value)}" for name, value in hyperparameters.items())


def short(value: str) -> str:
    """Give a long number in a few digits, and anything else as it is."""
    try:
        return value if len(value) <= 8 else f"{float(value):.6g}"
    except ValueError:
        return value
