"""A serverless variant as CreateEndpointConfig has it, and what it does not go with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sm_emulate.errors import RequestError
from sm_emulate.request import location
from sm_emulate.request.validate import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

MEMBER = "ServerlessConfig"
MEMORY_STEP_MB = 1024
PAGE = "https://docs.aws.amazon.com/sagemaker/latest/dg/serverless-endpoints.html"
_OF_INSTANCES = (
    "InstanceType",
    "InitialInstanceCount",
    "InstancePools",
    "AcceleratorType",
    "VolumeSizeInGB",
    "ContainerStartupHealthCheckTimeoutInSeconds",
    "ModelDataDownloadTimeoutInSeconds",
    "RoutingConfig",
    "ManagedInstanceScaling",
    "InferenceAmiVersion",
    "CoreDumpConfig",
    "EnableSSMAccess",
)
"""Members of a variant that say something about its instances."""


@dataclass(frozen=True, kw_only=True)
class Serverless:
    """How large each execution environment is, and how many requests are served at once."""

    memory_size_in_mb: int
    max_concurrency: int
    provisioned_concurrency: int = 0
    """So many environments are always there."""

    def as_aws(self) -> dict[str, int]:
        """Give it in the shape of ProductionVariantServerlessConfig."""
        given = {"MemorySizeInMB": self.memory_size_in_mb, "MaxConcurrency": self.max_concurrency}
        if self.provisioned_concurrency:
            given["ProvisionedConcurrency"] = self.provisioned_concurrency
        return given


def config_of_flags(
    *, memory: int | None, concurrency: int | None, provisioned: int | None
) -> dict[str, int] | None:
    """Give the ServerlessConfig that these flags mean; None without them.

    Raises:
        RequestError: one of the two that belong together is missing.
    """
    if memory is None and concurrency is None and provisioned is None:
        return None
    if memory is None or concurrency is None:
        missing = "--serverless-memory MB" if memory is None else "--serverless-concurrency N"
        raise RequestError(
            "a serverless endpoint needs its memory size and its concurrency",
            expected=f"{missing} beside the others",
            link=PAGE,
        )
    config = {"MemorySizeInMB": memory, "MaxConcurrency": concurrency}
    return config if provisioned is None else config | {"ProvisionedConcurrency": provisioned}


def from_variant(variant: Mapping[str, Any]) -> Serverless | None:
    """Give the serverless configuration of a variant that was found sound; None for one on instances."""
    config = variant.get(MEMBER)
    if config is None:
        return None
    return Serverless(
        memory_size_in_mb=config["MemorySizeInMB"],
        max_concurrency=config["MaxConcurrency"],
        provisioned_concurrency=config.get("ProvisionedConcurrency", 0),
    )


def variant_problems(variant: Mapping[str, Any], path: str) -> Iterator[Problem]:
    """Say what the service model cannot say about one serverless variant."""
    config = variant[MEMBER]
    memory = config["MemorySizeInMB"]
    if memory % MEMORY_STEP_MB:
        yield Problem(
            path=f"{path}.{MEMBER}.MemorySizeInMB",
            what=f"{path}.{MEMBER}.MemorySizeInMB is no multiple of {MEMORY_STEP_MB}",
            value=str(memory),
            expected="1024, 2048, 3072, 4096, 5120 or 6144",
        )
    provisioned, most = config.get("ProvisionedConcurrency", 0), config["MaxConcurrency"]
    if provisioned > most:
        yield Problem(
            path=f"{path}.{MEMBER}.ProvisionedConcurrency",
            what=f"{path}.{MEMBER}.ProvisionedConcurrency is larger than MaxConcurrency",
            value=str(provisioned),
            expected=f"at most {most}",
        )
    for name in _OF_INSTANCES:
        if name in variant:
            yield Problem(
                path=f"{path}.{name}",
                what=f"a serverless variant has no instances, and so no {name}",
                value=str(variant[name]),
                expected=f"{MEMBER} without it",
            )


def problems(config: Mapping[str, Any], models: Sequence[Mapping[str, Any]]) -> list[Problem]:
    """Say what a CreateEndpointConfig document with a serverless variant holds that serverless has not.

    Args:
        config: the document.
        models: the CreateModel documents of the endpoint.
    """
    variants = config.get("ProductionVariants", ())
    if not any(MEMBER in each for each in variants):
        return []
    return [*_config_problems(config), *_model_problems(models)]


def _config_problems(config: Mapping[str, Any]) -> Iterator[Problem]:
    if len(config["ProductionVariants"]) > 1:
        yield _excluded("ProductionVariants", "several production variants", "one variant")
    if config.get("ShadowProductionVariants"):
        yield _excluded("ShadowProductionVariants", "shadow variants", "one production variant")
    for member, words in (
        ("DataCaptureConfig", "data capture"),
        ("AsyncInferenceConfig", "asynchronous inference"),
        ("ExplainerConfig", "online explanations"),
        ("VpcConfig", "a VPC"),
    ):
        if member in config:
            yield _excluded(member, words, f"no {member}")
    if config.get("EnableNetworkIsolation"):
        yield _excluded("EnableNetworkIsolation", "network isolation", "false")


def _model_problems(models: Sequence[Mapping[str, Any]]) -> Iterator[Problem]:
    for model in models:
        if "Containers" in model:
            yield _excluded("Containers", "inference pipelines", "PrimaryContainer")
        if model.get("EnableNetworkIsolation"):
            yield _excluded("EnableNetworkIsolation", "network isolation", "false")
        if "VpcConfig" in model:
            yield _excluded("VpcConfig", "a VPC", "no VpcConfig")
        container = model.get("PrimaryContainer", {})
        if container.get("Mode") == "MultiModel":
            yield _excluded("PrimaryContainer.Mode", "multi-model containers", "SingleModel")
        if container.get("ImageConfig", {}).get("RepositoryAccessMode") == "Vpc":
            where = "PrimaryContainer.ImageConfig.RepositoryAccessMode"
            yield _excluded(where, "private registries", "Platform")
        source = container.get("ModelDataSource", {}).get("S3DataSource", {}).get("S3Uri", "")
        # a folder of this machine stands for the archive that somebody will make of it
        if source and not location.is_local(source):
            where = "PrimaryContainer.ModelDataSource"
            yield _excluded(where, "ModelDataSource", "ModelDataUrl with a .tar.gz")


def _excluded(path: str, words: str, expected: str) -> Problem:
    return Problem(
        path=path, what=f"serverless endpoints do not go with {words}: {path}", expected=expected, hint=PAGE
    )
