"""The same run under one other condition. Evidence of this kind is there only if the plain run ends well."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sm_contracts.evidence.training.run import TrainingRun


@dataclass(frozen=True, kw_only=True)
class Quoting:
    """String hyperparameters as they are, and JSON-quoted."""

    names: tuple[str, ...]
    """Hyperparameters that are strings."""
    plain: TrainingRun
    quoted: TrainingRun


@dataclass(frozen=True, kw_only=True)
class TypedHyperparameters:
    """Whether the run fails because every hyperparameter is a string."""

    strings: TrainingRun
    typed: TrainingRun | None
    """With JSON numbers and booleans in place of their text; None where that was no question."""


@dataclass(frozen=True, kw_only=True)
class TuningJob:
    """With `_tuning_objective_metric` among the hyperparameters."""

    run: TrainingRun


@dataclass(frozen=True, kw_only=True)
class Isolated:
    """Under network isolation."""

    run: TrainingRun
    asked: bool
    """The user means to run it isolated."""


@dataclass(frozen=True, kw_only=True)
class ConfigVariants:
    """With config files as they can be on the platform, by what is special about them."""

    runs: Mapping[str, TrainingRun] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class TwoHosts:
    """On two hosts whose names are not their host names and resolve late."""

    run: TrainingRun
    at_ease: TrainingRun | None = None
    """If that failed: with the host name algo-N and names that resolve at once."""
    alone: bool = False
    """That was one host: the job as the platform runs it fails by this alone."""


@dataclass(frozen=True, kw_only=True)
class Permissions:
    """The image's own user among directories with the platform's modes."""

    user: str
    """USER of the image; empty is root."""
    strict: TrainingRun
    open: TrainingRun | None = None
    """If that failed and this did not: with directories that anybody may enter and write."""


@dataclass(frozen=True, kw_only=True)
class SharedMemory:
    """With 64 MiB of /dev/shm."""

    run: TrainingRun
    roomy: TrainingRun | None = None
    """If that failed and this did not: with 1 GiB."""
