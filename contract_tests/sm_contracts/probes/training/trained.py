"""What is known of one run after it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sm_contracts.evidence.training.folders import Clashes, Folder
    from sm_contracts.evidence.training.run import TrainingRun
    from sm_contracts.probes.training.way import Way


class InterruptedCheckError(Exception):
    """The user has asked for an end."""


@dataclass(frozen=True, kw_only=True)
class StopSeen:
    """What was seen of a stop in the middle of a run."""

    sent_after_s: float | None = None
    lived_on_s: float = 0.0
    killed: bool = False
    handled: bool | None = None
    too_early_s: float | None = None
    """When a handler for SIGTERM appeared, if that was after SIGTERM."""


@dataclass(frozen=True, kw_only=True)
class Trained:
    """One run, and all that was seen of it."""

    way: Way
    run: TrainingRun
    model: Folder
    output: Folder
    wrote_input: tuple[str, ...] = ()
    copied: bool = False
    written: int | None = None
    matches: Mapping[str, int] = field(default_factory=dict)
    pipes: Mapping[str, int] = field(default_factory=dict)
    clashes: Clashes | None = None
    stop: StopSeen = field(default_factory=StopSeen)
    checkpoints: Path | None = None
    """A copy of what lay in /opt/ml/checkpoints at the end."""
    gpu_looks: int = 0
    gpu_devices: tuple[str, ...] = ()
