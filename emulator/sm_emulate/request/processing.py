"""A processing job as it was asked for, in the words of CreateProcessingJob."""

# ruff: noqa: RUF009  # `member` is a field specifier: it gives a dataclasses.field
from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sm_emulate.errors import RequestError
from sm_emulate.request import location, processing_rules
from sm_emulate.request.document import beside, member, raw, write
from sm_emulate.request.service_model import load
from sm_emulate.request.sound import sound_request
from sm_emulate.spec.processing_job import DEFAULT_MAX_RUNTIME_SECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sm_emulate.request.service_model import OperationModel

OPERATION = "CreateProcessingJob"
_LOCATIONS = (
    "ProcessingInputs[].S3Input.S3Uri",
    "ProcessingOutputConfig.Outputs[].S3Output.S3Uri",
)
"""Where the API wants an S3 URI and the emulator also takes a local path."""


@dataclass(frozen=True, kw_only=True)
class AppSpecification:
    image_uri: str = member("ImageUri")
    container_entrypoint: tuple[str, ...] = member("ContainerEntrypoint", default=())
    """Empty keeps the image's own ENTRYPOINT."""
    container_arguments: tuple[str, ...] = member("ContainerArguments", default=())


@dataclass(frozen=True, kw_only=True)
class S3Input:
    """Objects in S3, or under an absolute `file:///...` that stands for them."""

    s3_uri: str = member("S3Uri")
    s3_data_type: str = member("S3DataType")
    local_path: str = member("LocalPath", default="")
    """Where the container finds them; empty for an AppManaged input that names no place."""
    s3_input_mode: str | None = member("S3InputMode", default=None)
    s3_data_distribution_type: str | None = member("S3DataDistributionType", default=None)
    s3_compression_type: str | None = member("S3CompressionType", default=None)

    @property
    def here(self) -> Path | None:
        """The absolute path of data on this machine, None for data in S3."""
        return location.local_path(self.s3_uri)

    @property
    def mode(self) -> str:
        return self.s3_input_mode or "File"

    @property
    def distribution(self) -> str:
        """How the objects are shared out among the hosts."""
        return self.s3_data_distribution_type or "FullyReplicated"

    @property
    def compression(self) -> str:
        return self.s3_compression_type or "None"


@dataclass(frozen=True, kw_only=True)
class ProcessingInput:
    """What the container finds at LocalPath."""

    input_name: str = member("InputName")
    app_managed: bool = member("AppManaged", default=False)
    """The program fetches it by itself: nothing is done about it."""
    s3_input: S3Input | None = member("S3Input", default=None, of=S3Input)
    dataset_definition: Mapping[str, Any] | None = member("DatasetDefinition", default=None)


@dataclass(frozen=True, kw_only=True)
class S3Output:
    s3_uri: str = member("S3Uri")
    """`s3://...`, or an absolute `file:///...`."""
    local_path: str = member("LocalPath", default="")
    s3_upload_mode: str = member("S3UploadMode")

    @property
    def here(self) -> Path | None:
        """The folder on this machine, None for S3."""
        return location.local_path(self.s3_uri)


@dataclass(frozen=True, kw_only=True)
class ProcessingOutput:
    """What becomes of a directory that the container writes to."""

    output_name: str = member("OutputName")
    s3_output: S3Output | None = member("S3Output", default=None, of=S3Output)
    feature_store_output: Mapping[str, Any] | None = member("FeatureStoreOutput", default=None)
    app_managed: bool = member("AppManaged", default=False)
    """The program sends it off by itself: nothing is done about it."""


@dataclass(frozen=True, kw_only=True)
class ProcessingOutputConfig:
    outputs: tuple[ProcessingOutput, ...] = member("Outputs", of=ProcessingOutput)
    kms_key_id: str | None = member("KmsKeyId", default=None)


@dataclass(frozen=True, kw_only=True)
class ClusterConfig:
    instance_count: int = member("InstanceCount", default=1)
    instance_type: str = member("InstanceType")
    volume_size_in_gb: int = member("VolumeSizeInGB")
    volume_kms_key_id: str | None = member("VolumeKmsKeyId", default=None)
    chosen: bool = beside(default=True)
    """Whether somebody has named the instance type; the size of one that stands there by default limits nothing."""


@dataclass(frozen=True, kw_only=True)
class ProcessingResources:
    cluster_config: ClusterConfig = member("ClusterConfig", of=ClusterConfig)


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    enable_inter_container_traffic_encryption: bool = member(
        "EnableInterContainerTrafficEncryption", default=False
    )
    enable_network_isolation: bool = member("EnableNetworkIsolation", default=False)
    raw: Mapping[str, Any] = raw()


@dataclass(frozen=True, kw_only=True)
class StoppingCondition:
    max_runtime_in_seconds: int = member("MaxRuntimeInSeconds")


@dataclass(frozen=True, kw_only=True)
class ProcessingRequest:
    """One processing job. Made by `from_aws`, which has checked it."""

    processing_job_name: str = member("ProcessingJobName")
    processing_resources: ProcessingResources = member("ProcessingResources", of=ProcessingResources)
    app_specification: AppSpecification = member("AppSpecification", of=AppSpecification)
    role_arn: str = member("RoleArn")
    processing_inputs: tuple[ProcessingInput, ...] = member(
        "ProcessingInputs", default=(), of=ProcessingInput
    )
    processing_output_config: ProcessingOutputConfig | None = member(
        "ProcessingOutputConfig", default=None, of=ProcessingOutputConfig
    )
    stopping_condition: StoppingCondition | None = member(
        "StoppingCondition", default=None, of=StoppingCondition
    )
    environment: Mapping[str, str] = member("Environment", default={}, secret=True)
    network_config: NetworkConfig | None = member("NetworkConfig", default=None, of=NetworkConfig)
    raw: Mapping[str, Any] = raw()
    """Members of the document that the emulator has no use for, as they were."""

    @property
    def cluster(self) -> ClusterConfig:
        return self.processing_resources.cluster_config

    @property
    def max_runtime_in_seconds(self) -> int:
        """The limit that holds, also where none was given."""
        given = self.stopping_condition
        return DEFAULT_MAX_RUNTIME_SECONDS if given is None else given.max_runtime_in_seconds

    @property
    def isolated(self) -> bool:
        """Whether there is no way out of the containers."""
        return self.network_config is not None and self.network_config.enable_network_isolation

    @property
    def outputs(self) -> tuple[ProcessingOutput, ...]:
        return () if self.processing_output_config is None else self.processing_output_config.outputs

    @property
    def managed_inputs(self) -> tuple[tuple[str, S3Input], ...]:
        """Name and source of each input that the platform fetches."""
        return tuple(
            (each.input_name, each.s3_input)
            for each in self.processing_inputs
            if each.s3_input is not None and not each.app_managed
        )

    @property
    def managed_outputs(self) -> tuple[tuple[str, S3Output], ...]:
        """Name and place of each output that the platform uploads."""
        return tuple(
            (each.output_name, each.s3_output)
            for each in self.outputs
            if each.s3_output is not None and not each.app_managed
        )


def from_aws(
    document: Mapping[str, Any], *, base_dir: Path | None = None, model: OperationModel | None = None
) -> ProcessingRequest:
    """Check a CreateProcessingJob document and give the request that it holds.

    Args:
        document: the JSON of the API. Where it names S3, a path or `file://` is taken too.
        base_dir: the folder that relative paths start from; the current one if not given.
        model: the model of CreateProcessingJob, if the caller has it at hand.

    Raises:
        RequestError: for the first thing that is wrong, with the others as evidence.
    """
    return sound_request(
        ProcessingRequest,
        document,
        model=model or load(OPERATION),
        locations=_LOCATIONS,
        problems=processing_rules.problems,
        base_dir=base_dir,
    )


def unsized(request: ProcessingRequest) -> ProcessingRequest:
    """Give the request as one whose instance type nobody has chosen."""
    return replace(
        request,
        processing_resources=ProcessingResources(cluster_config=replace(request.cluster, chosen=False)),
    )


def to_aws(request: ProcessingRequest) -> dict[str, Any]:
    """Give the CreateProcessingJob document of a request; what stands at its default is left out."""
    return write(request)


def check_local(request: ProcessingRequest) -> None:
    """Raise RequestError for the first input whose local data is not there, or not what its type needs."""
    for name, source in request.managed_inputs:
        path = source.here
        if path is None:
            continue
        location.check_readable(path, what=f"input {name}")
        if source.s3_data_type != "S3Prefix" and not path.is_file():
            raise RequestError(
                f"input {name}: {source.s3_data_type} needs a file, not a folder",
                value=path,
                expected="the manifest file itself",
            )
