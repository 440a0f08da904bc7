"""Whether what a request reads and writes elsewhere can be read and written: asked before anything is started."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sm_emulate.errors import RequestError, SmEmulateError
from sm_emulate.request.channel import FileSystemDataSource, S3DataSource
from sm_emulate.spec import wordings
from sm_emulate.staging.channel_data import channel_data, uri_of
from sm_emulate.staging.channel_folder import directory_of
from sm_emulate.storage.s3_uri import bucket_and_key, is_s3
from sm_emulate.storage.stores import store_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sm_emulate.request.training import Channel, TrainingRequest
    from sm_emulate.storage.s3_place import S3Place


def check_places(
    request: TrainingRequest,
    *,
    s3: S3Place,
    file_systems: Mapping[str, Path],
    region: str,
    writes: bool = True,
) -> None:
    """Look at each channel's place and at the output's, as CreateTrainingJob does.

    Args:
        request: whose places they are.
        s3: what `s3://` means.
        file_systems: the folders that stand for file systems.
        region: for SageMaker's words.
        writes: whether S3 is asked for the output's bucket; a plan writes nothing and needs no credentials for it.

    Raises:
        RequestError: there is nothing to read, or no bucket to write to; for an empty prefix in SageMaker's words.
        StorageError: S3 cannot be asked.
    """
    for channel in request.input_data_config:
        source = channel.data_source
        if isinstance(source, FileSystemDataSource):
            directory_of(channel, source, file_systems)
        elif source.s3_data_type == "ManifestFile":
            channel_data(source, s3=s3)
        elif is_s3(source.s3_uri):
            _check_prefix(request, channel, source, s3=s3, region=region)
    output = request.output_data_config.s3_output_path
    if writes and is_s3(output):
        try:
            store_of(output, s3).check_writable(output)
        except SmEmulateError as error:
            error.hint = f"--output-path DIR keeps the artifacts here; {error.hint}"
            raise


def _check_prefix(
    request: TrainingRequest, channel: Channel, source: S3DataSource, *, s3: S3Place, region: str
) -> None:
    prefix = uri_of(source)
    fast = request.input_mode(channel) == "FastFile" and not prefix.endswith("/")
    store = store_of(prefix, s3)
    if next(iter(store.objects(f"{prefix}/" if fast else prefix)), None) is not None:
        return
    bucket, _ = bucket_and_key(prefix)
    if fast and next(iter(store.objects(prefix)), None) is not None:
        raise RequestError(
            f"channel {channel.channel_name}: FastFile mode takes whole folders only, not a part of a name",
            value=prefix,
            expected="s3://BUCKET/FOLDER/",
            hint="InputMode File takes it",
        )
    raise RequestError(
        wordings.no_objects_found(prefix, region, request.role_arn, bucket),
        hint=f"these are SageMaker's words; {s3.name} was asked, --s3 names another S3",
    )
