"""AWS's own reader, sagemaker-training, sees in our containers what the request asked for."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.engine

READ = """\
import json
from sagemaker_training import environment
seen = environment.Environment()
fields = (
    "hosts current_host current_instance_type current_instance_group current_instance_group_hosts instance_groups "
    "instance_groups_dict network_interface_name channel_input_dirs input_data_config hyperparameters "
    "additional_framework_parameters job_name model_dir output_dir output_data_dir input_dir input_config_dir "
    "user_entry_point is_hetero"
).split()
told = {name: getattr(seen, name) for name in fields} | {"variables": seen.to_env_vars()}
json.dump(told, open(f"/opt/ml/model/{seen.current_host}.json", "w"))
"""


def test_the_training_toolkit_reads_the_environment_that_was_asked_for(product, sample_image):
    data = product.folder("data", files={"a.csv": "1\n"})
    code = product.folder("code", files={"read.py": READ})
    request = {
        "TrainingJobName": "Read-By-The-Toolkit",
        "RoleArn": "arn:aws:iam::123456789012:role/training",
        "AlgorithmSpecification": {
            "TrainingImage": sample_image("toolkit_script_mode"),
            "TrainingInputMode": "File",
            "ContainerEntrypoint": ["python3"],
            "ContainerArguments": ["/opt/ml/input/data/code/read.py"],
        },
        "OutputDataConfig": {"S3OutputPath": str(product.folder("out"))},
        "ResourceConfig": {
            "VolumeSizeInGB": 1,
            "InstanceGroups": [
                {"InstanceGroupName": "head", "InstanceType": "ml.m5.large", "InstanceCount": 1},
                {"InstanceGroupName": "body", "InstanceType": "ml.c5.xlarge", "InstanceCount": 2},
            ],
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
        "HyperParameters": {
            "epochs": "3",
            "rate": "0.5",
            "name": '"quoted"',
            "bare": "words",
            "list": "[1, 2]",
            "sagemaker_program": '"train.py"',
            "sagemaker_container_log_level": "20",
        },
        "InputDataConfig": [
            channel("train", data, ContentType="text/csv"),
            channel("validation", data, InputMode="FastFile"),
            channel("head-only", data, groups=["head"]),
            channel("code", code),
        ],
    }
    file = product.folder("request", files={"job.json": json.dumps(request)}) / "job.json"
    job = product.train("--request", file, "--setting", "host-numbers=in-order")
    head, body = job.made("algo-1.json"), job.made("algo-3.json")

    assert head["hosts"] == body["hosts"] == ["algo-1", "algo-2", "algo-3"]
    assert (head["current_host"], body["current_host"]) == ("algo-1", "algo-3")
    assert (head["current_instance_type"], body["current_instance_type"]) == ("ml.m5.large", "ml.c5.xlarge")
    assert (head["current_instance_group"], body["current_instance_group"]) == ("head", "body")
    assert body["current_instance_group_hosts"] == ["algo-2", "algo-3"]
    assert sorted(head["instance_groups"]) == ["body", "head"]
    assert body["instance_groups_dict"]["head"]["hosts"] == ["algo-1"]
    assert head["is_hetero"] is True
    assert head["network_interface_name"] == "eth0"
    names = ["code", "head-only", "train", "validation"]
    assert head["channel_input_dirs"] == {name: f"/opt/ml/input/data/{name}" for name in names}
    assert sorted(body["channel_input_dirs"]) == ["code", "train", "validation"]
    assert head["input_data_config"]["train"] == {
        "ContentType": "text/csv",
        "TrainingInputMode": "File",
        "S3DistributionType": "FullyReplicated",
        "RecordWrapperType": "None",
    }
    assert head["input_data_config"]["validation"]["TrainingInputMode"] == "File"
    assert head["hyperparameters"] == {
        "epochs": 3, "rate": 0.5, "name": "quoted", "bare": "words", "list": [1, 2],
    }  # fmt: skip
    assert head["user_entry_point"] == "train.py"
    assert head["job_name"] == "Read-By-The-Toolkit"
    assert head["model_dir"] == "/opt/ml/model"
    assert head["output_data_dir"] == "/opt/ml/output/data"
    assert head["variables"]["SM_HP_EPOCHS"] == "3"
    assert head["variables"]["SM_CHANNEL_HEAD-ONLY"] == "/opt/ml/input/data/head-only"


def channel(name, folder, *, groups=(), **options):
    source = {"S3DataType": "S3Prefix", "S3Uri": str(folder), "S3DataDistributionType": "FullyReplicated"}
    if groups:
        source["InstanceGroupNames"] = list(groups)
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}, **options}
