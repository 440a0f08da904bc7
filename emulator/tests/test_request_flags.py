from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from sm_emulate.errors import RequestError
from sm_emulate.request import flags, service_model
from sm_emulate.request.naming import base_name, default_job_name
from sm_emulate.request.override import override
from sm_emulate.request.pattern import matches
from sm_emulate.request.training import from_aws

OPTIONS = (
    "one of mode, content-type, compression, record-wrapper, shuffle-seed, type, distribution, attributes, "
    "instance-groups"
)


def channel(uri, **members):
    source = {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
    source.update(members.pop("source", {}))
    return {"ChannelName": "train", "DataSource": {"S3DataSource": source}, **members}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("train=./data", channel("./data")),
        ("train=s3://bucket/key", channel("s3://bucket/key")),
        (r"train=a\,b", channel("a,b")),
        ("train=a=b", channel("a=b")),
        (
            "train=./data,mode=FastFile,content-type=text/csv; label_size=0",
            channel("./data", InputMode="FastFile", ContentType="text/csv; label_size=0"),
        ),
        (
            "train=d,compression=Gzip,record-wrapper=RecordIO,shuffle-seed=-3",
            channel("d", CompressionType="Gzip", RecordWrapperType="RecordIO", ShuffleConfig={"Seed": -3}),
        ),
        (
            "train=d,type=AugmentedManifestFile,attributes=image-ref:label,distribution=ShardedByS3Key",
            channel(
                "d",
                source={
                    "S3DataType": "AugmentedManifestFile",
                    "AttributeNames": ["image-ref", "label"],
                    "S3DataDistributionType": "ShardedByS3Key",
                },
            ),
        ),
        ("train=d,instance-groups=a", channel("d", source={"InstanceGroupNames": ["a"]})),
    ],
)
def test_a_channel_is_read_from_one_word(text, expected):
    assert flags.channel(text) == expected


@pytest.mark.parametrize(
    ("text", "what", "value", "expected", "hint"),
    [
        (
            "./data",
            "a channel has no name",
            "./data",
            "NAME=PATH[,OPTION=VALUE...]",
            "--channel train=./data",
        ),
        ("train", "a channel has no path", "train", "NAME=PATH[,OPTION=VALUE...]", "--channel train=./data"),
        (
            "=./data",
            "a channel has no name",
            "=./data",
            "NAME=PATH[,OPTION=VALUE...]",
            "--channel train=./data",
        ),
        ("train=", "channel train has no path", "train=", "NAME=PATH[,OPTION=VALUE...]", None),
        (
            "train=,mode=File",
            "channel train has no path",
            "train=,mode=File",
            "NAME=PATH[,OPTION=VALUE...]",
            None,
        ),
        (
            "train=d,mod=File",
            "channel train has an option that is not known",
            "mod",
            OPTIONS,
            "did you mean mode?",
        ),
        (
            "train=d,FastFile",
            "channel train has an option that is not known",
            "FastFile",
            OPTIONS,
            "a comma inside the path is written \\,",
        ),
        ("train=d,mode=", "channel train: option mode has no value", None, "mode=VALUE", None),
        (
            "train=d,mode=File,mode=Pipe",
            "channel train: option mode stands there twice",
            "train=d,mode=File,mode=Pipe",
            None,
            None,
        ),
        (
            "train=d,shuffle-seed=x",
            "channel train: shuffle-seed is no whole number",
            "x",
            "a whole number",
            None,
        ),
    ],
)
def test_a_wrong_channel_is_refused(text, what, value, expected, hint):
    with pytest.raises(RequestError) as raised:
        flags.channel(text)
    error = raised.value
    assert (error.what, error.value, error.expected, error.hint) == (what, value, expected, hint)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a=b", ("a", "b")), ("a=", ("a", "")), ("a=b=c", ("a", "b=c")), ("a= b ", ("a", " b "))],
)
def test_key_and_value(text, expected):
    assert flags.key_value(text, what="hyperparameter") == expected


def test_a_key_without_a_value_is_refused():
    with pytest.raises(RequestError) as raised:
        flags.key_value("epochs", what="hyperparameter")
    error = raised.value
    assert (error.what, error.value, error.expected, error.hint) == (
        "a hyperparameter has no value",
        "epochs",
        "KEY=VALUE",
        "epochs=VALUE",
    )


@pytest.mark.parametrize("text", ["=s3cret", "s3cret"])
def test_what_may_be_a_secret_is_not_printed(text):
    with pytest.raises(RequestError) as raised:
        flags.key_value(text, what="environment variable", secret=True)
    assert "s3cret" not in "\n".join(raised.value.lines())
    assert raised.value.what.startswith("an environment variable has no ")


def test_a_key_that_is_given_twice_is_refused():
    assert flags.key_values(["a=1", "b=2"], what="hyperparameter") == {"a": "1", "b": "2"}
    with pytest.raises(RequestError, match="hyperparameter a is given twice"):
        flags.key_values(["a=1", "a=2"], what="hyperparameter")


def test_hyperparameters_of_a_file_all_become_strings(tmp_path):
    path = tmp_path / "h.json"
    path.write_text(
        '\ufeff{"s": "plain", "i": 3, "f": 0.1, "b": true, "l": [1, "a"], "o": {"x": null}, "e": ""}',
        encoding="utf-8",
    )
    assert flags.hyperparameters_file(path) == {
        "s": "plain",
        "i": "3",
        "f": "0.1",
        "b": "true",
        "l": '[1, "a"]',
        "o": '{"x": null}',
        "e": "",
    }


@pytest.mark.parametrize(
    ("content", "what", "hint"),
    [
        (b"[1]", "the hyperparameters file does not hold an object", None),
        (b"", "the hyperparameters file is not JSON: Expecting value at line 1, column 1", None),
        (
            b'{"a": 1,\n b: 2}',
            (
                "the hyperparameters file is not JSON: "
                "Expecting property name enclosed in double quotes at line 2, column 2"
            ),
            None,
        ),
        (b"\xff\xfe{", "the hyperparameters file is not text in UTF-8", None),
        (
            b'{"a": null}',
            "the hyperparameters file gives hyperparameter a as null",
            "leave a out, or write it as a string",
        ),
        (b'{"a": 1, "a": 2}', 'the hyperparameters file is not plain JSON: "a" stands there twice', None),
        (b'{"a": NaN}', "the hyperparameters file is not plain JSON: NaN is no JSON number", None),
    ],
)
def test_each_wrong_kind_of_hyperparameters_file_has_its_own_error(content, what, hint, tmp_path):
    path = tmp_path / "h.json"
    path.write_bytes(content)
    with pytest.raises(RequestError) as raised:
        flags.hyperparameters_file(path)
    assert (raised.value.what, raised.value.value, raised.value.hint) == (what, str(path), hint)


def test_yaml_is_not_read(tmp_path):
    path = tmp_path / "h.yaml"
    path.write_text("epochs: 3")
    with pytest.raises(RequestError) as raised:
        flags.hyperparameters_file(path)
    assert raised.value.hint == "YAML is not read, only JSON"
    assert raised.value.evidence == ("epochs: 3",)


def test_a_hyperparameters_file_that_is_not_there(tmp_path):
    (tmp_path / "params.json").write_text("{}")
    with pytest.raises(RequestError) as raised:
        flags.hyperparameters_file(tmp_path / "parms.json")
    assert raised.value.what == "the hyperparameters file is not there"
    assert raised.value.hint == f"did you mean {tmp_path / 'params.json'}?"


def test_a_folder_is_no_hyperparameters_file(tmp_path):
    with pytest.raises(RequestError, match="the hyperparameters file is a folder"):
        flags.hyperparameters_file(tmp_path)


def test_a_metric():
    assert flags.metric("loss=loss=([0-9.]+)") == {"Name": "loss", "Regex": "loss=([0-9.]+)"}


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("loss", "a metric has no regex"),
        ("loss=", "a metric has no regex"),
        ("=x", "a metric has no name"),
        (
            "loss=(x",
            "the regex of metric loss cannot be read: missing ), unterminated subpattern at position 0",
        ),
        ("loss=x", "the regex of metric loss has no group: SageMaker would find no number in it"),
    ],
)
def test_a_wrong_metric_is_refused(text, what):
    with pytest.raises(RequestError) as raised:
        flags.metric(text)
    assert raised.value.what == what


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("15m", 900), (" 2H ", 7200), ("1d", 86400), ("0", 0)]
)
def test_a_duration(text, seconds):
    assert flags.duration(text, what="--max-run") == seconds


@pytest.mark.parametrize("text", ["", "x", "1.5h", "-1", "1w", "1h30m", "\u0661"])
def test_a_wrong_duration_is_refused(text):
    with pytest.raises(RequestError, match="--max-run is no duration"):
        flags.duration(text, what="--max-run")


BASE = {
    "image": "my-image",
    "job_name": "job-1",
    "role_arn": "arn:aws:iam::123456789012:role/sm-emulate",
    "output_path": "./out",
    "instance_type": "ml.m5.large",
}


def test_few_flags_make_a_small_document():
    document = flags.training_document(**BASE)

    assert document == {
        "TrainingJobName": "job-1",
        "RoleArn": "arn:aws:iam::123456789012:role/sm-emulate",
        "AlgorithmSpecification": {"TrainingImage": "my-image", "TrainingInputMode": "File"},
        "OutputDataConfig": {"S3OutputPath": "./out"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
    }
    from_aws(document)


def test_every_flag_has_its_place_in_the_document():
    document = flags.training_document(
        **BASE,
        instance_count=2,
        channels=[flags.channel("train=./data")],
        hyperparameters={"a": "1"},
        environment={"A": "b"},
        entrypoint=["python"],
        arguments=["x.py"],
        metrics=[flags.metric("loss=([0-9]+)")],
        input_mode="FastFile",
        max_runtime_in_seconds=0,
        network_isolation=True,
        tags={"k": "v"},
    )

    assert document["AlgorithmSpecification"] == {
        "TrainingImage": "my-image",
        "TrainingInputMode": "FastFile",
        "ContainerEntrypoint": ["python"],
        "ContainerArguments": ["x.py"],
        "MetricDefinitions": [{"Name": "loss", "Regex": "([0-9]+)"}],
    }
    assert document["ResourceConfig"]["InstanceCount"] == 2
    assert document["HyperParameters"] == {"a": "1"}
    assert document["Environment"] == {"A": "b"}
    assert document["EnableNetworkIsolation"] is True
    assert document["Tags"] == [{"Key": "k", "Value": "v"}]
    # a nought is passed on: it is the service's limit that refuses it
    with pytest.raises(RequestError, match=r"StoppingCondition\.MaxRuntimeInSeconds is too small"):
        from_aws(document)


NOW = datetime(2026, 1, 31, 12, 5, 9, 42_999, tzinfo=timezone.utc)
STAMP = "2026-01-31-12-05-09-042"


@pytest.mark.parametrize(
    ("image", "base"),
    [
        ("my-image", "my-image"),
        ("my_image:1.0", "my-image"),
        ("123456789012.dkr.ecr.us-east-1.amazonaws.com/team/my.image:latest", "my-image"),
        ("localhost:5000/img@sha256:" + "0" * 64, "img"),
        ("repo/img:tag@sha256:" + "0" * 64, "img"),
        ("__", "job"),
        ("-x-", "x"),
        ("i" * 100, "i" * 39),
        ("i" * 38 + "-" + "j" * 10, "i" * 38),
    ],
)
def test_a_job_is_named_after_its_image_and_the_time(image, base):
    name = default_job_name(image, NOW)
    limit = service_model.load("CreateTrainingJob").limit("TrainingJobName")

    assert name == f"{base}-{STAMP}"
    assert len(name) <= limit.maximum
    assert matches(limit.pattern, name)


def test_the_time_in_a_job_name_is_utc():
    east = timezone(timedelta(hours=9))
    assert default_job_name("a", NOW.astimezone(east)) == f"a-{STAMP}"
    assert default_job_name("a", NOW.replace(tzinfo=None)) == f"a-{STAMP}"


def test_the_name_of_an_image_alone():
    assert base_name("registry:5000/a/b_c:1") == "b-c"


def test_groups_of_instances_are_read():
    assert flags.instance_group("data=ml.c5.xlarge:2") == {
        "InstanceGroupName": "data",
        "InstanceType": "ml.c5.xlarge",
        "InstanceCount": 2,
    }
    assert flags.instance_group("gpu=ml.g5.xlarge")["InstanceCount"] == 1


@pytest.mark.parametrize(
    "text", ["ml.c5.xlarge:2", "data=", "=ml.c5.xlarge", "data=ml.c5.xlarge:two", "data=ml.c5.xlarge:"]
)
def test_a_group_without_name_type_or_number_is_refused(text):
    with pytest.raises(RequestError, match="--instance-group does not take this value") as caught:
        flags.instance_group(text)
    assert caught.value.expected == "NAME=TYPE:COUNT, as workers=ml.c5.xlarge:2"


GROUP = {"InstanceGroupName": "a", "InstanceType": "ml.c5.xlarge", "InstanceCount": 2}


def test_groups_over_a_document_take_the_place_of_its_type_and_the_other_way_round():
    one = {"ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5}}
    groups = {"ResourceConfig": {"InstanceGroups": [GROUP]}}
    assert override(one, groups) == {"ResourceConfig": {"InstanceGroups": [GROUP], "VolumeSizeInGB": 5}}
    over = {"ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 3}}
    assert override(groups, over) == over
    # asked for both: the request's own rules refuse that
    assert set(override({}, {"ResourceConfig": {**over["ResourceConfig"], "InstanceGroups": [GROUP]}})["ResourceConfig"]) == {
        "InstanceType", "InstanceCount", "InstanceGroups",
    }  # fmt: skip
