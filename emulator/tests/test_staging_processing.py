"""/opt/ml of a processing job: its config files to the byte, its directories, and what is mounted where."""

from __future__ import annotations

import json
import os
import stat

import pytest

from sm_emulate import api
from sm_emulate.request import processing
from sm_emulate.staging.processing_config import config_files
from sm_emulate.staging.processing_tree import staged_tree

OBSERVED = (
    '{"ProcessingJobArn":"arn:aws:sagemaker:us-east-1:123456789012:processing-job/job-2020-xy",'
    '"ProcessingJobName":"Job-2020-XY",'
    '"Environment":{"A_FIRST":"1","Z_LAST":"2"},'
    '"AppSpecification":{"ImageUri":"img","ContainerEntrypoint":["/bin/bash"],'
    '"ContainerArguments":["-c","a \\u0026\\u0026 b \\u003e c \\u003c d"]},'
    '"ProcessingInputs":[{"InputName":"x","S3Input":{"LocalPath":"/opt/ml/processing/input/x",'
    '"S3Uri":"s3://bucket/key","S3DataDistributionType":"FullyReplicated","S3DataType":"S3Prefix",'
    '"S3InputMode":"File","S3CompressionType":"None","S3DownloadMode":"StartOfJob"}}],'
    '"ProcessingOutputConfig":{"Outputs":[{"OutputName":"state","S3Output":{"LocalPath":"/opt/ml/processing/state",'
    '"S3Uri":"s3://bucket/state","S3UploadMode":"Continuous"}}],"KmsKeyId":null},'
    '"ProcessingResources":{"ClusterConfig":{"InstanceCount":1,"InstanceType":"ml.m5.large","VolumeSizeInGB":30,'
    '"VolumeKmsKeyId":null}},'
    '"RoleArn":"arn:aws:iam::123456789012:role/sm-emulate","StoppingCondition":{"MaxRuntimeInSeconds":900}}'
)
"""In the form of files that were copied out of real jobs."""
REQUEST = {
    "ProcessingJobName": "Job-2020-XY",
    "Environment": {"Z_LAST": "2", "A_FIRST": "1"},
    "AppSpecification": {
        "ImageUri": "img",
        "ContainerEntrypoint": ["/bin/bash"],
        "ContainerArguments": ["-c", "a && b > c < d"],
    },
    "ProcessingInputs": [
        {
            "InputName": "x",
            "S3Input": {
                "S3Uri": "s3://bucket/key",
                "LocalPath": "/opt/ml/processing/input/x",
                "S3DataType": "S3Prefix",
            },
        }
    ],
    "ProcessingOutputConfig": {
        "Outputs": [
            {
                "OutputName": "state",
                "S3Output": {
                    "S3Uri": "s3://bucket/state",
                    "LocalPath": "/opt/ml/processing/state",
                    "S3UploadMode": "Continuous",
                },
            }
        ]
    },
    "ProcessingResources": {"ClusterConfig": {"InstanceType": "ml.m5.large", "VolumeSizeInGB": 30}},
    "RoleArn": "arn:aws:iam::123456789012:role/sm-emulate",
    "StoppingCondition": {"MaxRuntimeInSeconds": 900},
}


@pytest.fixture(autouse=True)
def _home(home):
    pass


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.csv").write_text("1")
    (folder / "deep" / "b.csv").write_text("2")
    return folder


def files_of(request, *, hosts=("algo-1",), host="algo-1", **settings):
    platform = api.platform("2025", settings=settings or None)
    return config_files(
        request,
        hosts=hosts,
        host=host,
        settings=platform.settings,
        region="us-east-1",
        account="123456789012",
    )


def tree_of(tmp_path, request, **settings):
    platform = api.platform("2025", settings=settings or None)
    return staged_tree(
        tmp_path / "opt-ml",
        request,
        host="algo-1",
        settings=platform.settings,
        region="us-east-1",
        account="123456789012",
    )


def mounts(tree):
    return {each.target: each for each in tree.placed}


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_processingjobconfig_is_what_a_real_job_found():
    files = files_of(processing.from_aws(REQUEST))
    assert files["processingjobconfig.json"].decode() == OBSERVED


def test_resourceconfig_of_one_host_has_44_bytes():
    files = files_of(processing.from_aws(REQUEST))
    assert files["resourceconfig.json"] == b'{"current_host":"algo-1","hosts":["algo-1"]}'
    assert len(files["resourceconfig.json"]) == 44


def test_hosts_are_sorted_as_text():
    hosts = [f"algo-{number}" for number in range(1, 12)]
    files = files_of(processing.from_aws(REQUEST), hosts=hosts, host="algo-10")
    found = json.loads(files["resourceconfig.json"])
    assert found["current_host"] == "algo-10"
    assert found["hosts"][:4] == ["algo-1", "algo-10", "algo-11", "algo-2"]


@pytest.mark.parametrize(
    ("settings", "unset"),
    [
        ({}, (None, None, None)),
        ({"processing-unset-members": "empty"}, ({}, [], {"Outputs": [], "KmsKeyId": None})),
    ],
)
def test_what_a_request_leaves_out_is_null(settings, unset):
    files = files_of(api.processing_request("img"), **settings)
    found = json.loads(files["processingjobconfig.json"])
    assert (found["Environment"], found["ProcessingInputs"], found["ProcessingOutputConfig"]) == unset
    assert found["AppSpecification"] == {
        "ImageUri": "img",
        "ContainerEntrypoint": None,
        "ContainerArguments": None,
    }
    assert found["StoppingCondition"] == {"MaxRuntimeInSeconds": 86400}


def test_text_outside_ascii_is_written_as_it_is():
    files = files_of(api.processing_request("img", environment={"A": "é\u2028"}))
    assert '"A":"é\\u2028"'.encode() in files["processingjobconfig.json"]


def test_the_tree_is_that_of_a_real_job(tmp_path, data):
    request = api.processing_request("img", inputs={"data": data}, outputs=["result"])
    tree = tree_of(tmp_path, request)
    tree.make()
    assert mode(tree.folder / "config") == 0o644
    (tree.folder / "config").chmod(0o755)  # for us to look into
    found = sorted(str(path.relative_to(tree.folder)) for path in tree.folder.rglob("*"))
    assert found == [
        "config",
        "config/processingjobconfig.json",
        "config/resourceconfig.json",
        "output",
        "output/data",
        "output/data/result",
        "output/metrics",
        "output/metrics/cloudwatch",
        "processing",
        "processing/output",
        "processing/output/result",
    ]
    assert mode(tree.folder / "config" / "resourceconfig.json") == 0o644
    assert mode(tree.folder / "processing" / "output" / "result") == 0o755
    assert list(mounts(tree)) == [
        "/opt/ml/config",
        "/opt/ml/output",
        "/opt/ml/processing/output/result",
        "/opt/ml/processing/input/data",
    ]
    assert mounts(tree)["/opt/ml/processing/input/data"].source == data


def test_the_mode_of_the_config_directory_can_be_set(tmp_path):
    tree = tree_of(tmp_path, api.processing_request("img"), **{"config-directory-mode": "0755"})
    tree.make()
    assert mode(tree.folder / "config") == 0o755


def test_a_file_lies_in_the_local_path_under_its_own_name(tmp_path, data):
    tree = tree_of(tmp_path, api.processing_request("img", inputs={"code": data / "a.csv"}))
    tree.make()
    placed = mounts(tree)["/opt/ml/processing/input/code/a.csv"]
    assert (placed.source, placed.read_only) == (data / "a.csv", True)
    assert "/opt/ml/processing/input/code" in mounts(tree)
    (tree.folder / "config").chmod(0o755)


def test_inputs_may_be_written_to_where_the_setting_says_so(tmp_path, data):
    request = api.processing_request("img", inputs={"data": data})
    assert mounts(tree_of(tmp_path, request))["/opt/ml/processing/input/data"].read_only
    tree = tree_of(tmp_path, request, **{"channel-access": "read-write"})
    assert not mounts(tree)["/opt/ml/processing/input/data"].read_only


def test_an_input_inside_another_one_leaves_the_caller_s_folder_alone(tmp_path, data):
    # as a real job had it: input/code, and input/code/dep beside what code brought
    dependency = tmp_path / "dep"
    dependency.mkdir()
    request = api.processing_request(
        "img",
        inputs={
            "code": api.processing_input(data, to="/opt/ml/processing/input/code"),
            "dep": api.processing_input(dependency, to="/opt/ml/processing/input/code/deep/dep"),
        },
        outputs={"out": api.processing_output(**{"from": "/opt/ml/processing/input/code/out"})},
    )
    tree = tree_of(tmp_path, request)
    tree.make()
    found = {target: each.source for target, each in mounts(tree).items() if "/code" in target}
    assert found == {
        "/opt/ml/processing/input/code": tree.folder / "processing/input/code",
        "/opt/ml/processing/input/code/a.csv": data / "a.csv",
        "/opt/ml/processing/input/code/deep/b.csv": data / "deep" / "b.csv",
        "/opt/ml/processing/input/code/deep/dep": dependency,
        "/opt/ml/processing/input/code/out": tree.folder / "processing/input/code/out",
    }
    assert sorted(os.listdir(data)) == ["a.csv", "deep"]
    assert os.listdir(data / "deep") == ["b.csv"]
    assert (tree.folder / "processing/input/code/deep/dep").is_dir()
    (tree.folder / "config").chmod(0o755)
