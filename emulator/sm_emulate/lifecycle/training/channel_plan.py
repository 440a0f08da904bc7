"""What would be brought for a channel, said without bringing it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from sm_emulate.request.channel import S3DataSource
from sm_emulate.staging.channel_data import channel_data, hosts_of, is_brought, is_sharded, shard
from sm_emulate.staging.channel_folder import Origin, channel_folder
from sm_emulate.storage.bucket_folders import BucketFolders
from sm_emulate.storage.folder_store import FolderStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sm_emulate.lifecycle.platform import Platform
    from sm_emulate.request.training import TrainingRequest
    from sm_emulate.staging.cluster import Cluster, Host

Way = Literal["downloaded", "fetched when read", "linked", "mounted"]


@dataclass(frozen=True, kw_only=True)
class ChannelPlan:
    """One channel of one host."""

    channel: str
    source: str
    """The URI of the request."""
    way: Way
    objects: int
    """How many the host gets."""
    size: int
    """Bytes of them all."""
    missing: int
    """Bytes that would be downloaded: what the cache has not got."""


def channel_plans(
    request: TrainingRequest, *, cluster: Cluster, host: Host, tree: Path, platform: Platform
) -> Iterator[ChannelPlan]:
    """Say what a host's channels would come to, as far as they do not just lie here; objects are listed for it.

    Raises:
        RequestError: there are none.
        StorageError: S3 cannot be asked.
    """
    for channel in request.input_data_config:
        hosts = hosts_of(request, channel, cluster)
        source = channel.data_source
        if (
            host not in hosts
            or not isinstance(source, S3DataSource)
            or not is_brought(request, channel, cluster)
        ):
            continue
        fast = request.input_mode(channel) == "FastFile"
        data = channel_data(source, s3=platform.s3, whole_folder=fast)
        objects = data.objects
        if is_sharded(request, channel, cluster):
            objects = tuple(shard(objects, host=host, hosts=hosts, settings=platform.settings))
        folder = channel_folder(
            request,
            channel,
            cluster=cluster,
            host=host,
            tree=tree,
            settings=platform.settings,
            s3=platform.s3,
            file_systems=platform.file_systems,
        )
        way: Way
        missing = 0
        if isinstance(data.store, (FolderStore, BucketFolders)):
            way = "mounted" if folder.origin is Origin.BUCKET else "linked"
        else:
            from sm_emulate.storage.object_cache import object_cache
            from sm_emulate.storage.s3_mount import why_not
            from sm_emulate.storage.s3_store import S3Store

            assert isinstance(data.store, S3Store)
            way = "fetched when read" if fast and why_not() is None else "downloaded"
            if way == "downloaded":
                lacking = object_cache(os.environ).missing(data.store, objects)
                missing = sum(found.size for found in lacking)
        yield ChannelPlan(
            channel=channel.channel_name,
            source=source.s3_uri,
            way=way,
            objects=len(objects),
            size=sum(found.size for found in objects),
            missing=missing,
        )
