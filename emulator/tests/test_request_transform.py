"""CreateModel and CreateTransformJob, checked and read."""

from __future__ import annotations

import pytest

from sm_emulate.errors import RequestError
from sm_emulate.request.hosted_model import create_model
from sm_emulate.request.transform import check_local, from_aws, load_models, to_aws, transform_document


@pytest.fixture(scope="module")
def models():
    return load_models()


def words(**more):
    return {
        "job_name": "job", "model_name": "model", "input_path": "/data", "data_type": "S3Prefix",
        "output_path": "/out", "instance_type": "ml.m5.large", "instance_count": 1, **more,
    }  # fmt: skip


def request(models, image="my-image", model_data=None, **more):
    model = create_model(image, model_name="model", model_data=model_data)
    return from_aws(transform_document(**words(**more)), model, models=models)


def test_what_is_left_out_has_the_platform_s_defaults(models):
    job = request(models)
    assert (job.max_concurrent_transforms, job.max_payload_in_mb, job.batch_strategy) == (None, None, None)
    assert (job.transform_input.split_type, job.transform_output.assemble_with) == ("None", "None")
    assert job.model_client_config.invocations_timeout_in_seconds == 600
    assert job.model_client_config.invocations_max_retries == 3
    assert job.data_processing.does_nothing
    assert job.model.image == "my-image"


def test_a_document_comes_back_as_it_was(models):
    given = transform_document(
        **words(
            content_type="text/csv", accept="text/csv", split_type="Line", assemble_with="Line",
            input_filter="$[1:]", output_filter="$[0,-1]", join_source="Input", batch_strategy="SingleRecord",
            max_payload_in_mb=2, max_concurrent_transforms=5, environment={"A": "b"}, invocation_timeout=5,
        )
    )  # fmt: skip
    job = from_aws(given, create_model("my-image", model_name="model"), models=models)
    back = to_aws(job)
    expected = given | {
        "TransformInput": given["TransformInput"]
        | {"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "file:///data"}}},
        "TransformOutput": given["TransformOutput"] | {"S3OutputPath": "file:///out"},
    }
    assert back["CreateTransformJob"] == expected
    assert back["CreateModel"]["PrimaryContainer"]["Image"] == "my-image"


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ({"max_payload_in_mb": 101}, "MaxPayloadInMB is too large"),
        ({"max_payload_in_mb": 60, "max_concurrent_transforms": 2}, "MaxConcurrentTransforms times"),
        ({"data_type": "AugmentedManifestFile"}, "transform jobs take no AugmentedManifestFile"),
        ({"batch_strategy": "SingleRecord"}, "SingleRecord needs records"),
        ({"instance_count": 101}, "InstanceCount is too large"),
        ({"instance_type": "ml.m5.tiny"}, "InstanceType"),
        ({"join_source": "Input"}, "cannot read this ContentType"),
        ({"input_filter": "$[1:]", "content_type": "image/png"}, "cannot read this ContentType"),
        ({"join_source": "Input", "content_type": "text/csv"}, "needs the same Accept"),
        ({"input_filter": "$[0]", "content_type": "text/csv"}, "needs SplitType Line"),
        (
            {
                "input_filter": "$.a",
                "content_type": "text/csv",
                "split_type": "Line",
                "assemble_with": "Line",
            },
            "a row of CSV has none",
        ),
        ({"output_filter": "$..a", "content_type": "application/json"}, "no path that SageMaker supports"),
    ],
)
def test_what_sagemaker_refuses_is_refused(more, what, models):
    with pytest.raises(RequestError, match=what):
        request(models, **more)


def test_parameters_of_a_mime_type_do_not_matter(models):
    job = request(
        models, join_source="Input", content_type="text/csv; charset=utf-8", accept="text/csv",
        split_type="Line", assemble_with="Line",
    )  # fmt: skip
    assert job.data_processing.joins


def test_another_model_than_the_one_given_is_refused(models):
    with pytest.raises(RequestError, match="does not name the model"):
        from_aws(
            transform_document(**words(model_name="other")),
            create_model("my-image", model_name="model"),
            models=models,
        )


def test_a_multi_model_container_does_no_batch_transform(models):
    model = create_model("my-image", model_name="model", model_data="s3://b/models/", multi_model=True)
    with pytest.raises(RequestError, match="batch transform with a multi-model container is not emulated"):
        from_aws(transform_document(**words()), model, models=models)


def test_input_that_is_not_there_is_told(models, tmp_path):
    (tmp_path / "rows.csv").write_text("1\n")
    check_local(request(models, input_path=str(tmp_path)))
    with pytest.raises(RequestError, match="the input: no such file or folder") as missing:
        check_local(request(models, input_path=str(tmp_path / "row.csv")))
    assert "rows.csv" in missing.value.hint
    with pytest.raises(RequestError, match="ManifestFile needs a file"):
        check_local(request(models, input_path=str(tmp_path), data_type="ManifestFile"))


def test_a_model_in_s3_is_an_archive_and_a_folder_is_taken_from_here_only(models):
    assert request(models, model_data="s3://b/model.tar.gz").model.model_data == "s3://b/model.tar.gz"
    assert request(models, model_data="/model").model.primary.data.is_prefix
    with pytest.raises(RequestError, match="transform jobs cannot use ModelDataSource") as refused:
        request(models, model_data="s3://b/model/")
    assert refused.value.value == "s3://b/model/"


def test_the_environment_has_the_api_s_limits(models):
    request(models, environment={f"V{number}": "x" * 10240 for number in range(16)})
    for wrong in ({f"V{number}": "x" for number in range(17)}, {"V": "x" * 10241}):
        with pytest.raises(RequestError, match="Environment"):
            request(models, environment=wrong)
