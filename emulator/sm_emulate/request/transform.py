"""A batch transform job as it was asked for: CreateModel and CreateTransformJob in one value."""

# ruff: noqa: RUF009  # `member` is a field specifier: it gives a dataclasses.field
from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sm_emulate.errors import RequestError
from sm_emulate.request import hosted_model, location
from sm_emulate.request.document import beside, build, member, raw, write
from sm_emulate.request.record_filter import RecordFilter, record_filter
from sm_emulate.request.service_model import OperationModel, load
from sm_emulate.request.validate import Problem, refuse, require
from sm_emulate.request.wording import shown
from sm_emulate.spec import transform_job as spec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from sm_emulate.request.hosted_model import HostedModel

OPERATION = "CreateTransformJob"
_LOCATIONS = (
    "TransformInput.DataSource.S3DataSource.S3Uri",
    "TransformOutput.S3OutputPath",
    "DataCaptureConfig.DestinationS3Uri",
)
_JOINED_TYPES = ("text/csv", "application/json", "application/jsonlines")


@dataclass(frozen=True, kw_only=True)
class S3Source:
    s3_data_type: str = member("S3DataType")
    s3_uri: str = member("S3Uri")
    """`s3://...`, or an absolute `file:///...`."""


@dataclass(frozen=True, kw_only=True)
class DataSource:
    s3: S3Source = member("S3DataSource", of=S3Source)


@dataclass(frozen=True, kw_only=True)
class TransformInput:
    data_source: DataSource = member("DataSource", of=DataSource)
    content_type: str | None = member("ContentType", default=None)
    compression_type: str = member("CompressionType", default="None")
    split_type: str = member("SplitType", default="None")
    """`None`, `Line`, `RecordIO` or `TFRecord`."""


@dataclass(frozen=True, kw_only=True)
class TransformOutput:
    s3_output_path: str = member("S3OutputPath")
    """`s3://...`, or an absolute `file:///...`."""
    accept: str | None = member("Accept", default=None)
    assemble_with: str = member("AssembleWith", default="None")
    """`None` or `Line`."""
    raw: Mapping[str, Any] = raw()


@dataclass(frozen=True, kw_only=True)
class TransformResources:
    instance_type: str = member("InstanceType")
    instance_count: int = member("InstanceCount")
    chosen: bool = beside(default=True)
    """Whether somebody has named the instance type; the size of one that stands there by default limits nothing."""
    raw: Mapping[str, Any] = raw()


@dataclass(frozen=True, kw_only=True)
class ModelClientConfig:
    invocations_timeout_in_seconds: int = member(
        "InvocationsTimeoutInSeconds", default=spec.DEFAULT_TIMEOUT_SECONDS
    )
    invocations_max_retries: int = member("InvocationsMaxRetries", default=spec.DEFAULT_MAX_RETRIES)


@dataclass(frozen=True, kw_only=True)
class DataProcessing:
    input_filter: RecordFilter = member(
        "InputFilter",
        default=RecordFilter("$", ()),
        decode=lambda text: record_filter(text, what="InputFilter"),
        encode=lambda kept: kept.text,
    )
    output_filter: RecordFilter = member(
        "OutputFilter",
        default=RecordFilter("$", ()),
        decode=lambda text: record_filter(text, what="OutputFilter"),
        encode=lambda kept: kept.text,
    )
    join_source: str = member("JoinSource", default="None")
    """`None` or `Input`."""

    @property
    def joins(self) -> bool:
        """Whether each answer is put beside the record that it answers."""
        return self.join_source == "Input"

    @property
    def does_nothing(self) -> bool:
        """Whether input and output go through as they are."""
        return self.input_filter.keeps_all and self.output_filter.keeps_all and not self.joins


@dataclass(frozen=True, kw_only=True)
class DataCaptureConfig:
    destination_s3_uri: str = member("DestinationS3Uri")
    """`s3://...`, or an absolute `file:///...`."""
    generate_inference_id: bool = member("GenerateInferenceId", default=False)
    raw: Mapping[str, Any] = raw()


@dataclass(frozen=True, kw_only=True)
class TransformRequest:
    """One transform job and its model. Made by `from_aws`, which has checked it."""

    model: HostedModel = beside(None)
    transform_job_name: str = member("TransformJobName")
    model_name: str = member("ModelName")
    max_concurrent_transforms: int | None = member("MaxConcurrentTransforms", default=None)
    model_client_config: ModelClientConfig = member(
        "ModelClientConfig", default=ModelClientConfig(), of=ModelClientConfig
    )
    max_payload_in_mb: int | None = member("MaxPayloadInMB", default=None)
    batch_strategy: str | None = member("BatchStrategy", default=None)
    """`MultiRecord` or `SingleRecord`."""
    environment: Mapping[str, str] = member("Environment", default={}, secret=True)
    transform_input: TransformInput = member("TransformInput", of=TransformInput)
    transform_output: TransformOutput = member("TransformOutput", of=TransformOutput)
    data_capture_config: DataCaptureConfig | None = member(
        "DataCaptureConfig", default=None, of=DataCaptureConfig
    )
    transform_resources: TransformResources = member("TransformResources", of=TransformResources)
    data_processing: DataProcessing = member("DataProcessing", default=DataProcessing(), of=DataProcessing)
    raw: Mapping[str, Any] = raw()


@dataclass(frozen=True, kw_only=True)
class TransformModels:
    """The service models of the two operations."""

    create_model: OperationModel
    create_transform_job: OperationModel


def load_models(*, cache_dir: Path | None = None) -> TransformModels:
    """Give the service models of the two operations."""
    return TransformModels(
        create_model=load(hosted_model.OPERATION, cache_dir=cache_dir),
        create_transform_job=load(OPERATION, cache_dir=cache_dir),
    )


def from_aws(
    create_transform_job: Mapping[str, Any],
    create_model: Mapping[str, Any],
    *,
    base_dir: Path | None = None,
    models: TransformModels | None = None,
) -> TransformRequest:
    """Check the two documents and give the job that they make.

    Args:
        create_transform_job: the JSON of the API. Where it names S3, a path or `file://` is taken too.
        create_model: likewise.
        base_dir: the folder that relative paths start from; the current one if not given.
        models: the service models of the two operations, if the caller has them at hand.

    Raises:
        RequestError: for the first thing that is wrong, with the others as evidence.
    """
    models = models or load_models()
    # a person gives the job's name: the model's is often made from it
    require(
        create_transform_job,
        models.create_transform_job,
        exempt=_LOCATIONS,
        rules=lambda sound: [
            *location.problems(sound, _LOCATIONS, models.create_transform_job),
            *_problems(sound),
        ],
    )
    model = hosted_model.from_aws(create_model, model=models.create_model, base_dir=base_dir)
    # only a model that was found sound can be asked what kind it is
    refuse(list(_model_problems(create_transform_job, create_model)), link=models.create_transform_job.link)
    _check_model(model)
    placed = location.absolute(create_transform_job, _LOCATIONS, base_dir=base_dir)
    request = replace(build(TransformRequest, placed), model=model)
    _check_filters(request)
    return request


def transform_document(
    *,
    job_name: str | None,
    model_name: str | None,
    input_path: str | None,
    output_path: str | None,
    instance_type: str | None,
    instance_count: int | None = None,
    data_type: str | None = None,
    content_type: str | None = None,
    compression_type: str | None = None,
    split_type: str | None = None,
    accept: str | None = None,
    assemble_with: str | None = None,
    batch_strategy: str | None = None,
    max_payload_in_mb: int | None = None,
    max_concurrent_transforms: int | None = None,
    input_filter: str | None = None,
    output_filter: str | None = None,
    join_source: str | None = None,
    environment: Mapping[str, str] | None = None,
    invocation_timeout: int | None = None,
    invocation_retries: int | None = None,
) -> dict[str, Any]:
    """Give the CreateTransformJob document that these words of a command line mean; nothing is judged here.

    A word that is None or empty leaves its member out, as when the flags are put over a document.
    """
    return _given(
        TransformJobName=job_name,
        ModelName=model_name,
        MaxConcurrentTransforms=max_concurrent_transforms,
        ModelClientConfig=_given(
            InvocationsTimeoutInSeconds=invocation_timeout, InvocationsMaxRetries=invocation_retries
        ),
        MaxPayloadInMB=max_payload_in_mb,
        BatchStrategy=batch_strategy,
        Environment=dict(environment or {}),
        TransformInput=_given(
            DataSource=_given(S3DataSource=_given(S3DataType=data_type, S3Uri=input_path)),
            ContentType=content_type,
            CompressionType=compression_type,
            SplitType=split_type,
        ),
        TransformOutput=_given(S3OutputPath=output_path, Accept=accept, AssembleWith=assemble_with),
        TransformResources=_given(InstanceType=instance_type, InstanceCount=instance_count),
        DataProcessing=_given(InputFilter=input_filter, OutputFilter=output_filter, JoinSource=join_source),
    )


def _given(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None and value != {}}


def unsized(request: TransformRequest) -> TransformRequest:
    """Give the request as one whose instance type nobody has chosen."""
    return replace(request, transform_resources=replace(request.transform_resources, chosen=False))


def to_aws(request: TransformRequest) -> dict[str, Any]:
    """Give the two documents of a job, by operation; what stands at its default is left out."""
    return {hosted_model.OPERATION: dict(request.model.document), OPERATION: write(request)}


def check_local(request: TransformRequest) -> None:
    """Raise RequestError if the model or the input is on this machine but not there."""
    hosted_model.check_local(request.model)
    source = request.transform_input.data_source.s3
    path = location.local_path(source.s3_uri)
    if path is None:
        return
    location.check_readable(path, what="the input")
    if source.s3_data_type == "ManifestFile" and not path.is_file():
        raise RequestError(
            "the input: ManifestFile needs a file, not a folder", value=path, expected="the manifest itself"
        )


def _check_model(model: HostedModel) -> None:
    """Refuse what hosting takes and batch transform does not (aws/sagemaker-python-sdk#4777); folders here are fine."""
    given = [each for _, each in hosted_model.containers_of(model.document)]
    for container, document in zip(model.containers, given, strict=True):
        if container.additional:
            raise RequestError("AdditionalModelDataSources are not emulated for transform jobs")
        if container.data is None or container.data.path is not None or "ModelDataUrl" in document:
            continue
        raise RequestError(
            "transform jobs cannot use ModelDataSource",
            value=container.data.uri,
            expected="ModelDataUrl: the URI of a .tar.gz",
            hint="a folder on this machine is taken all the same",
            link="https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ContainerDefinition.html",
        )


def _model_problems(document: Mapping[str, Any], create_model: Mapping[str, Any]) -> Iterator[Problem]:
    """Say what of a sound model does not go with the job, or with batch transform."""
    if document["ModelName"] != create_model["ModelName"]:
        yield Problem(
            path="ModelName",
            what="ModelName does not name the model that was given",
            value=shown(document["ModelName"]),
            expected=str(create_model["ModelName"]),
        )
    if hosted_model.multi_model_in(create_model):
        yield hosted_model.not_emulated(
            "PrimaryContainer.Mode", "batch transform with a multi-model container is", "SingleModel"
        )
    if create_model.get("InferenceExecutionConfig", {}).get("Mode") == hosted_model.DIRECT:
        yield Problem(
            path="InferenceExecutionConfig.Mode",
            what="nobody names a container for the records of a transform job",
            value=hosted_model.DIRECT,
            expected="Serial: the containers are asked one after the other",
        )


def _problems(document: Mapping[str, Any]) -> Iterator[Problem]:
    payload = document.get("MaxPayloadInMB", spec.DEFAULT_MAX_PAYLOAD_MB)
    concurrent = document.get("MaxConcurrentTransforms") or spec.DEFAULT_MAX_CONCURRENT
    if payload > spec.MAX_PAYLOAD_MB:
        yield Problem(
            path="MaxPayloadInMB",
            what="MaxPayloadInMB is too large",
            value=str(payload),
            expected=f"at most {spec.MAX_PAYLOAD_MB}; 0 sends bodies of any size, in chunks",
        )
    elif payload * concurrent > spec.MAX_PAYLOAD_MB:
        yield Problem(
            path="MaxConcurrentTransforms",
            what="MaxConcurrentTransforms times MaxPayloadInMB is too large",
            value=f"{concurrent} x {payload}",
            expected=f"at most {spec.MAX_PAYLOAD_MB}",
        )
    kind = document["TransformInput"]["DataSource"]["S3DataSource"]["S3DataType"]
    if kind not in {"S3Prefix", "ManifestFile"}:
        yield Problem(
            path="TransformInput.DataSource.S3DataSource.S3DataType",
            what=f"transform jobs take no {kind}",
            value=kind,
            expected="S3Prefix or ManifestFile",
        )
    if document["TransformResources"]["InstanceCount"] > 100:
        yield Problem(
            path="TransformResources.InstanceCount",
            what="TransformResources.InstanceCount is too large",
            value=str(document["TransformResources"]["InstanceCount"]),
            expected="at most 100",
        )
    yield from _split_problems(document)
    yield from _processing_problems(document)


def _split_problems(document: Mapping[str, Any]) -> Iterator[Problem]:
    split = document["TransformInput"].get("SplitType", "None")
    if document.get("BatchStrategy") == "SingleRecord" and split == "None":
        yield Problem(
            path="BatchStrategy",
            what="BatchStrategy SingleRecord needs records, and SplitType is None",
            value="SingleRecord",
            expected="SplitType Line, RecordIO or TFRecord",
        )


def _processing_problems(document: Mapping[str, Any]) -> Iterator[Problem]:
    """List what cannot be filtered or joined."""
    processing = document.get("DataProcessing", {})
    if not any(processing.get(name, "$") not in {"", "$"} for name in ("InputFilter", "OutputFilter")) and (
        processing.get("JoinSource", "None") == "None"
    ):
        return
    given, wanted = document["TransformInput"], document["TransformOutput"]
    content_type = given.get("ContentType")
    if bare(content_type) not in _JOINED_TYPES:
        yield Problem(
            path="TransformInput.ContentType",
            what="DataProcessing cannot read this ContentType",
            value=shown(content_type),
            expected=" or ".join(_JOINED_TYPES),
        )
    elif processing.get("JoinSource") == "Input" and bare(wanted.get("Accept")) != bare(content_type):
        yield Problem(
            path="TransformOutput.Accept",
            what="JoinSource Input needs the same Accept as ContentType",
            value=shown(wanted.get("Accept")),
            expected=str(content_type),
        )
    elif bare(content_type) == "text/csv":
        for path, value in (
            ("TransformInput.SplitType", given.get("SplitType", "None")),
            ("TransformOutput.AssembleWith", wanted.get("AssembleWith", "None")),
        ):
            if value != "Line":
                yield Problem(
                    path=path,
                    what=f"DataProcessing of text/csv needs {path.rpartition('.')[2]} Line",
                    value=value,
                    expected="Line",
                )


def _check_filters(request: TransformRequest) -> None:
    if bare(request.transform_input.content_type) != "text/csv":
        return
    processing = request.data_processing
    for name, kept in (("InputFilter", processing.input_filter), ("OutputFilter", processing.output_filter)):
        if not kept.by_position:
            raise RequestError(
                f"{name} names attributes, and a row of CSV has none",
                value=kept.text,
                expected="positions, as $[0], $[1:] or $[0,-1]",
            )


def bare(content_type: str | None) -> str | None:
    """Give a MIME type without its parameters, in lower case."""
    return None if content_type is None else content_type.partition(";")[0].strip().lower()
