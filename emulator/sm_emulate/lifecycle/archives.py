"""What packing a job's artifacts comes to, apart from the packing, which takes longer to import."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sm_emulate.frozen import frozen

if TYPE_CHECKING:
    from pathlib import Path


@frozen
class Archives:
    """Where the archives lie; None where there was nothing to pack."""

    model: Path | None = None
    output: Path | None = None
