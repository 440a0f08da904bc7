"""An image's files as they lie on this machine's disk, where the engine keeps them as overlay layers.

The Docker API has no way to list files without their contents: a tar stream of 1 GB takes 4 s, this takes a tenth of a
second. It needs root and an engine of this machine; everything else takes the stream.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Any

from sm_emulate.engine.protocol import FileStat

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Literal


class UnreadableError(Exception):
    """The layers cannot be read from here, or not all of them."""


def folders(inspected: Mapping[str, Any]) -> list[str]:
    """Give a container's layers, the uppermost first, from what the engine tells of the container.

    Raises:
        UnreadableError: this is no overlay that can be seen here.
    """
    if os.geteuid() != 0:
        raise UnreadableError  # others do not see the attributes that tell what a layer hides
    driver = inspected.get("GraphDriver") or {}
    data = driver.get("Data") or {}
    lower, upper = data.get("LowerDir"), data.get("UpperDir")
    if driver.get("Name") not in ("overlay2", "overlay") or not lower or not upper:
        raise UnreadableError
    # the topmost lower layer of a container is its init layer: mount points of Docker's own, no image content
    layers = [upper, *(each for each in lower.split(":") if "-init/" not in each)]
    if not all(os.access(each, os.R_OK | os.X_OK) for each in layers):
        raise UnreadableError
    return layers


def walk(layers: list[str], under: str = "/") -> list[FileStat]:
    """List everything at and below a folder as the merged layers show it.

    All at once: a layer that turns out to be unreadable in the middle must not leave half a list.

    Args:
        layers: the uppermost first.
        under: an absolute path without links.

    Raises:
        UnreadableError: as soon as something cannot be read.
    """
    try:
        return list(_under(layers, "/" + under.strip("/")))
    except OSError as error:
        raise UnreadableError(str(error)) from error


def _under(layers: list[str], under: str) -> Iterator[FileStat]:
    """Go down to the folder, losing the layers that do not show there any more."""
    path = ""
    for name in filter(None, under.split("/")):
        found, layers = _merge(layers, path).get(name, (None, layers))
        if found is None:
            return
        path = f"{path}/{name}"
        if stat.S_ISLNK(found.st_mode):
            raise UnreadableError(f"{path} is a link")
        if path == under:
            yield _file_stat(found, path)
        if not stat.S_ISDIR(found.st_mode):
            return
    yield from _below(layers, path)


def _below(layers: list[str], path: str) -> Iterator[FileStat]:
    for name, (found, shown) in _merge(layers, path).items():
        inside = f"{path}/{name}"
        target = ""
        if stat.S_ISLNK(found.st_mode):
            target = os.readlink(shown[0] + inside)  # noqa: PTH115 - names by the thousand, as strings
        yield _file_stat(found, inside, target)
        if stat.S_ISDIR(found.st_mode):
            yield from _below(shown, inside)


def _merge(layers: list[str], path: str) -> dict[str, tuple[os.stat_result, list[str]]]:
    """Give what a folder shows: each name's state, and the layers in which it can be found."""
    shown: dict[str, tuple[os.stat_result, list[str]]] = {}
    closed: set[str] = set()
    for layer in layers:
        folder = layer + (path or "/")
        for entry in os.scandir(folder):
            found = entry.stat(follow_symlinks=False)
            name = entry.name
            if name in closed:
                continue
            if stat.S_ISCHR(found.st_mode) and found.st_rdev == 0:
                closed.add(name)  # a whiteout: deleted here, and hidden further down
            elif name not in shown:
                shown[name] = (found, [layer])
                if not stat.S_ISDIR(found.st_mode) or _opaque(entry.path):
                    closed.add(name)
            elif stat.S_ISDIR(found.st_mode):
                shown[name][1].append(layer)
                if _opaque(entry.path):
                    closed.add(name)
            else:
                closed.add(name)
    return shown


def _opaque(folder: str) -> bool:
    """Tell whether a folder hides the same folder of the layers below."""
    for name in os.listxattr(folder, follow_symlinks=False):
        kind, _, rest = name.partition(".")
        if kind not in ("trusted", "user") or not rest.startswith("overlay."):
            continue
        if rest == "overlay.opaque":
            return os.getxattr(folder, name, follow_symlinks=False) in (b"y", b"x")
        if rest in ("overlay.redirect", "overlay.metacopy"):
            raise UnreadableError(f"{folder} lies elsewhere")
    return False


def _file_stat(found: os.stat_result, path: str, target: str = "") -> FileStat:
    kind: Literal["file", "directory", "link", "other"] = "other"
    if stat.S_ISREG(found.st_mode):
        kind = "file"
    elif stat.S_ISDIR(found.st_mode):
        kind = "directory"
    elif stat.S_ISLNK(found.st_mode):
        kind = "link"
    return FileStat(
        path=path,
        kind=kind,
        mode=stat.S_IMODE(found.st_mode) & 0o777,
        size=found.st_size if kind == "file" else 0,
        target=target,
    )
