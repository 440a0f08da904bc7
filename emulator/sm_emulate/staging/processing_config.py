"""The bytes of /opt/ml/config in a processing container, as the platform writes them.

Every file is one line without a newline at its end. Keys and their order are those of files that were copied out of
real jobs of October 2020. They were written by Go: map keys are sorted, what is not set is null, and `&`, `<` and `>`
are escaped.
https://docs.aws.amazon.com/sagemaker/latest/dg/byoc-config.html
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sm_emulate.request.document import write
from sm_emulate.spec.processing_job import job_arn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sm_emulate.request.processing import ProcessingInput, ProcessingOutput, ProcessingRequest
    from sm_emulate.spec.settings import Settings

_ESCAPES = {ord(each): f"\\u{ord(each):04x}" for each in "&<>\u2028\u2029"}


def config_files(
    request: ProcessingRequest,
    *,
    hosts: Sequence[str],
    host: str,
    settings: Settings,
    region: str,
    account: str,
) -> dict[str, bytes]:
    """Give the files that one host sees, by name."""
    return {
        "processingjobconfig.json": as_go_writes(
            job_config(request, settings=settings, region=region, account=account)
        ),
        "resourceconfig.json": as_go_writes({"current_host": host, "hosts": sorted(hosts)}),
    }


def as_go_writes(document: object) -> bytes:
    """Give JSON as `json.Marshal` of Go does, in which no HTML can be hidden."""
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    return text.translate(_ESCAPES).encode("utf-8", "surrogatepass")


def job_config(
    request: ProcessingRequest, *, settings: Settings, region: str, account: str
) -> dict[str, object]:
    """What processingjobconfig.json says; NetworkConfig and Tags are not part of it."""
    application, cluster = request.app_specification, request.cluster
    outputs = request.processing_output_config

    def unset(empty: object) -> object:
        return None if settings.text("processing-unset-members") == "null" else empty

    return {
        "ProcessingJobArn": job_arn(region=region, account=account, job_name=request.processing_job_name),
        "ProcessingJobName": request.processing_job_name,
        "Environment": dict(sorted(request.environment.items())) or unset({}),
        "AppSpecification": {
            "ImageUri": application.image_uri,
            # seen as null; what a request leaves out elsewhere is unsure
            "ContainerEntrypoint": list(application.container_entrypoint) or None,
            "ContainerArguments": list(application.container_arguments) or None,
        },
        "ProcessingInputs": [_input(each) for each in request.processing_inputs] or unset([]),
        "ProcessingOutputConfig": unset({"Outputs": [], "KmsKeyId": None})
        if outputs is None
        else {"Outputs": [_output(each) for each in outputs.outputs], "KmsKeyId": outputs.kms_key_id},
        "ProcessingResources": {
            "ClusterConfig": {
                "InstanceCount": cluster.instance_count,
                "InstanceType": cluster.instance_type,
                "VolumeSizeInGB": cluster.volume_size_in_gb,
                "VolumeKmsKeyId": cluster.volume_kms_key_id,
            }
        },
        "RoleArn": request.role_arn,
        "StoppingCondition": {"MaxRuntimeInSeconds": request.max_runtime_in_seconds},
    }


def _input(each: ProcessingInput) -> Mapping[str, Any]:
    source = each.s3_input
    if source is None:
        return write(each)
    described: dict[str, Any] = {
        "InputName": each.input_name,
        "S3Input": {
            "LocalPath": source.local_path,
            "S3Uri": source.s3_uri,
            "S3DataDistributionType": source.distribution,
            "S3DataType": source.s3_data_type,
            "S3InputMode": source.mode,
            "S3CompressionType": source.compression,
            "S3DownloadMode": "StartOfJob",
        },
    }
    return described | ({"AppManaged": True} if each.app_managed else {})


def _output(each: ProcessingOutput) -> Mapping[str, Any]:
    target = each.s3_output
    if target is None:
        return write(each)
    described: dict[str, Any] = {
        "OutputName": each.output_name,
        "S3Output": {
            "LocalPath": target.local_path,
            "S3Uri": target.s3_uri,
            "S3UploadMode": target.s3_upload_mode,
        },
    }
    return described | ({"AppManaged": True} if each.app_managed else {})
