"""What a person sees while a run goes: its statuses, its log lines, and how far long work is."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

from sm_emulate.events import (
    ArtifactPacked,
    Invoked,
    LogLines,
    LogPart,
    ModelLoaded,
    ModelUnloaded,
    Noted,
    Progress,
    StatusChanged,
    Warned,
)

if TYPE_CHECKING:
    from types import TracebackType

    from rich.progress import Progress as Bar
    from rich.progress import TaskID

    from sm_emulate.events import Event

GREY, YELLOW, PLAIN = "\x1b[2m", "\x1b[33m", "\x1b[0m"


def size(count: int) -> str:
    """Say a number of bytes in three digits."""
    if count < 1000:
        return f"{count} B"
    value, units = count / 1000, ["kB", "MB", "GB", "TB"]
    while value >= 999.5 and len(units) > 1:
        value, units = value / 1000, units[1:]
    return f"{value:.3g} {units[0]}"


class Terminal:
    """Listens to one run and tells it on a stream, plainly; in colour and with bars only on a terminal.

    Args:
        stream: where to write; log lines are passed on byte for byte.
        mark_hosts: put the host before each log line, for jobs of several hosts.
        quiet: tell log lines and warnings only.
        colour: allow colours on a terminal.
        bars: allow progress bars on a terminal.
    """

    def __init__(
        self,
        stream: TextIO | None = None,
        *,
        mark_hosts: bool = False,
        quiet: bool = False,
        colour: bool = True,
        bars: bool = True,
    ) -> None:
        self._stream = stream or sys.stderr
        self._mark_hosts = mark_hosts
        self._quiet = quiet
        on_terminal = self._stream.isatty()
        self._live = on_terminal and bars
        self._colour = on_terminal and colour
        self._bar: Bar | None = None
        self._tasks: dict[str, TaskID] = {}
        self._deaf = False
        self._open: str | None = None
        """The host whose unfinished line stands on the stream."""

    def __call__(self, event: Event) -> None:
        if self._deaf or isinstance(event, Invoked):  # these are many, and a person looks for other things
            return
        try:
            self._tell(event)
        except OSError:  # the reader has left (`2>&1 | head`), or the terminal was closed; the run goes on
            self._deaf = True

    def _tell(self, event: Event) -> None:
        if isinstance(event, Progress):
            self._progress(event)
            return
        self._end_bars()
        if isinstance(event, (LogLines, LogPart)):
            self._log(event)
        elif isinstance(event, Warned):
            self._say(f"warning: {event.message}", YELLOW)
        elif self._quiet:
            return
        elif isinstance(event, StatusChanged):
            label = event.secondary or event.status
            words = f"{label} - {event.message}" if event.message else label
            self._say(f"{event.at.astimezone():%Y-%m-%d %H:%M:%S} {words}", GREY)
        elif isinstance(event, Noted):
            self._say(event.message, GREY)
        elif isinstance(event, ModelLoaded):
            self._say(f"loaded {event.target_model} as {event.model_name} in {event.seconds:.2g} s", GREY)
        elif isinstance(event, ModelUnloaded):
            self._say(f"unloaded {event.target_model}: {event.reason}", GREY)
        elif isinstance(event, ArtifactPacked):
            for name, reason in event.skipped.items():
                self._say(f"warning: {event.name} is without {name}: {reason}", YELLOW)
            for name in event.clashes:
                self._say(f"warning: several hosts wrote {name}; {event.name} holds the first one's", YELLOW)

    def _log(self, event: LogLines | LogPart) -> None:
        shown = event.shown if isinstance(event, LogLines) else 0
        goes_on = self._open == event.host and (shown > 0 or isinstance(event, LogPart))
        if not goes_on:
            self._end_line()
        data = event.data[shown:]
        if self._mark_hosts:
            mark = f"{event.host} | ".encode()
            lines = data.split(b"\n")
            last = lines.pop()
            marked = [b"" if goes_on and not number else mark for number in range(len(lines) + 1)]
            data = b"".join(mark + line + b"\n" for mark, line in zip(marked, lines, strict=False))
            data += marked[-1] + last if last else b""
        self._pass_on(data)
        self._open = event.host if isinstance(event, LogPart) else None

    def _end_line(self) -> None:
        """Begin a new line, where an unfinished one stands."""
        if self._open is not None:
            self._open = None
            self._pass_on(b"\n")

    def _pass_on(self, data: bytes) -> None:
        self._stream.flush()
        if (buffer := getattr(self._stream, "buffer", None)) is not None:
            buffer.write(data)
            buffer.flush()
        else:
            self._stream.write(data.decode("utf-8", "replace"))

    def _say(self, words: str, colour: str) -> None:
        self._end_line()
        self._stream.write(f"{colour}{words}{PLAIN}\n" if self._colour else f"{words}\n")
        self._stream.flush()

    def _progress(self, event: Progress) -> None:
        if not self._live or self._quiet:
            return
        if self._bar is None:
            self._end_line()
            from rich.console import Console
            from rich.progress import BarColumn, DownloadColumn, TextColumn, TransferSpeedColumn
            from rich.progress import Progress as Bar

            class Quiet(Console):
                """Falls silent when its reader has left; rich's own would close our stdout and exit."""

                def on_broken_pipe(self) -> None:
                    self.quiet = True

            self._bar = Bar(
                TextColumn("{task.description}"),
                BarColumn(),
                DownloadColumn(),
                TransferSpeedColumn(),
                console=Quiet(file=self._stream),
                transient=True,
            )
            self._bar.start()
        if event.task not in self._tasks:
            self._tasks[event.task] = self._bar.add_task(event.task, total=None)
        self._bar.update(self._tasks[event.task], completed=event.done_bytes, total=event.total_bytes or None)

    def _end_bars(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
            self._tasks = {}

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(BrokenPipeError):
            self._end_bars()
