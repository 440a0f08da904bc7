"""A model as CreateModel makes it: images, and the model data that their containers find."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from sm_emulate.errors import RequestError
from sm_emulate.request import location
from sm_emulate.request.validate import Problem, require
from sm_emulate.request.wording import shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from sm_emulate.request.service_model import OperationModel

OPERATION = "CreateModel"
MULTI_MODEL = "MultiModel"
DIRECT = "Direct"
_ARCHIVE = ".tar.gz"
_LOCATIONS = tuple(
    f"{place}.{member}"
    for place in ("PrimaryContainer", "Containers[]")
    for member in (
        "ModelDataUrl",
        "ModelDataSource.S3DataSource.S3Uri",
        "AdditionalModelDataSources[].S3DataSource.S3Uri",
    )
)
_NOT_EMULATED = ("ManifestS3Uri", "ManifestEtag", "HubAccessConfig")


@dataclass(frozen=True, kw_only=True)
class ModelData:
    """What a container finds in one folder: ModelDataUrl, ModelDataSource, or one of AdditionalModelDataSources."""

    uri: str
    """`s3://...` or an absolute `file:///...`."""
    s3_data_type: str = "S3Object"
    compression_type: str = "Gzip"
    etag: str | None = None
    """What the object's has to be."""
    channel_name: str | None = None
    """Of additional data: the name of its folder."""

    @property
    def path(self) -> Path | None:
        """The archive, file or folder on this machine; None for what lies in S3."""
        return location.local_path(self.uri)

    @property
    def is_archive(self) -> bool:
        """Whether it is a gzip-compressed tar."""
        return self.compression_type == "Gzip"

    @property
    def is_prefix(self) -> bool:
        """Whether it is a folder rather than one object."""
        return self.s3_data_type == "S3Prefix"


@dataclass(frozen=True, kw_only=True)
class ContainerDefinition:
    """One container of a model: its image, what it finds, and the variables that it is given."""

    image: str
    data: ModelData | None = None
    """What the container finds at /opt/ml/model."""
    additional: tuple[ModelData, ...] = ()
    """What it finds beside that, each in a folder of its own."""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    mode: str = "SingleModel"
    model_cache_setting: str = "Enabled"
    """Of a multi-model container: `Disabled` unloads each model after each request."""
    hostname: str | None = None
    """ContainerHostname; None where the request gives none."""

    @property
    def all_data(self) -> tuple[ModelData, ...]:
        """Everything that the container is to find."""
        return self.additional if self.data is None else (self.data, *self.additional)

    @property
    def multi_model(self) -> bool:
        """Whether it serves many models, each loaded when it is asked for first."""
        return self.mode == MULTI_MODEL


@dataclass(frozen=True, kw_only=True)
class HostedModel:
    """A model: the containers of each instance. Made, and checked, by `from_aws`."""

    model_name: str
    containers: tuple[ContainerDefinition, ...]
    """In the order of the request, PrimaryContainer alone."""
    execution_mode: str = "Serial"
    """InferenceExecutionConfig.Mode: `Direct` has the caller name a container, `Serial` asks one after the other."""
    enable_network_isolation: bool = False
    execution_role_arn: str | None = None
    document: Mapping[str, Any] = field(repr=False, compare=False)
    """What it was made from, its local paths absolute."""

    @property
    def primary(self) -> ContainerDefinition:
        """The container that requests go to first."""
        return self.containers[0]

    @property
    def direct(self) -> bool:
        """Whether each request names its container."""
        return self.execution_mode == DIRECT

    @property
    def several(self) -> bool:
        """Whether its containers share an instance, each with a port of its own."""
        return len(self.containers) > 1 or self.direct

    @property
    def container_names(self) -> tuple[str, ...]:
        """What logs, metrics and errors call the containers that share an instance."""
        return tuple(each.hostname or f"container-{at}" for at, each in enumerate(self.containers, 1))

    @property
    def image(self) -> str:
        """The primary container's."""
        return self.primary.image

    @property
    def images(self) -> tuple[str, ...]:
        """Those of all containers, each once."""
        return tuple(dict.fromkeys(each.image for each in self.containers))

    @property
    def path(self) -> Path | None:
        """Where the primary container's model data lies on this machine, None for none or such in S3."""
        data = self.primary.data
        return None if data is None else data.path

    @property
    def model_data(self) -> str | None:
        """Where it lies: `s3://...`, or an absolute `file:///...`."""
        data = self.primary.data
        return None if data is None else data.uri

    def with_folder(self, folder: Path | None) -> HostedModel:
        """Give the model with a folder of this machine as its primary container's model data, or with none."""
        data = None
        if folder is not None:
            data = ModelData(uri=folder.as_uri(), s3_data_type="S3Prefix", compression_type="None")
        return replace(self, containers=(replace(self.primary, data=data), *self.containers[1:]))

    @property
    def multi_model(self) -> bool:
        """Whether one of its containers serves many models."""
        return any(each.multi_model for each in self.containers)


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
    return HostedModel(
        model_name=placed["ModelName"],
        containers=tuple(_definition(container) for _, container in containers_of(placed)),
        execution_mode=placed.get("InferenceExecutionConfig", {}).get("Mode", "Serial"),
        enable_network_isolation=placed.get("EnableNetworkIsolation", False),
        execution_role_arn=placed.get("ExecutionRoleArn"),
        document=placed,
    )


def containers_of(document: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """Give the containers of a CreateModel document, each with its place there."""
    found = [(f"Containers[{at}]", each) for at, each in enumerate(document.get("Containers", ()))]
    if "PrimaryContainer" in document:
        found.insert(0, ("PrimaryContainer", document["PrimaryContainer"]))
    return found


def multi_model_in(document: Mapping[str, Any]) -> bool:
    """Whether a container of a CreateModel document is for many models."""
    return any(each.get("Mode") == MULTI_MODEL for _, each in containers_of(document))


def _definition(container: Mapping[str, Any]) -> ContainerDefinition:
    data = None
    if "ModelDataUrl" in container:
        many = container.get("Mode") == MULTI_MODEL
        data = ModelData(
            uri=container["ModelDataUrl"],
            s3_data_type="S3Prefix" if many else "S3Object",
            compression_type="None" if many else "Gzip",
        )
    elif "ModelDataSource" in container:
        data = _source(container["ModelDataSource"])
    return ContainerDefinition(
        image=container["Image"],
        data=data,
        additional=tuple(_source(source) for source in container.get("AdditionalModelDataSources", ())),
        environment=dict(container.get("Environment", {})),
        mode=container.get("Mode", "SingleModel"),
        model_cache_setting=container.get("MultiModelConfig", {}).get("ModelCacheSetting", "Enabled"),
        hostname=container.get("ContainerHostname"),
    )


def _source(given: Mapping[str, Any]) -> ModelData:
    source = given["S3DataSource"]
    return ModelData(
        uri=source["S3Uri"],
        s3_data_type=source["S3DataType"],
        compression_type=source["CompressionType"],
        etag=source.get("ETag"),
        channel_name=given.get("ChannelName"),
    )


def check_local(model: HostedModel) -> None:
    """Raise RequestError if model data is on this machine but not there, or not what it is said to be."""
    for container in model.containers:
        for data in container.all_data:
            path = data.path
            if path is not None:
                _check_local(data, path, many=container.multi_model)


def _check_local(data: ModelData, path: Path, *, many: bool) -> None:
    if not path.exists():
        raise location.missing("the model is not there: no such file or folder", path)
    if many and not path.is_dir():
        raise RequestError(
            "the models of a multi-model container are in a folder",
            value=path,
            expected="a folder with an archive for each model, or an s3:// prefix",
        )
    if data.is_archive and not path.is_file():
        raise RequestError(
            "the model is a folder named like an archive", value=path, expected="a .tar.gz file"
        )
    if data.is_prefix and not path.is_dir():
        raise RequestError(
            "the model is neither a folder nor a .tar.gz archive",
            value=path,
            expected="a folder, or a file named *.tar.gz",
            hint=f"pack it: tar -czf model.tar.gz -C {path.parent} {path.name}",
        )
    if not data.is_prefix and not path.is_file():
        raise RequestError(
            "the model is a folder, and S3DataType is S3Object",
            value=path,
            expected="a file, or S3DataType S3Prefix",
        )


def _model_data(uri: str) -> dict[str, Any]:
    if uri.endswith(_ARCHIVE):
        return {"ModelDataUrl": uri}
    # the API wants a prefix to end like a folder
    folder = uri if uri.endswith("/") or location.is_local(uri) else f"{uri}/"
    source = {"S3Uri": folder, "S3DataType": "S3Prefix", "CompressionType": "None"}
    return {"ModelDataSource": {"S3DataSource": source}}


def _problems(document: Mapping[str, Any]) -> list[Problem]:
    from sm_emulate.request import containers

    found = containers.problems(document)
    for path, container in containers_of(document):
        found += _container_problems(container, path)
    return found


def _container_problems(container: Mapping[str, Any], path: str) -> list[Problem]:
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
    return [*_source_problems(container, path)]


def _source_problems(container: Mapping[str, Any], at_path: str) -> Iterator[Problem]:
    sources = []
    if "ModelDataSource" in container:
        sources.append((f"{at_path}.ModelDataSource", container["ModelDataSource"]))
    additional = container.get("AdditionalModelDataSources", ())
    sources += [(f"{at_path}.AdditionalModelDataSources[{at}]", each) for at, each in enumerate(additional)]
    for path, given in sources:
        source = given.get("S3DataSource")
        if source is None:
            yield Problem(
                path=path,
                what=f"{path} is empty",
                expected="S3DataSource with S3Uri, S3DataType and CompressionType",
            )
            continue
        yield from _s3_problems(f"{path}.S3DataSource", source)
    names = [each["ChannelName"] for each in additional]
    for at, name in enumerate(names):
        path = f"{at_path}.AdditionalModelDataSources[{at}].ChannelName"
        if name in {".", ".."}:  # the API's own pattern lets them through
            yield Problem(path=path, what=f"{path} cannot be a folder's name", value=name, expected="a name")
        elif name in names[:at]:
            yield Problem(
                path=path,
                what="two AdditionalModelDataSources have one name",
                value=name,
                expected="one each",
            )


def _s3_problems(path: str, source: Mapping[str, Any]) -> Iterator[Problem]:
    for name in _NOT_EMULATED:
        if name in source:
            yield not_emulated(f"{path}.{name}", f"{path}.{name} is", "S3Uri alone")
    if source["S3DataType"] != "S3Prefix":
        return
    if source["CompressionType"] == "Gzip":
        yield Problem(
            path=f"{path}.CompressionType",
            what="only single objects can be archives: S3DataType is S3Prefix",
            value="Gzip",
            expected="CompressionType None, or S3DataType S3Object",
        )
    uri = source["S3Uri"]
    if not location.is_local(uri) and not uri.endswith("/"):
        yield Problem(
            path=f"{path}.S3Uri",
            what="a prefix of model data has to end in a slash",
            value=shown(uri),
            expected=shown(f"{uri}/"),
        )


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
