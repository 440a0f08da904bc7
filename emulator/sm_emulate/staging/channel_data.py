"""The objects of a channel, where each lies in the container's folder, and which host gets it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from sm_emulate.errors import RequestError
from sm_emulate.request.channel import FULLY_REPLICATED, S3DataSource
from sm_emulate.request.location import local_path
from sm_emulate.request.wording import shown
from sm_emulate.staging.config_files import channels_of
from sm_emulate.storage.s3_uri import bucket_and_key, is_s3
from sm_emulate.storage.stores import store_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sm_emulate.request.training import Channel, TrainingRequest
    from sm_emulate.spec.settings import Settings
    from sm_emulate.staging.cluster import Cluster, Host
    from sm_emulate.storage.objects import ObjectStore, StoredObject
    from sm_emulate.storage.s3_place import S3Place

_MANIFEST_FORM = '[{"prefix": "s3://BUCKET/PREFIX/"}, "NAME", ...]'
_MANIFEST_BYTES = 256 << 20
_One = TypeVar("_One")
_Host = TypeVar("_Host")
_ASKING = 16
"""Objects of a manifest that are looked up at the same time."""


@dataclass(frozen=True, kw_only=True)
class ChannelData:
    """What lies behind a channel."""

    prefix: str
    """What the URI of each object begins with, as text."""
    objects: tuple[StoredObject, ...]
    """All of them, whichever host gets them; in the order of their keys, or of a manifest."""
    store: ObjectStore

    def path(self, found: StoredObject) -> str:
        """Where an object lies in the channel's folder.

        Raises:
            RequestError: the key is no path of a file.
        """
        return place_below(self.prefix, found)

    def manifest(self) -> Iterator[str]:
        """Give the lines of `<channel>-manifest`: the prefix without its bucket, then the URI of every object."""
        start = bucket_and_key(self.prefix)[1] if is_s3(self.prefix) else self.prefix[len("file:///") :]
        yield f"{start}\n"
        for found in self.objects:
            yield f"{found.uri}\n"


def channel_data(source: S3DataSource, *, s3: S3Place, whole_folder: bool = False) -> ChannelData:
    """Look up the objects of a channel.

    Args:
        source: what the request says.
        s3: which S3 is meant.
        whole_folder: the prefix is the name of a folder, as FastFile mode takes it.

    Raises:
        RequestError: there is none, or a manifest cannot be read.
        StorageError: S3 cannot be asked.
    """
    prefix = uri_of(source)
    store = store_of(prefix, s3)
    if source.s3_data_type == "ManifestFile":
        prefix, names = _manifest(prefix, store)
        store = store_of(prefix, s3)
        objects = tuple(_named(store, prefix, names))
    elif source.local_path is not None and not prefix.endswith("/"):
        # a file of this machine is that file, and not a prefix of its neighbours' names
        objects = tuple(found for found in (store.find(prefix),) if found is not None)
    else:
        if whole_folder and not prefix.endswith("/"):
            prefix += "/"
        objects = tuple(store.objects(prefix))
    return ChannelData(prefix=prefix, objects=objects, store=store)


def uri_of(source: S3DataSource) -> str:
    """Give the URI of a source as stores take it: nothing is percent-encoded, and a local folder ends in a slash."""
    path = source.local_path
    if path is None:
        return source.s3_uri
    return f"file://{path}/" if path.is_dir() else f"file://{path}"


def place_below(prefix: str, found: StoredObject) -> str:
    """Say where an object lies below the folder of its prefix.

    A whole folder's name is no part of it, whether the prefix ends in a slash or not, as files of real jobs show; an
    object of a partial prefix such as `in/part` keeps its name, `part-0.csv`; one that is named itself has its own.

    Raises:
        RequestError: the key is no path of a file.
    """
    rest = found.uri[len(prefix) :]
    if not prefix.endswith("/") and not rest.startswith("/"):
        rest = prefix.rpartition("/")[2] + rest
    parts = [part for part in rest.split("/") if part]
    if not parts or {".", ".."} & set(parts):
        raise RequestError("the key of an object cannot be a file's name", value=found.uri)
    return "/".join(parts)


def folder_of(prefix: str) -> str:
    """Give a prefix without what follows its last slash; of a bucket alone, the bucket's own folder."""
    if is_s3(prefix) and not bucket_and_key(prefix)[1]:
        return prefix.rstrip("/") + "/"
    return prefix[: prefix.rindex("/") + 1]


def hosts_of(request: TrainingRequest, channel: Channel, cluster: Cluster) -> list[Host]:
    """Give the hosts that get a channel."""
    return [host for host in cluster.hosts if channel in channels_of(request, host)]


def is_sharded(request: TrainingRequest, channel: Channel, cluster: Cluster) -> bool:
    """Tell whether hosts get different objects."""
    return (
        channel.data_source.distribution != FULLY_REPLICATED and len(hosts_of(request, channel, cluster)) > 1
    )


def is_brought(request: TrainingRequest, channel: Channel, cluster: Cluster) -> bool:
    """Tell whether a channel's objects are looked up before the start, and not just mounted where they lie."""
    source = channel.data_source
    if not isinstance(source, S3DataSource) or request.input_mode(channel) == "Pipe":
        return False
    lies_here = source.local_path is not None and source.s3_data_type == "S3Prefix"
    return not lies_here or is_sharded(request, channel, cluster)


def shard(
    objects: Sequence[_One], *, host: _Host, hosts: Sequence[_Host], settings: Settings
) -> Sequence[_One]:
    """Give one host's part: about 1/n of the objects, whatever their sizes; it may be empty."""
    number, count = hosts.index(host), len(hosts)
    if settings.text("s3-key-sharding") == "blocks":
        return objects[len(objects) * number // count : len(objects) * (number + 1) // count]
    return objects[number::count]


def _manifest(uri: str, store: ObjectStore) -> tuple[str, list[str]]:
    found = store.find(uri)
    if found is None:
        raise RequestError(
            "the manifest is not there", value=uri, expected=f"an object that holds {_MANIFEST_FORM}"
        )
    with store.open(found) as stream:
        text = stream.read(_MANIFEST_BYTES)
    try:
        document = json.loads(text)
    except ValueError as error:
        raise RequestError(f"the manifest is no JSON: {error}", value=uri, expected=_MANIFEST_FORM) from error
    head = document[0] if isinstance(document, list) and document else None
    prefix = head.get("prefix") if isinstance(head, dict) else None
    names = document[1:] if isinstance(document, list) else []
    wrong = next((name for name in names if not isinstance(name, str)), None)
    if not isinstance(prefix, str) or wrong is not None:
        raise RequestError(
            "the manifest has no prefix"
            if wrong is None
            else "the manifest names something that is no string",
            value=uri if wrong is None else shown(json.dumps(wrong)),
            expected=_MANIFEST_FORM,
        )
    path = local_path(prefix)
    if path is not None:
        prefix = f"file://{path.absolute()}" + ("/" if prefix.endswith("/") else "")
    return prefix, names


def _named(store: ObjectStore, prefix: str, names: Sequence[str]) -> Iterator[StoredObject]:
    from concurrent.futures import ThreadPoolExecutor

    def look(name: str) -> StoredObject:
        uri = prefix + name
        found = store.find(uri)
        if found is None:
            raise RequestError("an object that the manifest names is not there", value=uri)
        return found

    with ThreadPoolExecutor(_ASKING, thread_name_prefix="manifest") as pool:
        yield from pool.map(look, names)
