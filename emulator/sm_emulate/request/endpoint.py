"""An endpoint as it was asked for: CreateModel, CreateEndpointConfig and CreateEndpoint in one value."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from sm_emulate.errors import RequestError
from sm_emulate.request import async_inference, hosted_model, location
from sm_emulate.request import data_capture as capturing
from sm_emulate.request.hosted_model import not_emulated
from sm_emulate.request.naming import DEFAULT_INSTANCE_TYPE
from sm_emulate.request.service_model import OperationModel, load
from sm_emulate.request.validate import Problem, require
from sm_emulate.request.wording import shown

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sm_emulate.request.async_inference import AsyncInference
    from sm_emulate.request.data_capture import DataCapture
    from sm_emulate.request.hosted_model import HostedModel

_LOCATIONS = (*async_inference.LOCATIONS, *capturing.LOCATIONS)
DEFAULT_STARTUP_TIMEOUT_S = 480
"""The 8 minutes that a container has to answer its first ping, when CreateEndpointConfig says nothing."""
DEFAULT_VARIANT_NAME = "AllTraffic"


@dataclass(frozen=True, kw_only=True)
class EndpointModels:
    """What the three operations of an endpoint may hold."""

    create_model: OperationModel
    create_endpoint_config: OperationModel
    create_endpoint: OperationModel


@dataclass(frozen=True, kw_only=True)
class EndpointDocuments:
    """The three documents of the API that make one endpoint."""

    create_model: Mapping[str, Any]
    create_endpoint_config: Mapping[str, Any]
    create_endpoint: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class EndpointRequest:
    """One endpoint with one variant and one model. Made, and checked, by `from_flags` or `from_aws`."""

    endpoint_name: str
    endpoint_config_name: str
    model: HostedModel
    variant_name: str = DEFAULT_VARIANT_NAME
    instance_type: str
    instance_chosen: bool = True
    """False where nobody named an instance type: the container then has all of this machine."""
    initial_instance_count: int = 1
    container_startup_health_check_timeout_in_seconds: int = DEFAULT_STARTUP_TIMEOUT_S
    async_inference: AsyncInference | None = None
    """None for an endpoint that answers at once."""
    data_capture: DataCapture | None = None
    """None where nothing is captured."""
    documents: EndpointDocuments = field(repr=False, compare=False)
    """What it was made from, for what the emulator has no use for."""

    def as_aws(self) -> dict[str, Any]:
        """Give the three documents as JSON, by operation."""
        return {
            "CreateModel": self.documents.create_model,
            "CreateEndpointConfig": self.documents.create_endpoint_config,
            "CreateEndpoint": self.documents.create_endpoint,
        }


def load_models(*, cache_dir: Path | None = None) -> EndpointModels:
    """Give the models of the three operations."""
    return EndpointModels(
        create_model=load("CreateModel", cache_dir=cache_dir),
        create_endpoint_config=load("CreateEndpointConfig", cache_dir=cache_dir),
        create_endpoint=load("CreateEndpoint", cache_dir=cache_dir),
    )


def from_flags(
    *,
    image: str,
    endpoint_name: str,
    instance_type: str | None = None,
    model_data: str | None = None,
    environment: Mapping[str, str] | None = None,
    model_name: str | None = None,
    variant_name: str = DEFAULT_VARIANT_NAME,
    startup_timeout_in_seconds: int | None = None,
    network_isolation: bool = False,
    role_arn: str | None = None,
    config: Mapping[str, Any] | None = None,
    base_dir: Path | None = None,
    models: EndpointModels | None = None,
) -> EndpointRequest:
    """Give the endpoint that these flags mean, held against the same limits as the API's own documents.

    Model and endpoint configuration take the name of the endpoint unless they are named. `config` holds further
    members of CreateEndpointConfig.
    """
    create_model = hosted_model.create_model(
        image,
        model_name=model_name or endpoint_name,
        model_data=model_data,
        environment=environment,
        network_isolation=network_isolation,
        role_arn=role_arn,
    )
    variant: dict[str, Any] = {
        "VariantName": variant_name,
        "ModelName": create_model["ModelName"],
        "InstanceType": instance_type or DEFAULT_INSTANCE_TYPE,
        "InitialInstanceCount": 1,
    }
    if startup_timeout_in_seconds is not None:
        variant["ContainerStartupHealthCheckTimeoutInSeconds"] = startup_timeout_in_seconds
    request = from_aws(
        EndpointDocuments(
            create_endpoint={"EndpointName": endpoint_name, "EndpointConfigName": endpoint_name},
            create_endpoint_config={
                "EndpointConfigName": endpoint_name,
                "ProductionVariants": [variant],
                **(config or {}),
            },
            create_model=create_model,
        ),
        base_dir=base_dir,
        models=models,
    )
    return request if instance_type is not None else replace(request, instance_chosen=False)


def config_of_flags(
    *,
    endpoint_name: str,
    async_output: str | None = None,
    async_failure: str | None = None,
    max_concurrent: int | None = None,
    data_capture: str | None = None,
    sampling: int = 100,
) -> dict[str, Any]:
    """Give the members of CreateEndpointConfig that these flags of `sm-emulate serve` mean."""
    found: dict[str, Any] = {}
    if async_output is not None:
        found[async_inference.MEMBER] = async_inference.config_of_flags(
            output=async_output,
            failure=async_failure,
            max_concurrent=max_concurrent,
            endpoint_name=endpoint_name,
        )
    elif async_failure is not None or max_concurrent is not None:
        raise RequestError(
            "this endpoint answers at once: only an asynchronous one takes these",
            value=async_failure or max_concurrent,
            hint="--async-output makes it asynchronous",
        )
    if data_capture is not None:
        found[capturing.MEMBER] = capturing.config_of_flags(destination=data_capture, sampling=sampling)
    return found


def from_aws(
    documents: EndpointDocuments, *, base_dir: Path | None = None, models: EndpointModels | None = None
) -> EndpointRequest:
    """Check the three documents and give the endpoint that they make.

    Args:
        documents: the JSON of the API. Where it names S3, a path or `file://` is taken too.
        base_dir: the folder that relative paths start from; the current one if not given.
        models: the models of the three operations, if the caller has them at hand.
    """
    models = models or load_models()
    # the endpoint's name is the one that a person gave: the others are often made from it
    require(documents.create_endpoint, models.create_endpoint)
    model = hosted_model.from_aws(documents.create_model, model=models.create_model, base_dir=base_dir)
    require(
        documents.create_endpoint_config,
        models.create_endpoint_config,
        exempt=_LOCATIONS,
        rules=lambda sound: [
            *location.problems(sound, _LOCATIONS, models.create_endpoint_config),
            *async_inference.problems(sound),
            *_config_problems(sound, documents),
        ],
    )
    variant = documents.create_endpoint_config["ProductionVariants"][0]
    return EndpointRequest(
        endpoint_name=documents.create_endpoint["EndpointName"],
        endpoint_config_name=documents.create_endpoint_config["EndpointConfigName"],
        model=model,
        variant_name=variant["VariantName"],
        instance_type=variant["InstanceType"],
        initial_instance_count=variant.get("InitialInstanceCount", 1),
        container_startup_health_check_timeout_in_seconds=variant.get(
            "ContainerStartupHealthCheckTimeoutInSeconds", DEFAULT_STARTUP_TIMEOUT_S
        ),
        async_inference=async_inference.from_config(documents.create_endpoint_config, base_dir=base_dir),
        data_capture=capturing.from_config(documents.create_endpoint_config, base_dir=base_dir),
        documents=EndpointDocuments(
            create_model=model.document,
            create_endpoint_config=location.absolute(
                documents.create_endpoint_config, _LOCATIONS, base_dir=base_dir
            ),
            create_endpoint=documents.create_endpoint,
        ),
    )


def _config_problems(document: Mapping[str, Any], documents: EndpointDocuments) -> list[Problem]:
    for name in ("ShadowProductionVariants",):
        if name in document:
            return [not_emulated(name, f"{name} is", "an endpoint that answers at once")]
    variants = document["ProductionVariants"]
    if len(variants) != 1:
        return [not_emulated("ProductionVariants", "endpoints of several variants are", "one variant")]
    variant, path = variants[0], "ProductionVariants[0]"
    if "ServerlessConfig" in variant:
        return [not_emulated(f"{path}.ServerlessConfig", "serverless endpoints are", "InstanceType")]
    if "InstanceType" not in variant:
        what = f"{path}.InstanceType is missing"
        return [Problem(path=f"{path}.InstanceType", what=what, expected="an instance type")]
    model_name = documents.create_model["ModelName"]
    if variant.get("ModelName") != model_name:
        return [_other_name(f"{path}.ModelName", variant.get("ModelName"), model_name)]
    wanted = documents.create_endpoint["EndpointConfigName"]
    if document["EndpointConfigName"] != wanted:
        return [_other_name("EndpointConfigName", document["EndpointConfigName"], wanted)]
    return []


def _other_name(path: str, found: object, wanted: str) -> Problem:
    return Problem(
        path=path, what=f"{path} does not name what was given", value=shown(found), expected=wanted
    )
