"""Opening a file that a container left behind, whatever it really is."""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def read_inside(folder: Path, name: str, most_bytes: int) -> bytes | None:
    """Give the beginning of a file in a folder; None if there is none.

    A symlink is followed only inside the folder; what is not a regular file counts as none, and at most so many bytes
    are read however large the file is.

    Raises:
        OSError: it may not be read.
    """
    root = os.path.realpath(folder)
    path = os.path.realpath(os.path.join(root, name))
    if os.path.commonpath((root, path)) != root:
        return None
    try:
        with open_regular(path) as descriptor:
            if descriptor is None:
                return None
            read = b""
            while len(read) < most_bytes and (piece := os.read(descriptor, most_bytes - len(read))):
                read += piece
    except (FileNotFoundError, NotADirectoryError):
        return None
    return read


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
