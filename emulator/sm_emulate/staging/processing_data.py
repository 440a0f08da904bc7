"""The objects of a processing job's input: looked up as those of a channel are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sm_emulate.request.channel import Channel, S3DataSource
from sm_emulate.staging.channel_data import channel_data

if TYPE_CHECKING:
    from sm_emulate.request.processing import S3Input
    from sm_emulate.staging.channel_data import ChannelData
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
