"""What lies in a run's folders on this machine."""

from __future__ import annotations

import filecmp
import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from sm_contracts.evidence.training.folders import Clashes, Folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_KINDS = {
    stat.S_IFIFO: "FIFO",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
}
_FAILURE_BYTES = 64 << 10


def look(folder: Path) -> Folder:
    """List what is in a folder, without following or opening anything."""
    files, symlinks, specials = 0, {}, {}
    for name, about in _walk(folder):
        kind = stat.S_IFMT(about.st_mode)
        if kind == stat.S_IFDIR:
            continue
        files += 1
        if kind == stat.S_IFLNK:
            symlinks[name] = str((folder / name).readlink())
        elif kind in _KINDS:
            specials[name] = _KINDS[kind]
    return Folder(files=files, symlinks=symlinks, specials=specials)


def snapshot(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Give what tells whether anything in a folder was made, changed or removed: by name, folders too."""
    return {
        name: (stat.S_IFMT(about.st_mode), 0, 0)
        if stat.S_ISDIR(about.st_mode)
        else (stat.S_IFMT(about.st_mode), about.st_size, about.st_mtime_ns)
        for name, about in _walk(folder)
    }


def changed(before: dict[str, tuple[int, int, int]], after: dict[str, tuple[int, int, int]]) -> list[str]:
    """Name what is different."""
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))


def clashes(folders: Sequence[tuple[str, Path, Path]]) -> Clashes:
    """Compare the same folders of two hosts.

    Args:
        folders: what to call each, and where it lies on either host.
    """
    equal: list[str] = []
    different: list[str] = []
    for title, one, other in folders:
        ours, theirs = (
            {name for name, about in _walk(each) if not stat.S_ISDIR(about.st_mode)} for each in (one, other)
        )
        for name in sorted(ours & theirs):
            same = _same(one / name, other / name)
            (equal if same else different).append(f"{title}/{name}")
    return Clashes(equal=tuple(equal), different=tuple(different))


def total_bytes(folder: Path) -> int:
    """Add up the files in a folder, or give the size of a file."""
    if folder.is_file():
        return folder.stat().st_size
    return sum(about.st_size for _, about in _walk(folder) if stat.S_ISREG(about.st_mode))


def copy(source: Path, target: Path) -> None:
    """Copy a file or a folder with its links as links."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
    else:
        shutil.copy2(source, target)


def failure(output: Path) -> bytes | None:
    """Read /opt/ml/output/failure, if it is a regular file."""
    return small_file(output, "failure")


def small_file(folder: Path, name: str) -> bytes | None:
    """Read the beginning of a file of a folder, if it is a regular one."""
    try:
        descriptor = os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        return file.read(_FAILURE_BYTES) if stat.S_ISREG(os.fstat(descriptor).st_mode) else None


def _walk(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    waiting = [folder]
    while waiting:
        with suppress(OSError), os.scandir(waiting.pop()) as entries:  # not there, or not ours to read
            for entry in entries:
                yield os.path.relpath(entry.path, folder), entry.stat(follow_symlinks=False)
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(Path(entry.path))


def _same(one: Path, other: Path) -> bool:
    if not (one.is_file() and other.is_file()):
        return False
    try:
        return filecmp.cmp(one, other, shallow=False)
    except OSError:
        return False
