"""The objects of a processing job's input, and where each lies below its LocalPath."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from sm_emulate.errors import RequestError
from sm_emulate.request.channel import Channel, S3DataSource
from sm_emulate.staging.channel_data import channel_data

if TYPE_CHECKING:
    from sm_emulate.request.processing import S3Input
    from sm_emulate.staging.channel_data import ChannelData
    from sm_emulate.storage.objects import StoredObject
    from sm_emulate.storage.s3_place import S3Place


def as_data_source(source: S3Input) -> S3DataSource:
    """Give an input as the data source of a channel: both name objects alike."""
    return S3DataSource(
        s3_uri=source.s3_uri,
        s3_data_type=source.s3_data_type,
        s3_data_distribution_type=source.distribution,
    )


def as_channel(name: str, source: S3Input) -> Channel:
    """Give a Pipe input as a Pipe channel: both are streamed alike."""
    return Channel(
        channel_name=name,
        data_source=as_data_source(source),
        input_mode=source.mode,
        compression_type=source.compression,
    )


def objects_of(source: S3Input, *, s3: S3Place) -> ChannelData:
    """Look up the objects of an input.

    Raises:
        RequestError: there is none, or a manifest cannot be read.
        StorageError: S3 cannot be asked.
    """
    return channel_data(as_data_source(source), s3=s3)


def place_of(prefix: str, found: StoredObject) -> PurePosixPath:
    """Say where an object lies below LocalPath.

    A whole folder's name is no part of it, whether S3Uri ends in a slash or not, as files of a real job show; an object
    of a partial prefix such as `in/part` keeps its name, `part-0.csv`; one that S3Uri names itself has its own name.

    Raises:
        RequestError: the key is no path of a file.
    """
    rest = found.uri[len(prefix) :]
    if not prefix.endswith("/") and not rest.startswith("/"):
        rest = prefix.rpartition("/")[2] + rest
    parts = [part for part in rest.split("/") if part]
    if not parts or {".", ".."} & set(parts):
        raise RequestError("the key of an object cannot be a file's name", value=found.uri)
    return PurePosixPath(*parts)
