"""A model as CreateModel makes it: an image, and the model data that its container finds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sm_emulate.errors import RequestError
from sm_emulate.request import location
from sm_emulate.request.validate import Problem, require
from sm_emulate.request.wording import shown

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sm_emulate.request.service_model import OperationModel

OPERATION = "CreateModel"
MULTI_MODEL = "MultiModel"
_ARCHIVE = ".tar.gz"
_LOCATIONS = ("PrimaryContainer.ModelDataUrl", "PrimaryContainer.ModelDataSource.S3DataSource.S3Uri")


@dataclass(frozen=True, kw_only=True)
class HostedModel:
    """A model of one container. Made, and checked, by `from_aws`."""

    model_name: str
    image: str
    model_data: str | None = None
    """`s3://...` or an absolute `file:///...`: an archive, or a folder if it does not end in `.tar.gz`; for many models
    the prefix of their archives."""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    mode: str = "SingleModel"
    model_cache_setting: str = "Enabled"
    """Of a multi-model container: `Disabled` unloads each model after each request."""
    enable_network_isolation: bool = False
    execution_role_arn: str | None = None
    document: Mapping[str, Any] = field(repr=False, compare=False)
    """What it was made from, its local paths absolute."""

    @property
    def path(self) -> Path | None:
        """The archive or folder on this machine, None for no model data or such in S3."""
        return None if self.model_data is None else location.local_path(self.model_data)

    @property
    def is_archive(self) -> bool:
        """Whether the model data is a packed archive rather than a folder."""
        return self.model_data is not None and not self.multi_model and self.model_data.endswith(_ARCHIVE)

    @property
    def multi_model(self) -> bool:
        """Whether one container serves many models, each loaded when it is asked for first."""
        return self.mode == MULTI_MODEL


def create_model(
    image: str,
    *,
    model_name: str,
    model_data: str | None = None,
    environment: Mapping[str, str] | None = None,
    network_isolation: bool = False,
    role_arn: str | None = None,
    multi_model: bool = False,
    model_cache_setting: str | None = None,
) -> dict[str, Any]:
    """Give the CreateModel document that these words of a command line mean; nothing is judged here."""
    container: dict[str, Any] = {"Image": image, "Mode": MULTI_MODEL if multi_model else "SingleModel"}
    if multi_model and model_data is not None:
        container["ModelDataUrl"] = model_data
    elif model_data is not None:
        container.update(_model_data(model_data))
    if model_cache_setting is not None:
        container["MultiModelConfig"] = {"ModelCacheSetting": model_cache_setting}
    if environment:
        container["Environment"] = dict(environment)
    document: dict[str, Any] = {"ModelName": model_name, "PrimaryContainer": container}
    if role_arn is not None:
        document["ExecutionRoleArn"] = role_arn
    if network_isolation:
        document["EnableNetworkIsolation"] = True
    return document


def from_aws(
    document: Mapping[str, Any], *, model: OperationModel, base_dir: Path | None = None
) -> HostedModel:
    """Check a CreateModel document and give the model that it makes.

    Args:
        document: the JSON of the API. Where it names S3, a path or `file://` is taken too.
        model: the service model of CreateModel.
        base_dir: the folder that relative paths start from; the current one if not given.

    Raises:
        RequestError: for the first thing that is wrong, with the others as evidence.
    """
    require(
        document,
        model,
        exempt=_LOCATIONS,
        rules=lambda sound: [*location.problems(sound, _LOCATIONS, model), *_problems(sound)],
    )
    placed = location.absolute(document, _LOCATIONS, base_dir=base_dir)
    container = placed["PrimaryContainer"]
    source = container.get("ModelDataSource", {}).get("S3DataSource", {})
    return HostedModel(
        model_name=placed["ModelName"],
        image=container["Image"],
        model_data=container.get("ModelDataUrl", source.get("S3Uri")),
        environment=dict(container.get("Environment", {})),
        mode=container.get("Mode", "SingleModel"),
        model_cache_setting=container.get("MultiModelConfig", {}).get("ModelCacheSetting", "Enabled"),
        enable_network_isolation=placed.get("EnableNetworkIsolation", False),
        execution_role_arn=placed.get("ExecutionRoleArn"),
        document=placed,
    )


def check_local(model: HostedModel) -> None:
    """Raise RequestError if the model data is on this machine but not there, or not what its name says."""
    path = model.path
    if path is None:
        return
    if not path.exists():
        raise location.missing("the model is not there: no such file or folder", path)
    if model.multi_model and not path.is_dir():
        raise RequestError(
            "the models of a multi-model container are in a folder",
            value=path,
            expected="a folder with an archive for each model, or an s3:// prefix",
        )
    if model.is_archive and not path.is_file():
        raise RequestError(
            "the model is a folder named like an archive", value=path, expected="a .tar.gz file"
        )
    if not model.is_archive and not path.is_dir():
        raise RequestError(
            "the model is neither a folder nor a .tar.gz archive",
            value=path,
            expected="a folder, or a file named *.tar.gz",
            hint=f"pack it: tar -czf model.tar.gz -C {path.parent} {path.name}",
        )


def check_servable(model: HostedModel) -> None:
    """Raise RequestError if an endpoint cannot have the model data: it is in S3, or not what its name says."""
    if model.model_data is not None and model.path is None and not model.multi_model:
        raise RequestError(
            "only models on this machine can be served yet",
            value=model.model_data,
            expected="a folder, or a file named *.tar.gz",
            hint="copy it here first",
        )
    check_local(model)


def _model_data(uri: str) -> dict[str, Any]:
    if uri.endswith(_ARCHIVE):
        return {"ModelDataUrl": uri}
    # the API wants a prefix to end like a folder
    folder = uri if uri.endswith("/") or location.is_local(uri) else f"{uri}/"
    source = {"S3Uri": folder, "S3DataType": "S3Prefix", "CompressionType": "None"}
    return {"ModelDataSource": {"S3DataSource": source}}


def _problems(document: Mapping[str, Any]) -> list[Problem]:
    if "Containers" in document:
        return [not_emulated("Containers", "models of several containers are", "PrimaryContainer")]
    container = document.get("PrimaryContainer")
    path = "PrimaryContainer"
    if container is None:
        return [Problem(path=path, what=f"{path} is missing", expected="an object with Image")]
    if "ModelPackageName" in container:
        return [not_emulated(f"{path}.ModelPackageName", f"{path}.ModelPackageName is", "Image")]
    if not container.get("Image"):
        return [
            Problem(path=f"{path}.Image", what=f"{path}.Image is missing", expected="the name of an image")
        ]
    if container.get("Mode") == MULTI_MODEL:
        return _multi_model_problems(container, path)
    if "MultiModelConfig" in container:
        what = f"{path}.MultiModelConfig is for multi-model containers"
        return [Problem(path=f"{path}.MultiModelConfig", what=what, expected=f"Mode {MULTI_MODEL} beside it")]
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


def _multi_model_problems(container: Mapping[str, Any], path: str) -> list[Problem]:
    url = f"{path}.ModelDataUrl"
    expected = "the prefix of all models: s3://BUCKET/PREFIX/ or a folder"
    if "ModelDataUrl" not in container:
        return [Problem(path=url, what=f"{url} is missing", expected=expected)]
    if container["ModelDataUrl"].endswith(_ARCHIVE):
        what = f"{url} is one archive, and the container is for many models"
        return [Problem(path=url, what=what, value=shown(container["ModelDataUrl"]), expected=expected)]
    return []


def not_emulated(path: str, subject: str, instead: str) -> Problem:
    """Give the problem of a document that asks for what the emulator does not do."""
    return Problem(path=path, what=f"{subject} not emulated", expected=instead)
