"""A training job as it was asked for, in the words of CreateTrainingJob."""

# ruff: noqa: RUF009  # `member` is a field specifier: it gives a dataclasses.field
from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sm_emulate.errors import RequestError
from sm_emulate.request import location, training_rules
from sm_emulate.request.channel import Channel, DataSource, FileSystemDataSource, S3DataSource
from sm_emulate.request.document import beside, member, raw, write
from sm_emulate.request.service_model import load
from sm_emulate.request.sound import sound_request

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sm_emulate.request.service_model import OperationModel

__all__ = [
    "OPERATION",
    "AlgorithmSpecification",
    "Channel",
    "CheckpointConfig",
    "DataSource",
    "DebugHookConfig",
    "FileSystemDataSource",
    "InstanceGroup",
    "MetricDefinition",
    "OutputDataConfig",
    "ProfilerConfig",
    "ResourceConfig",
    "RetryStrategy",
    "S3DataSource",
    "StoppingCondition",
    "Tag",
    "TensorBoardOutputConfig",
    "TrainingRequest",
    "check_local",
    "from_aws",
    "to_aws",
]

OPERATION = "CreateTrainingJob"
_LOCATIONS = (
    "InputDataConfig[].DataSource.S3DataSource.S3Uri",
    "OutputDataConfig.S3OutputPath",
    "CheckpointConfig.S3Uri",
    "DebugHookConfig.S3OutputPath",
    "TensorBoardOutputConfig.S3OutputPath",
    "ProfilerConfig.S3OutputPath",
)
"""Where the API wants an S3 URI and the emulator also takes a local path."""


@dataclass(frozen=True, kw_only=True)
class MetricDefinition:
    name: str = member("Name")
    regex: str = member("Regex")


@dataclass(frozen=True, kw_only=True)
class AlgorithmSpecification:
    training_image: str = member("TrainingImage")
    training_input_mode: str = member("TrainingInputMode")
    container_entrypoint: tuple[str, ...] = member("ContainerEntrypoint", default=())
    """Empty keeps the image's own ENTRYPOINT."""
    container_arguments: tuple[str, ...] = member("ContainerArguments", default=())
    metric_definitions: tuple[MetricDefinition, ...] = member(
        "MetricDefinitions", default=(), of=MetricDefinition
    )
    raw: Mapping[str, Any] = raw()


@dataclass(frozen=True, kw_only=True)
class InstanceGroup:
    instance_group_name: str = member("InstanceGroupName")
    instance_type: str = member("InstanceType")
    instance_count: int = member("InstanceCount")


@dataclass(frozen=True, kw_only=True)
class ResourceConfig:
    """Either one instance type and count, or the groups of a heterogeneous cluster."""

    instance_type: str | None = member("InstanceType", default=None)
    instance_count: int | None = member("InstanceCount", default=None)
    instance_groups: tuple[InstanceGroup, ...] = member("InstanceGroups", default=(), of=InstanceGroup)
    volume_size_in_gb: int | None = member("VolumeSizeInGB", default=None)
    keep_alive_period_in_seconds: int | None = member("KeepAlivePeriodInSeconds", default=None)
    raw: Mapping[str, Any] = raw()
    chosen: bool = beside(default=True)
    """False where nobody named an instance type: containers then have all of this machine."""

    @property
    def first_instance_type(self) -> str:
        """The instance type, or that of the first group."""
        return self.instance_type or self.instance_groups[0].instance_type

    @property
    def instance_types(self) -> tuple[str, ...]:
        """Those of all hosts, each once."""
        return tuple(dict.fromkeys(group.instance_type for group in self.instance_groups)) or (
            self.first_instance_type,
        )

    @property
    def total_instances(self) -> int:
        """How many hosts the job has."""
        return self.instance_count or sum(group.instance_count for group in self.instance_groups)


@dataclass(frozen=True, kw_only=True)
class OutputDataConfig:
    s3_output_path: str = member("S3OutputPath")
    """`s3://...`, or an absolute `file:///...`."""
    compression_type: str | None = member("CompressionType", default=None)
    raw: Mapping[str, Any] = raw()

    @property
    def local_path(self) -> Path | None:
        """The folder for the artifacts on this machine, None for S3."""
        return location.local_path(self.s3_output_path)


@dataclass(frozen=True, kw_only=True)
class StoppingCondition:
    max_runtime_in_seconds: int = member("MaxRuntimeInSeconds", default=training_rules.DEFAULT_MAX_RUNTIME_S)
    max_wait_time_in_seconds: int | None = member("MaxWaitTimeInSeconds", default=None)
    raw: Mapping[str, Any] = raw()


@dataclass(frozen=True, kw_only=True)
class CheckpointConfig:
    s3_uri: str = member("S3Uri")
    local_path: str = member("LocalPath", default="/opt/ml/checkpoints")
    """The folder inside the container."""


@dataclass(frozen=True, kw_only=True)
class TensorBoardOutputConfig:
    s3_output_path: str = member("S3OutputPath")
    local_path: str = member("LocalPath", default="/opt/ml/output/tensorboard")
    """The folder inside the container."""


@dataclass(frozen=True, kw_only=True)
class DebugHookConfig:
    s3_output_path: str = member("S3OutputPath")
    local_path: str = member("LocalPath", default="/opt/ml/output/tensors")
    """The folder inside the container."""
    hook_parameters: Mapping[str, str] = member("HookParameters", default={})
    collection_configurations: tuple[Mapping[str, Any], ...] = member("CollectionConfigurations", default=())


@dataclass(frozen=True, kw_only=True)
class ProfilerConfig:
    s3_output_path: str | None = member("S3OutputPath", default=None)
    profiling_interval_in_milliseconds: int = member("ProfilingIntervalInMilliseconds", default=500)
    profiling_parameters: Mapping[str, str] = member("ProfilingParameters", default={})
    disable_profiler: bool = member("DisableProfiler", default=False)


@dataclass(frozen=True, kw_only=True)
class RetryStrategy:
    maximum_retry_attempts: int = member("MaximumRetryAttempts")


@dataclass(frozen=True, kw_only=True)
class Tag:
    key: str = member("Key")
    value: str = member("Value")


@dataclass(frozen=True, kw_only=True)
class TrainingRequest:
    """One training job. Made by `from_aws`, which has checked it."""

    training_job_name: str = member("TrainingJobName")
    role_arn: str = member("RoleArn")
    algorithm_specification: AlgorithmSpecification = member(
        "AlgorithmSpecification", of=AlgorithmSpecification
    )
    output_data_config: OutputDataConfig = member("OutputDataConfig", of=OutputDataConfig)
    resource_config: ResourceConfig = member("ResourceConfig", of=ResourceConfig)
    stopping_condition: StoppingCondition = member(
        "StoppingCondition", default=StoppingCondition(), of=StoppingCondition
    )
    hyper_parameters: Mapping[str, str] = member("HyperParameters", default={})
    input_data_config: tuple[Channel, ...] = member("InputDataConfig", default=(), of=Channel)
    environment: Mapping[str, str] = member("Environment", default={}, secret=True)
    enable_network_isolation: bool = member("EnableNetworkIsolation", default=False)
    enable_inter_container_traffic_encryption: bool = member(
        "EnableInterContainerTrafficEncryption", default=False
    )
    enable_managed_spot_training: bool = member("EnableManagedSpotTraining", default=False)
    checkpoint_config: CheckpointConfig | None = member("CheckpointConfig", default=None, of=CheckpointConfig)
    debug_hook_config: DebugHookConfig | None = member("DebugHookConfig", default=None, of=DebugHookConfig)
    tensor_board_output_config: TensorBoardOutputConfig | None = member(
        "TensorBoardOutputConfig", default=None, of=TensorBoardOutputConfig
    )
    profiler_config: ProfilerConfig | None = member("ProfilerConfig", default=None, of=ProfilerConfig)
    retry_strategy: RetryStrategy | None = member("RetryStrategy", default=None, of=RetryStrategy)
    tags: tuple[Tag, ...] = member("Tags", default=(), of=Tag)
    raw: Mapping[str, Any] = raw()
    """Members of the document that the emulator has no use for, as they were."""

    def input_mode(self, channel: Channel) -> str:
        """Give the mode that a channel is read in: its own, or that of the algorithm."""
        return channel.input_mode or self.algorithm_specification.training_input_mode


def from_aws(
    document: Mapping[str, Any], *, base_dir: Path | None = None, model: OperationModel | None = None
) -> TrainingRequest:
    """Check a CreateTrainingJob document and give the request that it holds.

    Args:
        document: the JSON of the API. Where it names S3, a path or `file://` is taken too.
        base_dir: the folder that relative paths start from; the current one if not given.
        model: the model of CreateTrainingJob, if the caller has it at hand.

    Raises:
        RequestError: for the first thing that is wrong, with the others as evidence.
    """
    return sound_request(
        TrainingRequest,
        document,
        model=model or load(OPERATION),
        locations=_LOCATIONS,
        problems=training_rules.problems,
        base_dir=base_dir,
    )


def unsized(request: TrainingRequest) -> TrainingRequest:
    """Give the request as one whose instance type nobody has chosen."""
    return replace(request, resource_config=replace(request.resource_config, chosen=False))


def to_aws(request: TrainingRequest) -> dict[str, Any]:
    """Give the CreateTrainingJob document of a request; what stands at its default is left out."""
    return write(request)


def check_local(request: TrainingRequest) -> None:
    """Raise RequestError for the first channel whose local data is not there, or not what its type needs."""
    for channel in request.input_data_config:
        source = channel.data_source
        path = source.local_path
        if path is None:
            continue
        location.check_readable(path, what=f"channel {channel.channel_name}")
        if isinstance(source, S3DataSource) and source.s3_data_type != "S3Prefix" and not path.is_file():
            raise RequestError(
                f"channel {channel.channel_name}: {source.s3_data_type} needs a file, not a folder",
                value=path,
                expected="the manifest file itself",
            )
