from __future__ import annotations

import dataclasses
import re
from copy import deepcopy
from pathlib import Path

import pytest

from sm_emulate.errors import RequestError
from sm_emulate.request import service_model
from sm_emulate.request.training import (
    Channel,
    FileSystemDataSource,
    S3DataSource,
    StoppingCondition,
    check_local,
    from_aws,
    to_aws,
)

ROLE = "arn:aws:iam::123456789012:role/sm-emulate"


@pytest.fixture(scope="module")
def model():
    return service_model.load("CreateTrainingJob")


def document(**members):
    """The smallest sound document, with members set, or left out where the value is None."""
    found = {
        "TrainingJobName": "job-1",
        "RoleArn": ROLE,
        "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
    }
    found.update(members)
    return {name: value for name, value in found.items() if value is not None}


def channel(uri="s3://bucket/train", name="train", **members):
    source = {"S3DataType": "S3Prefix", "S3Uri": uri}
    for member in ("S3DataType", "AttributeNames", "InstanceGroupNames", "S3DataDistributionType"):
        if member in members:
            source[member] = members.pop(member)
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}, **members}


# the example of AWS's developer guide, "Create and Run a Training Job (AWS SDK for Python (Boto 3))"
GUIDE = {
    "AlgorithmSpecification": {
        "TrainingImage": "382416733822.dkr.ecr.us-east-1.amazonaws.com/kmeans:1",
        "TrainingInputMode": "File",
    },
    "RoleArn": "arn:aws:iam::123456789012:role/service-role/AmazonSageMaker-ExecutionRole",
    "OutputDataConfig": {"S3OutputPath": "s3://bucket/kmeans_example/output"},
    "ResourceConfig": {"InstanceCount": 2, "InstanceType": "ml.c4.8xlarge", "VolumeSizeInGB": 50},
    "TrainingJobName": "kmeans-lowlevel-2026-01-31-12-00-00",
    "HyperParameters": {"k": "10", "feature_dim": "784", "mini_batch_size": "500"},
    "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
    "InputDataConfig": [
        {
            "ChannelName": "train",
            "DataSource": {
                "S3DataSource": {
                    "S3DataType": "S3Prefix",
                    "S3Uri": "s3://bucket/kmeans_lowlevel_example/data",
                    "S3DataDistributionType": "FullyReplicated",
                }
            },
            "CompressionType": "None",
            "RecordWrapperType": "None",
        }
    ],
}

EVERYTHING = {
    "TrainingJobName": "everything",
    "RoleArn": ROLE,
    "AlgorithmSpecification": {
        "TrainingImage": "image@sha256:" + "0" * 64,
        "TrainingInputMode": "Pipe",
        "ContainerEntrypoint": ["python", "train.py"],
        "ContainerArguments": ["--epochs", "3"],
        "MetricDefinitions": [{"Name": "loss", "Regex": "loss: ([0-9.]+)"}],
        "EnableSageMakerMetricsTimeSeries": True,
        "TrainingImageConfig": {"TrainingRepositoryAccessMode": "Platform"},
    },
    "HyperParameters": {"epochs": "3", "name": '"quoted"', "empty": ""},
    "InputDataConfig": [
        {
            "ChannelName": "train",
            "DataSource": {
                "S3DataSource": {
                    "S3DataType": "AugmentedManifestFile",
                    "S3Uri": "s3://bucket/train.manifest",
                    "S3DataDistributionType": "ShardedByS3Key",
                    "AttributeNames": ["image-ref", "label"],
                    "InstanceGroupNames": ["cpu"],
                }
            },
            "ContentType": "application/x-recordio",
            "CompressionType": "Gzip",
            "RecordWrapperType": "RecordIO",
            "InputMode": "Pipe",
            "ShuffleConfig": {"Seed": -7},
        },
        {
            "ChannelName": "weights",
            "DataSource": {
                "S3DataSource": {
                    "S3DataType": "S3Prefix",
                    "S3Uri": "s3://bucket/weights/",
                    "ModelAccessConfig": {"AcceptEula": True},
                }
            },
            "InputMode": "FastFile",
        },
        {
            "ChannelName": "shared",
            "DataSource": {
                "FileSystemDataSource": {
                    "FileSystemId": "fs-01234567",
                    "FileSystemAccessMode": "ro",
                    "FileSystemType": "EFS",
                    "DirectoryPath": "/data",
                }
            },
            "InputMode": "File",
        },
    ],
    "OutputDataConfig": {"S3OutputPath": "s3://bucket/out", "CompressionType": "NONE", "KmsKeyId": "key"},
    "ResourceConfig": {
        "InstanceGroups": [
            {"InstanceGroupName": "cpu", "InstanceType": "ml.c5.xlarge", "InstanceCount": 2},
            {"InstanceGroupName": "gpu", "InstanceType": "ml.g4dn.xlarge", "InstanceCount": 1},
        ],
        "VolumeSizeInGB": 30,
        "KeepAlivePeriodInSeconds": 0,
    },
    "StoppingCondition": {
        "MaxRuntimeInSeconds": 100,
        "MaxWaitTimeInSeconds": 200,
        "MaxPendingTimeInSeconds": 7200,
    },
    "VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]},
    "Tags": [{"Key": "Équipe", "Value": "vision"}, {"Key": "cost", "Value": ""}],
    "EnableNetworkIsolation": True,
    "EnableInterContainerTrafficEncryption": True,
    "EnableManagedSpotTraining": True,
    "CheckpointConfig": {"S3Uri": "s3://bucket/ckpt", "LocalPath": "/state"},
    "DebugHookConfig": {
        "S3OutputPath": "s3://bucket/debug",
        "LocalPath": "/tensors",
        "HookParameters": {"save_interval": "100"},
        "CollectionConfigurations": [{"CollectionName": "losses", "CollectionParameters": {"a": "b"}}],
    },
    "TensorBoardOutputConfig": {"S3OutputPath": "s3://bucket/tb", "LocalPath": "/tb"},
    "ProfilerConfig": {
        "S3OutputPath": "s3://bucket/prof",
        "ProfilingIntervalInMilliseconds": 1000,
        "ProfilingParameters": {"a": "b"},
        "DisableProfiler": True,
    },
    "Environment": {"TOKEN": "s3cret\nwith a second line"},
    "RetryStrategy": {"MaximumRetryAttempts": 3},
    "ExperimentConfig": {"ExperimentName": "e"},
    "RemoteDebugConfig": {"EnableRemoteDebug": True},
}


@pytest.mark.parametrize("given", [document(), GUIDE, EVERYTHING], ids=["smallest", "guide", "everything"])
def test_a_document_survives_the_way_through_a_request(given, model):
    before = deepcopy(given)
    request = from_aws(given, model=model)

    assert to_aws(request) == given
    assert from_aws(to_aws(request), model=model) == request
    assert given == before


def test_the_request_speaks_in_aws_words(model):
    request = from_aws(EVERYTHING, model=model)

    assert request.training_job_name == "everything"
    assert request.algorithm_specification.container_entrypoint == ("python", "train.py")
    assert request.algorithm_specification.metric_definitions[0].regex == "loss: ([0-9.]+)"
    assert request.hyper_parameters["name"] == '"quoted"'
    assert request.resource_config.total_instances == 3
    assert request.stopping_condition.max_wait_time_in_seconds == 200
    assert request.checkpoint_config.local_path == "/state"
    assert request.tags[0].key == "Équipe"
    assert request.raw["ExperimentConfig"] == {"ExperimentName": "e"}
    assert request.output_data_config.raw == {"KmsKeyId": "key"}
    train, weights, shared = request.input_data_config
    assert (train.shuffle_seed, train.data_source.attribute_names) == (-7, ("image-ref", "label"))
    assert train.data_source.distribution == "ShardedByS3Key"
    assert [request.input_mode(one) for one in request.input_data_config] == ["Pipe", "FastFile", "File"]
    assert weights.data_source.raw == {"ModelAccessConfig": {"AcceptEula": True}}
    assert shared.data_source == FileSystemDataSource(
        file_system_id="fs-01234567",
        file_system_access_mode="ro",
        file_system_type="EFS",
        directory_path="/data",
    )


def test_what_is_left_out_has_the_documented_default(model):
    request = from_aws(
        document(
            InputDataConfig=[channel()],
            CheckpointConfig={"S3Uri": "s3://b/c"},
            DebugHookConfig={"S3OutputPath": "s3://b/d"},
            TensorBoardOutputConfig={"S3OutputPath": "s3://b/t"},
            ProfilerConfig={},
        ),
        model=model,
    )

    assert request.stopping_condition == StoppingCondition(max_runtime_in_seconds=86400)
    assert request.checkpoint_config.local_path == "/opt/ml/checkpoints"
    assert request.debug_hook_config.local_path == "/opt/ml/output/tensors"
    assert request.tensor_board_output_config.local_path == "/opt/ml/output/tensorboard"
    assert request.profiler_config.profiling_interval_in_milliseconds == 500
    assert request.input_mode(request.input_data_config[0]) == "File"
    assert request.input_data_config[0].data_source.distribution == "FullyReplicated"


def test_a_changed_request_writes_what_was_changed(model):
    request = dataclasses.replace(from_aws(GUIDE, model=model), training_job_name="other")

    assert to_aws(request) == {**GUIDE, "TrainingJobName": "other"}


def test_a_request_does_not_print_what_may_be_secret(model):
    assert "s3cret" not in repr(from_aws(EVERYTHING, model=model))


def test_the_model_is_loaded_when_the_caller_has_none():
    assert from_aws(document()).training_job_name == "job-1"


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("data", "/base/data"),
        ("./data/", "/base/data"),
        ("../data", "/data"),
        ("/abs/data", "/abs/data"),
        ("file:///abs/data", "/abs/data"),
        ("file://localhost/abs/data", "/abs/data"),
        ("file://data/x", "/base/data/x"),
        ("file://./data", "/base/data"),
        ("FILE:///abs", "/abs"),
        ("file:///with%20space", "/with space"),
        ("with space/é%20", "/base/with space/é%20"),
        ("a:b", "/base/a:b"),
        ("~/data", "/home/somebody/data"),
        ("~nobody-of-this-name/data", "/base/~nobody-of-this-name/data"),
        ("not-utf-8-\udcff", "/base/not-utf-8-\udcff"),
        ("/" + "文" * 200, "/" + "文" * 200),
    ],
)
def test_a_local_path_stands_for_s3_and_means_the_same_from_everywhere(uri, path, model, monkeypatch):
    monkeypatch.setenv("HOME", "/home/somebody")
    request = from_aws(
        document(InputDataConfig=[channel(uri)], OutputDataConfig={"S3OutputPath": uri}),
        base_dir=Path("/base"),
        model=model,
    )

    assert request.input_data_config[0].data_source.local_path == Path(path)
    assert request.output_data_config.local_path == Path(path)
    assert from_aws(to_aws(request), base_dir=Path("/elsewhere"), model=model) == request


def test_a_relative_path_starts_from_the_current_folder(model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    request = from_aws(document(InputDataConfig=[channel("data")]), model=model)
    assert request.input_data_config[0].data_source.local_path == tmp_path / "data"


def test_data_in_s3_has_no_local_path(model):
    request = from_aws(document(InputDataConfig=[channel()]), model=model)

    assert request.input_data_config[0].data_source.local_path is None
    assert request.output_data_config.local_path is None


S3_FORM = "s3://BUCKET/KEY, file:///FOLDER or a path"
NOT_A_PLACE = "is no place that the emulator can read or write"


@pytest.mark.parametrize(
    "uri", ["s3:/bucket/x", "s3://", "gs://bucket/x", "http://host/x", "", "  ", "s3:b", "a\0b"]
)
def test_what_is_neither_s3_nor_a_path_is_refused(uri, model):
    with pytest.raises(RequestError) as raised:
        from_aws(document(InputDataConfig=[channel(uri)]), model=model)

    assert raised.value.what == f"InputDataConfig[0].DataSource.S3DataSource.S3Uri {NOT_A_PLACE}"
    assert raised.value.expected == S3_FORM


def test_a_location_in_s3_keeps_the_services_length(model):
    with pytest.raises(RequestError) as raised:
        from_aws(document(OutputDataConfig={"S3OutputPath": "s3://b/" + "k" * 1018}), model=model)
    assert raised.value.what == "OutputDataConfig.S3OutputPath is too long: 1025 characters"
    assert raised.value.expected == "Member must have length less than or equal to 1024"


def spot(**condition):
    return document(EnableManagedSpotTraining=True, StoppingCondition=condition)


def groups(*names, **members):
    made = [{"InstanceGroupName": one, "InstanceType": "ml.m5.large", "InstanceCount": 1} for one in names]
    return {"InstanceGroups": made, **members}


def algorithm(**members):
    return {"TrainingImage": "image", "TrainingInputMode": "File", **members}


SOURCE = "InputDataConfig[0].DataSource"
FILE_SYSTEM = EVERYTHING["InputDataConfig"][2]["DataSource"]


@pytest.mark.parametrize(
    ("given", "what", "value", "expected"),
    [
        # the service's own limits
        (
            document(TrainingJobName="my_job"),
            "TrainingJobName does not have the form that the API requires",
            "my_job",
            "Member must satisfy regular expression pattern: [a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}",
        ),
        (
            document(TrainingJobName="j" * 64),
            "TrainingJobName is too long: 64 characters",
            "j" * 64,
            "Member must have length less than or equal to 63",
        ),
        (document(RoleArn=None), "RoleArn is missing", None, "a string"),
        (
            document(HyperParameters={"epochs": 5}),
            "HyperParameters.epochs must be a string, not a number",
            "5",
            "a string",
        ),
        (
            document(HyperParameters={"a": "x" * 2501}),
            "HyperParameters.a is too long: 2501 characters",
            "x" * 80 + "... (2501 characters)",
            "Member must have length less than or equal to 2500",
        ),
        (
            document(HyperParameters={f"h{number}": "" for number in range(101)}),
            "HyperParameters has too many entries: 101",
            None,
            "Member must have length less than or equal to 100",
        ),
        (
            document(InputDataConfig=[channel(name=f"c{number}") for number in range(21)]),
            "InputDataConfig has too many items: 21",
            None,
            "Member must have length less than or equal to 20",
        ),
        (
            document(InputDataConfig=[channel(name="my channel")]),
            "InputDataConfig[0].ChannelName does not have the form that the API requires",
            "my channel",
            r"Member must satisfy regular expression pattern: [A-Za-z0-9\.\-_]+",
        ),
        (
            document(Environment={"1A": "x"}),
            "Environment key does not have the form that the API requires",
            "1A",
            "Member must satisfy regular expression pattern: [a-zA-Z_][a-zA-Z0-9_]*",
        ),
        (
            document(Environment={"A": "s" * 513}),
            "Environment.A is too long: 513 characters",
            "(513 characters, not shown)",
            "Member must have length less than or equal to 512",
        ),
        (
            document(RetryStrategy={"MaximumRetryAttempts": 31}),
            "RetryStrategy.MaximumRetryAttempts is too large",
            "31",
            "Member must have value less than or equal to 30",
        ),
        # the algorithm
        (
            document(AlgorithmSpecification=None),
            "AlgorithmSpecification is missing",
            None,
            "an object with TrainingImage",
        ),
        (
            document(AlgorithmSpecification={"TrainingInputMode": "File"}),
            "AlgorithmSpecification.TrainingImage is missing",
            None,
            "the name of an image",
        ),
        (
            document(AlgorithmSpecification=algorithm(TrainingImage="")),
            "AlgorithmSpecification.TrainingImage is missing",
            None,
            "the name of an image",
        ),
        (
            document(AlgorithmSpecification={"AlgorithmName": "mine", "TrainingInputMode": "File"}),
            "AlgorithmSpecification.AlgorithmName is not emulated: its image is known to AWS alone",
            "mine",
            "TrainingImage alone",
        ),
        (
            document(AlgorithmSpecification=algorithm(AlgorithmName="mine")),
            "AlgorithmSpecification has both TrainingImage and AlgorithmName",
            "mine",
            "TrainingImage alone",
        ),
        (
            document(AlgorithmSpecification=algorithm(MetricDefinitions=[{"Name": "m", "Regex": "(x"}])),
            "the regex of metric m cannot be read: missing ), unterminated subpattern at position 0",
            "(x",
            "a regular expression whose first group is the number, as loss: ([0-9.]+)",
        ),
        (
            document(
                ServerlessJobConfig={
                    "BaseModelArn": "arn:aws:sagemaker:us-east-1:aws:hub-content/hub/Model/m/1.0.0",
                    "JobType": "FineTuning",
                }
            ),
            "serverless training jobs are not emulated: they run no image of yours",
            None,
            "AlgorithmSpecification.TrainingImage",
        ),
        # the instances
        (
            document(ResourceConfig=None),
            "ResourceConfig is missing",
            None,
            "an object with InstanceType and InstanceCount",
        ),
        (
            document(ResourceConfig={"InstanceCount": 1}),
            "ResourceConfig.InstanceType is missing",
            None,
            "it, or InstanceGroups",
        ),
        (
            document(ResourceConfig={"InstanceType": "ml.m5.large"}),
            "ResourceConfig.InstanceCount is missing",
            None,
            "it, or InstanceGroups",
        ),
        (
            document(ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 0}),
            "ResourceConfig.InstanceCount is too small",
            "0",
            "Member must have value greater than or equal to 1",
        ),
        (
            document(ResourceConfig=groups("a", InstanceType="ml.m5.large", InstanceCount=1)),
            "ResourceConfig has both InstanceGroups and InstanceType and InstanceCount",
            None,
            "InstanceGroups alone, or InstanceType and InstanceCount",
        ),
        (
            document(ResourceConfig=groups("a", "a")),
            "ResourceConfig.InstanceGroups has two equal instance group names",
            "a",
            "each only once",
        ),
        (
            document(ResourceConfig={"InstancePreferences": [{"InstanceType": "ml.m5.large"}]}),
            "ResourceConfig.InstancePreferences is not emulated: there is no capacity to choose from",
            None,
            "InstanceType and InstanceCount",
        ),
        # time
        (
            document(StoppingCondition={"MaxRuntimeInSeconds": 2419201}),
            "StoppingCondition.MaxRuntimeInSeconds is too large",
            "2419201",
            "at most 2419200, which is 28 days",
        ),
        (
            spot(MaxRuntimeInSeconds=100),
            "StoppingCondition.MaxWaitTimeInSeconds is missing",
            None,
            "at least MaxRuntimeInSeconds, which is 100",
        ),
        (
            spot(MaxRuntimeInSeconds=100, MaxWaitTimeInSeconds=99),
            "StoppingCondition.MaxWaitTimeInSeconds is less than MaxRuntimeInSeconds",
            "99",
            "at least 100: the waiting includes the run",
        ),
        (
            document(StoppingCondition={"MaxRuntimeInSeconds": 1, "MaxWaitTimeInSeconds": 2}),
            "StoppingCondition.MaxWaitTimeInSeconds is for managed spot training only",
            "2",
            "EnableManagedSpotTraining true, or no MaxWaitTimeInSeconds",
        ),
        # the channels
        (
            document(InputDataConfig=[channel(), channel()]),
            "InputDataConfig has two equal channel names",
            "train",
            "each only once",
        ),
        (
            document(InputDataConfig=[channel(name="..")]),
            "a channel cannot be named like a folder's own entries",
            "..",
            "a name of its own: it becomes the folder /opt/ml/input/data/NAME",
        ),
        (
            document(InputDataConfig=[{"ChannelName": "train", "DataSource": {}}]),
            "channel train must have exactly one data source",
            None,
            "S3DataSource or FileSystemDataSource",
        ),
        (
            document(
                InputDataConfig=[
                    {"ChannelName": "a", "DataSource": {**channel()["DataSource"], **FILE_SYSTEM}}
                ]
            ),
            "channel a must have exactly one data source",
            "S3DataSource, FileSystemDataSource",
            "S3DataSource or FileSystemDataSource",
        ),
        (
            document(InputDataConfig=[channel(CompressionType="Gzip")]),
            "channel train: CompressionType Gzip is for Pipe mode only, not File",
            "Gzip",
            "None, or InputMode Pipe",
        ),
        (
            document(InputDataConfig=[channel(InputMode="FastFile", S3DataType="ManifestFile")]),
            "channel train: FastFile mode takes S3Prefix only, not ManifestFile",
            "ManifestFile",
            "S3Prefix, or InputMode File",
        ),
        (
            document(InputDataConfig=[channel(S3DataType="AugmentedManifestFile", AttributeNames=["a"])]),
            "channel train: S3DataType AugmentedManifestFile is for Pipe mode only, not File",
            "AugmentedManifestFile",
            "InputMode Pipe",
        ),
        (
            document(InputDataConfig=[channel(S3DataType="AugmentedManifestFile", InputMode="Pipe")]),
            "channel train: AttributeNames is missing",
            None,
            "the attributes of the augmented manifest to send, in their order",
        ),
        (
            document(InputDataConfig=[channel(AttributeNames=["a"])]),
            "channel train: AttributeNames are for AugmentedManifestFile only, not S3Prefix",
            "a list of 1 item",
            "no AttributeNames, or S3DataType AugmentedManifestFile",
        ),
        (
            document(InputDataConfig=[channel(S3DataType="Converse")]),
            "channel train: S3DataType Converse is not emulated: it belongs to serverless jobs",
            "Converse",
            "S3Prefix, ManifestFile or AugmentedManifestFile",
        ),
        (
            document(InputDataConfig=[channel(InstanceGroupNames=["b"])], ResourceConfig=groups("a")),
            "channel train: there is no instance group b",
            "b",
            "one of a",
        ),
        (
            document(InputDataConfig=[channel(InstanceGroupNames=["b"])]),
            "channel train: there is no instance group b",
            "b",
            "ResourceConfig.InstanceGroups with that group",
        ),
        (
            document(InputDataConfig=[{"ChannelName": "a", "DataSource": FILE_SYSTEM}]),
            "channel a: a file system needs VpcConfig",
            None,
            "the subnets and security groups through which it is reached",
        ),
        (
            document(
                InputDataConfig=[{"ChannelName": "a", "DataSource": FILE_SYSTEM, "InputMode": "Pipe"}],
                VpcConfig=EVERYTHING["VpcConfig"],
            ),
            "channel a: a file system is for File mode only, not Pipe",
            "Pipe",
            "File",
        ),
        (
            document(
                InputDataConfig=[
                    {
                        "ChannelName": "a",
                        "DataSource": {
                            "DatasetSource": {
                                "DatasetArn": "arn:aws:sagemaker:us-east-1:aws:hub-content/hub/DataSet/d/1.0.0"
                            }
                        },
                    }
                ]
            ),
            f"{SOURCE}.DatasetSource is not emulated: hub data sets lie in AWS alone",
            None,
            "S3DataSource or FileSystemDataSource",
        ),
        # the rest
        (
            document(CheckpointConfig={"S3Uri": "s3://b/c", "LocalPath": "state"}),
            "CheckpointConfig.LocalPath must be an absolute path inside the container",
            "state",
            "a path that begins with /",
        ),
        (
            document(Tags=[{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]),
            "Tags has two equal tag keys",
            "a",
            "each only once",
        ),
    ],
)
def test_a_wrong_document_is_refused_in_exact_words(given, what, value, expected, model):
    with pytest.raises(RequestError) as raised:
        from_aws(given, model=model)

    error = raised.value
    assert (error.what, error.value, error.expected, error.evidence) == (what, value, expected, ())
    assert error.link is not None
    assert error.link.endswith("API_CreateTrainingJob.html")


def many(make, count):
    return {f"k{number}": make for number in range(count)}


LIMITS = {
    # what is counted: a document with that much of it, the least and the most that the API takes
    "image": (lambda n: document(AlgorithmSpecification=algorithm(TrainingImage="i" * n)), 1, 255),
    "entrypoint": (lambda n: document(AlgorithmSpecification=algorithm(ContainerEntrypoint=["x"] * n)), 1, 100),
    "entrypoint word": (
        lambda n: document(AlgorithmSpecification=algorithm(ContainerEntrypoint=["x" * n])), 0, 256,
    ),
    "arguments": (lambda n: document(AlgorithmSpecification=algorithm(ContainerArguments=["x"] * n)), 1, 100),
    "argument": (
        lambda n: document(AlgorithmSpecification=algorithm(ContainerArguments=["x" * n])), 0, 256,
    ),
    "metric definitions": (
        lambda n: document(
            AlgorithmSpecification=algorithm(MetricDefinitions=[{"Name": f"m{i}", "Regex": "(x)"} for i in range(n)])
        ), 0, 40,
    ),
    "metric name": (
        lambda n: document(AlgorithmSpecification=algorithm(MetricDefinitions=[{"Name": "m" * n, "Regex": "(x)"}])),
        1, 255,
    ),
    "metric regex": (
        lambda n: document(AlgorithmSpecification=algorithm(MetricDefinitions=[{"Name": "m", "Regex": "x" * n}])),
        1, 500,
    ),
    "environment": (lambda n: document(Environment=many("v", n)), 0, 100),
    "environment key": (lambda n: document(Environment={"K" * n: "v"}), 1, 512),
    "environment value": (lambda n: document(Environment={"K": "v" * n}), 0, 512),
    "hyperparameters": (lambda n: document(HyperParameters=many("v", n)), 0, 100),
    "hyperparameter key": (lambda n: document(HyperParameters={"k" * n: "v"}), 0, 256),
    "hyperparameter value": (lambda n: document(HyperParameters={"k": "v" * n}), 0, 2500),
    "channels": (
        lambda n: document(InputDataConfig=[channel(name=f"c{number}") for number in range(n)]), 1, 20,
    ),
    "channel name": (lambda n: document(InputDataConfig=[channel(name="c" * n)]), 1, 64),
    "runtime": (lambda n: document(StoppingCondition={"MaxRuntimeInSeconds": n}), 1, 28 * 24 * 3600),
    "pending": (
        lambda n: document(StoppingCondition={"MaxPendingTimeInSeconds": n}), 1800, 28 * 24 * 3600,
    ),
    "checkpoint path": (
        lambda n: document(CheckpointConfig={"S3Uri": "s3://b/c", "LocalPath": "/" + "p" * (n - 1)}), 1, 4096,
    ),
    "instance groups": (
        lambda n: document(
            ResourceConfig=groups(*(f"g{number}" for number in range(n)))
            if n
            else {"InstanceType": "ml.m5.large", "InstanceCount": 1}
        ), 0, 5,
    ),
}  # fmt: skip


@pytest.mark.parametrize("counted", LIMITS)
def test_the_limits_of_the_api_hold_to_the_last_character(counted, model):
    make, least, most = LIMITS[counted]
    for inside in (least, most):
        assert from_aws(make(inside), model=model).training_job_name == "job-1"
    for outside in (most + 1, *((least - 1,) if least and counted != "checkpoint path" else ())):
        with pytest.raises(RequestError):
            from_aws(make(outside), model=model)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (channel(InputMode="Stream"), "Pipe, File or FastFile"),
        (channel(CompressionType="Zip"), "None or Gzip"),
        (channel(RecordWrapperType="Avro"), "None or RecordIO"),
        (channel(S3DataDistributionType="Random"), "FullyReplicated or ShardedByS3Key"),
    ],
)
def test_each_word_of_a_channel_is_one_of_the_api_s(given, words, model):
    with pytest.raises(RequestError) as raised:
        from_aws(document(InputDataConfig=[given]), model=model)
    named = set(re.findall(r"[A-Za-z0-9]+", raised.value.expected))
    assert set(words.replace(" or ", ", ").split(", ")) <= named


def test_an_image_may_be_named_by_its_digest(model):
    named = "registry:5000/a/b@sha256:" + "0" * 64
    request = from_aws(document(AlgorithmSpecification=algorithm(TrainingImage=named)), model=model)
    assert request.algorithm_specification.training_image == named


def test_there_is_no_secret_key(model):
    with pytest.raises(RequestError, match="SecretKey is not a member that the API knows"):
        from_aws(document(SecretKey="k"), model=model)


def test_a_volume_has_a_size(model):
    with pytest.raises(RequestError, match="VolumeSizeInGB is too small"):
        from_aws(
            document(
                ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": -1}
            ),
            model=model,
        )


@pytest.mark.parametrize(
    "given",
    [
        spot(MaxRuntimeInSeconds=100, MaxWaitTimeInSeconds=100),
        document(InputDataConfig=[channel(CompressionType="Gzip", InputMode="Pipe")]),
        document(
            AlgorithmSpecification=algorithm(TrainingInputMode="Pipe"),
            InputDataConfig=[channel(S3DataType="AugmentedManifestFile", AttributeNames=["a"])],
        ),
        document(InputDataConfig=[channel(InstanceGroupNames=["a"])], ResourceConfig=groups("a")),
        document(InputDataConfig=[channel(), channel(name="Train")]),
    ],
)
def test_what_lies_just_inside_the_rules_is_accepted(given, model):
    assert to_aws(from_aws(given, model=model)) == given


def test_all_that_is_wrong_is_said_at_once(model):
    with pytest.raises(RequestError) as raised:
        from_aws(
            document(TrainingJobName="a_b", HyperParameters={"a": 1}, Enviroment={"T": "s3cret"}), model=model
        )

    assert raised.value.evidence == (
        "also: HyperParameters.a must be a string, not a number (expected: a string)",
        raised.value.evidence[1],
    )
    assert raised.value.evidence[1].startswith("also: Enviroment is not a member that the API knows")
    assert "s3cret" not in "\n".join(raised.value.lines())


def local(tmp_path, name, model, **members):
    return from_aws(document(InputDataConfig=[channel(name, **members)]), base_dir=tmp_path, model=model)


def test_a_folder_a_file_and_s3_pass_the_local_check(tmp_path, model):
    (tmp_path / "data").mkdir()
    (tmp_path / "one.csv").write_text("1")

    for uri in ("data", "one.csv", "s3://bucket/x"):
        check_local(local(tmp_path, uri, model))
    check_local(from_aws(EVERYTHING, model=model))


@pytest.mark.parametrize(
    ("uri", "hint"),
    [
        ("dta", "did you mean {0}/data?"),
        ("DATA", "did you mean {0}/data?"),
        ("data/trian", "did you mean {0}/data/train?"),
        ("dat/train/x", "did you mean {0}/data?"),
        ("data/zzz/deep", "the path exists up to {0}/data"),
        ("data/zzz", None),
    ],
)
def test_a_channel_that_is_not_there_is_refused_with_the_name_that_was_meant(uri, hint, tmp_path, model):
    (tmp_path / "data" / "train").mkdir(parents=True)

    with pytest.raises(RequestError) as raised:
        check_local(local(tmp_path, uri, model))
    error = raised.value
    assert error.what == "channel train: no such file or folder"
    assert error.value == str(tmp_path / uri)
    assert error.hint == (hint and hint.format(tmp_path))


def test_a_manifest_must_be_a_file(tmp_path, model):
    (tmp_path / "data").mkdir()

    with pytest.raises(RequestError, match="channel train: ManifestFile needs a file, not a folder"):
        check_local(local(tmp_path, "data", model, S3DataType="ManifestFile"))


def test_requests_are_frozen():
    source = S3DataSource(s3_uri="s3://b/k", s3_data_type="S3Prefix")
    made = Channel(channel_name="a", data_source=source)
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.channel_name = "b"
