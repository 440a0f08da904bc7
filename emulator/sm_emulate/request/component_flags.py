"""Inference components in the words of a command line, and one more for an endpoint that there is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sm_emulate.errors import RequestError
from sm_emulate.request import hosted_model, inference_component
from sm_emulate.request.endpoint import (
    DEFAULT_VARIANT_NAME,
    EndpointDocuments,
    from_aws,
    load_models,
)
from sm_emulate.request.naming import DEFAULT_INSTANCE_TYPE, DEFAULT_ROLE_ARN
from sm_emulate.request.service_model import load
from sm_emulate.request.wording import meant

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from sm_emulate.request.endpoint import EndpointModels, EndpointRequest
    from sm_emulate.request.inference_component import InferenceComponent


@dataclass(frozen=True, kw_only=True)
class ComponentFlags:
    """One component in the words of a command line; nothing is judged here."""

    name: str
    image: str
    model_data: str | None = None
    copies: int = 1
    memory: int = 128
    max_memory: int | None = None
    cpus: float | None = None
    gpus: int | None = None


EXPECTED = "NAME=IMAGE[,copies=N][,memory=MB][,max-memory=MB][,cpus=N][,gpus=N][,model=PATH]"


def component_flags(text: str) -> ComponentFlags:
    """Read `NAME=IMAGE[,OPTION=VALUE...]`.

    Raises:
        RequestError: it is something else.
    """
    first, *options = text.split(",")
    name, _, image = first.partition("=")
    named = dict(option.partition("=")[::2] for option in options)
    known = {"copies", "memory", "max-memory", "cpus", "gpus", "model"}
    if not name or not image or len(named) < len(options) or set(named) - known:
        raise RequestError(
            "this is no inference component", value=text, expected=EXPECTED, hint=meant(named, known)
        )
    try:
        return ComponentFlags(
            name=name,
            image=image,
            model_data=named.get("model"),
            copies=int(named.get("copies", "1")),
            memory=int(named.get("memory", "128")),
            max_memory=int(named["max-memory"]) if "max-memory" in named else None,
            cpus=float(named["cpus"]) if "cpus" in named else None,
            gpus=int(named["gpus"]) if "gpus" in named else None,
        )
    except ValueError:
        raise RequestError(
            "copies, memory, cpus and gpus of an inference component are numbers",
            value=text,
            expected=EXPECTED,
        ) from None


def documents_of_flags(
    flags: ComponentFlags,
    *,
    endpoint_name: str,
    variant_name: str,
    environment: Mapping[str, str] | None = None,
    network_isolation: bool = False,
    role_arn: str | None = None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Give the CreateModel and the CreateInferenceComponent document that these words mean."""
    model = hosted_model.create_model(
        flags.image,
        model_name=f"{endpoint_name}-{flags.name}"[:63].rstrip("-"),
        model_data=flags.model_data,
        environment=environment,
        network_isolation=network_isolation,
        role_arn=role_arn,
    )
    needs: dict[str, Any] = {"MinMemoryRequiredInMb": flags.memory}
    if flags.max_memory is not None:
        needs["MaxMemoryRequiredInMb"] = flags.max_memory
    if flags.cpus is not None:
        needs["NumberOfCpuCoresRequired"] = flags.cpus
    if flags.gpus is not None:
        needs["NumberOfAcceleratorDevicesRequired"] = flags.gpus
    return model, {
        "InferenceComponentName": flags.name,
        "EndpointName": endpoint_name,
        "VariantName": variant_name,
        "Specification": {"ModelName": model["ModelName"], "ComputeResourceRequirements": needs},
        "RuntimeConfig": {"CopyCount": flags.copies},
    }


def endpoint_of_flags(
    components: Sequence[ComponentFlags],
    *,
    endpoint_name: str,
    instance_type: str | None = None,
    instance_count: int = 1,
    variant_name: str = DEFAULT_VARIANT_NAME,
    routing: str | None = None,
    environment: Mapping[str, str] | None = None,
    startup_timeout_in_seconds: int | None = None,
    network_isolation: bool = False,
    role_arn: str = DEFAULT_ROLE_ARN,
    more_config: Mapping[str, Any] | None = None,
    base_dir: Path | None = None,
    models: EndpointModels | None = None,
) -> EndpointRequest:
    """Give the endpoint with these inference components, held against the limits of the API's own documents."""
    made = [
        documents_of_flags(
            each,
            endpoint_name=endpoint_name,
            variant_name=variant_name,
            environment=environment,
            network_isolation=network_isolation,
            role_arn=role_arn,
        )
        for each in components
    ]
    if startup_timeout_in_seconds is not None:
        for _, document in made:
            document["Specification"]["StartupParameters"] = {
                "ContainerStartupHealthCheckTimeoutInSeconds": startup_timeout_in_seconds
            }
    variant: dict[str, Any] = {
        "VariantName": variant_name,
        "InstanceType": instance_type or DEFAULT_INSTANCE_TYPE,
        "InitialInstanceCount": instance_count,
    }
    if routing is not None:
        variant["RoutingConfig"] = {"RoutingStrategy": routing}
    hosted = [model for model, _ in made]
    request = from_aws(
        EndpointDocuments(
            create_endpoint={"EndpointName": endpoint_name, "EndpointConfigName": endpoint_name},
            create_endpoint_config={
                "EndpointConfigName": endpoint_name,
                "ExecutionRoleArn": role_arn,
                "ProductionVariants": [variant],
                **(more_config or {}),
            },
            create_model=hosted[0] if hosted else {},
            more_models=tuple(hosted[1:]),
            components=tuple(document for _, document in made),
        ),
        base_dir=base_dir,
        models=models,
    )
    return request if instance_type is not None else replace(request, instance_chosen=False)


def component_of(
    document: Mapping[str, Any],
    request: EndpointRequest,
    *,
    model: Mapping[str, Any] | None = None,
    models: EndpointModels | None = None,
    base_dir: Path | None = None,
) -> InferenceComponent:
    """Check one more inference component of an endpoint, and give it.

    Args:
        document: CreateInferenceComponent.
        request: the endpoint.
        model: the CreateModel document that it names, if the endpoint has it not.
        models: the models of the operations, if the caller has them at hand.
        base_dir: the folder that relative paths start from; the current one if not given.

    Raises:
        RequestError: the endpoint does not host components, or the document is wrong.
    """
    models = models or load_models()
    if request.components is None:
        raise RequestError(
            "this endpoint does not host inference components",
            value=request.endpoint_name,
            hint="one that does is made with --component, or with CreateInferenceComponent",
        )
    hosted = {each.model_name: each for each in request.models}
    for each in (*request.documents.models, *([] if model is None else [model])):
        made = hosted_model.from_aws(each, model=models.create_model, base_dir=base_dir)
        hosted[made.model_name] = made
    return inference_component.from_aws(
        document,
        endpoint_name=request.endpoint_name,
        variants={each.variant_name: each for each in request.variants},
        models=hosted,
        operation=load(inference_component.OPERATION, cache_dir=models.cache_dir),
        create_model=models.create_model,
        role_arn=request.documents.create_endpoint_config.get("ExecutionRoleArn"),
        base_dir=base_dir,
    )
