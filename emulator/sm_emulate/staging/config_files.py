"""The bytes of /opt/ml/input/config, as the platform writes them.

Every file is one line without a newline at its end. Keys, their order and the types are those of files that were
copied out of real jobs; spec/profiles.py says which date has which file.
https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo-running-container.html
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sm_emulate.request.channel import FULLY_REPLICATED, FileSystemDataSource, S3DataSource
from sm_emulate.request.document import write
from sm_emulate.spec.profiles import COMPACT
from sm_emulate.spec.training_job import LAYOUT, job_arn

if TYPE_CHECKING:
    from sm_emulate.request.training import Channel, DataSource, ProfilerConfig, TrainingRequest
    from sm_emulate.spec.profiles import PlatformProfile
    from sm_emulate.spec.settings import Settings
    from sm_emulate.staging.cluster import Cluster, Host


def config_files(
    request: TrainingRequest,
    *,
    cluster: Cluster,
    host: Host,
    profile: PlatformProfile,
    settings: Settings,
    region: str,
    account: str,
    run_number: int = 1,
) -> dict[str, bytes]:
    """Give the files that one host sees, by name."""
    channels = {channel.channel_name: channel for channel in channels_of(request, host)}
    files: dict[str, Any] = {
        "hyperparameters.json": dict(request.hyper_parameters),
        "inputdataconfig.json": {
            name: input_data_config(request, channel) for name, channel in channels.items()
        },
        "init-config.json": init_config(request, channels, cluster, host, run_number),
        "metric-definition-regex.json": metric_definitions(request, settings),
    }
    if settings.text("trainingjobconfig") == "written":
        files["trainingjobconfig.json"] = training_job_config(request, region=region, account=account)
    if settings.text("upstreamoutputdataconfig") == "written":
        files["upstreamoutputdataconfig.json"] = []
    if request.checkpoint_config:
        files["checkpointconfig.json"] = {"LocalPath": request.checkpoint_config.local_path}
    if request.tensor_board_output_config:
        board = request.tensor_board_output_config
        files["tensorboardoutputconfig.json"] = {
            "S3OutputPath": board.s3_output_path,
            "LocalPath": board.local_path,
        }
    if request.debug_hook_config:
        hook = request.debug_hook_config
        files["debughookconfig.json"] = {
            "S3OutputPath": hook.s3_output_path,
            "LocalPath": hook.local_path,
            "HookParameters": dict(hook.hook_parameters),
            "CollectionConfigurations": [dict(each) for each in hook.collection_configurations],
        }
    if request.profiler_config:
        files["profilerconfig.json"] = profiler_config(request.profiler_config, settings)
    written = {name: _bytes(document) for name, document in files.items()}
    written["resourceconfig.json"] = _bytes(
        resource_config(cluster, host, profile, settings), profile.resourceconfig_separators
    )
    return written


def _bytes(document: object, separators: tuple[str, str] = COMPACT) -> bytes:
    return json.dumps(document, separators=separators, ensure_ascii=False).encode()


def channels_of(request: TrainingRequest, host: Host) -> list[Channel]:
    """The channels that a host gets: those without InstanceGroupNames, and those that name its group."""
    return [
        channel
        for channel in request.input_data_config
        if not isinstance(channel.data_source, S3DataSource)
        or not channel.data_source.instance_group_names
        or host.group in channel.data_source.instance_group_names
    ]


def input_data_config(request: TrainingRequest, channel: Channel) -> dict[str, str]:
    """One channel in inputdataconfig.json, where FastFile is written as File."""
    mode = request.input_mode(channel)
    content_type = {"ContentType": channel.content_type} if channel.content_type is not None else {}
    return content_type | {
        "TrainingInputMode": "File" if mode == "FastFile" else mode,
        "S3DistributionType": channel.data_source.distribution,
        "RecordWrapperType": channel.record_wrapper_type or "None",
    }


def resource_config(
    cluster: Cluster, host: Host, profile: PlatformProfile, settings: Settings
) -> dict[str, object]:
    """What resourceconfig.json says to one host."""
    known: dict[str, object] = {
        "current_host": host.name,
        "current_instance_type": host.instance_type,
        "current_group_name": host.group,
        "hosts": cluster.names,
        "instance_groups": cluster.groups,
        "network_interface_name": settings.text("network-interface-name"),
    }
    topology = {"topology": None} if settings.text("resource-topology") == "null" else {}
    return {key: known[key] for key in profile.resourceconfig_keys} | topology


def profiler_config(asked: ProfilerConfig, settings: Settings) -> dict[str, Any]:
    """What profilerconfig.json says: the debugger's library reads ProfilingParameters alone."""
    if settings.text("profilerconfig") == "request":
        return write(asked)
    parameters = {"ProfilerEnabled": not asked.disable_profiler, "LocalPath": LAYOUT.profiler}
    return {"ProfilingParameters": parameters | dict(asked.profiling_parameters)}


def metric_definitions(request: TrainingRequest, settings: Settings) -> list[dict[str, str]]:
    """The request's MetricDefinitions, or nothing."""
    if settings.text("metric-definitions-file") == "empty":
        return []
    return [
        {"Name": metric.name, "Regex": metric.regex}
        for metric in request.algorithm_specification.metric_definitions
    ]


def init_config(
    request: TrainingRequest, channels: dict[str, Channel], cluster: Cluster, host: Host, run_number: int = 1
) -> dict[str, object]:
    """The platform agent's own file: camelCase keys, enums in UPPER_SNAKE."""
    checkpoints = request.checkpoint_config
    return {
        "inputMode": _upper_snake(request.algorithm_specification.training_input_mode),
        "channels": {name: _init_channel(request, channel) for name, channel in channels.items()},
        "checkpointChannel": None
        if checkpoints is None
        else {
            "name": "checkpoints",
            "channel": _init_source("S3_PREFIX", checkpoints.s3_uri, None)
            | {"fileSystemDataSource": None, "compressionType": None, "recordWrapper": None}
            | {"shuffleConfig": None, "inputMode": "FILE", "sharded": False},
            "outputPath": checkpoints.local_path,
            "allowEmpty": True,
        },
        "hostConfig": {
            "clusterSize": len(cluster.hosts),
            "hostNumber": cluster.hosts.index(host) + 1,
        },
        "enableAdditionalPlatformLoggingForCustomer": False,
        "jobRunInfo": {"jobRunNumber": run_number},
    }


def _init_source(data_type: str, uri: str, distribution: str | None) -> dict[str, object]:
    return {
        "s3DataSource": {
            "s3DataType": data_type,
            "s3Uri": uri,
            "s3DataDistributionType": distribution,
            "attributeNames": None,
        }
    }


def _init_channel(request: TrainingRequest, channel: Channel) -> dict[str, object]:
    source = channel.data_source
    described: dict[str, object] = {"s3DataSource": None}
    if isinstance(source, S3DataSource):
        described = _init_source(
            _upper_snake(source.s3_data_type), source.s3_uri, _upper_snake(source.distribution)
        )
        if source.attribute_names:
            described["s3DataSource"]["attributeNames"] = list(source.attribute_names)  # type: ignore[index]  # a dict
    return described | {
        "fileSystemDataSource": _init_file_system(source),
        "compressionType": _upper_snake(channel.compression_type or "None"),
        "recordWrapper": _upper_snake(channel.record_wrapper_type or "None"),
        "shuffleConfig": None if channel.shuffle_seed is None else {"seed": channel.shuffle_seed},
        "inputMode": _upper_snake(request.input_mode(channel)),
        "sharded": source.distribution != FULLY_REPLICATED,
    }


def _init_file_system(source: DataSource) -> dict[str, str] | None:
    """A file system as the agent's file would have it: no real one was seen, its keys are made like the others."""
    if not isinstance(source, FileSystemDataSource):
        return None
    return {
        "fileSystemId": source.file_system_id,
        "fileSystemAccessMode": _upper_snake(source.file_system_access_mode),
        "fileSystemType": _upper_snake(source.file_system_type),
        "directoryPath": source.directory_path,
    }


_WORDS = {
    "File": "FILE",
    "FastFile": "FAST_FILE",
    "Pipe": "PIPE",
    "None": "NONE",
    "Gzip": "GZIP",
    "RecordIO": "RECORD_IO",
    "S3Prefix": "S3_PREFIX",
    "ManifestFile": "MANIFEST_FILE",
    "AugmentedManifestFile": "AUGMENTED_MANIFEST_FILE",
    "FullyReplicated": "FULLY_REPLICATED",
    "ShardedByS3Key": "SHARDED_BY_S3_KEY",
    "FSxLustre": "FSX_LUSTRE",
}


def _upper_snake(word: str) -> str:
    """An enum value as the agent writes it; those that no file shows are made like the others."""
    return _WORDS.get(word, word.upper())


def training_job_config(request: TrainingRequest, *, region: str, account: str) -> dict[str, object]:
    """The request again, as trainingjobconfig.json had it in 2020."""
    resources, stopping = request.resource_config, request.stopping_condition
    first = resources.instance_groups[0] if resources.instance_groups else None
    config: dict[str, object] = {
        "EnableInterContainerTrafficEncryption": request.enable_inter_container_traffic_encryption,
        "EnableNetworkIsolation": request.enable_network_isolation,
        "EnableManagedSpotTraining": request.enable_managed_spot_training,
        "HyperParameters": dict(request.hyper_parameters),
        "InputDataConfig": [_job_channel(request, channel) for channel in request.input_data_config],
        "OutputDataConfig": {"KmsKeyId": "", "S3OutputPath": request.output_data_config.s3_output_path},
        "ResourceConfig": {
            "InstanceCount": resources.total_instances,
            "InstanceType": resources.instance_type or (first.instance_type if first else ""),
            "VolumeSizeInGB": resources.volume_size_in_gb or 0,
        },
        "RoleArn": request.role_arn,
        "Tags": [{"Key": tag.key, "Value": tag.value} for tag in request.tags],
        "BaseTags": [],
        "TrainingJobName": request.training_job_name,
        "StoppingCondition": {"MaxRuntimeInSeconds": stopping.max_runtime_in_seconds}
        | (
            {"MaxWaitTimeInSeconds": stopping.max_wait_time_in_seconds}
            if stopping.max_wait_time_in_seconds is not None
            else {}
        ),
        "AlgorithmSpecification": {
            "MetricDefinitions": [
                {"Name": metric.name, "Regex": metric.regex}
                for metric in request.algorithm_specification.metric_definitions
            ],
            "TrainingImage": request.algorithm_specification.training_image,
            "TrainingInputMode": request.algorithm_specification.training_input_mode,
        },
        "TrainingJobArn": job_arn(region=region, account=account, job_name=request.training_job_name),
    }
    if hook := request.debug_hook_config:
        config["DebugHookConfig"] = {"S3OutputPath": hook.s3_output_path, "LocalPath": hook.local_path}
    if checkpoints := request.checkpoint_config:
        config["CheckpointConfig"] = {"S3Uri": checkpoints.s3_uri, "LocalPath": checkpoints.local_path}
    return config


def _job_channel(request: TrainingRequest, channel: Channel) -> dict[str, object]:
    source = channel.data_source
    described: dict[str, object] = {"ChannelName": channel.channel_name}
    if isinstance(source, S3DataSource):
        described["DataSource"] = {
            "S3DataSource": {
                "S3DataType": _upper_snake(source.s3_data_type),
                "S3Uri": source.s3_uri,
                "S3DataDistributionType": _upper_snake(source.distribution),
            }
        }
    return described | {
        "CompressionType": _upper_snake(channel.compression_type or "None"),
        "RecordWrapperType": _upper_snake(channel.record_wrapper_type or "None"),
        "InputMode": _upper_snake(request.input_mode(channel)),
    }
