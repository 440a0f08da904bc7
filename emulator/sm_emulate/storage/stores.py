"""The store that a URI lies in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sm_emulate.errors import RequestError
from sm_emulate.storage.folder_store import FolderStore

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
        return FolderStore()
    raise RequestError(
        "nothing is read from or written to S3 yet",
        value=uri,
        expected="file:///FOLDER",
        hint=f"{s3.endpoint_url or 'AWS'} is not asked",
    )
