"""Requests from Python values, in place of the API's JSON."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sm_emulate.api.running import runs_at
from sm_emulate.errors import RequestError
from sm_emulate.lifecycle.platform import Platform
from sm_emulate.request import endpoint as endpoints
from sm_emulate.request import serverless
from sm_emulate.request import training as jobs
from sm_emulate.request.flags import CHANNEL_OPTIONS, training_document
from sm_emulate.request.flags import channel as channel_of_text
from sm_emulate.request.flags import hyperparameters as as_texts
from sm_emulate.request.flags import metric as metric_definition
from sm_emulate.request.naming import DEFAULT_INSTANCE_TYPE, DEFAULT_ROLE_ARN, chosen_name
from sm_emulate.request.override import wait_as_long_as_it_runs
from sm_emulate.request.service_model import load
from sm_emulate.spec.profiles import DEFAULT_PROFILE, profile_named
from sm_emulate.spec.settings import Settings
from sm_emulate.storage.runs import default_cache
from sm_emulate.storage.s3_place import s3_place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sm_emulate.request.endpoint import EndpointRequest
    from sm_emulate.request.training import TrainingRequest

Source = str | os.PathLike[str] | Mapping[str, Any]
"""A channel: a path or URI, or what `channel` gives."""


def channel(source: str | os.PathLike[str], **options: str) -> dict[str, Any]:
    """Give an input channel with more than a path.

    Args:
        source: a folder or file, `file://` or `s3://`.
        **options: as those of `--channel`, with underscores: `mode="FastFile"`, `content_type="text/csv"`,
            `compression`, `record_wrapper`, `shuffle_seed`, `type`, `distribution`, `attributes`, `instance_groups`.
    """
    data: dict[str, Any] = {
        "S3DataType": "S3Prefix",
        "S3Uri": os.fspath(source),
        "S3DataDistributionType": "FullyReplicated",
    }
    made: dict[str, Any] = {"ChannelName": "", "DataSource": {"S3DataSource": data}}
    for name, value in options.items():
        option = name.replace("_", "-")
        if option not in CHANNEL_OPTIONS:
            known = ", ".join(each.replace("-", "_") for each in CHANNEL_OPTIONS)
            raise TypeError(f"channel() got an unexpected keyword argument {name!r}; there are {known}")
        CHANNEL_OPTIONS[option](made, data, value)
    return made


def training_request(
    image: str,
    *,
    channels: Mapping[str, Source] | Sequence[str] | None = None,
    hyperparameters: Mapping[str, object] | None = None,
    job_name: str | None = None,
    instance_type: str | None = None,
    instance_count: int = 1,
    volume_size_in_gb: int | None = None,
    input_mode: str = "File",
    environment: Mapping[str, str] | None = None,
    entrypoint: Sequence[str] = (),
    arguments: Sequence[str] = (),
    metrics: Mapping[str, str] | None = None,
    max_runtime_in_seconds: int | None = None,
    enable_network_isolation: bool = False,
    checkpoints: str | os.PathLike[str] | None = None,
    tensorboard_output: str | os.PathLike[str] | None = None,
    debug_output: str | os.PathLike[str] | None = None,
    profiler_output: str | os.PathLike[str] | None = None,
    spot: bool = False,
    max_wait_time_in_seconds: int | None = None,
    maximum_retry_attempts: int | None = None,
    keep_alive_period_in_seconds: int | None = None,
    output_path: str | os.PathLike[str] | None = None,
    role_arn: str = DEFAULT_ROLE_ARN,
    tags: Mapping[str, str] | None = None,
) -> TrainingRequest:
    """Give a training job, checked against the limits of CreateTrainingJob.

    Args:
        image: as `docker run` takes it.
        channels: by name, a path or what `channel` gives; or texts, as `--channel` takes them.
        hyperparameters: what is no string becomes its JSON text.
        job_name: the image's name and the time by default.
        instance_type: decides what the container is told, the vCPUs and the memory that it gets, and with
            `gpus="auto"` its GPUs; by default it is told ml.m5.large, and gets all of this machine.
        instance_count: hosts, named algo-1 to algo-N.
        volume_size_in_gb: of the volume that holds /opt/ml: a warning says when the job needs more.
        input_mode: of the channels that say nothing themselves.
        environment: the job's own variables.
        entrypoint: in place of the image's ENTRYPOINT.
        arguments: in place of `train`.
        metrics: by name, the regex whose first group is the number.
        max_runtime_in_seconds: after which it is stopped.
        enable_network_isolation: no way out of the containers.
        checkpoints: CheckpointConfig's S3Uri, or the folder that stands for it; no CheckpointConfig by default.
        tensorboard_output: S3OutputPath of TensorBoardOutputConfig, or the folder that stands for it.
        debug_output: likewise of DebugHookConfig.
        profiler_output: likewise of ProfilerConfig.
        spot: EnableManagedSpotTraining.
        max_wait_time_in_seconds: of a spot job; as long as it may run by default.
        maximum_retry_attempts: after an InternalServerError; none by default.
        keep_alive_period_in_seconds: how long a warm pool waits for the next job.
        output_path: where `<job>/output/model.tar.gz` is put; the run folder itself by default.
        role_arn: a name only.
        tags: of the job.

    Raises:
        RequestError: the first thing that is wrong, with the others as evidence.
    """
    name = chosen_name(job_name, image)
    if output_path is None:
        output_path = runs_at(None).folder("training-jobs", name).path
    document = training_document(
        image=image,
        job_name=name,
        role_arn=role_arn,
        output_path=os.fspath(output_path),
        instance_type=instance_type or DEFAULT_INSTANCE_TYPE,
        instance_count=instance_count,
        volume_size_in_gb=volume_size_in_gb,
        channels=[_named(each, source) for each, source in channels.items()]
        if isinstance(channels, Mapping)
        else [channel_of_text(text) for text in channels or ()],
        hyperparameters=as_texts(hyperparameters or {}),
        environment=environment,
        entrypoint=entrypoint,
        arguments=arguments,
        metrics=[metric_definition(f"{each}={regex}") for each, regex in (metrics or {}).items()],
        input_mode=input_mode,
        max_runtime_in_seconds=max_runtime_in_seconds,
        network_isolation=enable_network_isolation,
        checkpoints=_text(checkpoints),
        tensorboard_output=_text(tensorboard_output),
        debug_output=_text(debug_output),
        profiler_output=_text(profiler_output),
        spot=spot,
        max_wait_time_in_seconds=max_wait_time_in_seconds,
        maximum_retry_attempts=maximum_retry_attempts,
        keep_alive_period_in_seconds=keep_alive_period_in_seconds,
        tags=tags,
    )
    if spot:
        wait_as_long_as_it_runs(document)
    request = training_request_from_aws(document)
    return request if instance_type is not None else jobs.unsized(request)


def training_request_from_aws(
    document: Mapping[str, Any], *, base_dir: Path | None = None
) -> TrainingRequest:
    """Give the training job of a CreateTrainingJob document, as boto3 takes it.

    Args:
        document: the JSON of the API. Where it names S3, a path or `file://` is taken too.
        base_dir: the folder that relative paths start from; the current one by default.

    Raises:
        RequestError: the first thing that is wrong, with the others as evidence.
    """
    model = load(jobs.OPERATION, cache_dir=default_cache(os.environ))
    return jobs.from_aws(document, base_dir=base_dir, model=model)


def endpoint_request(
    image: str,
    *,
    model: str | os.PathLike[str] | None = None,
    endpoint_name: str | None = None,
    environment: Mapping[str, str] | None = None,
    instance_type: str | None = None,
    variant_name: str = endpoints.DEFAULT_VARIANT_NAME,
    startup_timeout_in_seconds: int | None = None,
    enable_network_isolation: bool = False,
    multi_model: bool = False,
    model_cache_setting: str | None = None,
    async_output: str | os.PathLike[str] | None = None,
    async_failure: str | os.PathLike[str] | None = None,
    max_concurrent: int | None = None,
    data_capture: str | os.PathLike[str] | None = None,
    data_capture_sampling: int = 100,
    serverless_memory: int | None = None,
    serverless_concurrency: int | None = None,
    provisioned_concurrency: int | None = None,
) -> EndpointRequest:
    """Give an endpoint, checked against the limits of CreateModel, CreateEndpointConfig and CreateEndpoint.

    Args:
        image: as `docker run` takes it.
        model: a folder, or an archive whose name ends in `.tar.gz`; none by default. With `multi_model` the folder, or
            the `s3://` prefix, of all models' archives.
        endpoint_name: the image's name and the time by default.
        environment: the container's own variables.
        instance_type: decides the vCPUs and the memory that the container gets, and with `gpus="auto"` its GPUs;
            by default it gets all of this machine.
        variant_name: of the production variant.
        startup_timeout_in_seconds: the container's time for its first healthy ping, 60 to 3600; 480 by default.
        enable_network_isolation: no way out of the container.
        multi_model: one container for many models, each loaded when a request names it first.
        model_cache_setting: of these: `Enabled` or `Disabled`, which unloads each model after each request.
        async_output: makes it an asynchronous endpoint: the folder or `s3://` prefix of its answers.
        async_failure: the same for what fails; `async_output` by default.
        max_concurrent: an asynchronous endpoint's MaxConcurrentInvocationsPerInstance.
        data_capture: the folder or `s3://` prefix that requests and answers are captured into.
        data_capture_sampling: how many percent of them.
        serverless_memory: makes it a serverless endpoint: MemorySizeInMB of each container.
        serverless_concurrency: its MaxConcurrency.
        provisioned_concurrency: its ProvisionedConcurrency.

    Raises:
        RequestError: the first thing that is wrong, with the others as evidence.
    """
    name = chosen_name(endpoint_name, image)
    return endpoints.from_flags(
        image=image,
        endpoint_name=name,
        more_config=endpoints.config_of_flags(
            endpoint_name=name,
            async_output=None if async_output is None else os.fspath(async_output),
            async_failure=None if async_failure is None else os.fspath(async_failure),
            max_concurrent=max_concurrent,
            data_capture=None if data_capture is None else os.fspath(data_capture),
            sampling=data_capture_sampling,
        ),
        instance_type=instance_type,
        model_data=None if model is None else os.fspath(model),
        environment=environment,
        variant_name=variant_name,
        startup_timeout_in_seconds=startup_timeout_in_seconds,
        network_isolation=enable_network_isolation,
        multi_model=multi_model,
        model_cache_setting=model_cache_setting,
        serverless=serverless.config_of_flags(
            memory=serverless_memory,
            concurrency=serverless_concurrency,
            provisioned=provisioned_concurrency,
        ),
        models=endpoints.load_models(cache_dir=default_cache(os.environ)),
    )


def endpoint_request_from_aws(
    document: Mapping[str, Any], *, base_dir: Path | None = None
) -> EndpointRequest:
    """Give the endpoint that the documents of its operations make: variants, pipelines, inference components and all.

    Args:
        document: CreateEndpointConfig, CreateEndpoint, CreateModel (an object or a list) and CreateInferenceComponent
            (likewise, for an endpoint that hosts such), by the operation's name, as boto3 takes them. Where they name
            S3, a path or `file://` is taken too.
        base_dir: the folder that relative paths start from; the current one by default.

    Raises:
        RequestError: the first thing that is wrong, with the others as evidence.
    """
    models = endpoints.load_models(cache_dir=default_cache(os.environ))
    return endpoints.from_request_file(document, base_dir=base_dir, models=models)


def platform(
    profile: str = DEFAULT_PROFILE.name,
    *,
    settings: Mapping[str, str] | None = None,
    region: str = "us-east-1",
    account: str = "123456789012",
    s3: str | None = None,
    file_systems: Mapping[str, str | os.PathLike[str]] | None = None,
    home: Path | None = None,
    credentials: Literal["auto", "none"] = "auto",
) -> Platform:
    """Say which SageMaker is emulated.

    Args:
        profile: its year: 2025, 2022 or 2020.
        settings: by name, where its behaviour is not known for certain; docs/level-of-support.md lists all.
        region: in ARNs and variables.
        account: twelve digits.
        s3: what `s3://` means: `aws` (where boto3's own configuration points), `embedded` (folders of this machine), or
            the URL of one. SM_EMULATE_S3 or `aws` by default.
        file_systems: the local folder that stands for each EFS or FSx for Lustre file system, by FileSystemId.
        home: the folder of all runs, where the embedded S3 has its buckets; SM_EMULATE_HOME by default.
        credentials: for AWS in containers: `auto` (temporary ones made from yours, when they ask) or `none`.

    Raises:
        RequestError: an unknown profile, setting or S3, or a value that it does not take.
    """
    if credentials not in ("auto", "none"):
        raise RequestError("this says nothing about credentials", value=credentials, expected="auto or none")
    dated = profile_named(profile)
    return Platform(
        profile=dated,
        settings=Settings(dated, settings),
        region=region,
        account=account,
        s3=s3_place(
            s3 or os.environ.get("SM_EMULATE_S3") or "aws",
            home=runs_at(home).home,
        ),
        credentials=credentials,
        file_systems={name: Path(folder).absolute() for name, folder in (file_systems or {}).items()},
    )


def _text(path: str | os.PathLike[str] | None) -> str | None:
    return None if path is None else os.fspath(path)


def _named(name: str, source: Source) -> dict[str, Any]:
    made = source if isinstance(source, Mapping) else channel(source)
    return {**made, "ChannelName": name}
