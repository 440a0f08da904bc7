"""One input channel of a training job and where its data lies."""

# ruff: noqa: RUF009  # `member` is a field specifier: it gives a dataclasses.field
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sm_emulate.request.document import build, member, raw, write
from sm_emulate.request.location import local_path

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FULLY_REPLICATED = "FullyReplicated"


@dataclass(frozen=True, kw_only=True)
class S3DataSource:
    """Objects in S3, or under an absolute `file:///...` that stands for them."""

    s3_uri: str = member("S3Uri")
    s3_data_type: str = member("S3DataType")
    s3_data_distribution_type: str | None = member("S3DataDistributionType", default=None)
    attribute_names: tuple[str, ...] = member("AttributeNames", default=())
    instance_group_names: tuple[str, ...] = member("InstanceGroupNames", default=())
    raw: Mapping[str, Any] = raw()

    @property
    def local_path(self) -> Path | None:
        """The absolute path of local data, None for data in S3."""
        return local_path(self.s3_uri)

    @property
    def distribution(self) -> str:
        """How the objects are shared out among the hosts."""
        return self.s3_data_distribution_type or FULLY_REPLICATED


@dataclass(frozen=True, kw_only=True)
class FileSystemDataSource:
    """A folder of an EFS or FSx for Lustre file system."""

    file_system_id: str = member("FileSystemId")
    file_system_access_mode: str = member("FileSystemAccessMode")
    file_system_type: str = member("FileSystemType")
    directory_path: str = member("DirectoryPath")

    @property
    def local_path(self) -> None:
        """A network file system has none."""

    @property
    def distribution(self) -> str:
        """Every host sees the whole file system."""
        return FULLY_REPLICATED


DataSource = S3DataSource | FileSystemDataSource


def _read_source(document: Mapping[str, Any]) -> DataSource:
    if "FileSystemDataSource" in document:
        return build(FileSystemDataSource, document["FileSystemDataSource"])
    return build(S3DataSource, document["S3DataSource"])


def _write_source(source: DataSource) -> dict[str, Any]:
    return {type(source).__name__: write(source)}


@dataclass(frozen=True, kw_only=True)
class Channel:
    """What the container finds at `/opt/ml/input/data/CHANNEL_NAME`."""

    channel_name: str = member("ChannelName")
    data_source: DataSource = member("DataSource", decode=_read_source, encode=_write_source)
    content_type: str | None = member("ContentType", default=None)
    compression_type: str | None = member("CompressionType", default=None)
    record_wrapper_type: str | None = member("RecordWrapperType", default=None)
    input_mode: str | None = member("InputMode", default=None)
    """None takes the TrainingInputMode of the algorithm: see `TrainingRequest.input_mode`."""
    shuffle_seed: int | None = member(
        "ShuffleConfig",
        default=None,
        decode=lambda config: config["Seed"],
        encode=lambda seed: {"Seed": seed},
    )
    raw: Mapping[str, Any] = raw()
