"""The operating system's refusals of our own files, in words."""

from __future__ import annotations

import errno
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sm_emulate.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_HINTS = {
    errno.ENOSPC: "free some space on this disk, or set SM_EMULATE_HOME to a folder on another one",
    errno.EDQUOT: "your quota is used up: remove old runs with `sm-emulate clean --all`",
    errno.EACCES: "make it readable and writable for the user who runs sm-emulate",
    errno.EROFS: "set SM_EMULATE_HOME or --home to a folder that you can write",
}


@contextmanager
def told(what: str, where: Path) -> Iterator[None]:
    """Turn an OSError inside the `with` into a MachineError that begins with `what`."""
    try:
        yield
    except OSError as failure:
        raise MachineError(
            f"{what}: {failure.strerror or failure}",
            value=failure.filename or where,
            hint=_HINTS.get(failure.errno or 0),
        ) from failure
