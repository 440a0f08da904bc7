"""Batch transform requests from Python values, in place of the API's JSON."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from sm_emulate.api.running import runs_at
from sm_emulate.request import transform as jobs
from sm_emulate.request.hosted_model import create_model
from sm_emulate.request.naming import DEFAULT_INSTANCE_TYPE, chosen_name
from sm_emulate.storage.runs import default_cache

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sm_emulate.request.transform import TransformRequest


def transform_request(
    image: str,
    data: str | os.PathLike[str],
    *,
    model: str | os.PathLike[str] | None = None,
    output_path: str | os.PathLike[str] | None = None,
    job_name: str | None = None,
    content_type: str | None = None,
    accept: str | None = None,
    split_type: str | None = None,
    assemble_with: str | None = None,
    batch_strategy: str | None = None,
    max_payload_in_mb: int | None = None,
    max_concurrent_transforms: int | None = None,
    input_filter: str | None = None,
    output_filter: str | None = None,
    join_source: str | None = None,
    environment: Mapping[str, str] | None = None,
    instance_type: str | None = None,
    instance_count: int = 1,
    invocation_timeout: int | None = None,
    invocation_retries: int | None = None,
    enable_network_isolation: bool = False,
) -> TransformRequest:
    """Give a batch transform job, checked against the limits of CreateModel and CreateTransformJob.

    Args:
        image: as `docker run` takes it.
        data: the input: a folder, a file, or an `s3://` prefix.
        model: a folder, or an archive whose name ends in `.tar.gz`; none by default.
        output_path: where outputs are put; the run folder by default.
        job_name: the image's name and the time by default.
        content_type: MIME type of the input.
        accept: MIME type that is wanted back.
        split_type: `None`, `Line`, `RecordIO` or `TFRecord`.
        assemble_with: `None` or `Line`.
        batch_strategy: `SingleRecord` or `MultiRecord`.
        max_payload_in_mb: of a request; 0 sends objects of any size in chunks.
        max_concurrent_transforms: requests that are open at the same time, on each instance.
        input_filter: what of each record is sent, as `$[1:]`.
        output_filter: what of each result is kept, as `$[0,-1]`.
        join_source: `None` or `Input`.
        environment: the container's own variables.
        instance_type: limits the containers to its size, and with `gpus="auto"` decides whether they get GPUs;
            ml.m5.large without its limits by default.
        instance_count: instances, among which the objects are shared out.
        invocation_timeout: seconds for each request; 600 by default.
        invocation_retries: how often each is sent again; 3 by default.
        enable_network_isolation: no way out of the containers.

    Raises:
        RequestError: the first thing that is wrong, with the others as evidence.
    """
    name = chosen_name(job_name, image)
    if output_path is None:
        output_path = runs_at(None).folder("transform-jobs", name).path / "output"
    document = jobs.transform_document(
        job_name=name,
        model_name=name,
        input_path=os.fspath(data),
        data_type="S3Prefix",
        output_path=os.fspath(output_path),
        instance_type=instance_type or DEFAULT_INSTANCE_TYPE,
        instance_count=instance_count,
        content_type=content_type,
        split_type=split_type,
        accept=accept,
        assemble_with=assemble_with,
        batch_strategy=batch_strategy,
        max_payload_in_mb=max_payload_in_mb,
        max_concurrent_transforms=max_concurrent_transforms,
        input_filter=input_filter,
        output_filter=output_filter,
        join_source=join_source,
        environment=environment,
        invocation_timeout=invocation_timeout,
        invocation_retries=invocation_retries,
    )
    described = create_model(
        image,
        model_name=name,
        model_data=None if model is None else os.fspath(model),
        network_isolation=enable_network_isolation,
    )
    request = transform_request_from_aws(document, described)
    return request if instance_type is not None else jobs.unsized(request)


def transform_request_from_aws(
    create_transform_job: Mapping[str, Any], create_model: Mapping[str, Any]
) -> TransformRequest:
    """Give the job of a CreateTransformJob and a CreateModel document, as boto3 takes them.

    Where they name S3, a path or `file://` is taken too.

    Raises:
        RequestError: the first thing that is wrong, with the others as evidence.
    """
    models = jobs.load_models(cache_dir=default_cache(os.environ))
    return jobs.from_aws(create_transform_job, create_model, models=models)
