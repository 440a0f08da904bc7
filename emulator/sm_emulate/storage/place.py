"""Whether a folder of the caller's choice can be written to, found out before anything is done."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sm_emulate.errors import MachineError, RequestError

if TYPE_CHECKING:
    from pathlib import Path


def check_writable(folder: Path, *, what: str) -> None:
    """Make sure that files can be put into a folder, which need not be there yet; nothing is made.

    Raises:
        RequestError: it is a file, or below one.
        MachineError: the current user may not write there.
    """
    place = folder.absolute()
    while not os.path.lexists(place) and place != place.parent:
        place = place.parent
    if not place.is_dir():
        raise RequestError(f"{what} is no folder", value=place, expected="a folder, or a name for a new one")
    if not os.access(place, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        raise MachineError(
            f"{what} cannot be written to", value=place, hint="check its owner and mode, or choose another"
        )
