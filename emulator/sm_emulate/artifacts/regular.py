"""Opening a file that a container left behind, whatever it really is."""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def open_regular(path: str) -> Iterator[int | None]:
    """Give a descriptor of a regular file, or None for anything else.

    It never follows a symlink in the last part and never waits for the other end of a FIFO.

    Raises:
        OSError: it is not there, or may not be read.
    """
    if not stat.S_ISREG(os.lstat(path).st_mode):
        yield None
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        yield descriptor if stat.S_ISREG(os.fstat(descriptor).st_mode) else None
    finally:
        os.close(descriptor)
