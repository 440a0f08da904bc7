"""An endpoint as it was asked for: CreateModel, CreateEndpointConfig and CreateEndpoint in one value."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from sm_emulate.errors import RequestError
from sm_emulate.request import location
from sm_emulate.request.naming import DEFAULT_INSTANCE_TYPE
from sm_emulate.request.service_model import OperationModel, load
from sm_emulate.request.validate import Problem, require
from sm_emulate.request.wording import shown

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

DEFAULT_STARTUP_TIMEOUT_S = 480
"""The 8 minutes that a container has to answer its first ping, when CreateEndpointConfig says nothing."""
DEFAULT_VARIANT_NAME = "AllTraffic"
_ARCHIVE = ".tar.gz"
_MODEL_LOCATIONS = ("PrimaryContainer.ModelDataUrl", "PrimaryContainer.ModelDataSource.S3DataSource.S3Uri")


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
    model_name: str
    image: str
    model_data: str | None = None
    """`s3://...` or an absolute `file:///...`: an archive, or a folder if it does not end in `.tar.gz`."""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    variant_name: str = DEFAULT_VARIANT_NAME
    instance_type: str
    instance_chosen: bool = True
    """False where nobody named an instance type: the container then has all of this machine."""
    initial_instance_count: int = 1
    container_startup_health_check_timeout_in_seconds: int = DEFAULT_STARTUP_TIMEOUT_S
    mode: str = "SingleModel"
    enable_network_isolation: bool = False
    execution_role_arn: str | None = None
    documents: EndpointDocuments = field(repr=False, compare=False)
    """What it was made from, for what the emulator has no use for."""

    def as_aws(self) -> dict[str, Any]:
        """Give the three documents as JSON, by operation."""
        return {
            "CreateModel": self.documents.create_model,
            "CreateEndpointConfig": self.documents.create_endpoint_config,
            "CreateEndpoint": self.documents.create_endpoint,
        }

    @property
    def model_path(self) -> Path | None:
        """The archive or folder on this machine, None for no model or one in S3."""
        return None if self.model_data is None else location.local_path(self.model_data)

    @property
    def model_is_archive(self) -> bool:
        """Whether the model data is a packed archive rather than a folder."""
        return self.model_data is not None and self.model_data.endswith(_ARCHIVE)


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
    base_dir: Path | None = None,
    models: EndpointModels | None = None,
) -> EndpointRequest:
    """Give the endpoint that these flags mean, held against the same limits as the API's own documents.

    Model and endpoint configuration take the name of the endpoint unless they are named.
    """
    container: dict[str, Any] = {"Image": image, "Mode": "SingleModel"}
    if model_data is not None:
        container.update(_model_data(model_data))
    if environment:
        container["Environment"] = dict(environment)
    create_model: dict[str, Any] = {"ModelName": model_name or endpoint_name, "PrimaryContainer": container}
    if role_arn is not None:
        create_model["ExecutionRoleArn"] = role_arn
    if network_isolation:
        create_model["EnableNetworkIsolation"] = True
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
            create_endpoint_config={"EndpointConfigName": endpoint_name, "ProductionVariants": [variant]},
            create_model=create_model,
        ),
        base_dir=base_dir,
        models=models,
    )
    return request if instance_type is not None else replace(request, instance_chosen=False)


def from_aws(
    documents: EndpointDocuments, *, base_dir: Path | None = None, models: EndpointModels | None = None
) -> EndpointRequest:
    """Check the three documents and give the endpoint that they make.

    Args:
        documents: the JSON of the API. Where CreateModel names S3, a path or `file://` is taken too.
        base_dir: the folder that relative paths start from; the current one if not given.
        models: the models of the three operations, if the caller has them at hand.
    """
    models = models or load_models()
    # the endpoint's name is the one that a person gave: the others are often made from it
    require(documents.create_endpoint, models.create_endpoint)
    require(
        documents.create_model,
        models.create_model,
        exempt=_MODEL_LOCATIONS,
        rules=lambda sound: [
            *location.problems(sound, _MODEL_LOCATIONS, models.create_model),
            *_model_problems(sound),
        ],
    )
    require(
        documents.create_endpoint_config,
        models.create_endpoint_config,
        rules=lambda sound: _config_problems(sound, documents),
    )
    create_model = location.absolute(documents.create_model, _MODEL_LOCATIONS, base_dir=base_dir)
    container = create_model["PrimaryContainer"]
    variant = documents.create_endpoint_config["ProductionVariants"][0]
    source = container.get("ModelDataSource", {}).get("S3DataSource", {})
    return EndpointRequest(
        endpoint_name=documents.create_endpoint["EndpointName"],
        endpoint_config_name=documents.create_endpoint_config["EndpointConfigName"],
        model_name=create_model["ModelName"],
        image=container["Image"],
        model_data=container.get("ModelDataUrl", source.get("S3Uri")),
        environment=dict(container.get("Environment", {})),
        variant_name=variant["VariantName"],
        instance_type=variant["InstanceType"],
        initial_instance_count=variant.get("InitialInstanceCount", 1),
        container_startup_health_check_timeout_in_seconds=variant.get(
            "ContainerStartupHealthCheckTimeoutInSeconds", DEFAULT_STARTUP_TIMEOUT_S
        ),
        mode=container.get("Mode", "SingleModel"),
        enable_network_isolation=create_model.get("EnableNetworkIsolation", False),
        execution_role_arn=create_model.get("ExecutionRoleArn"),
        documents=EndpointDocuments(
            create_model=create_model,
            create_endpoint_config=documents.create_endpoint_config,
            create_endpoint=documents.create_endpoint,
        ),
    )


def check_local(request: EndpointRequest) -> None:
    """Raise RequestError if the model is on this machine but not there, or not what its name says."""
    path = request.model_path
    if path is None:
        return
    if not path.exists():
        raise location.missing("the model is not there: no such file or folder", path)
    if request.model_is_archive and not path.is_file():
        raise RequestError(
            "the model is a folder named like an archive", value=path, expected="a .tar.gz file"
        )
    if not request.model_is_archive and not path.is_dir():
        raise RequestError(
            "the model is neither a folder nor a .tar.gz archive",
            value=path,
            expected="a folder, or a file named *.tar.gz",
            hint=f"pack it: tar -czf model.tar.gz -C {path.parent} {path.name}",
        )


def _model_data(uri: str) -> dict[str, Any]:
    if uri.endswith(_ARCHIVE):
        return {"ModelDataUrl": uri}
    # the API wants a prefix to end like a folder
    folder = uri if uri.endswith("/") or location.is_local(uri) else f"{uri}/"
    source = {"S3Uri": folder, "S3DataType": "S3Prefix", "CompressionType": "None"}
    return {"ModelDataSource": {"S3DataSource": source}}


def _model_problems(document: Mapping[str, Any]) -> list[Problem]:
    if "Containers" in document:
        return [_not_emulated("Containers", "models of several containers are", "PrimaryContainer")]
    container = document.get("PrimaryContainer")
    path = "PrimaryContainer"
    if container is None:
        return [Problem(path=path, what=f"{path} is missing", expected="an object with Image")]
    if "ModelPackageName" in container:
        return [_not_emulated(f"{path}.ModelPackageName", f"{path}.ModelPackageName is", "Image")]
    if not container.get("Image"):
        return [
            Problem(path=f"{path}.Image", what=f"{path}.Image is missing", expected="the name of an image")
        ]
    if container.get("Mode") == "MultiModel":
        return [_not_emulated(f"{path}.Mode", "multi-model endpoints are", "SingleModel")]
    if "ModelDataUrl" in container and "ModelDataSource" in container:
        what = f"{path} has both ModelDataUrl and ModelDataSource"
        return [Problem(path=path, what=what, expected="one of the two")]
    uri = container.get("ModelDataUrl")
    if uri is not None and not uri.endswith(_ARCHIVE):
        return [
            Problem(
                path=f"{path}.ModelDataUrl",
                what=f"{path}.ModelDataUrl is no archive",
                value=shown(uri),
                expected="a name that ends in .tar.gz",
                hint="a folder is given as ModelDataSource.S3DataSource, with S3DataType S3Prefix",
            )
        ]
    return []


def _config_problems(document: Mapping[str, Any], documents: EndpointDocuments) -> list[Problem]:
    for name in ("AsyncInferenceConfig", "ShadowProductionVariants"):
        if name in document:
            return [_not_emulated(name, f"{name} is", "an endpoint that answers at once")]
    variants = document["ProductionVariants"]
    if len(variants) != 1:
        return [_not_emulated("ProductionVariants", "endpoints of several variants are", "one variant")]
    variant, path = variants[0], "ProductionVariants[0]"
    if "ServerlessConfig" in variant:
        return [_not_emulated(f"{path}.ServerlessConfig", "serverless endpoints are", "InstanceType")]
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


def _not_emulated(path: str, subject: str, instead: str) -> Problem:
    return Problem(path=path, what=f"{subject} not emulated", expected=instead)
