"""Runs that are stopped before their end, and runs that go on from there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sm_contracts.evidence.training.run import TrainingRun


@dataclass(frozen=True, kw_only=True)
class Stopped:
    """A run that was sent SIGTERM in the middle."""

    run: TrainingRun
    window_s: float
    """Between SIGTERM and SIGKILL."""
    sent_after_s: float | None
    """None if it ended before SIGTERM could be sent."""
    lived_on_s: float = 0.0
    """From SIGTERM to its end."""
    killed: bool = False
    """It was still alive at the end of the window."""
    handled: bool | None = None
    """Whether PID 1 has a handler for SIGTERM; None if that could not be seen."""
    model_files: int = 0

    @property
    def ended_by_itself(self) -> bool:
        """Whether SIGTERM had no part in its end: the kernel discards what PID 1 does not handle."""
        return self.sent_after_s is None or (self.handled is False and not self.killed)


@dataclass(frozen=True, kw_only=True)
class Resumed:
    """A second run that found the checkpoints of one that was interrupted."""

    checkpoints: tuple[str, ...]
    interrupted: bool
    """The first run was interrupted; else it had ended by itself."""
    run: TrainingRun


@dataclass(frozen=True, kw_only=True)
class Sidecars:
    """The same, with the platform's upload markers beside the checkpoints."""

    markers: tuple[str, ...]
    run: TrainingRun
