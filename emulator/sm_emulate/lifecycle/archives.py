"""What packing a job's artifacts comes to, apart from the packing, which takes longer to import."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Archives:
    """Where the archives lie; None where there was nothing to pack."""

    model: Path | None = None
    output: Path | None = None
