"""Buckets that are plain folders: the embedded S3, used without any HTTP."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, BinaryIO

from sm_emulate.errors import RequestError
from sm_emulate.storage.folder_store import FolderStore
from sm_emulate.storage.s3_uri import bucket_and_key, s3_uri

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sm_emulate.storage.objects import StoredObject


class BucketFolders:
    """`s3://BUCKET/KEY` as the file `FOLDER/BUCKET/KEY`: an `ObjectStore`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files = FolderStore()

    def objects(self, prefix: str, *, folders: bool = False) -> Iterator[StoredObject]:
        """Find every file whose key begins with a prefix; folders are no objects here."""
        del folders
        bucket = self._bucket(prefix)
        for found in self._files.objects(self._file(prefix)):
            yield self._stored(found, bucket)

    def find(self, uri: str) -> StoredObject | None:
        """Look up one file."""
        found = self._files.find(self._file(uri))
        return None if found is None else self._stored(found, bucket_and_key(uri)[0])

    def check_writable(self, uri: str) -> None:
        """Make sure that the bucket is there and its folder can be written to."""
        self._bucket(uri)
        self._files.check_writable(self._file(uri))

    def local_file(self, found: StoredObject) -> str:
        """Give the path of the file that an object is."""
        return self._files.local_file(self._local(found))

    def open(self, found: StoredObject) -> BinaryIO:
        """Open the file."""
        return self._files.open(self._local(found))

    def fetch(self, found: StoredObject, target: Path) -> None:
        """Copy the file."""
        self._files.fetch(self._local(found), target)

    def put(self, source: Path, uri: str) -> None:
        """Copy a file into the bucket."""
        self._files.put(source, self._file(uri))

    def delete(self, uri: str) -> None:
        """Remove the file."""
        self._files.delete(self._file(uri))

    def _bucket(self, uri: str) -> str:
        """Give the name of a bucket that is there."""
        bucket, _ = bucket_and_key(uri)
        if not bucket or not (self._folder / bucket).is_dir():
            raise RequestError(
                f"there is no bucket {bucket}",
                value=uri,
                expected=f"one of the folders in {self._folder}",
                hint=f"a bucket of the embedded S3 is a folder: mkdir -p {self._folder / (bucket or 'BUCKET')}",
            )
        return bucket

    def _stored(self, found: StoredObject, bucket: str) -> StoredObject:
        key = found.key.removeprefix(f"{self._folder}/{bucket}/".lstrip("/"))
        return replace(found, uri=s3_uri(bucket, key), key=key)

    def _local(self, found: StoredObject) -> StoredObject:
        return replace(found, uri=self._file(found.uri))

    def _file(self, uri: str) -> str:
        bucket, key = bucket_and_key(uri)
        if not bucket or {".", ".."} & {bucket, *key.split("/")}:
            raise RequestError(
                "this can be no file of the embedded S3",
                value=uri,
                expected="a key without the parts . and ..",
            )
        return f"file://{self._folder}/{bucket}/{key}"
