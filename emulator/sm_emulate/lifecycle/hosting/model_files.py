"""The files of a multi-model container: fetched from a folder or an S3 prefix, unpacked where it sees them."""

from __future__ import annotations

import shutil
import threading
from typing import TYPE_CHECKING

from sm_emulate.storage.folder_store import FolderStore
from sm_emulate.storage.stores import store_of
from sm_emulate.storage.trouble import told

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sm_emulate.events import Event
    from sm_emulate.request.hosted_model import ModelData
    from sm_emulate.storage.objects import ObjectStore, StoredObject
    from sm_emulate.storage.s3_place import S3Place


class ModelFiles:
    """`Files` of a shelf. Threads may share it.

    Args:
        data: the prefix of all models.
        folder: the container's /opt/ml/models; made here.
        s3: which S3 is meant.
        publish: hears what hosting would not have liked in an archive.
    """

    def __init__(
        self, data: ModelData, folder: Path, *, s3: S3Place, publish: Callable[[Event], None]
    ) -> None:
        prefix = data.uri if data.path is None else f"file://{data.path}"
        self._prefix = prefix if prefix.endswith("/") else f"{prefix}/"
        self._s3, self._publish = s3, publish
        self.folder = folder
        self._coming = folder.with_name("models-coming")
        """Where archives lie and are unpacked: the container sees whole models only."""
        self._stopping = False
        self._lock = threading.Lock()
        self._busy: dict[str, threading.Lock] = {}
        self._sizes: dict[str, int] = {}
        self._store: ObjectStore | None = None
        with told("the models' folder cannot be made", folder):
            folder.mkdir(parents=True, exist_ok=True)
            self._coming.mkdir(exist_ok=True)

    def place(self, key: str) -> str:
        """Give the URI of a model's archive."""
        return self._prefix + key

    def bring(self, name: str, key: str, known: str) -> tuple[str, int] | None:
        """Have a model unpacked; see `Files`."""
        with self._only_one(name):
            found = self._find(key)
            if found is None:
                return None
            if found.etag != known or name not in self._sizes:
                self._delete(name)
                self._sizes[name] = self._unpacked(name, found)
            return found.etag, self._sizes[name]

    def remove(self, name: str) -> None:
        """Delete a model's files."""
        with self._only_one(name):
            self._delete(name)

    def stop(self) -> None:
        """Have `bring` of other threads end soon, and leave nothing half done."""
        self._stopping = True
        shutil.rmtree(self._coming, ignore_errors=True)

    def _only_one(self, name: str) -> threading.Lock:
        """Give the lock of a model: one thread may have been given up on and still be at work."""
        with self._lock:
            return self._busy.setdefault(name, threading.Lock())

    def _find(self, key: str) -> StoredObject | None:
        with self._lock:
            if self._store is None:
                self._store = store_of(self._prefix, self._s3)
        if isinstance(self._store, FolderStore) and ".." in key.split("/"):
            return None  # keys of S3 know no way up
        return self._store.find(self.place(key))

    def _unpacked(self, name: str, found: StoredObject) -> int:
        """Unpack an archive and put it in its place; give the bytes of its files."""
        from sm_emulate.artifacts.unpack import unpack_model

        draft, target = self._coming / name, self.folder / name / "model"
        with told("the model cannot be unpacked", draft):
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir()
            try:
                unpacked = unpack_model(
                    self._archive(draft, found), draft / "model", progress=self._heed_stop
                )
                target.parent.mkdir()
                (draft / "model").rename(target)
            finally:
                shutil.rmtree(draft, ignore_errors=True)
        for note in unpacked.notes:
            self._publish(_warned(found.uri, note))
        return unpacked.bytes

    def _archive(self, draft: Path, found: StoredObject) -> Path:
        from pathlib import Path

        if isinstance(self._store, FolderStore):
            return Path(self._store.local_file(found))
        assert self._store is not None
        # unpacking tells an archive by its name, and says the name when it refuses one
        archive = draft / found.key.rpartition("/")[2]
        self._store.fetch(found, archive)
        return archive

    def _heed_stop(self, _: int) -> None:
        if self._stopping:
            raise _StoppedError

    def _delete(self, name: str) -> None:
        self._sizes.pop(name, None)
        with told("a model cannot be removed", self.folder / name):
            if (self.folder / name).exists():
                shutil.rmtree(self.folder / name)


class _StoppedError(Exception):
    """The endpoint stops."""


def _warned(uri: str, note: str) -> Event:
    from sm_emulate.events import Warned

    return Warned(message=f"{uri}: {note}")
