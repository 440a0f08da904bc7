"""The words of `sm-emulate process`, put into the document of the API. What a value may be is not judged here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sm_emulate.request.flags import given_only
from sm_emulate.request.named_path import Form
from sm_emulate.spec.processing_job import PROCESSING_LAYOUT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

INPUT_OPTIONS: Mapping[str, str] = {
    "to": "LocalPath",
    "mode": "S3InputMode",
    "type": "S3DataType",
    "distribution": "S3DataDistributionType",
    "compression": "S3CompressionType",
}
"""What may follow the path of `--input`, and the member of S3Input that it is."""

OUTPUT_OPTIONS: Mapping[str, str] = {"from": "LocalPath", "upload": "S3UploadMode"}
"""What may follow the path of `--processing-output`, and the member of S3Output that it is."""

_INPUT = Form(noun="input", flag="--input", options=INPUT_OPTIONS, example="data")
_OUTPUT = Form(
    noun="output",
    flag="--processing-output",
    options=OUTPUT_OPTIONS,
    example="result",
    path_needed=False,
)


def processing_input(text: str) -> dict[str, Any]:
    """Read `data=./in,to=/opt/ml/processing/input/data` into a ProcessingInput of the API."""
    given = _INPUT.read(text)
    return input_of(given.name, given.path, given.options)


def processing_output(text: str) -> dict[str, Any]:
    """Read `result=./out,upload=Continuous` into a ProcessingOutput of the API; without a path its S3Uri is empty."""
    given = _OUTPUT.read(text)
    return output_of(given.name, given.path, given.options)


def input_of(name: str, path: str, options: Mapping[str, str]) -> dict[str, Any]:
    """Give a ProcessingInput of the API; `options` are those of `--input`."""
    source = {
        "S3Uri": path,
        "LocalPath": PROCESSING_LAYOUT.input(name),
        "S3DataType": "S3Prefix",
        "S3InputMode": "File",
        "S3DataDistributionType": "FullyReplicated",
    }
    source |= {INPUT_OPTIONS[option]: value for option, value in options.items()}
    return {"InputName": name, "S3Input": source}


def output_of(name: str, path: str, options: Mapping[str, str]) -> dict[str, Any]:
    """Give a ProcessingOutput of the API; `options` are those of `--processing-output`."""
    target = {"S3Uri": path, "LocalPath": PROCESSING_LAYOUT.result(name), "S3UploadMode": "EndOfJob"}
    target |= {OUTPUT_OPTIONS[option]: value for option, value in options.items()}
    return {"OutputName": name, "S3Output": target}


def processing_document(
    *,
    image: str | None,
    job_name: str | None,
    role_arn: str | None,
    instance_type: str | None,
    instance_count: int | None,
    volume_size_in_gb: int | None,
    inputs: Sequence[Mapping[str, Any]] = (),
    outputs: Sequence[Mapping[str, Any]] = (),
    environment: Mapping[str, str] | None = None,
    entrypoint: Sequence[str] = (),
    arguments: Sequence[str] = (),
    max_runtime_in_seconds: int | None = None,
    network_isolation: bool = False,
    tags: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Give the CreateProcessingJob document that these flags mean; `processing.from_aws` judges it.

    A flag that is None or empty leaves its member out, as when the flags are put over a document.
    """
    cluster = given_only(
        InstanceCount=instance_count, InstanceType=instance_type, VolumeSizeInGB=volume_size_in_gb
    )
    return given_only(
        ProcessingJobName=job_name,
        ProcessingInputs=[dict(one) for one in inputs],
        ProcessingOutputConfig=given_only(Outputs=[dict(one) for one in outputs]),
        ProcessingResources=given_only(ClusterConfig=cluster),
        StoppingCondition=given_only(MaxRuntimeInSeconds=max_runtime_in_seconds),
        AppSpecification=given_only(
            ImageUri=image, ContainerEntrypoint=list(entrypoint), ContainerArguments=list(arguments)
        ),
        Environment=dict(environment or {}),
        NetworkConfig=given_only(EnableNetworkIsolation=network_isolation or None),
        RoleArn=role_arn,
        Tags=[{"Key": key, "Value": value} for key, value in (tags or {}).items()],
    )
