"""The store that a URI lies in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sm_emulate.errors import RequestError
from sm_emulate.storage.s3_uri import is_s3

if TYPE_CHECKING:
    from sm_emulate.storage.objects import ObjectStore
    from sm_emulate.storage.s3_place import S3Place


def store_of(uri: str, s3: S3Place) -> ObjectStore:
    """Give the store that a URI of a request lies in.

    Args:
        uri: `s3://...` or `file:///...`.
        s3: which S3 is meant.

    Raises:
        RequestError: there is none for it.
    """
    if uri.startswith("file://"):
        from sm_emulate.storage.folder_store import FolderStore

        return FolderStore()
    if is_s3(uri):
        if s3.folder is not None:
            from sm_emulate.storage.bucket_folders import BucketFolders

            return BucketFolders(s3.folder)
        from sm_emulate.storage.s3_store import S3Store

        return S3Store(s3)
    raise RequestError(
        "nothing can be read from or written to this place",
        value=uri,
        expected="s3://BUCKET/KEY or file:///FOLDER",
    )
