"""The folders of several hosts seen as one tree, without ever opening what is not a file or folder."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


class LinkRule(Enum):
    """What becomes of symlinks. AWS does not say; the default is what was seen in real archives.

    A hard link is one more name of a file: under every rule each name is packed with its content.
    """

    KEEP = "keep"
    """A symlink stays one in the archive. Hosting then refuses the archive."""
    FOLLOW = "follow"
    """What a symlink shows inside the folder takes its place; a link out of it or to nothing is left out."""
    SKIP = "skip"
    """Symlinks are left out and listed."""


@dataclass(frozen=True, kw_only=True)
class Skipped:
    """A member that was left out, and why."""

    name: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Clash:
    """One name from two hosts. The platform calls the outcome undefined; here the earlier host's is kept."""

    name: str
    kept: str
    left_out: str


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A folder, file or symlink as it will be named in the archive, and where it lies."""

    name: str
    path: str
    is_folder: bool = False
    is_link: bool = False


@dataclass(frozen=True, kw_only=True)
class _Folder:
    """One folder of the merged tree: where each host that has it keeps it."""

    name: str
    paths: tuple[tuple[str, str], ...]
    """(root of the host, path)"""
    through_link: bool = False


_SPECIAL = (
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISBLK, "a block device"),
    (stat.S_ISCHR, "a character device"),
)


def merge(folders: Sequence[Path], rule: LinkRule) -> Iterator[Entry | Skipped | Clash]:
    """Walk the folders as one tree: by name, in each folder its folders first, a folder before its content.

    Names are relative. Only names are held, one folder at a time along the way down. A job may have removed a folder,
    which then counts as empty, or put a link or a file in its place: such a thing is left out, for a link could show
    anything of this machine.
    """
    roots = []
    for folder in folders:
        is_folder = _is_folder(folder)
        if is_folder:
            roots.append((os.path.realpath(folder), os.fspath(folder)))
        elif is_folder is not None:
            yield Skipped(name=folder.name, reason="it is no folder any more")
    ways = [_inside(_Folder(name="", paths=tuple(roots)), rule)]
    while ways:
        for found in ways[-1]:
            if isinstance(found, _Folder):
                yield Entry(name=found.name, path=found.paths[0][1], is_folder=True)
                ways.append(_inside(found, rule))
                break
            yield found
        else:
            ways.pop()


def _is_folder(path: Path) -> bool | None:
    """Tell a folder from anything else; None is nothing."""
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except FileNotFoundError:
        return None


def _inside(folder: _Folder, rule: LinkRule) -> Iterator[_Folder | Entry | Skipped | Clash]:
    below: dict[str, list[tuple[str, str]]] = {}
    linked: set[str] = set()
    others: dict[str, str] = {}
    odd: list[Skipped | Clash] = []
    prefix = f"{folder.name}/" if folder.name else ""
    for root, path in folder.paths:
        with os.scandir(path) as entries:
            for entry in entries:
                shown, is_folder, name = entry.path, entry.is_dir(follow_symlinks=False), prefix + entry.name
                if rule is LinkRule.SKIP and entry.is_symlink():
                    odd.append(Skipped(name=name, reason="it is a symlink"))
                    continue
                if rule is LinkRule.FOLLOW and entry.is_symlink():
                    followed = _follow(entry.path, root, again=folder.through_link)
                    if isinstance(followed, str):
                        odd.append(Skipped(name=name, reason=followed))
                        continue
                    shown, is_folder = followed
                    if is_folder:
                        linked.add(entry.name)
                if entry.name in below and is_folder:
                    below[entry.name].append((root, shown))
                elif entry.name in below or entry.name in others:
                    kept = below[entry.name][0][1] if entry.name in below else others[entry.name]
                    odd.append(Clash(name=name, kept=kept, left_out=shown))
                elif is_folder:
                    below[entry.name] = [(root, shown)]
                else:
                    others[entry.name] = shown
    for name in sorted(below):
        through = folder.through_link or name in linked
        yield _Folder(name=prefix + name, paths=tuple(below[name]), through_link=through)
    for name in sorted(others):
        yield _leaf(prefix + name, others[name])
    yield from sorted(odd, key=lambda one: one.name)


def _leaf(name: str, path: str) -> Entry | Skipped:
    mode = os.lstat(path).st_mode
    for is_kind, kind in _SPECIAL:
        if is_kind(mode):
            return Skipped(name=name, reason=f"it is {kind}")
    return Entry(name=name, path=path, is_link=stat.S_ISLNK(mode))


def _follow(link: str, root: str, *, again: bool) -> tuple[str, bool] | str:
    """Give what the link shows and whether that is a folder, or the reason to leave it out."""
    try:
        real = os.path.realpath(link, strict=True)
    except OSError:
        return "it is a symlink to nothing"
    if os.path.commonpath((root, real)) != root:
        return "it is a symlink out of the folder"
    if not os.path.isdir(real):
        return real, False
    if os.path.commonpath((os.path.realpath(os.path.dirname(link)), real)) == real:
        return "it is a symlink to a folder that holds it"
    if again:
        # links to folders of links would multiply without end
        return "it is a symlink to a folder, found through another one"
    return real, True
