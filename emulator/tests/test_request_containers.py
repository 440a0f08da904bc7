"""Models of several containers, from CreateModel and from flags."""

from __future__ import annotations

from copy import deepcopy

import pytest

from sm_emulate.errors import RequestError
from sm_emulate.request import transform
from sm_emulate.request.containers import ContainerFlags, container_flags
from sm_emulate.request.endpoint import EndpointDocuments, from_aws, from_flags, load_models


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return load_models(cache_dir=tmp_path_factory.mktemp("cache"))


def create_model(*containers, **members):
    return {"ModelName": "m", "Containers": list(containers), **members}


def create_config(**members):
    variant = {"VariantName": "v", "ModelName": "m", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    return {"EndpointConfigName": "c", "ProductionVariants": [variant], **members}


def endpoint(model, models, config=None, more=()):
    return from_aws(
        EndpointDocuments(
            create_model=model,
            more_models=more,
            create_endpoint_config=config or create_config(),
            create_endpoint={"EndpointName": "e", "EndpointConfigName": "c"},
        ),
        models=models,
    )


def refusal(models, *containers, config=None, **members):
    with pytest.raises(RequestError) as refused:
        endpoint(create_model(*containers, **members), models, config)
    return refused.value


A, B = {"Image": "a:1", "ContainerHostname": "a"}, {"Image": "b:1", "ContainerHostname": "b"}


def test_a_document_makes_the_containers_in_their_order(models, tmp_path):
    given = create_model(
        {**B, "ModelDataUrl": "s3://bucket/model.tar.gz", "Environment": {"K": "V"}},
        {
            **A,
            "ModelDataSource": {
                "S3DataSource": {"S3Uri": str(tmp_path), "S3DataType": "S3Prefix", "CompressionType": "None"}
            },
        },
        InferenceExecutionConfig={"Mode": "Direct"},
    )
    model = endpoint(given, models).model
    assert (model.container_names, model.images) == (("b", "a"), ("b:1", "a:1"))
    assert (model.several, model.direct) == (True, True)
    assert model.containers[0].data.uri == "s3://bucket/model.tar.gz"
    assert model.containers[1].data.path == tmp_path
    assert dict(model.containers[0].environment) == {"K": "V"}


def test_without_host_names_containers_are_called_after_their_position(models):
    model = endpoint(create_model({"Image": "a"}, {"Image": "b"}), models).model
    assert model.container_names == ("container-1", "container-2")
    assert (model.execution_mode, model.direct) == ("Serial", False)


def test_one_to_fifteen_containers(models):
    assert not endpoint(create_model(A), models).model.several
    fifteen = [{"Image": f"i:{number}"} for number in range(15)]
    assert len(endpoint(create_model(*fifteen), models).model.containers) == 15
    assert "Containers" in refusal(models, *fifteen, A).what
    assert refusal(models).what == "Containers is empty"


def test_host_names_are_given_to_all_or_to_none_and_once(models):
    some = refusal(models, A, {"Image": "b"})
    assert some.what == "some containers have a ContainerHostname and others none"
    twice = refusal(models, A, {**B, "ContainerHostname": "a"})
    assert (twice.what, twice.value) == ("two containers have one ContainerHostname", "a")
    assert "ContainerHostname" in refusal(models, {**A, "ContainerHostname": "no_underscores"}, B).what


def test_a_model_has_a_primary_container_or_containers(models):
    both = refusal(models, A, B, PrimaryContainer={"Image": "c"})
    assert both.what == "a model has PrimaryContainer or Containers, and this one has both"


def test_the_environments_of_all_containers_have_32_kb_together(models):
    def half(letter, room):
        return {f"{letter}{number:03}": "x" * 1020 for number in range(15)} | {letter: "x" * room}

    # 15 entries of 1024 bytes, and one of a byte and what is left
    fits = 16 * 1024 - 15 * 1024 - 1
    endpoint(
        create_model({**A, "Environment": half("A", fits)}, {**B, "Environment": half("B", fits)}), models
    )
    error = refusal(
        models, {**A, "Environment": half("A", fits)}, {**B, "Environment": half("B", fits) | {"C": ""}}
    )
    assert error.what == "the variables of a model's containers are too long, all taken together"
    assert error.value == f"{32 * 1024 + 1} bytes"
    assert "x" * 20 not in str(error.lines())


def test_problems_say_which_container_they_are_about(models):
    assert refusal(models, A, {"ContainerHostname": "b"}).what == "Containers[1].Image is missing"
    assert refusal(models, A, {**B, "ModelDataUrl": "s3://b/folder/"}).what == (
        "Containers[1].ModelDataUrl is no archive"
    )
    assert refusal(models, A, B, InferenceExecutionConfig={"Mode": "Both"}).value == "Both"


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (
            lambda m, c: m["Containers"][1].update(Mode="MultiModel", ModelDataUrl="s3://b/models/"),
            "a multi-model container beside other containers is not emulated",
        ),
        (
            lambda m, c: c.update(AsyncInferenceConfig={"OutputConfig": {"S3OutputPath": "s3://b/out"}}),
            "an asynchronous endpoint of several containers is not emulated",
        ),
        (
            lambda m, c: c.update(
                ShadowProductionVariants=[{**c["ProductionVariants"][0], "VariantName": "s"}]
            ),
            "a shadow variant with several containers, or beside such a variant, is not emulated",
        ),
    ],
)
def test_what_is_not_emulated_with_several_containers_is_said(models, change, what):
    model, config = deepcopy((create_model(A, B), create_config()))
    change(model, config)
    with pytest.raises(RequestError) as refused:
        endpoint(model, models, config)
    assert refused.value.what == what


def test_batch_transform_takes_several_containers_that_are_asked_in_turn(tmp_path):
    job = {
        "TransformJobName": "t",
        "ModelName": "m",
        "TransformInput": {
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": str(tmp_path)}}
        },
        "TransformOutput": {"S3OutputPath": str(tmp_path)},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
    }
    request = transform.from_aws(job, create_model=create_model(A, B))
    assert request.model.container_names == ("a", "b")
    direct = create_model(A, B, InferenceExecutionConfig={"Mode": "Direct"})
    with pytest.raises(RequestError, match="nobody names a container for the records of a transform job"):
        transform.from_aws(job, create_model=direct)
    prefix = {"S3Uri": "s3://bucket/model/", "S3DataType": "S3Prefix", "CompressionType": "None"}
    from_prefix = {**B, "ModelDataSource": {"S3DataSource": prefix}}
    with pytest.raises(RequestError, match="transform jobs cannot use ModelDataSource"):
        transform.from_aws(job, create_model=create_model(A, from_prefix))


def test_direct_needs_containers(models):
    with pytest.raises(RequestError, match="only the containers of Containers are called directly"):
        endpoint(
            {
                "ModelName": "m",
                "PrimaryContainer": {"Image": "a"},
                "InferenceExecutionConfig": {"Mode": "Direct"},
            },
            models,
        )


def test_a_second_variant_may_have_a_single_container(models):
    config = create_config()
    config["ProductionVariants"].append(
        {**config["ProductionVariants"][0], "VariantName": "w", "ModelName": "n"}
    )
    alone = {"ModelName": "n", "PrimaryContainer": {"Image": "c"}}
    request = endpoint(create_model(A, B), models, config, more=(alone,))
    assert [each.model.several for each in request.variants] == [True, False]


# --- from flags -------------------------------------------------------------------------------------------


def test_a_containers_words():
    assert container_flags("a:1") == ContainerFlags(image="a:1")
    assert container_flags("x=registry.example:5000/a:1,model=./m,env.LEVEL=2,env.URL=http://h/?q=1") == (
        ContainerFlags(
            image="registry.example:5000/a:1",
            hostname="x",
            model_data="./m",
            environment={"LEVEL": "2", "URL": "http://h/?q=1"},
        )
    )


@pytest.mark.parametrize(
    "text", ["", "=a", "x=", "a,size=3", "a,model", "a,model=1,model=2", "a,env.K=1,env.K=2", "a,,"]
)
def test_words_that_are_no_container_are_refused(text):
    with pytest.raises(RequestError, match="this is no container"):
        container_flags(text)


def test_a_secret_is_not_repeated_in_a_refusal():
    with pytest.raises(RequestError) as refused:
        container_flags("a,env.TOKEN=hush,size=3")
    assert "hush" not in str(refused.value.lines())


def test_flags_make_the_same_document_as_the_api(models):
    request = from_flags(
        image=None,
        endpoint_name="e",
        containers=[container_flags("a=img:a,model=s3://b/m.tar.gz,env.K=own"), container_flags("b=img:b")],
        direct=True,
        environment={"K": "all", "L": "all"},
        network_isolation=True,
        models=models,
    )
    assert request.documents.create_model == {
        "ModelName": "e",
        "Containers": [
            {
                "Image": "img:a",
                "Mode": "SingleModel",
                "ModelDataUrl": "s3://b/m.tar.gz",
                "Environment": {"K": "own", "L": "all"},
                "ContainerHostname": "a",
            },
            {
                "Image": "img:b",
                "Mode": "SingleModel",
                "Environment": {"K": "all", "L": "all"},
                "ContainerHostname": "b",
            },
        ],
        "InferenceExecutionConfig": {"Mode": "Direct"},
        "EnableNetworkIsolation": True,
    }
    assert (request.alone, request.one_log, request.variant_name) == (True, False, "AllTraffic")
