"""A folder of this machine whose files are brought to a prefix of a store, again and again, as they change."""

from __future__ import annotations

import os
import stat
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sm_emulate.errors import MachineError, SmEmulateError
from sm_emulate.storage.trouble import told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from sm_emulate.storage.objects import ObjectStore

UPLOADING, UPLOADED = ".sagemaker-uploading", ".sagemaker-uploaded"
"""What SageMaker appends to a file's name to make the empty file beside it, during its upload and after it."""
IGNORED = ".sagemaker-ignore"
"""Files of such a name are not uploaded: SageMaker's XGBoost writes its checkpoints under one, then renames them."""
RESTLESS_SECONDS = 10.0
"""What changes all the time, as a log does, is uploaded after so long though it does not rest."""
_AT_ONCE = 4

Signature = tuple[int, int, int]
"""Size, time of change and inode: a file that has kept them is the same."""


@dataclass
class Seen:
    """What one look at the folder came to."""

    files: dict[str, Signature] = field(default_factory=dict)
    """By name below the folder."""
    markers: set[str] = field(default_factory=set)
    left_out: dict[str, str] = field(default_factory=dict)
    """What is never uploaded, and why."""
    closed: list[str] = field(default_factory=list)
    """What the current user may not read, or may put no marker beside."""


class Mirror:
    """Keeps a prefix of a store like a folder. One thread at a time may use it.

    Args:
        folder: whose files are uploaded; it need not be there yet. Links in it are never followed.
        store: where to.
        prefix: ends in a slash.
        markers: put SageMaker's sidecar files beside what is uploaded.
        deletes: what goes away here goes away there, too.
    """

    def __init__(
        self, folder: Path, store: ObjectStore, prefix: str, *, markers: bool, deletes: bool
    ) -> None:
        self.folder, self._store, self._prefix = folder, store, prefix
        self._markers, self._deletes = markers, deletes
        self._there: dict[str, Signature] = {}
        """What the store has from this folder."""
        self._before: dict[str, Signature] = {}
        self._new_since: dict[str, float] = {}
        self.left_out: dict[str, str] = {}
        self.closed: list[str] = []
        self.scan_seconds = 0.0
        """What it took to look at every file the last time, without any upload."""
        self._troubles: list[SmEmulateError] = []

    @property
    def trouble(self) -> SmEmulateError | None:
        """What kept the last look from its end."""
        return self._troubles[0] if self._troubles else None

    def fetch(self, *, stopped: Callable[[], bool] = lambda: False) -> list[str]:
        """Bring everything under the prefix into the folder; give the URIs of what was found, in their order.

        Args:
            stopped: asked before each file whether to leave the rest.

        Raises:
            SmEmulateError: the store cannot be read, or the folder not written.
        """
        found = []
        for each in self._store.objects(self._prefix):
            if stopped():
                break
            name = each.uri.removeprefix(self._prefix)
            if any(part in ("", ".", "..") for part in name.split("/")) or _ours(name):
                self.left_out[name] = "its name is none of a file of this folder"
                continue
            target = self.folder / name
            with told("what was kept cannot be brought back", target):
                _make_folders(self.folder, target.parent)
            self._store.fetch(each, target)
            with told("what was kept cannot be brought back", target):
                target.chmod(0o644)
                self._there[name] = self._before[name] = _signature(target.lstat())
            found.append(each.uri)
        return found

    def look(self, *, settled: bool = True) -> bool:
        """Upload what has changed and delete what has gone; tell whether the store is now like the folder.

        Args:
            settled: upload only what has not changed since the last look, so that few half-written files are seen.
        """
        self._troubles = []
        began = time.monotonic()
        seen = self._scan()
        moment = time.monotonic()
        self.scan_seconds = moment - began
        new = {name: found for name, found in seen.files.items() if self._there.get(name) != found}
        self._new_since = {name: self._new_since.get(name, moment) for name in new}
        changed = [
            name
            for name, found in new.items()
            if not settled
            or self._before.get(name) == found
            or moment - self._new_since[name] > RESTLESS_SECONDS
        ]
        self._before, self.left_out, self.closed = seen.files, seen.left_out, seen.closed
        self._upload([(name, seen.files[name]) for name in changed])
        if self._deletes:
            self._delete(seen)
        self._remove_markers(seen)
        return not (self._troubles or self.closed) and all(
            self._there.get(name) == signature for name, signature in seen.files.items()
        )

    def _upload(self, changed: list[tuple[str, Signature]]) -> None:
        if len(changed) <= 1:
            for name, signature in changed:
                self._put(name, signature)
            return
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
            list(pool.map(lambda each: self._put(*each), changed))

    def _put(self, name: str, signature: Signature) -> None:
        file = self.folder / name
        try:
            self._mark(name, UPLOADING)
            self._unmark(name, UPLOADED)
            try:
                self._store.put(file, self._prefix + name)
            except MachineError:
                if _is_file(file):
                    raise
                return  # it went away meanwhile
            finally:
                if not _is_file(file):
                    self._unmark(name, UPLOADING)
            self._there[name] = signature
            self._new_since.pop(name, None)
            if _is_file(file):
                self._mark(name, UPLOADED)
            self._unmark(name, UPLOADING)
        except SmEmulateError as error:
            self._troubles.append(error)

    def _delete(self, seen: Seen) -> None:
        hidden = tuple(f"{name}/" for name in seen.closed)
        for name in [name for name in self._there if name not in seen.files]:
            if name in seen.closed or name.startswith(hidden):
                continue  # it may well be there: only we cannot see it
            try:
                self._store.delete(self._prefix + name)
            except SmEmulateError as error:
                self._troubles.append(error)
                return
            del self._there[name]

    def _remove_markers(self, seen: Seen) -> None:
        for marker in seen.markers:
            name = marker.removesuffix(UPLOADING).removesuffix(UPLOADED)
            if self._markers and name not in seen.files and not _is_file(self.folder / name):
                with suppress(OSError):
                    (self.folder / marker).unlink()

    def _mark(self, name: str, suffix: str) -> None:
        if self._markers:
            with told("a marker cannot be put beside an upload", self.folder / name):
                flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
                os.close(os.open(f"{self.folder / name}{suffix}", flags, 0o644))

    def _unmark(self, name: str, suffix: str) -> None:
        if self._markers:
            marker = self.folder / f"{name}{suffix}"
            with told("a marker of an upload cannot be removed", marker):
                marker.unlink(missing_ok=True)

    def _scan(self) -> Seen:
        """Look at every file: names only, nothing is opened and no link followed."""
        seen = Seen()
        waiting = [""]
        while waiting:
            below = waiting.pop()
            here = f"{self.folder}/{below}"
            try:
                with os.scandir(here) as entries:
                    found = [(entry.name, entry.stat(follow_symlinks=False)) for entry in _each(entries)]
            except (FileNotFoundError, NotADirectoryError):
                continue
            except PermissionError:
                seen.closed.append(below.rstrip("/"))
                continue
            if self._markers and any(stat.S_ISREG(what.st_mode) for _, what in found) and not _open(here):
                seen.closed.append(below.rstrip("/"))
            for name, what in found:
                self._note(seen, below + name, what, waiting)
        return seen

    def _note(self, seen: Seen, name: str, what: os.stat_result, waiting: list[str]) -> None:
        if stat.S_ISDIR(what.st_mode):
            waiting.append(f"{name}/")
        elif not stat.S_ISREG(what.st_mode):
            seen.left_out[name] = "it is a symlink" if stat.S_ISLNK(what.st_mode) else "it is no regular file"
        elif name.endswith((UPLOADING, UPLOADED)):
            seen.markers.add(name)
        elif name.endswith(IGNORED):
            return
        elif _readable(f"{self.folder}/{name}", what):
            seen.files[name] = _signature(what)
        else:
            seen.closed.append(name)


def _ours(name: str) -> bool:
    return name.endswith((UPLOADING, UPLOADED))


def _signature(found: os.stat_result) -> Signature:
    return found.st_size, found.st_mtime_ns, found.st_ino


def _each(entries: Iterable[os.DirEntry[str]]) -> Iterable[os.DirEntry[str]]:
    """Give those entries that are still there."""
    for entry in entries:
        with suppress(FileNotFoundError):
            entry.stat(follow_symlinks=False)  # kept by the entry
            yield entry


def _is_file(file: Path) -> bool:
    try:
        return stat.S_ISREG(file.lstat().st_mode)
    except OSError:
        return False


def _readable(path: str, found: os.stat_result) -> bool:
    return os.geteuid() in (0, found.st_uid) or os.access(path, os.R_OK)


def _open(folder: str) -> bool:
    """Whether files can be put into a folder."""
    return os.access(folder, os.W_OK | os.X_OK)


def _make_folders(top: Path, folder: Path) -> None:
    """Make a folder, 0755 whatever the caller's umask is, with those above it."""
    if folder == top or folder.is_dir():
        return
    _make_folders(top, folder.parent)
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)
