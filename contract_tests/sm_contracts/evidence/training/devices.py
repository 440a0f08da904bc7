"""Pipes and GPUs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sm_contracts.evidence.training.run import TrainingRun


@dataclass(frozen=True, kw_only=True)
class PipeReads:
    """Channels in Pipe mode: how many of their FIFOs were opened, by channel."""

    opened: Mapping[str, int]
    run: TrainingRun


@dataclass(frozen=True, kw_only=True)
class GpuUse:
    """A run that was given GPUs."""

    looks: int
    """How often it was looked for open devices."""
    opened: tuple[str, ...]
    """NVIDIA devices that one of its processes held open."""
    run: TrainingRun
