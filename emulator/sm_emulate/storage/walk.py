"""Everything in a folder that others have written to, whatever modes they left behind."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_EFFECTIVE = os.access in os.supports_effective_ids


def walk(folder: Path, *, to_delete: bool = False) -> Iterator[tuple[str, os.stat_result]]:
    """Give every path in a folder, itself first, a folder before its entries; symlinks are never followed.

    On the way, what is ours is opened up for us: folders to enter and files to read, or folders to empty. A config
    folder's mode is 0644 on purpose, and a container may leave any mode behind. What somebody else has closed is
    given itself, without what lies in it; what vanishes meanwhile is left out.
    """
    waiting = [os.fspath(folder)]
    while waiting:
        path = waiting.pop()
        try:
            found = os.lstat(path)
        except FileNotFoundError:
            continue
        _open_up(path, found, to_delete=to_delete)
        yield path, found
        if stat.S_ISDIR(found.st_mode):
            # PermissionError: somebody else's
            with suppress(PermissionError, FileNotFoundError), os.scandir(path) as entries:
                names = [entry.path for entry in entries]
                os.lstat(f"{path}/.")  # one may be allowed to list a folder and not to enter it
                waiting += names


def delete_tree(folder: Path) -> None:
    """Remove a folder, whatever modes its folders have; one that is gone is no error.

    Raises:
        OSError: something in it is not ours to remove.
    """
    import shutil

    for _ in walk(folder, to_delete=True):
        pass
    with suppress(FileNotFoundError):  # somebody else was faster
        shutil.rmtree(folder)


def _open_up(path: str, found: os.stat_result, *, to_delete: bool) -> None:
    if stat.S_ISDIR(found.st_mode):
        needed = 0o700 if to_delete else 0o500
    elif stat.S_ISREG(found.st_mode) and not to_delete:
        needed = 0o400
    else:
        return
    if found.st_mode & needed == needed:
        return
    if not os.access(path, needed >> 6, effective_ids=_EFFECTIVE):  # root may do all without
        with suppress(PermissionError, FileNotFoundError):
            os.chmod(path, stat.S_IMODE(found.st_mode) | needed)  # noqa: PTH101  # a Path each would take long
