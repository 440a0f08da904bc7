"""What the processing probe saw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sm_contracts.evidence.training.run import TrainingRun

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sm_contracts.evidence.training.folders import Folder


@dataclass(frozen=True, kw_only=True)
class ProcessingRun(TrainingRun):
    """How one processing run came out."""

    message: bytes | None = None
    """/opt/ml/output/message as it was, at most 64 KiB; None if there is none."""

    def as_evidence(self) -> dict[str, Any]:
        """Give it for a machine, without what says nothing."""
        said = None if self.message is None else self.message[:1024].decode("utf-8", "replace")
        return super().as_evidence() | ({} if said is None else {"message": said})


@dataclass(frozen=True, kw_only=True)
class ProcessingStart:
    """Whether the program could be started at all."""

    run: ProcessingRun


@dataclass(frozen=True, kw_only=True)
class ProcessingEnd:
    """The run on the sample data."""

    run: ProcessingRun
    blamed: tuple[str, ...] = ()
    """Rules that name the reason, where it fails for one that another rule is about."""
    sample_data: bool = True
    """Whether the user gave an input."""


@dataclass(frozen=True, kw_only=True)
class ProcessingOutputs:
    """What a run that ended well left in the declared outputs, by name."""

    folders: Mapping[str, Folder]
    places: Mapping[str, str]
    """The LocalPath of each."""


@dataclass(frozen=True, kw_only=True)
class ExitMessages:
    """Runs that were looked at for what they left in /opt/ml/output/message."""

    runs: tuple[ProcessingRun, ...]


@dataclass(frozen=True, kw_only=True)
class TrainingHabits:
    """Whether the program needs what only a training job has."""

    run: ProcessingRun
    """As the platform runs it."""
    with_training: ProcessingRun | None = None
    """With a training job's variables and folders; None where the first run ended well without them."""


@dataclass(frozen=True, kw_only=True)
class ProcessingStopped:
    """A run that was stopped in the middle."""

    run: ProcessingRun
    window_s: float
    """Between the first signal and SIGKILL."""
    sent_after_s: float | None
    """None if it ended before a signal could be sent."""
    lived_on_s: float = 0.0
    """From the signal to its end."""
    killed: bool = False
    """It was still alive at the end of the window."""
    handled: bool | None = None
    """Whether PID 1 has a handler for SIGINT; None if that could not be seen."""
    heeds_sigterm: bool | None = None
    """Whether another run ended on SIGTERM; None if that was not tried."""

    @property
    def ended_by_itself(self) -> bool:
        """Whether the signal had no part in its end: the kernel discards what PID 1 does not handle."""
        return self.sent_after_s is None or (self.handled is False and not self.killed)
