"""How training on the sample data starts and ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sm_contracts.evidence.training.run import TrainingRun


@dataclass(frozen=True, kw_only=True)
class TrainingStart:
    """Whether the program could be started at all."""

    run: TrainingRun


@dataclass(frozen=True, kw_only=True)
class TrainingEnd:
    """The run on the sample data."""

    run: TrainingRun
    blamed: tuple[str, ...] = ()
    """Rules that name the reason, where it fails for one that another rule is about."""
    sample_data: bool = True
    """Whether the user gave a channel."""


@dataclass(frozen=True, kw_only=True)
class TrainingLog:
    """What it wrote to stdout and stderr until its own end."""

    bytes: int


@dataclass(frozen=True, kw_only=True)
class Endings:
    """Runs to look at for failures that the exit code hides: on the sample data, and on empty channels."""

    runs: tuple[TrainingRun, ...]


@dataclass(frozen=True, kw_only=True)
class Failures:
    """Runs that failed by themselves: on the sample data, or on empty channels."""

    runs: tuple[TrainingRun, ...]


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """The given metric definitions: how often each found a number, or why it never can."""

    matches: dict[str, int]
    broken: dict[str, str]
