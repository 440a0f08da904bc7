"""What CreateProcessingJob takes, from JSON and from the words of the command line."""

from __future__ import annotations

import json

import pytest

from sm_emulate import api
from sm_emulate.errors import RequestError
from sm_emulate.request import processing, processing_flags
from sm_emulate.request.override import override

INPUT = {
    "InputName": "data",
    "S3Input": {
        "S3Uri": "s3://bucket/in",
        "LocalPath": "/opt/ml/processing/input/data",
        "S3DataType": "S3Prefix",
        "S3InputMode": "File",
    },
}
OUTPUT = {
    "OutputName": "result",
    "S3Output": {
        "S3Uri": "s3://bucket/out",
        "LocalPath": "/opt/ml/processing/result",
        "S3UploadMode": "EndOfJob",
    },
}
FULL = {
    "ProcessingJobName": "Job-1",
    "ProcessingInputs": [INPUT],
    "ProcessingOutputConfig": {"Outputs": [OUTPUT], "KmsKeyId": "key"},
    "ProcessingResources": {
        "ClusterConfig": {"InstanceCount": 2, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 30}
    },
    "StoppingCondition": {"MaxRuntimeInSeconds": 900},
    "AppSpecification": {
        "ImageUri": "img",
        "ContainerEntrypoint": ["python3", "-v"],
        "ContainerArguments": ["a"],
    },
    "Environment": {"A": "1"},
    "NetworkConfig": {
        "EnableNetworkIsolation": True,
        "VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]},
    },
    "RoleArn": "arn:aws:iam::123456789012:role/sm-emulate",
    "ExperimentConfig": {"TrialName": "trial"},
    "Tags": [{"Key": "k", "Value": "v"}],
}


@pytest.fixture(autouse=True)
def _home(home):
    pass


def with_input(**members):
    return FULL | {"ProcessingInputs": [INPUT | members]}


def with_source(**members):
    return with_input(S3Input=INPUT["S3Input"] | members)


def with_output(**members):
    return FULL | {"ProcessingOutputConfig": {"Outputs": [OUTPUT | members]}}


def with_cluster(**members):
    cluster = FULL["ProcessingResources"]["ClusterConfig"] | members
    return FULL | {"ProcessingResources": {"ClusterConfig": cluster}}


def test_nothing_of_a_request_is_lost():
    request = processing.from_aws(FULL)
    assert processing.to_aws(request) == FULL
    assert request.isolated
    assert request.max_runtime_in_seconds == 900


def test_what_need_not_be_given():
    least = {
        name: FULL[name]
        for name in ("ProcessingJobName", "ProcessingResources", "AppSpecification", "RoleArn")
    }
    least["AppSpecification"] = {"ImageUri": "img"}
    request = processing.from_aws(least)
    assert request.max_runtime_in_seconds == 86400
    assert (request.managed_inputs, request.managed_outputs, request.isolated) == ((), (), False)


def test_a_local_path_stands_for_s3_and_becomes_absolute(tmp_path):
    request = processing.from_aws(with_source(S3Uri="in"), base_dir=tmp_path)
    assert request.managed_inputs[0][1].here == tmp_path / "in"
    assert request.managed_outputs[0][1].here is None


@pytest.mark.parametrize(
    ("document", "what"),
    [
        (
            with_source(LocalPath="/opt/ml/input/data"),
            "input data: LocalPath must begin with /opt/ml/processing/",
        ),
        (
            with_source(LocalPath="/opt/ml/processing/"),
            "input data: LocalPath must begin with /opt/ml/processing/",
        ),
        (with_source(LocalPath="/opt/ml/processing/../x"), "input data: LocalPath is no place of its own"),
        (with_source(LocalPath=""), "input data: LocalPath is missing"),
        (
            with_output(S3Output=OUTPUT["S3Output"] | {"LocalPath": "/tmp/x"}),
            "output result: LocalPath must begin with /opt/ml/processing/",
        ),
        (
            with_source(LocalPath="/opt/ml/processing/result/"),
            "data and result have the same LocalPath, which is not emulated",
        ),
        (
            with_source(S3InputMode="FastFile"),
            "ProcessingInputs[0].S3Input.S3InputMode does not have a value that the API knows",
        ),
        (
            with_source(S3CompressionType="Gzip"),
            "input data: S3CompressionType Gzip is for Pipe mode only, not File",
        ),
        (
            FULL | {"ProcessingInputs": [{"InputName": "data"}]},
            "input data must have exactly one source",
        ),
        (
            FULL
            | {
                "ProcessingInputs": [
                    {"InputName": "data", "DatasetDefinition": {"LocalPath": "/opt/ml/processing/x"}}
                ]
            },
            "input data: DatasetDefinition is not emulated: no Athena and no Redshift answers here",
        ),
        (
            FULL
            | {
                "ProcessingOutputConfig": {
                    "Outputs": [{"OutputName": "f", "FeatureStoreOutput": {"FeatureGroupName": "g"}}]
                }
            },
            "output f: FeatureStoreOutput is for AppManaged outputs only",
        ),
        (FULL | {"ProcessingInputs": [INPUT, INPUT]}, "ProcessingInputs has two equal input names"),
        (with_input(InputName="a/b"), "an input has no name that a folder can have"),
        (with_output(OutputName=".."), "an output has no name that a folder can have"),
        (with_cluster(InstanceCount=101), "ProcessingResources.ClusterConfig.InstanceCount is too large"),
        (with_cluster(VolumeSizeInGB=16385), "ProcessingResources.ClusterConfig.VolumeSizeInGB is too large"),
        (
            FULL | {"StoppingCondition": {"MaxRuntimeInSeconds": 777601}},
            "StoppingCondition.MaxRuntimeInSeconds is too large",
        ),
        (
            FULL | {"ProcessingInputs": [INPUT | {"InputName": str(n)} for n in range(11)]},
            "ProcessingInputs has too many items: 11",
        ),
        (FULL | {"Environment": {"A": "x" * 257}}, "Environment.A is too long: 257 characters"),
        (
            FULL | {"Environment": {f"A{n}": "" for n in range(101)}},
            "Environment has too many entries: 101",
        ),
    ],
)
def test_what_the_api_refuses(document, what):
    with pytest.raises(RequestError) as refused:
        processing.from_aws(document)
    assert refused.value.what == what
    assert refused.value.link.endswith("API_CreateProcessingJob.html")


def test_what_the_program_manages_by_itself_is_taken_as_it_is():
    document = FULL | {
        "ProcessingInputs": [
            {
                "InputName": "athena",
                "AppManaged": True,
                "DatasetDefinition": {"LocalPath": "/anywhere", "InputMode": "File"},
            },
            {
                "InputName": "own",
                "AppManaged": True,
                "S3Input": {"S3Uri": "s3://bucket/x", "S3DataType": "S3Prefix"},
            },
        ],
        "ProcessingOutputConfig": {
            "Outputs": [
                {"OutputName": "f", "AppManaged": True, "FeatureStoreOutput": {"FeatureGroupName": "g"}}
            ]
        },
    }
    request = processing.from_aws(document)
    assert processing.to_aws(request) == document
    assert (request.managed_inputs, request.managed_outputs) == ((), ())


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("data=./in", {"S3Uri": "./in", "LocalPath": "/opt/ml/processing/input/data"}),
        (
            "data=./in,to=/opt/ml/processing/x,distribution=ShardedByS3Key",
            {
                "S3Uri": "./in",
                "LocalPath": "/opt/ml/processing/x",
                "S3DataDistributionType": "ShardedByS3Key",
            },
        ),
        (
            "data=m.json,type=ManifestFile,mode=Pipe,compression=Gzip",
            {
                "S3Uri": "m.json",
                "S3DataType": "ManifestFile",
                "S3InputMode": "Pipe",
                "S3CompressionType": "Gzip",
            },
        ),
    ],
)
def test_an_input_is_read_from_one_word(text, source):
    made = processing_flags.processing_input(text)
    assert made["InputName"] == "data"
    assert {name: made["S3Input"].get(name) for name in source} == source


@pytest.mark.parametrize(
    ("text", "target"),
    [
        (
            "result",
            {"S3Uri": "", "LocalPath": "/opt/ml/processing/output/result", "S3UploadMode": "EndOfJob"},
        ),
        ("result,upload=Continuous", {"S3Uri": "", "S3UploadMode": "Continuous"}),
        ("result=./out,from=/opt/ml/processing/r", {"S3Uri": "./out", "LocalPath": "/opt/ml/processing/r"}),
    ],
)
def test_an_output_is_read_from_one_word(text, target):
    made = processing_flags.processing_output(text)
    assert made["OutputName"] == "result"
    assert {name: made["S3Output"][name] for name in target} == target


@pytest.mark.parametrize(
    ("read", "text", "what", "hint"),
    [
        (processing_flags.processing_input, "./in", "an input has no name", "--input data=./in"),
        (processing_flags.processing_input, "data", "an input has no path", "--input data=./data"),
        (
            processing_flags.processing_input,
            "data=./in,form=x",
            "input data has an option that is not known",
            "a comma inside the path is written \\,",
        ),
        (
            processing_flags.processing_output,
            "./out",
            "an output has no name",
            "--processing-output result=./out",
        ),
        (
            processing_flags.processing_output,
            "result=./out,uplaod=Continuous",
            "output result has an option that is not known",
            "did you mean upload?",
        ),
    ],
)
def test_a_word_that_cannot_be_read_is_refused_with_the_one_that_was_meant(read, text, what, hint):
    with pytest.raises(RequestError) as refused:
        read(text)
    assert (refused.value.what, refused.value.hint) == (what, hint)


def test_flags_are_put_over_a_document_by_name():
    over = processing_flags.processing_document(
        image=None,
        job_name=None,
        role_arn=None,
        instance_type=None,
        instance_count=1,
        volume_size_in_gb=None,
        inputs=[processing_flags.processing_input("data=./mine,to=/opt/ml/processing/input/data")],
        outputs=[processing_flags.processing_output("more=./more")],
        network_isolation=True,
    )
    merged = override(FULL, over)
    assert [each["S3Input"]["S3Uri"] for each in merged["ProcessingInputs"]] == ["./mine"]
    assert [each["OutputName"] for each in merged["ProcessingOutputConfig"]["Outputs"]] == ["result", "more"]
    assert merged["ProcessingOutputConfig"]["KmsKeyId"] == "key"
    assert merged["ProcessingResources"]["ClusterConfig"]["InstanceCount"] == 1
    assert merged["NetworkConfig"]["VpcConfig"] == FULL["NetworkConfig"]["VpcConfig"]


def test_a_job_from_python(tmp_path, home):
    request = api.processing_request(
        "img",
        inputs={"data": tmp_path, "code": api.processing_input(tmp_path, to="/opt/ml/processing/code")},
        outputs={"out": tmp_path / "out", "kept": api.processing_output(upload="Continuous")},
        job_name="job",
    )
    inputs, outputs = dict(request.managed_inputs), dict(request.managed_outputs)
    assert inputs["data"].local_path == "/opt/ml/processing/input/data"
    assert inputs["code"].local_path == "/opt/ml/processing/code"
    assert outputs["out"].here == tmp_path / "out"
    assert outputs["kept"].local_path == "/opt/ml/processing/output/kept"
    assert outputs["kept"].here == home / "processing-jobs" / "job" / "output" / "kept"
    assert not request.cluster.chosen
    with pytest.raises(TypeError, match="unexpected keyword argument 'form'"):
        api.processing_input(tmp_path, form="x")


def test_a_request_can_be_written_down_and_read_again(tmp_path):
    request = api.processing_request("img", outputs=["a"], environment={"A": "1"})
    again = api.processing_request_from_aws(json.loads(json.dumps(processing.to_aws(request))))
    assert processing.to_aws(again) == processing.to_aws(request)
