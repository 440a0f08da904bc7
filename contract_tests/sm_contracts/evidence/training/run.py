"""One training run, as every kind of evidence about training shows it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

SHOWN = 12
"""Log lines in a finding's evidence."""


@dataclass(frozen=True, kw_only=True)
class TrainingRun:
    """How one training run came out."""

    way: str = "as the platform runs it"
    """What was special about it, in a few words."""
    exit_code: int | None = 0
    """Of the host that failed first, else 0; None if no program ever ran."""
    start_error: str = ""
    """The engine's words, if the program could not be started."""
    timed_out: bool = False
    """It was ended by us because it took too long."""
    seconds: float = 0.0
    """From the start of the program to its end."""
    failure: bytes | None = None
    """/opt/ml/output/failure as it was, at most 64 KiB; None if there is none."""
    log: tuple[str, ...] = ()
    """The last lines that it wrote."""
    errors: tuple[str, ...] = ()
    """The last lines of those that it wrote to stderr."""
    log_bytes: int = 0
    """How much it wrote in all."""
    oom_killed: bool = False
    left_model: bool = True
    """Whether there was a file in /opt/ml/model."""

    @property
    def started(self) -> bool:
        return self.exit_code is not None and not self.start_error

    @property
    def completed(self) -> bool:
        """Whether it ran to its end and said that all is well."""
        return self.started and self.exit_code == 0 and not self.timed_out

    @property
    def failed(self) -> bool:
        """Whether it ran to its end and said that it failed."""
        return self.started and self.exit_code != 0 and not self.timed_out

    @property
    def text(self) -> str:
        """All that it said, for a search."""
        failure = (self.failure or b"").decode("utf-8", "replace")
        return "\n".join((*self.log, failure))

    @property
    def outcome(self) -> str:
        """How it ended, as the end of a sentence."""
        if not self.started:
            return f"could not be started: {self.start_error}"
        if self.timed_out:
            return f"did not end within {self.seconds:.0f} s"
        killed = " after the kernel killed it for memory" if self.oom_killed else ""
        return f"ended with exit code {self.exit_code}{killed} after {self.seconds:.1f} s"

    @property
    def hidden_failure(self) -> str:
        """Say what shows that it failed although it exited 0; empty if nothing does."""
        if not self.completed:
            return ""
        if self.failure is not None and self.failure.strip():
            return "it wrote /opt/ml/output/failure"
        if ends_in_traceback(self.log):
            return "its log ends in a traceback"
        # what a program has printed comes behind it when it is flushed as late as Python does; but a program that
        # goes on after a traceback has something to show for it
        if not self.left_model and ends_in_traceback(self.errors):
            return "its stderr ends in a traceback and it left no model"
        return ""

    def as_evidence(self) -> dict[str, Any]:
        """Give it for a machine, without what says nothing."""
        said = None if self.failure is None else self.failure[:1024].decode("utf-8", "replace")
        found = {
            "way": self.way,
            "exit_code": self.exit_code,
            "start_error": self.start_error or None,
            "timed_out": self.timed_out or None,
            "seconds": round(self.seconds, 2),
            "failure": said,
            "log": list(self.log[-SHOWN:]),
        }
        return {name: value for name, value in found.items() if value is not None}


_TRACEBACK = re.compile(r"Traceback \(most recent call last\):|Exception in thread ")
_INSIDE = re.compile(r"\s|During handling of|The above exception|Caused by:|$")
_RAISED = re.compile(r"[\w.]+(Error|Exception|Exit|Interrupt|Iteration|Warning)\b")


def ends_in_traceback(log: Sequence[str]) -> bool:
    """Tell whether the last thing in a log is a Python or Java stack trace."""
    starts = [number for number, line in enumerate(log) if _TRACEBACK.search(line)]
    if not starts:
        return False
    block = list(log[starts[-1] + 1 :])
    if "Exception in thread " in log[starts[-1]]:
        return bool(block) and all(_INSIDE.match(line) for line in block)
    while block and not block[-1].strip():
        block.pop()
    raised = next((number for number, line in enumerate(block) if _RAISED.match(line)), None)
    return raised is not None and raised == len(block) - 1
