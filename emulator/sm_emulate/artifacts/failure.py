"""The job's own account of why it failed: /opt/ml/output/failure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sm_emulate.artifacts.regular import read_inside
from sm_emulate.errors import MachineError

if TYPE_CHECKING:
    from pathlib import Path

LENGTH = 1024
"""FailureReason takes the first 1024 characters."""
_MOST_BYTES = 4 * LENGTH
"""UTF-8 needs at most four bytes for a character."""


def read_failure(folder: Path) -> str | None:
    """Give the first 1024 characters of the file `failure` in a host's /opt/ml/output; None if there is none.

    Invalid UTF-8 is replaced. A symlink is followed only inside the folder; what is not a regular file counts
    as none, and at most 4 KiB are read however large the file is.

    Raises:
        MachineError: the file is there and the current user may not read it.
    """
    try:
        read = read_inside(folder, "failure", _MOST_BYTES)
    except OSError as error:
        raise MachineError(
            f"the failure file could not be read: {error.strerror or error}",
            value=error.filename or folder / "failure",
            expected="a file that the current user may read",
            hint="check its owner and mode",
        ) from error
    return None if read is None else read.decode("utf-8", "replace")[:LENGTH]
