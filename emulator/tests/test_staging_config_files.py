"""The files of /opt/ml/input/config, byte for byte as they were copied out of real jobs."""

from __future__ import annotations

import json

import pytest

from sm_emulate import api
from sm_emulate.spec.profiles import PROFILES, profile_named
from sm_emulate.staging.cluster import cluster_of
from sm_emulate.staging.config_files import config_files

ROLE = "arn:aws:iam::123456789012:role/r"


@pytest.fixture(autouse=True)
def _home(home):
    pass


def document(**members):
    return {
        "TrainingJobName": "Job-1",
        "RoleArn": ROLE,
        "AlgorithmSpecification": {"TrainingImage": "img:1", "TrainingInputMode": "File"},
        "OutputDataConfig": {"S3OutputPath": "s3://b/out"},
        "ResourceConfig": {"InstanceType": "ml.g4dn.12xlarge", "InstanceCount": 1, "VolumeSizeInGB": 30},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        **members,
    }


def written(request, profile="2025", host="algo-1", **settings):
    platform = api.platform(
        profile, settings={name.replace("_", "-"): text for name, text in settings.items()}
    )
    cluster = cluster_of(request.resource_config)
    return config_files(
        request,
        cluster=cluster,
        host=cluster.host(host),
        profile=platform.profile,
        settings=platform.settings,
        region="us-east-1",
        account="123456789012",
    )


def files(profile="2025", host="algo-1", settings=None, **members):
    request = api.training_request_from_aws(document(**members))
    return written(request, profile, host, **(settings or {}))


def source(uri, **more):
    return {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri, **more}}


def test_hyperparameters_are_strings_in_the_order_given():
    given = {"arg2": '"hello"', "sagemaker_container_log_level": "20", "arg1": "5"}
    assert files(HyperParameters=given)["hyperparameters.json"] == (
        rb'{"arg2":"\"hello\"","sagemaker_container_log_level":"20","arg1":"5"}'
    )


def test_without_hyperparameters_channels_and_metrics_the_files_are_there_and_empty():
    got = files()
    assert got["hyperparameters.json"] == b"{}"
    assert got["inputdataconfig.json"] == b"{}"
    assert got["metric-definition-regex.json"] == b"[]"


def test_a_channel_in_inputdataconfig_has_the_size_of_2022():
    got = files(InputDataConfig=[{"ChannelName": "training", "DataSource": source("s3://b/in")}])
    assert got["inputdataconfig.json"] == (
        b'{"training":{"TrainingInputMode":"File","S3DistributionType":"FullyReplicated","RecordWrapperType":"None"}}'
    )
    assert len(got["inputdataconfig.json"]) == 107


def test_a_sharded_channel_says_so_under_the_platform_s_own_key():
    sharded = source("s3://b/in", S3DataDistributionType="ShardedByS3Key")
    assert files(InputDataConfig=[{"ChannelName": "data", "DataSource": sharded}])[
        "inputdataconfig.json"
    ] == (
        b'{"data":{"TrainingInputMode":"File","S3DistributionType":"ShardedByS3Key","RecordWrapperType":"None"}}'
    )


def test_content_type_comes_first_and_fast_file_is_written_as_file():
    channel = {
        "ChannelName": "train",
        "DataSource": source("s3://b/in/"),
        "ContentType": "text/csv",
        "InputMode": "FastFile",
        "RecordWrapperType": "RecordIO",
    }
    assert files(InputDataConfig=[channel])["inputdataconfig.json"] == (
        b'{"train":{"ContentType":"text/csv","TrainingInputMode":"File","S3DistributionType":"FullyReplicated",'
        b'"RecordWrapperType":"RecordIO"}}'
    )


def test_a_pipe_channel_and_a_file_system_channel():
    channels = [
        {"ChannelName": "p", "DataSource": source("s3://b/in"), "InputMode": "Pipe"},
        {
            "ChannelName": "efs",
            "DataSource": {
                "FileSystemDataSource": {
                    "FileSystemId": "fs-0123456789abcdef0",
                    "FileSystemAccessMode": "ro",
                    "FileSystemType": "EFS",
                    "DirectoryPath": "/data",
                }
            },
        },
    ]
    vpc = {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
    got = json.loads(files(InputDataConfig=channels, VpcConfig=vpc)["inputdataconfig.json"])
    assert got["p"]["TrainingInputMode"] == "Pipe"
    assert got["efs"] == {
        "TrainingInputMode": "File",
        "S3DistributionType": "FullyReplicated",
        "RecordWrapperType": "None",
    }


RESOURCES_2022 = (
    b'{"current_host":"algo-1","current_instance_type":"ml.g4dn.12xlarge","current_group_name":"homogeneousCluster",'
    b'"hosts":["algo-1"],"instance_groups":[{"instance_group_name":"homogeneousCluster",'
    b'"instance_type":"ml.g4dn.12xlarge","hosts":["algo-1"]}],"network_interface_name":"eth0"}'
)


def test_resourceconfig_of_2022():
    assert files("2022")["resourceconfig.json"] == RESOURCES_2022


def test_resourceconfig_of_2025_ends_in_a_null_topology():
    assert files("2025")["resourceconfig.json"] == RESOURCES_2022[:-1] + b',"topology":null}'


def test_resourceconfig_of_2020_has_three_keys_and_blanks_and_91_bytes():
    two = {"InstanceType": "ml.m5.large", "InstanceCount": 2, "VolumeSizeInGB": 30}
    got = files("2020", ResourceConfig=two)["resourceconfig.json"]
    assert (
        got == b'{"current_host": "algo-1", "hosts": ["algo-1", "algo-2"], "network_interface_name": "eth0"}'
    )
    assert len(got) == 91


def test_each_host_of_many_is_told_its_own_name_and_all_names_as_sorted_text():
    ten = {"InstanceType": "ml.m5.large", "InstanceCount": 10, "VolumeSizeInGB": 30}
    got = json.loads(files(host="algo-10", ResourceConfig=ten)["resourceconfig.json"])
    assert got["current_host"] == "algo-10"
    assert got["hosts"][:3] == ["algo-1", "algo-10", "algo-2"]


GROUPS = {
    "InstanceGroups": [
        {"InstanceGroupName": "cpu", "InstanceType": "ml.c5.xlarge", "InstanceCount": 2},
        {"InstanceGroupName": "gpu", "InstanceType": "ml.g5.xlarge", "InstanceCount": 1},
    ],
    "VolumeSizeInGB": 30,
}


def test_instance_groups_are_told_to_every_host():
    got = json.loads(files(host="algo-3", ResourceConfig=GROUPS)["resourceconfig.json"])
    assert (got["current_instance_type"], got["current_group_name"]) == ("ml.g5.xlarge", "gpu")
    assert got["instance_groups"] == [
        {"instance_group_name": "cpu", "instance_type": "ml.c5.xlarge", "hosts": ["algo-1", "algo-2"]},
        {"instance_group_name": "gpu", "instance_type": "ml.g5.xlarge", "hosts": ["algo-3"]},
    ]


def test_a_channel_for_one_group_is_hidden_from_the_others():
    only_gpu = source("s3://b/in", InstanceGroupNames=["gpu"])
    channels = [{"ChannelName": "x", "DataSource": only_gpu}]
    told = {
        host: files(host=host, ResourceConfig=GROUPS, InputDataConfig=channels)
        for host in ("algo-1", "algo-3")
    }
    assert told["algo-1"]["inputdataconfig.json"] == b"{}"
    assert list(json.loads(told["algo-3"]["inputdataconfig.json"])) == ["x"]
    assert json.loads(told["algo-1"]["init-config.json"])["channels"] == {}


def test_init_config_is_the_agent_s_own():
    got = files(
        InputDataConfig=[
            {
                "ChannelName": "data",
                "DataSource": source("s3://b/in", S3DataDistributionType="ShardedByS3Key"),
            }
        ],
        CheckpointConfig={"S3Uri": "s3://b/state", "LocalPath": "/opt/ml/checkpoints"},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 2, "VolumeSizeInGB": 30},
    )["init-config.json"]
    assert got == (
        b'{"inputMode":"FILE","channels":{"data":{"s3DataSource":{"s3DataType":"S3_PREFIX","s3Uri":"s3://b/in",'
        b'"s3DataDistributionType":"SHARDED_BY_S3_KEY","attributeNames":null},"fileSystemDataSource":null,'
        b'"compressionType":"NONE","recordWrapper":"NONE","shuffleConfig":null,"inputMode":"FILE","sharded":true}},'
        b'"checkpointChannel":{"name":"checkpoints","channel":{"s3DataSource":{"s3DataType":"S3_PREFIX",'
        b'"s3Uri":"s3://b/state","s3DataDistributionType":null,"attributeNames":null},"fileSystemDataSource":null,'
        b'"compressionType":null,"recordWrapper":null,"shuffleConfig":null,"inputMode":"FILE","sharded":false},'
        b'"outputPath":"/opt/ml/checkpoints","allowEmpty":true},"hostConfig":{"clusterSize":2,"hostNumber":1},'
        b'"enableAdditionalPlatformLoggingForCustomer":false,"jobRunInfo":{"jobRunNumber":1}}'
    )


def test_checkpointconfig_holds_the_local_path_alone():
    got = files(CheckpointConfig={"S3Uri": "s3://b/state", "LocalPath": "/state"})
    assert got["checkpointconfig.json"] == b'{"LocalPath":"/state"}'


def test_tensorboardoutputconfig():
    board = {"S3OutputPath": "s3://b/tensorboard-output", "LocalPath": "/opt/ml/output/tensorboard/"}
    assert files(TensorBoardOutputConfig=board)["tensorboardoutputconfig.json"] == (
        b'{"S3OutputPath":"s3://b/tensorboard-output","LocalPath":"/opt/ml/output/tensorboard/"}'
    )


def test_debughookconfig():
    hook = {
        "S3OutputPath": "s3://b/hook",
        "HookParameters": {"save_interval": "100"},
        "CollectionConfigurations": [
            {"CollectionName": "losses", "CollectionParameters": {"train.save_interval": "10"}}
        ],
    }
    assert files(DebugHookConfig=hook)["debughookconfig.json"] == (
        b'{"S3OutputPath":"s3://b/hook","LocalPath":"/opt/ml/output/tensors","HookParameters":{"save_interval":"100"},'
        b'"CollectionConfigurations":[{"CollectionName":"losses","CollectionParameters":{"train.save_interval":"10"}}]}'
    )


PROFILER = {
    "S3OutputPath": "s3://b/profile",
    "ProfilingIntervalInMilliseconds": 1000,
    "ProfilingParameters": {"DataloaderProfilingConfig": '{"StartStep":5}'},
}


@pytest.mark.parametrize(
    ("choice", "content"),
    [
        (
            "parameters",
            (
                b'{"ProfilingParameters":{"ProfilerEnabled":true,"LocalPath":"/opt/ml/output/profiler",'
                b'"DataloaderProfilingConfig":"{\\"StartStep\\":5}"}}'
            ),
        ),
        (
            "request",
            (
                b'{"S3OutputPath":"s3://b/profile","ProfilingIntervalInMilliseconds":1000,'
                b'"ProfilingParameters":{"DataloaderProfilingConfig":"{\\"StartStep\\":5}"}}'
            ),
        ),
    ],
)
def test_profilerconfig(choice, content):
    got = files(settings={"profilerconfig": choice}, ProfilerConfig=PROFILER)
    assert got["profilerconfig.json"] == content


OPTIONAL = {
    "checkpointconfig.json",
    "tensorboardoutputconfig.json",
    "debughookconfig.json",
    "profilerconfig.json",
}


@pytest.mark.parametrize("profile", [each.name for each in PROFILES])
def test_files_of_what_was_not_asked_for_are_absent(profile):
    got = files(profile)
    always = {f"{name}.json" for name in profile_named(profile).config_files}
    of_2020 = {"trainingjobconfig.json", "upstreamoutputdataconfig.json"} if profile == "2020" else set()
    assert set(got) == always | of_2020
    assert not OPTIONAL & set(got)


@pytest.mark.parametrize("profile", [each.name for each in PROFILES])
def test_every_file_is_one_line_without_a_newline(profile):
    assert [name for name, content in files(profile).items() if b"\n" in content or not content] == []


def test_trainingjobconfig_has_the_request_in_the_order_of_2020():
    got = files(
        "2020",
        HyperParameters={"a": "1"},
        InputDataConfig=[{"ChannelName": "data", "DataSource": source("s3://b/in")}],
        CheckpointConfig={"S3Uri": "s3://b/state", "LocalPath": "/state"},
        DebugHookConfig={"S3OutputPath": "s3://b/hook"},
        Tags=[{"Key": "k", "Value": "v"}],
    )
    config = json.loads(got["trainingjobconfig.json"])
    assert list(config) == [
        "EnableInterContainerTrafficEncryption",
        "EnableNetworkIsolation",
        "EnableManagedSpotTraining",
        "HyperParameters",
        "InputDataConfig",
        "OutputDataConfig",
        "ResourceConfig",
        "RoleArn",
        "Tags",
        "BaseTags",
        "TrainingJobName",
        "StoppingCondition",
        "AlgorithmSpecification",
        "TrainingJobArn",
        "DebugHookConfig",
        "CheckpointConfig",
    ]
    assert config["TrainingJobName"] == "Job-1"
    assert config["TrainingJobArn"].endswith(":training-job/job-1")
    assert config["OutputDataConfig"] == {"KmsKeyId": "", "S3OutputPath": "s3://b/out"}
    assert config["ResourceConfig"] == {
        "InstanceCount": 1,
        "InstanceType": "ml.g4dn.12xlarge",
        "VolumeSizeInGB": 30,
    }
    channel = config["InputDataConfig"][0]
    assert channel["DataSource"]["S3DataSource"]["S3DataType"] == "S3_PREFIX"
    assert (channel["CompressionType"], channel["RecordWrapperType"]) == ("NONE", "NONE")
    assert got["upstreamoutputdataconfig.json"] == b"[]"


@pytest.mark.parametrize(
    ("profile", "setting", "value", "file", "there"),
    [
        ("2025", "trainingjobconfig", "written", "trainingjobconfig.json", True),
        ("2020", "trainingjobconfig", "absent", "trainingjobconfig.json", False),
        ("2022", "upstreamoutputdataconfig", "written", "upstreamoutputdataconfig.json", True),
        ("2020", "upstreamoutputdataconfig", "absent", "upstreamoutputdataconfig.json", False),
    ],
)
def test_a_setting_stands_over_the_profile(profile, setting, value, file, there):
    assert (file in files(profile, settings={setting: value})) is there


def test_topology_follows_its_setting():
    assert files("2025", settings={"resource-topology": "absent"})["resourceconfig.json"] == RESOURCES_2022
    assert files("2022", settings={"resource-topology": "null"})["resourceconfig.json"].endswith(
        b',"topology":null}'
    )


def test_the_network_interface_follows_its_setting():
    got = files(settings={"network-interface-name": "eth1"})["resourceconfig.json"]
    assert json.loads(got)["network_interface_name"] == "eth1"


def test_metric_definitions_are_written_as_given_or_not_at_all():
    metrics = [{"Name": "loss", "Regex": "loss=([0-9.]+)"}]
    algorithm = {"TrainingImage": "img:1", "TrainingInputMode": "File", "MetricDefinitions": metrics}
    assert files(AlgorithmSpecification=algorithm)["metric-definition-regex.json"] == (
        b'[{"Name":"loss","Regex":"loss=([0-9.]+)"}]'
    )
    empty = files(AlgorithmSpecification=algorithm, settings={"metric-definitions-file": "empty"})
    assert empty["metric-definition-regex.json"] == b"[]"
