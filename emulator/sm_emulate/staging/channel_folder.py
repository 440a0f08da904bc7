"""Where a channel's data lies on this machine when the container starts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from sm_emulate.errors import RequestError
from sm_emulate.request.channel import FileSystemDataSource
from sm_emulate.staging.channel_data import is_sharded
from sm_emulate.storage.s3_uri import bucket_and_key

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sm_emulate.request.training import Channel, TrainingRequest
    from sm_emulate.spec.settings import Settings
    from sm_emulate.staging.cluster import Cluster, Host
    from sm_emulate.storage.s3_place import S3Place


class Origin(Enum):
    """How the data came to be where it is."""

    LOCAL = "local"
    """It is the user's own folder or file."""
    BUCKET = "bucket"
    """It is a folder of the embedded S3."""
    FILE_SYSTEM = "file-system"
    """It is a folder that stands for EFS or FSx for Lustre."""
    FILLED = "filled"
    """The job fills a folder of its own run: it downloads, shares out or mounts."""


@dataclass(frozen=True, kw_only=True)
class ChannelFolder:
    """What is mounted for a channel."""

    path: Path
    origin: Origin
    read_only: bool


def channel_folder(
    request: TrainingRequest,
    channel: Channel,
    *,
    cluster: Cluster,
    host: Host,
    tree: Path,
    settings: Settings,
    s3: S3Place,
    file_systems: Mapping[str, Path],
) -> ChannelFolder:
    """Say what is mounted for a channel on one host.

    Args:
        request: the job.
        channel: one of its channels that the host gets.
        cluster: all hosts.
        host: one of them.
        tree: the host's folder in the run folder.
        settings: what is unsure.
        s3: which S3 is meant.
        file_systems: the local folder of each EFS or FSx file system.
    """
    source = channel.data_source
    if isinstance(source, FileSystemDataSource):
        return ChannelFolder(
            path=directory_of(channel, source, file_systems),
            origin=Origin.FILE_SYSTEM,
            read_only=source.file_system_access_mode == "ro",
        )
    fast = request.input_mode(channel) == "FastFile"
    read_only = fast or settings.text("channel-access") == "read-only"
    sharded = is_sharded(request, channel, cluster)
    as_it_is = source.s3_data_type == "S3Prefix" and not sharded
    if as_it_is and source.local_path is not None:
        return ChannelFolder(path=source.local_path, origin=Origin.LOCAL, read_only=read_only)
    if as_it_is and read_only and s3.folder is not None and source.local_path is None:
        bucket, key = bucket_and_key(source.s3_uri)
        if fast or not key or key.endswith("/"):
            return ChannelFolder(path=s3.folder / bucket / key, origin=Origin.BUCKET, read_only=True)
    # what cannot be written to is shared by the hosts; what can belongs to the container, with the rest of its tree
    whose = host.name if sharded else "all"
    path = (
        tree.parent.parent / "channels" / whose / channel.channel_name
        if read_only
        else tree / ".channels" / channel.channel_name
    )
    return ChannelFolder(path=path, origin=Origin.FILLED, read_only=read_only)


def directory_of(channel: Channel, source: FileSystemDataSource, file_systems: Mapping[str, Path]) -> Path:
    """Give the local folder of a directory on EFS or FSx for Lustre.

    Raises:
        RequestError: nobody said where the file system is, or the directory is not there.
    """
    root = file_systems.get(source.file_system_id)
    if root is None:
        raise RequestError(
            f"channel {channel.channel_name}: which folder stands for the file system is not known",
            value=source.file_system_id,
            expected="a folder of this machine in its place",
            hint=f"--file-system {source.file_system_id}=./FOLDER",
        )
    path = root / source.directory_path.strip("/")
    if not path.is_dir():
        raise RequestError(
            f"channel {channel.channel_name}: the directory is not in the folder that stands for the file system",
            value=path,
            expected=f"DirectoryPath {source.directory_path} below {root}",
        )
    return path
