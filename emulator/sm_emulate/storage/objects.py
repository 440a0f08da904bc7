"""Objects under a prefix, wherever they lie: one interface for S3 and for folders of this machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredObject:
    """One object of a store."""

    uri: str
    """`s3://BUCKET/KEY`; of a local file `file:///...`, where nothing is percent-encoded, as in keys of S3."""
    key: str
    """Without the bucket; of a local file its path without the first slash."""
    size: int
    """Bytes."""
    etag: str
    """Changes when the content does; without quotes."""


class ObjectStore(Protocol):
    """Where objects lie. Every method may raise a `SmEmulateError`; foreign exceptions never come out.

    A URI may begin with `s3://` or `file:///`, as the store is; threads may share a store.
    """

    def objects(self, prefix: str) -> Iterator[StoredObject]:
        """Find every object whose URI begins with `prefix`, as text, in the order of their keys.

        Keys that end in a slash (the folders of S3's console) are left out.
        """

    def find(self, uri: str) -> StoredObject | None:
        """Look up one object, None if it is not there."""

    def check_writable(self, uri: str) -> None:
        """Make sure, as far as can be told, that objects can be put below `uri`. Nothing is made."""

    def open(self, found: StoredObject) -> BinaryIO:
        """Read an object from its beginning. Of a local file it is the file itself, with a `fileno`."""

    def fetch(self, found: StoredObject, target: Path) -> None:
        """Copy an object to a file that is not there yet; after an error there is none."""

    def put(self, source: Path, uri: str) -> None:
        """Store a file; a reader sees the old or the new object, never half of one."""

    def delete(self, uri: str) -> None:
        """Remove an object. One that is gone is no error."""
