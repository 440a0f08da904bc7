"""What training leaves in its folders, and elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sm_contracts.evidence.training.run import TrainingRun


@dataclass(frozen=True, kw_only=True)
class Folder:
    """What lies in a folder; names are relative."""

    files: int
    """Everything but folders."""
    symlinks: Mapping[str, str] = field(default_factory=dict)
    """Target by name."""
    specials: Mapping[str, str] = field(default_factory=dict)
    """`device`, `socket` or `FIFO` by name."""


@dataclass(frozen=True, kw_only=True)
class ModelFolder:
    """/opt/ml/model after a run that ended well."""

    folder: Folder


@dataclass(frozen=True, kw_only=True)
class OutputFolder:
    """/opt/ml/output/data after a run that ended well."""

    folder: Folder


@dataclass(frozen=True, kw_only=True)
class WritableLayer:
    """How much a run wrote into its container's own layer, outside /opt/ml's volumes and /tmp."""

    bytes: int


@dataclass(frozen=True, kw_only=True)
class InputWrites:
    """What becomes of /opt/ml/input/data."""

    wrote: tuple[str, ...]
    """Names under /opt/ml/input/data that a run made, changed or removed where it could."""
    copied: bool
    """Whether it could write: channels were copies."""
    read_only: TrainingRun
    """With read-only channels, as in FastFile mode."""


@dataclass(frozen=True, kw_only=True)
class Clashes:
    """Names that both of two hosts wrote, with whether the two files are equal."""

    equal: tuple[str, ...]
    different: tuple[str, ...]
