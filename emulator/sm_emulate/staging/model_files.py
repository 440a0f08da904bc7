"""The files that model data of S3 becomes in its container, by the rules of S3ModelDataSource.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_S3ModelDataSource.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sm_emulate.errors import RequestError
from sm_emulate.request.wording import shown
from sm_emulate.storage.stores import store_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sm_emulate.request.hosted_model import HostedModel, ModelData
    from sm_emulate.storage.objects import ObjectStore, StoredObject
    from sm_emulate.storage.s3_place import S3Place

_LONGEST_NAME = 255
_LINK = "https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_S3ModelDataSource.html"


def check_stored(model: HostedModel, s3: S3Place) -> None:
    """Look whether the model data that lies in S3 is there, before anything is started.

    Raises:
        RequestError: it is not, or it is another object than its ETag says.
        StorageError: S3 cannot be asked.
    """
    for container in model.containers:
        if container.multi_model:  # the models of many come, and may be put there, later
            continue
        for data in container.all_data:
            if data.path is None:
                _check_stored(data, store_of(data.uri, s3))


def _check_stored(data: ModelData, store: ObjectStore) -> None:
    if not data.is_prefix:
        stored_object(data, store)
    elif next(iter(store.objects(data.uri, folders=True)), None) is None:
        raise RequestError(
            "the model is not there: no object has this prefix",
            value=data.uri,
            expected="s3://BUCKET/FOLDER/",
        )


def stored_object(data: ModelData, store: ObjectStore) -> StoredObject:
    """Give the one object that model data is.

    Raises:
        RequestError: it is not there, or has another ETag.
    """
    found = store.find(data.uri)
    if found is None:
        raise RequestError(
            "the model is not there: no such object", value=data.uri, expected="an object that exists"
        )
    if data.etag is not None and found.etag != data.etag.strip('"'):
        raise RequestError(
            "the model has changed: it has another ETag", value=found.etag, expected=data.etag, link=_LINK
        )
    return found


def files_of(data: ModelData, store: ObjectStore) -> dict[str, StoredObject]:
    """Give the objects of uncompressed model data by their paths in its folder.

    Raises:
        RequestError: there are none, or names are such that the deployment would fail.
    """
    if not data.is_prefix:
        found = stored_object(data, store)
        return named({found.key.rpartition("/")[2]: found})
    files = named({found.uri[len(data.uri) :]: found for found in store.objects(data.uri, folders=True)})
    if not files:
        raise RequestError("the model is not there: no object has this prefix", value=data.uri)
    return files


def named(files: dict[str, StoredObject]) -> dict[str, StoredObject]:
    """Give files by their paths, if all of these can be.

    Raises:
        RequestError: a name is forbidden, or names a file and a folder.
    """
    for path, found in files.items():
        for name in path.split("/"):
            why = _forbidden(name)
            if why is not None:
                raise _refused(path, found, why)
    clash = _clash(files)
    if clash is not None:
        raise RequestError(
            "a name of the model data is both a file and a folder",
            value=files[clash].uri,
            expected="one of the two",
            hint=f"other objects lie below {shown(clash)}/",
            link=_LINK,
        )
    return files


def _forbidden(name: str) -> str | None:
    if not name.strip():
        return "is empty"
    if name in {".", ".."}:
        return f"is {name}"
    if "\0" in name:
        return "has a null byte"
    if len(name.encode("utf-8", "surrogateescape")) > _LONGEST_NAME:
        return f"is longer than {_LONGEST_NAME} bytes"
    return None


def _refused(path: str, found: StoredObject, why: str) -> RequestError:
    if path.endswith("/") or not path:
        return RequestError(
            "the model data has a folder of the S3 console, an empty object whose key ends in a slash",
            value=found.uri,
            expected="files only: with such a key the deployment fails",
            hint=f"remove it: aws s3api delete-object --bucket BUCKET --key {found.key}",
            link=_LINK,
        )
    return RequestError(
        f"a name in the model data {why}",
        value=shown(found.uri),
        expected="names of files and folders",
        link=_LINK,
    )


def _clash(paths: Iterable[str]) -> str | None:
    """Find a file that is also a folder."""
    known = set(paths)
    for path in known:
        folder = path.rpartition("/")[0]
        while folder:
            if folder in known:
                return folder
            folder = folder.rpartition("/")[0]
    return None
