"""An inference component as CreateInferenceComponent makes it: a model, what it reserves, and how many copies run."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from sm_emulate.errors import RequestError
from sm_emulate.request import async_inference, hosted_model, location
from sm_emulate.request.hosted_model import not_emulated
from sm_emulate.request.validate import Problem, require
from sm_emulate.request.variant import DEFAULT_STARTUP_TIMEOUT_S
from sm_emulate.spec.inference_component import NO_COPIES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from sm_emulate.request.hosted_model import HostedModel
    from sm_emulate.request.service_model import OperationModel
    from sm_emulate.request.variant import Variant

OPERATION = "CreateInferenceComponent"
_ARTIFACT = "Specification.Container.ArtifactUrl"
_LOCATIONS = (_ARTIFACT,)
_ARCHIVE = ".tar.gz"
MOST_COPIES = 16
"""Of one component on one machine; the API itself has no such number."""


@dataclass(frozen=True, kw_only=True)
class InferenceComponent:
    """One component of an endpoint. Made, and checked, by `from_aws`."""

    name: str
    variant_name: str
    model: HostedModel
    copies: int
    min_memory_mb: int
    max_memory_mb: int | None = None
    cpus: float | None = None
    accelerators: int = 0
    strategy: str = "SPREAD"
    """How copies are laid out over instances: SPREAD or BINPACK."""
    startup_timeout_s: int = DEFAULT_STARTUP_TIMEOUT_S
    document: Mapping[str, Any] = field(repr=False, compare=False)
    """What it was made from, its local paths absolute."""

    def as_variant(self, variant: Variant) -> Variant:
        """Give a variant of this name that has its copies for instances."""
        return replace(
            variant,
            variant_name=self.name,
            model=self.model,
            initial_instance_count=self.copies,
            container_startup_health_check_timeout_in_seconds=self.startup_timeout_s,
        )


def from_aws(
    document: Mapping[str, Any],
    *,
    endpoint_name: str,
    variants: Mapping[str, Variant],
    models: Mapping[str, HostedModel],
    operation: OperationModel,
    create_model: OperationModel,
    role_arn: str | None,
    base_dir: Path | None = None,
) -> InferenceComponent:
    """Check a CreateInferenceComponent document and give the component that it makes.

    Args:
        document: the JSON of the API. Where it names S3, a path or `file://` is taken too.
        endpoint_name: whose component it is to be.
        variants: the endpoint's, by name.
        models: what `ModelName` may name.
        operation: the service model of CreateInferenceComponent.
        create_model: that of CreateModel, which a `Container` is held against.
        role_arn: of the endpoint configuration, for a `Container`.
        base_dir: the folder that relative paths start from; the current one if not given.

    Raises:
        RequestError: for the first thing that is wrong, with the others as evidence.
    """
    require(
        document,
        operation,
        exempt=_LOCATIONS,
        rules=lambda sound: [
            *location.problems(sound, _LOCATIONS, operation),
            *_problems(sound, endpoint_name, tuple(variants), models),
        ],
    )
    placed = location.absolute(document, _LOCATIONS, base_dir=base_dir)
    specification = placed["Specification"]
    needs = specification["ComputeResourceRequirements"]
    name = placed["InferenceComponentName"]
    return InferenceComponent(
        name=name,
        variant_name=placed["VariantName"],
        model=_model(name, specification, models, create_model=create_model, role_arn=role_arn),
        copies=placed["RuntimeConfig"]["CopyCount"],
        min_memory_mb=needs["MinMemoryRequiredInMb"],
        max_memory_mb=needs.get("MaxMemoryRequiredInMb"),
        cpus=needs.get("NumberOfCpuCoresRequired"),
        accelerators=int(needs.get("NumberOfAcceleratorDevicesRequired", 0)),
        strategy=specification.get("SchedulingConfig", {}).get("PlacementStrategy", "SPREAD"),
        startup_timeout_s=specification.get("StartupParameters", {}).get(
            "ContainerStartupHealthCheckTimeoutInSeconds", DEFAULT_STARTUP_TIMEOUT_S
        ),
        document=placed,
    )


def all_from_aws(documents: Sequence[Mapping[str, Any]], **given: Any) -> tuple[InferenceComponent, ...]:
    """Give the components of an endpoint; the arguments are those of `from_aws`.

    Raises:
        RequestError: two have one name, or one is wrong.
    """
    found: dict[str, InferenceComponent] = {}
    for document in documents:
        component = from_aws(document, **given)
        if component.name in found:
            raise RequestError(
                "two inference components have one name", value=component.name, expected="another name"
            )
        found[component.name] = component
    return tuple(found.values())


def config_problems(document: Mapping[str, Any]) -> list[Problem]:
    """Say what in a CreateEndpointConfig document does not go with inference components."""
    if len(document["ProductionVariants"]) > 1:
        subject = "inference components on several variants are"
        return [not_emulated("ProductionVariants", subject, "one variant")]
    if document.get("ShadowProductionVariants"):
        subject = "a shadow variant beside inference components is"
        return [not_emulated("ShadowProductionVariants", subject, "one production variant")]
    if async_inference.MEMBER in document:
        subject = "an asynchronous endpoint with inference components is"
        return [not_emulated(async_inference.MEMBER, subject, "an endpoint that answers at once")]
    if "ExecutionRoleArn" not in document:
        what = "ExecutionRoleArn is missing, which an endpoint with inference components needs"
        return [Problem(path="ExecutionRoleArn", what=what, expected="the ARN of a role")]
    return []


def _model(
    name: str,
    specification: Mapping[str, Any],
    models: Mapping[str, HostedModel],
    *,
    create_model: OperationModel,
    role_arn: str | None,
) -> HostedModel:
    if "ModelName" in specification:
        return models[specification["ModelName"]]
    given = specification["Container"]
    container: dict[str, Any] = {"Image": given["Image"]}
    if "ArtifactUrl" in given:
        container["ModelDataUrl"] = given["ArtifactUrl"]
    if "Environment" in given:
        container["Environment"] = given["Environment"]
    document: dict[str, Any] = {"ModelName": name, "PrimaryContainer": container}
    if role_arn is not None:
        document["ExecutionRoleArn"] = role_arn
    return hosted_model.from_aws(document, model=create_model)


def _problems(
    document: Mapping[str, Any],
    endpoint: str,
    variants: tuple[str, ...],
    models: Mapping[str, HostedModel],
) -> Iterator[Problem]:
    if document["EndpointName"] != endpoint:
        yield Problem(
            path="EndpointName",
            what="the inference component is for another endpoint",
            value=document["EndpointName"],
            expected=endpoint,
        )
    if "Specifications" in document:
        yield not_emulated("Specifications", "a specification for each instance type is", "Specification")
        return
    if document.get("VariantName") not in variants:
        yield Problem(
            path="VariantName",
            what="the inference component names no variant of the endpoint",
            value=document.get("VariantName"),
            expected=" or ".join(variants),
        )
    copies = document.get("RuntimeConfig", {}).get("CopyCount")
    if not copies:
        what = NO_COPIES if copies == 0 else "RuntimeConfig.CopyCount is missing"
        yield Problem(path="RuntimeConfig.CopyCount", what=what, expected="1 or more")
    elif copies > MOST_COPIES:
        yield too_many_copies(copies)
    specification = document.get("Specification")
    if specification is None:
        yield Problem(
            path="Specification",
            what="Specification is missing",
            expected="an object with ModelName or Container, and ComputeResourceRequirements",
        )
        return
    yield from _specification_problems(specification, models)


def too_many_copies(copies: int) -> Problem:
    """Give the problem of more copies than one machine starts."""
    return Problem(
        path="RuntimeConfig.CopyCount",
        what="the inference component has more copies than one machine starts containers for",
        value=str(copies),
        expected=f"at most {MOST_COPIES}",
    )


def _specification_problems(
    specification: Mapping[str, Any], models: Mapping[str, HostedModel]
) -> Iterator[Problem]:
    if "BaseInferenceComponentName" in specification:
        where = "Specification.BaseInferenceComponentName"
        yield not_emulated(where, "adapter inference components are", "a component with a model of its own")
        return
    needs = specification.get("ComputeResourceRequirements")
    if needs is None:
        where = "Specification.ComputeResourceRequirements"
        yield Problem(path=where, what=f"{where} is missing", expected="an object with MinMemoryRequiredInMb")
    elif "AcceleratorPartitionType" in needs:
        where = "Specification.ComputeResourceRequirements.AcceleratorPartitionType"
        yield not_emulated(where, "parts of accelerators are", "whole ones")
    elif needs.get("MaxMemoryRequiredInMb", needs["MinMemoryRequiredInMb"]) < needs["MinMemoryRequiredInMb"]:
        where = "Specification.ComputeResourceRequirements.MaxMemoryRequiredInMb"
        yield Problem(
            path=where,
            what="MaxMemoryRequiredInMb is smaller than MinMemoryRequiredInMb",
            value=str(needs["MaxMemoryRequiredInMb"]),
            expected=f"at least {needs['MinMemoryRequiredInMb']}",
        )
    named, container = "ModelName" in specification, specification.get("Container")
    if named is (container is not None):
        what = "Specification has both ModelName and Container" if named else "Specification has no model"
        yield Problem(path="Specification", what=what, expected="ModelName or Container")
    elif named and specification["ModelName"] not in models:
        yield Problem(
            path="Specification.ModelName",
            what="Specification.ModelName does not name a model that was given",
            value=specification["ModelName"],
            expected=" or ".join(models) or "a CreateModel document of this name",
        )
    elif named and models[specification["ModelName"]].multi_model:
        subject = "a multi-model container in an inference component is"
        yield not_emulated("Specification.ModelName", subject, "a model with Mode SingleModel")
    elif named and models[specification["ModelName"]].several:
        subject = "several containers in an inference component are"
        yield not_emulated("Specification.ModelName", subject, "a model of one container")
    elif container is not None:
        url = container.get("ArtifactUrl")
        if not container.get("Image"):
            where = "Specification.Container.Image"
            yield Problem(path=where, what=f"{where} is missing", expected="the name of an image")
        elif url is not None and not url.endswith(_ARCHIVE):
            expected = "a name that ends in .tar.gz"
            yield Problem(path=_ARTIFACT, what=f"{_ARTIFACT} is no archive", value=url, expected=expected)
