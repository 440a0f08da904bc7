"""How far a check is, for a person: a spinner for each probe on a terminal, plain lines elsewhere."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, TextIO

from sm_contracts.progress import without_name
from sm_contracts.reports.wording import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from rich.progress import Progress, TaskID


class Display:
    """A `Watch` that writes to a stream.

    Args:
        stream: usually stderr.
        colour: whether a terminal is given colours.
        bars: whether a terminal is given a display that moves.
        planned: called when the image is at hand and probes are about to run.
    """

    def __init__(
        self,
        stream: TextIO,
        *,
        colour: bool = True,
        bars: bool = True,
        planned: Callable[[], None] = lambda: None,
    ) -> None:
        self._stream, self._colour, self._planned = stream, colour, planned
        self._live = bars and stream.isatty()
        self._lock = threading.Lock()
        self._began = time.monotonic()
        self._bar: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._whole: TaskID | None = None
        self._total = self._done = 0
        self._deaf = False

    def said(self, words: str) -> None:
        with self._lock:
            self._say(words)

    def planned(self, probes: Sequence[str]) -> None:
        self._planned()
        with self._lock:
            self._total = len(probes)
            if self._live and probes:
                self._bar = _bar(self._stream, colour=self._colour)
                self._whole = self._bar.add_task("check", total=len(probes), words=self._how_far())
                self._bar.start()

    def began(self, probe: str) -> None:
        with self._lock:
            if self._bar is not None:
                self._tasks[probe] = self._bar.add_task(probe, total=None, words="")
            else:
                self._say(f"{probe}: begins")

    def doing(self, probe: str, words: str) -> None:
        words = without_name(probe, words)
        with self._lock:
            if self._bar is not None and probe in self._tasks:
                self._bar.update(self._tasks[probe], words=printable(words), refresh=True)
            elif self._bar is None:
                self._say(f"{probe}: {words}")

    def ended(self, probe: str, seconds: float) -> None:
        with self._lock:
            self._done += 1
            if self._bar is not None and probe in self._tasks and self._whole is not None:
                self._bar.remove_task(self._tasks.pop(probe))
                self._bar.update(self._whole, completed=self._done, words=self._how_far())
            else:
                self._say(f"{probe}: done in {seconds:.1f} s ({self._how_far()})")

    def _how_far(self) -> str:
        return f"{self._done} of {self._total}"

    def _say(self, words: str) -> None:
        if self._deaf:
            return
        try:
            self._stream.write(f"{time.monotonic() - self._began:6.1f} s  {printable(words)}\n")
            self._stream.flush()
        except BrokenPipeError:  # the reader has left; the check goes on
            self._deaf = True

    def __enter__(self) -> Display:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            if self._bar is not None:
                self._bar.stop()
                self._bar = None


def _bar(stream: TextIO, *, colour: bool) -> Progress:
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        TimeElapsedColumn(),
        TextColumn("{task.fields[words]}", markup=False),
        console=Console(file=stream, no_color=not colour),
        transient=True,
    )
