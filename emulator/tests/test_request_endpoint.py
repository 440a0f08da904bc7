from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import pytest

from sm_emulate.errors import RequestError
from sm_emulate.request.endpoint import (
    EndpointDocuments,
    from_aws,
    from_flags,
    load_models,
)
from sm_emulate.request.hosted_model import check_local

FLAGS = {"image": "my-image", "endpoint_name": "my-endpoint", "instance_type": "ml.m5.large"}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return load_models(cache_dir=tmp_path_factory.mktemp("cache"))


def test_few_flags_make_an_endpoint_with_the_documented_defaults(models):
    request = from_flags(**FLAGS, models=models)

    assert request.model.image == "my-image"
    assert (request.endpoint_name, request.model.model_name, request.variant_name) == (
        "my-endpoint",
        "my-endpoint",
        "AllTraffic",
    )
    assert request.variants[0].container_startup_health_check_timeout_in_seconds == 480
    assert (request.model.primary.mode, request.variants[0].initial_instance_count) == ("SingleModel", 1)
    assert (request.model.model_data, request.model.primary.data, request.model.primary.additional) == (
        None,
        None,
        (),
    )
    assert request.model.primary.environment == {}
    assert not request.model.enable_network_isolation


def test_every_flag_has_its_place(models):
    request = from_flags(
        **FLAGS,
        model_data="s3://bucket/model.tar.gz",
        environment={"TOKEN": "s3cret"},
        model_name="my-model",
        variant_name="blue",
        startup_timeout_in_seconds=60,
        network_isolation=True,
        role_arn="arn:aws:iam::123456789012:role/sm-emulate",
        models=models,
    )

    assert request.documents == EndpointDocuments(
        create_model={
            "ModelName": "my-model",
            "PrimaryContainer": {
                "Image": "my-image",
                "Mode": "SingleModel",
                "ModelDataUrl": "s3://bucket/model.tar.gz",
                "Environment": {"TOKEN": "s3cret"},
            },
            "ExecutionRoleArn": "arn:aws:iam::123456789012:role/sm-emulate",
            "EnableNetworkIsolation": True,
        },
        create_endpoint_config={
            "EndpointConfigName": "my-endpoint",
            "ProductionVariants": [
                {
                    "VariantName": "blue",
                    "ModelName": "my-model",
                    "InstanceType": "ml.m5.large",
                    "InitialInstanceCount": 1,
                    "ContainerStartupHealthCheckTimeoutInSeconds": 60,
                }
            ],
        },
        create_endpoint={"EndpointName": "my-endpoint", "EndpointConfigName": "my-endpoint"},
    )
    assert from_aws(request.documents, models=models) == request
    assert request.model.primary.data.is_archive
    assert request.model.primary.data.path is None
    assert "s3cret" not in repr(request)


@pytest.mark.parametrize(
    ("model_data", "path", "archive"),
    [
        ("model", "/base/model", False),
        ("file:///m/model.tar.gz", "/m/model.tar.gz", True),
        ("./model.tar.gz", "/base/model.tar.gz", True),
    ],
)
def test_a_model_on_this_machine_is_a_folder_or_an_archive(model_data, path, archive, models):
    request = from_flags(**FLAGS, model_data=model_data, base_dir=Path("/base"), models=models)

    assert request.model.primary.data.path == Path(path)
    assert request.model.primary.data.is_archive is archive
    assert from_aws(request.documents, base_dir=Path("/elsewhere"), models=models) == request


def test_a_model_folder_in_s3_ends_like_a_folder(models):
    request = from_flags(**FLAGS, model_data="s3://bucket/model", models=models)

    assert request.model.model_data == "s3://bucket/model/"


def test_the_models_are_loaded_when_the_caller_has_none():
    assert from_flags(**FLAGS).model.image == "my-image"


@pytest.mark.parametrize(
    ("given", "what", "value", "expected"),
    [
        (
            {"startup_timeout_in_seconds": 59},
            "ProductionVariants[0].ContainerStartupHealthCheckTimeoutInSeconds is too small",
            "59",
            "Member must have value greater than or equal to 60",
        ),
        (
            {"startup_timeout_in_seconds": 3601},
            "ProductionVariants[0].ContainerStartupHealthCheckTimeoutInSeconds is too large",
            "3601",
            "Member must have value less than or equal to 3600",
        ),
        (
            {"variant_name": "a_b"},
            "ProductionVariants[0].VariantName does not have the form that the API requires",
            "a_b",
            "Member must satisfy regular expression pattern: [a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}",
        ),
        (
            {"model_name": "a_b"},
            "ModelName does not have the form that the API requires",
            "a_b",
            r"Member must satisfy regular expression pattern: [a-zA-Z0-9]([\-a-zA-Z0-9]*[a-zA-Z0-9])?",
        ),
        (
            {"image": "a b"},
            "PrimaryContainer.Image does not have the form that the API requires",
            "a b",
            r"Member must satisfy regular expression pattern: [\S]+",
        ),
        (
            {"environment": {"A": "s" * 1025}},
            "PrimaryContainer.Environment.A is too long: 1025 characters",
            "(1025 characters, not shown)",
            "Member must have length less than or equal to 1024",
        ),
        (
            {"image": "i" * 256},
            "PrimaryContainer.Image is too long: 256 characters",
            "i" * 80 + "... (256 characters)",
            "Member must have length less than or equal to 255",
        ),
        (
            {"environment": {f"K{number}": "" for number in range(101)}},
            "PrimaryContainer.Environment has too many entries: 101",
            None,
            "Member must have length less than or equal to 100",
        ),
        (
            {"model_data": "gs://bucket/model.tar.gz"},
            "PrimaryContainer.ModelDataUrl is no place that the emulator can read or write",
            "gs://bucket/model.tar.gz",
            "s3://BUCKET/KEY, file:///FOLDER or a path",
        ),
    ],
)
def test_a_wrong_flag_meets_the_services_own_limit(given, what, value, expected, models):
    with pytest.raises(RequestError) as raised:
        from_flags(**{**FLAGS, **given}, models=models)
    error = raised.value
    assert (error.what, error.value, error.expected, error.evidence) == (what, value, expected, ())


def test_an_endpoint_name_is_held_against_create_endpoint_first(models):
    with pytest.raises(RequestError) as raised:
        from_flags(**{**FLAGS, "endpoint_name": "my_endpoint"}, models=models)
    assert raised.value.what == "EndpointName does not have the form that the API requires"
    assert raised.value.link.endswith("API_CreateEndpoint.html")


def test_an_unknown_instance_type_is_answered_with_the_nearest(models):
    with pytest.raises(RequestError) as raised:
        from_flags(**{**FLAGS, "instance_type": "ml.m5.larg"}, models=models)
    assert raised.value.hint == "did you mean ml.m5.large?"


def documents(models, change):
    made = deepcopy(from_flags(**FLAGS, models=models).documents)
    change(made.create_model, made.create_endpoint_config, made.create_endpoint)
    return made


CONTAINER = {"Image": "image"}


def source(uri, data_type, compression, **more):
    """Give a ModelDataSource."""
    return {
        "ModelDataSource": {
            "S3DataSource": {
                "S3Uri": uri,
                "S3DataType": data_type,
                "CompressionType": compression,
                **more,
            }
        }
    }


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (
            lambda m, c, e: m.update(Containers=[CONTAINER]),
            "a model has PrimaryContainer or Containers, and this one has both",
        ),
        (lambda m, c, e: m.pop("PrimaryContainer"), "PrimaryContainer is missing"),
        (
            lambda m, c, e: m.update(PrimaryContainer={"ModelPackageName": "p"}),
            "PrimaryContainer.ModelPackageName is not emulated",
        ),
        (lambda m, c, e: m.update(PrimaryContainer={}), "PrimaryContainer.Image is missing"),
        (
            lambda m, c, e: m["PrimaryContainer"].update(MultiModelConfig={"ModelCacheSetting": "Enabled"}),
            "PrimaryContainer.MultiModelConfig is for multi-model containers",
        ),
        (
            lambda m, c, e: m["PrimaryContainer"].update(Mode="MultiModel", ModelDataUrl="s3://b/m.tar.gz"),
            "PrimaryContainer.ModelDataUrl is one archive, and the container is for many models",
        ),
        (
            lambda m, c, e: m["PrimaryContainer"].update(ModelDataUrl="s3://b/model.zip"),
            "PrimaryContainer.ModelDataUrl is no archive",
        ),
        (
            lambda m, c, e: m["PrimaryContainer"].update(ModelDataUrl="s3://b/m.tar.gz", ModelDataSource={}),
            "PrimaryContainer has both ModelDataUrl and ModelDataSource",
        ),
        (
            lambda m, c, e: m["PrimaryContainer"].update(ModelDataSource={}),
            "PrimaryContainer.ModelDataSource is empty",
        ),
        (
            lambda m, c, e: m["PrimaryContainer"].update(source("s3://b/model", "S3Prefix", "None")),
            "a prefix of model data has to end in a slash",
        ),
        (
            lambda m, c, e: m["PrimaryContainer"].update(source("s3://b/model/", "S3Prefix", "Gzip")),
            "only single objects can be archives: S3DataType is S3Prefix",
        ),
        (
            lambda m, c, e: m["PrimaryContainer"].update(
                source("s3://b/m", "S3Object", "None", ManifestS3Uri="s3://b/list.csv")
            ),
            "PrimaryContainer.ModelDataSource.S3DataSource.ManifestS3Uri is not emulated",
        ),
        (
            lambda m, c, e: m["PrimaryContainer"].update(
                AdditionalModelDataSources=[
                    {"ChannelName": "draft", **source("s3://b/m", "S3Object", "None")["ModelDataSource"]}
                ]
                * 2
            ),
            "two AdditionalModelDataSources have one name",
        ),
        (
            lambda m, c, e: m["PrimaryContainer"].update(
                AdditionalModelDataSources=[
                    {"ChannelName": "..", **source("s3://b/m", "S3Object", "None")["ModelDataSource"]}
                ]
            ),
            "PrimaryContainer.AdditionalModelDataSources[0].ChannelName cannot be a folder's name",
        ),
        (
            lambda m, c, e: c.update(AsyncInferenceConfig={"OutputConfig": {}}),
            "AsyncInferenceConfig.OutputConfig.S3OutputPath is missing",
        ),
        (
            lambda m, c, e: c.update(ProductionVariants=c["ProductionVariants"] * 2),
            "ProductionVariants[1].VariantName is there twice",
        ),
        (
            lambda m, c, e: c["ProductionVariants"][0].update(
                ServerlessConfig={"MemorySizeInMB": 1024, "MaxConcurrency": 1}
            ),
            "serverless endpoints are not emulated",
        ),
        (
            lambda m, c, e: c["ProductionVariants"][0].pop("InstanceType"),
            "ProductionVariants[0].InstanceType is missing",
        ),
        (
            lambda m, c, e: c["ProductionVariants"][0].update(ModelName="other"),
            "ProductionVariants[0].ModelName does not name what was given",
        ),
        (
            lambda m, c, e: e.update(EndpointConfigName="other"),
            "EndpointConfigName does not name what was given",
        ),
    ],
)
def test_what_is_not_emulated_is_said_plainly(change, what, models):
    with pytest.raises(RequestError) as raised:
        from_aws(documents(models, change), models=models)
    assert raised.value.what == what


def test_a_model_that_is_there_passes(tmp_path, models):
    (tmp_path / "model").mkdir()
    (tmp_path / "model.tar.gz").write_bytes(b"")
    for data in (None, "model", "model.tar.gz", "s3://bucket/model.tar.gz"):
        check_local(from_flags(**FLAGS, model_data=data, base_dir=tmp_path, models=models).model)


@pytest.mark.parametrize(
    ("data", "what", "hint"),
    [
        ("model.bi", "the model is not there: no such file or folder", "did you mean {0}/model.bin?"),
        (
            "model.bin",
            "the model is neither a folder nor a .tar.gz archive",
            "pack it: tar -czf model.tar.gz -C {0} model.bin",
        ),
        ("folder.tar.gz", "the model is a folder named like an archive", None),
    ],
)
def test_a_model_that_is_not_what_it_should_be(data, what, hint, tmp_path, models):
    (tmp_path / "model.bin").write_bytes(b"")
    (tmp_path / "folder.tar.gz").mkdir()
    with pytest.raises(RequestError) as raised:
        check_local(from_flags(**FLAGS, model_data=data, base_dir=tmp_path, models=models).model)
    assert raised.value.what == what
    assert raised.value.hint == (hint and hint.format(tmp_path))


def test_asynchronous_endpoints_and_data_capture_are_read_from_the_document(models, tmp_path):
    request = from_flags(
        **FLAGS,
        more_config={
            "AsyncInferenceConfig": {
                "ClientConfig": {"MaxConcurrentInvocationsPerInstance": 7},
                "OutputConfig": {
                    "S3OutputPath": "with a space",
                    "S3FailurePath": "s3://bucket/bad",
                    "NotificationConfig": {
                        "ErrorTopic": "arn:aws:sns:us-east-1:123456789012:bad",
                        "IncludeInferenceResponseIn": ["ERROR_NOTIFICATION_TOPIC"],
                    },
                },
            },
            "DataCaptureConfig": {
                "InitialSamplingPercentage": 20,
                "DestinationS3Uri": "file:///captured",
                "CaptureOptions": [{"CaptureMode": "Input"}],
                "CaptureContentTypeHeader": {"CsvContentTypes": ["text/Csv"]},
            },
        },
        base_dir=tmp_path,
        models=models,
    )
    made = request.async_inference
    assert (made.output_path, made.failure_path) == (f"file://{tmp_path}/with a space", "s3://bucket/bad")
    assert (made.max_concurrent_per_instance, made.success_topic) == (7, None)
    assert (made.success_has_response, made.error_has_response) == (False, True)
    assert made.error_topic == "arn:aws:sns:us-east-1:123456789012:bad"
    assert request.data_capture.encoding("text/csv; charset=utf-8") == "CSV"
    assert request.written_places == (made.output_path, "s3://bucket/bad", "file:///captured")
    written = request.documents.create_endpoint_config["AsyncInferenceConfig"]["OutputConfig"]
    assert written["S3OutputPath"] == (tmp_path / "with a space").as_uri()


def test_a_multi_model_container_has_the_prefix_of_its_models(models, tmp_path):
    request = from_flags(
        image="img",
        endpoint_name="e",
        model_data="s3://b/models/",
        multi_model=True,
        model_cache_setting="Disabled",
        models=models,
    )
    container = request.as_aws()["CreateModel"]["PrimaryContainer"]
    assert container == {
        "Image": "img",
        "Mode": "MultiModel",
        "ModelDataUrl": "s3://b/models/",
        "MultiModelConfig": {"ModelCacheSetting": "Disabled"},
    }
    assert (request.model.multi_model, request.model.primary.model_cache_setting) == (True, "Disabled")
    here = from_flags(
        image="img", endpoint_name="e", model_data=str(tmp_path), multi_model=True, models=models
    )
    assert (here.model.path, here.model.primary.data.is_archive) == (tmp_path, False)
    check_local(here.model)


def test_the_models_of_a_multi_model_container_are_in_a_folder(models, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    request = from_flags(
        image="img", endpoint_name="e", model_data=str(tmp_path / "file"), multi_model=True, models=models
    )
    with pytest.raises(RequestError, match="in a folder"):
        check_local(request.model)
