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
    """None with CompressionType NONE, too."""
    model_uri: str = ""
    """`s3://` or `file://`; of a model that was not packed, its folder."""
    output: Path | None = None
    output_uri: str = ""
