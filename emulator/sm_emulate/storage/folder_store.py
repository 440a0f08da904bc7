"""A folder of this machine as a store of objects."""

from __future__ import annotations

import os
import re
import secrets
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from sm_emulate.storage.objects import StoredObject
from sm_emulate.storage.place import check_writable
from sm_emulate.storage.trouble import told

if TYPE_CHECKING:
    from collections.abc import Iterator

_SCHEME = "file://"
_DRAFT = re.compile(r"\.sm-emulate-(\d+)-[0-9a-f]{8}\.new")


class FolderStore:
    """Files under `file:///...`: an `ObjectStore`. Links to files are read, links to folders followed once."""

    def objects(self, prefix: str, *, folders: bool = False) -> Iterator[StoredObject]:
        """Find every file whose path begins with a prefix; folders are no objects here."""
        del folders
        start = _path(prefix)
        with told("the data cannot be read", Path(start)):
            yield from self._found(start)

    def _found(self, start: str) -> Iterator[StoredObject]:
        folder = start if start.endswith("/") else os.path.dirname(start)  # noqa: PTH120  # a prefix, no path
        names: list[str] = []
        seen: set[tuple[int, int]] = set()
        for here, folders, files in os.walk(folder, followlinks=True):
            found = os.stat(here)  # noqa: PTH116  # thousands of names, as strings
            if (found.st_dev, found.st_ino) in seen:
                folders.clear()
                continue
            seen.add((found.st_dev, found.st_ino))
            folders[:] = [name for name in folders if _meets(f"{here.rstrip('/')}/{name}/", start)]
            paths = (f"{here.rstrip('/')}/{name}" for name in files if not _DRAFT.fullmatch(name))
            names += [path for path in paths if path.startswith(start)]
        for name in sorted(names, key=os.fsencode):
            with suppress(FileNotFoundError):  # it has gone since, or is a link to nowhere
                yield _stored(name)

    def find(self, uri: str) -> StoredObject | None:
        """Look up one file."""
        path = Path(_path(uri))
        with told("the data cannot be read", path), suppress(FileNotFoundError, NotADirectoryError):
            return _stored(str(path)) if path.is_file() else None
        return None

    def check_writable(self, uri: str) -> None:
        """Make sure that files can be put into a folder, which need not be there yet."""
        check_writable(Path(_path(uri)), what="the place to write to")

    def local_file(self, found: StoredObject) -> str:
        """Give the path of a file."""
        return _path(found.uri)

    def open(self, found: StoredObject) -> BinaryIO:
        """Open the file."""
        path = Path(_path(found.uri))
        with told("the data cannot be read", path):
            return path.open("rb", buffering=0)

    def fetch(self, found: StoredObject, target: Path) -> None:
        """Copy the file."""
        with told("the data cannot be copied", target):
            _copy(Path(_path(found.uri)), target)

    def put(self, source: Path, uri: str) -> None:
        """Copy a file into the folder."""
        target = Path(_path(uri))
        with told("a file cannot be kept", target):
            target.parent.mkdir(parents=True, exist_ok=True)
            _copy(source, target)

    def delete(self, uri: str) -> None:
        """Remove the file."""
        path = Path(_path(uri))
        with told("a file cannot be removed", path):
            path.unlink(missing_ok=True)


def remove_drafts(folder: Path) -> None:
    """Remove the half-written files that processes left in a folder when they were killed."""
    for draft in folder.rglob(".sm-emulate-*.new"):
        written_by = _DRAFT.fullmatch(draft.name)
        if written_by is not None and not _lives(int(written_by[1])):
            with suppress(OSError):
                draft.unlink()


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _stored(path: str) -> StoredObject:
    found = os.stat(path)  # noqa: PTH116  # thousands of names, as strings
    return StoredObject(
        uri=_SCHEME + path,
        key=path.lstrip("/"),
        size=found.st_size,
        etag=f"{found.st_mtime_ns:x}-{found.st_size:x}",
    )


def _path(uri: str) -> str:
    return uri.removeprefix(_SCHEME)


def _meets(folder: str, prefix: str) -> bool:
    """Whether something below a folder can begin with a prefix."""
    return folder.startswith(prefix) or prefix.startswith(folder)


def _copy(source: Path, target: Path) -> None:
    import shutil

    # several hosts may put one file at a time, and a name may have its full length already
    draft = target.with_name(f".sm-emulate-{os.getpid()}-{secrets.token_hex(4)}.new")
    try:
        shutil.copyfile(source, draft)
        draft.replace(target)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
