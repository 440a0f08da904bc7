"""A second name for a file, or a copy of it that costs as little as the file system allows."""

from __future__ import annotations

import os
import shutil
import sys

_FICLONE = 0x40049409
"""Linux: the copy shares the blocks of the original until one of them is written to."""


def link_or_copy(source: str, target: str) -> None:
    """Give a file another name; a copy where the file system or the owner does not allow it."""
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError:
        copy(source, target)


def copy(source: str, target: str) -> None:
    """Copy a file to a name that is not taken, sharing its blocks where that can be done."""
    with open(source, "rb", buffering=0) as old, open(target, "xb", buffering=0) as new:  # noqa: PTH123  # names come by the thousand
        if not _cloned(old.fileno(), new.fileno()):
            shutil.copyfile(source, target)
        os.fchmod(new.fileno(), 0o644)


def _cloned(source: int, target: int) -> bool:
    if sys.platform != "linux":
        return False
    import fcntl

    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError:
        return False
    return True
