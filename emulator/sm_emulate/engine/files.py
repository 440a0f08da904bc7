"""The files of an in-memory image."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sm_emulate.engine.protocol import FileStat

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_DEEPEST = 40
"""Links that lead to links, as Linux allows."""


@dataclass(frozen=True)
class MemoryFile:
    """A file, or a link where it has a target. Its folders need not be named."""

    content: bytes = b""
    mode: int = 0o644
    target: str = ""


class Files:
    """Answers what an engine is asked about files."""

    def __init__(self, files: Mapping[str, MemoryFile]) -> None:
        self._files = dict(files)
        self._folders = {"/"}
        for path in files:
            while (path := posixpath.dirname(path)) not in self._folders:
                self._folders.add(path)

    def stat(self, path: str) -> FileStat | None:
        folder, name = posixpath.split("/" + path.strip("/"))
        real = posixpath.join(self._resolve(folder), name)
        if real in self._files:
            found = self._files[real]
            if found.target:
                target = self._resolve(real)
                return FileStat(path=path, kind="link", mode=0o777, size=len(found.target), target=target)
            return FileStat(path=path, kind="file", mode=found.mode, size=len(found.content))
        if real in self._folders:
            return FileStat(path=path, kind="directory", mode=0o755, size=0)
        return None

    def read(self, path: str, limit: int) -> bytes | None:
        found = self._files.get(self._resolve("/" + path.strip("/")))
        return None if found is None or found.target else found.content[:limit]

    def walk(self, under: str) -> Iterator[FileStat]:
        top = self._resolve("/" + under.strip("/"))
        for path in sorted({*self._folders, *self._files}):
            if path != "/" and (path == top or path.startswith(top.rstrip("/") + "/")):
                found = self._files.get(path)
                if found is None:
                    yield FileStat(path=path, kind="directory", mode=0o755, size=0)
                elif found.target:
                    yield FileStat(
                        path=path, kind="link", mode=0o777, size=len(found.target), target=found.target
                    )
                else:
                    yield FileStat(path=path, kind="file", mode=found.mode, size=len(found.content))

    def _resolve(self, path: str) -> str:
        """Follow every link on a path."""
        real = "/"
        waiting = path.strip("/").split("/")
        for _ in range(_DEEPEST * 10):
            if not waiting:
                break
            here = posixpath.normpath(posixpath.join(real, waiting.pop(0)))
            found = self._files.get(here)
            if found is None or not found.target:
                real = here
            elif found.target.startswith("/"):
                real, waiting = "/", [*found.target.strip("/").split("/"), *waiting]
            else:
                waiting = [*found.target.split("/"), *waiting]
        return real
