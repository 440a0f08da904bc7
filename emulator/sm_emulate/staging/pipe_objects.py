"""The objects of a Pipe channel: those under a prefix, those of a manifest, and single ones by their URI."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from sm_emulate.errors import RequestError
from sm_emulate.request.location import is_local, local_path
from sm_emulate.storage.objects import StoredObject
from sm_emulate.storage.stores import store_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from sm_emulate.storage.objects import ObjectStore
    from sm_emulate.storage.s3_place import S3Place


class PipeObjects:
    """Finds and opens objects, wherever they lie.

    Args:
        s3: which S3 is meant.
        base: the folder of a local manifest, for the relative paths in it.
    """

    def __init__(self, s3: S3Place, base: Path | None = None) -> None:
        self._base = base
        self._store: Callable[[str], ObjectStore] = cache(lambda scheme: store_of(scheme, s3))

    def under(self, uri: str) -> list[StoredObject]:
        """List what a channel's S3Uri means, in the order of keys: a prefix, or a local file or folder."""
        path = local_path(uri)
        if path is None:
            return list(self._of(uri).objects(uri))
        if path.is_file():
            return [self.at(uri)]
        return list(self._of("file://").objects(f"file://{str(path).rstrip('/')}/"))

    def at(self, uri: str) -> StoredObject:
        """Find one object.

        Raises:
            RequestError: there is none.
        """
        if is_local(uri):
            return _file(local_path(uri, base_dir=self._base) or Path(uri))
        for found in self._of(uri).objects(uri):
            if found.uri == uri:
                return found
            break  # keys come in their order, so the key itself would be the first
        raise RequestError(f"there is no object {uri}")

    def listed(self, manifest: bytes, name: str) -> list[StoredObject]:
        """List what a ManifestFile names: `[{"prefix": "s3://BUCKET/PREFIX/"}, "a", "b"]`, in its order.

        Raises:
            RequestError: it is no such file, or names what is not there.
        """
        form = 'is no [{"prefix": "s3://BUCKET/PREFIX"}, "RELATIVE-KEY", ...]'
        try:
            head, *names = json.loads(manifest)
            prefix = head["prefix"]
        except (ValueError, TypeError, KeyError) as error:
            raise RequestError(f"{name} {form}") from error
        if not isinstance(prefix, str) or not all(isinstance(each, str) for each in names):
            raise RequestError(f"{name} {form}")
        return [self.at(prefix + each) for each in names]

    def open(self, found: StoredObject) -> BinaryIO:
        """Read an object from its beginning."""
        return self._of(found.uri).open(found)

    def read(self, found: StoredObject) -> bytes:
        """Read all of an object."""
        with self.open(found) as file:
            return file.read()

    def _of(self, uri: str) -> ObjectStore:
        return self._store(uri[: uri.index("://") + 3])


def _file(path: Path) -> StoredObject:
    try:
        seen = path.stat()
    except OSError as error:
        raise RequestError(f"there is no file {path}: {error.strerror}") from error
    place = os.path.abspath(path)  # noqa: PTH100  # links stay as they are
    return StoredObject(
        uri=f"file://{place}",
        key=place.lstrip("/"),
        size=seen.st_size,
        etag=f"{seen.st_mtime_ns:x}-{seen.st_size:x}",
    )
