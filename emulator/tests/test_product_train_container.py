"""What a training container finds: its files to the byte, its environment, its command, its place."""

from __future__ import annotations

import json
import os
import re

import pytest
from product import WITNESS

from sm_emulate.engine.inside import may_enter

pytestmark = pytest.mark.engine

RESOURCES_2025 = (
    '{"current_host":"algo-1","current_instance_type":"ml.g4dn.12xlarge",'
    '"current_group_name":"homogeneousCluster","hosts":["algo-1"],"instance_groups":'
    '[{"instance_group_name":"homogeneousCluster","instance_type":"ml.g4dn.12xlarge","hosts":["algo-1"]}],'
    '"network_interface_name":"eth0","topology":null}'
)
RESOURCES = {
    "2025": RESOURCES_2025,
    "2022": RESOURCES_2025.replace(',"topology":null', ""),
    "2020": '{"current_host": "algo-1", "hosts": ["algo-1"], "network_interface_name": "eth0"}',
}
FILES = {
    year: {f"config/{name}.json" for name in names.split()}
    for year, names in {
        "2025": "hyperparameters init-config inputdataconfig metric-definition-regex resourceconfig",
        "2022": "hyperparameters init-config inputdataconfig metric-definition-regex resourceconfig",
        "2020": "hyperparameters init-config inputdataconfig metric-definition-regex resourceconfig "
        "trainingjobconfig upstreamoutputdataconfig",
    }.items()
}
ME = f"{os.getuid()}:{os.getgid()}"


@pytest.fixture
def witness(images):
    return images.make(train=WITNESS)


@pytest.fixture(scope="module")
def ordinary(images, new_product):
    """One job for all tests that only look at what it saw."""
    product = new_product("ordinary")
    data = product.folder("data", files={"sub/a.csv": "a"})
    return product.train(
        images.make(train=WITNESS), "--job-name", "Mixed-Case", "--channel", f"train={data}",
        "--environment", "EXTRA=a b=c", "--region", "eu-west-1",
    )  # fmt: skip


def seen(job, program="train"):
    return job.made(f"{program}.json")


@pytest.mark.parametrize("year", ["2025", "2022", "2020"])
def test_config_files_are_those_of_the_year_to_the_byte(product, witness, year):
    # training.md, section 2: hyperparameters, inputdataconfig and resourceconfig as copied out of real jobs
    data = product.folder("data", files={"train.csv": "1,2\n"})
    job = product.train(
        witness, "--platform-profile", year, "--instance-type", "ml.g4dn.12xlarge", "--gpus", "none",
        "--channel", f"training={data}", "--hyperparameter", "num_round=128", "--hyperparameter", "eta=0.001",
    )  # fmt: skip
    files = {name: text for name, text in seen(job)["input"].items() if name.startswith("config/")}
    assert set(files) == FILES[year]
    assert files["config/hyperparameters.json"] == '{"num_round":"128","eta":"0.001"}'
    assert files["config/inputdataconfig.json"] == (
        '{"training":{"TrainingInputMode":"File","S3DistributionType":"FullyReplicated","RecordWrapperType":"None"}}'
    )
    assert files["config/resourceconfig.json"] == RESOURCES[year]
    assert files["config/metric-definition-regex.json"] == "[]"
    if year == "2022":  # LS22: the sizes in the listing of that year
        assert len(files["config/resourceconfig.json"]) == 280
        assert len(files["config/inputdataconfig.json"]) == 107


def test_hyperparameters_of_the_notes_arrive_with_their_quotes_and_order(product, witness):
    # SSM: what a framework estimator of the SDK sends, JSON inside strings
    text = (
        r'{"arg2":"\"hello\"","sagemaker_container_log_level":"20","sagemaker_program":"\"algo.py\"","arg1":"5",'
        r'"sagemaker_region":"\"us-east-1\"","sagemaker_job_name":"\"job-1\"",'
        r'"sagemaker_submit_directory":"\"s3://b/k/sourcedir.tar.gz\""}'
    )
    (product.tmp / "hyperparameters.json").write_text(text)
    job = product.train(witness, "--hyperparameters", "hyperparameters.json")
    assert seen(job)["input"]["config/hyperparameters.json"] == text


def test_a_file_of_hyperparameters_becomes_strings_and_a_flag_goes_over_it(product, witness):
    (product.tmp / "hp.json").write_text(
        '{"epochs": 3, "rate": 0.1, "deep": true, "name": "x", "sizes": [1, 2]}'
    )
    job = product.train(
        witness, "--hyperparameters", "hp.json", "--hyperparameter", "rate=0.5", "--hyperparameter", "new=a=b"
    )
    assert json.loads(seen(job)["input"]["config/hyperparameters.json"]) == {
        "epochs": "3",
        "rate": "0.5",
        "deep": "true",
        "name": "x",
        "sizes": "[1, 2]",
        "new": "a=b",
    }


def test_without_anything_the_files_are_empty_objects(product, witness):
    found = seen(product.train(witness))["input"]
    assert found["config/hyperparameters.json"] == "{}"
    assert found["config/inputdataconfig.json"] == "{}"
    assert found["config/resourceconfig.json"] == RESOURCES["2025"].replace("g4dn.12xlarge", "m5.large")


def test_init_config_has_the_agents_form(product, witness):
    data = product.folder("data", files={"a": "a"})
    job = product.train(witness, "--channel", f"data={data}")
    assert seen(job)["input"]["config/init-config.json"] == (
        '{"inputMode":"FILE","channels":{"data":{"s3DataSource":{"s3DataType":"S3_PREFIX",'
        f'"s3Uri":"file://{data}",'
        '"s3DataDistributionType":"FULLY_REPLICATED","attributeNames":null},"fileSystemDataSource":null,'
        '"compressionType":"NONE","recordWrapper":"NONE","shuffleConfig":null,"inputMode":"FILE","sharded":false}},'
        '"checkpointChannel":null,"hostConfig":{"clusterSize":1,"hostNumber":1},'
        '"enableAdditionalPlatformLoggingForCustomer":false,"jobRunInfo":{"jobRunNumber":1}}'
    )


def test_trainingjobconfig_of_2020_says_the_request_again(product, witness):
    job = product.train(
        witness, "--platform-profile", "2020", "--job-name", "My-Job", "--hyperparameter", "a=1"
    )
    found = json.loads(seen(job)["input"]["config/trainingjobconfig.json"])
    assert list(found) == [
        "EnableInterContainerTrafficEncryption", "EnableNetworkIsolation", "EnableManagedSpotTraining",
        "HyperParameters", "InputDataConfig", "OutputDataConfig", "ResourceConfig", "RoleArn", "Tags", "BaseTags",
        "TrainingJobName", "StoppingCondition", "AlgorithmSpecification", "TrainingJobArn",
    ]  # fmt: skip
    assert found["HyperParameters"] == {"a": "1"}
    assert found["TrainingJobArn"].endswith(":training-job/my-job")
    assert found["TrainingJobName"] == "My-Job"
    assert seen(job)["input"]["config/upstreamoutputdataconfig.json"] == "[]"


def test_directories_exist_before_the_program_with_the_platforms_modes(ordinary):
    directory, file = f"drwxr-xr-x {ME}", f"-rw-r--r-- {ME}"
    assert seen(ordinary)["tree"] == {
        "/opt/ml/input": directory,
        "/opt/ml/input/config": f"drw-r--r-- {ME}",
        **{f"/opt/ml/input/{name}": file for name in FILES["2025"]},
        "/opt/ml/input/data": directory,
        "/opt/ml/input/data/train": directory,
        "/opt/ml/input/data/train/sub": directory,
        "/opt/ml/input/data/train/sub/a.csv": file,
        "/opt/ml/input/data/train-manifest": file,
        "/opt/ml/model": directory,
        "/opt/ml/output": directory,
        "/opt/ml/output/data": directory,
        "/opt/ml/output/metrics": directory,
        "/opt/ml/output/metrics/sagemaker": directory,
        "/opt/ml/output/profiler": directory,
    }


def test_a_users_umask_does_not_reach_the_container(product, witness):
    product.prefix = ("sh", "-c", 'umask 077; exec "$@"', "sh")
    data = product.folder("data", files={"a": "1"})
    tree = seen(product.train(witness, "--channel", f"train={data}"))["tree"]
    assert {path: mode for path, mode in tree.items() if "rwx" in mode and "rwxr-xr-x" not in mode} == {}
    assert {
        path: mode for path, mode in tree.items() if mode.startswith("-") and "-rw-r--r--" not in mode
    } == {}


def test_a_user_who_is_not_root_cannot_read_the_config_of_2022_but_that_of_2020(product, images):
    reader = images.train("exec cat /opt/ml/input/config/hyperparameters.json", "USER 12345:12345")
    job = product.train(reader, "--platform-profile", "2022", code=1)
    assert "Permission denied" in job.err
    assert product.train(reader, "--platform-profile", "2020").log() == "{}\n"


def test_the_environment_is_the_platforms_and_nothing_else(ordinary, images, witness):
    found = dict(seen(ordinary)["environment"])
    assert re.fullmatch(r"ip-10-0-\d+-\d+\.eu-west-1\.compute\.internal", found.pop("HOSTNAME"))
    if may_enter():
        path = found.pop("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
        assert re.fullmatch(r"/v2/credentials/[0-9a-f-]{36}", path)
    assert found == images.variables(witness) | {
        "HOME": "/root",
        "TRAINING_JOB_NAME": "Mixed-Case",
        "TRAINING_JOB_ARN": "arn:aws:sagemaker:eu-west-1:123456789012:training-job/mixed-case",
        "AWS_REGION": "eu-west-1",
        "DMLC_INTERFACE": "eth0",
        "NVIDIA_VISIBLE_DEVICES": "void",
        "EXTRA": "a b=c",
    }


def test_the_platform_of_2020_had_ecs_addresses_and_an_open_config_directory(product, witness):
    job = product.train(witness, "--platform-profile", "2020", "--setting", "container-hostname=aws")
    found = seen(job)["environment"]
    assert found["AWS_EXECUTION_ENV"] == "AWS_ECS_EC2"
    assert re.fullmatch(r"http://169\.254\.170\.2/v3/[0-9a-f-]{36}", found["ECS_CONTAINER_METADATA_URI"])
    assert re.fullmatch(r"http://169\.254\.170\.2/v4/[0-9a-f-]{36}", found["ECS_CONTAINER_METADATA_URI_V4"])
    assert seen(job)["tree"]["/opt/ml/input/config"] == f"drwxr-xr-x {ME}"
    assert seen(job)["hostname"] == "aws"


def test_the_hostname_is_ec2s_and_never_algo_1(ordinary, product, witness):
    assert seen(ordinary)["hostname"] == seen(ordinary)["environment"]["HOSTNAME"]
    assert re.fullmatch(r"ip-10-0-\d+-\d+\.ec2\.internal", seen(product.train(witness))["hostname"])


def test_the_program_is_pid_1_without_a_terminal(ordinary):
    assert seen(ordinary)["pid"] == 1
    assert seen(ordinary)["terminals"] == []
    assert seen(ordinary)["user"] == "0:0"
    assert seen(ordinary)["directory"] == "/"


IMAGE_ENTRYPOINT = 'ENTRYPOINT ["main", "from-image"]'


@pytest.mark.parametrize(
    ("entrypoint", "flags", "program", "argv"),
    [
        # training.md, section 1: the four cases
        (None, [], "train", []),
        (IMAGE_ENTRYPOINT, [], "main", ["from-image", "train"]),
        (IMAGE_ENTRYPOINT, ["--entrypoint", "other", "--entrypoint", "x y"], "other", ["x y"]),
        (IMAGE_ENTRYPOINT, ["--argument", "a", "--argument=--b=c"], "main", ["from-image", "a", "--b=c"]),
        (IMAGE_ENTRYPOINT, ["--entrypoint", "other", "--argument", "a"], "other", ["a"]),
    ],
    ids=["neither", "image-entrypoint", "entrypoint", "arguments", "both"],
)
def test_train_is_appended_as_the_four_cases_say(product, images, entrypoint, flags, program, argv):
    lines = ['CMD ["never", "seen"]'] + ([entrypoint] if entrypoint else [])
    image = images.make(*lines, train=WITNESS, main=WITNESS, other=WITNESS)
    job = product.train(image, *flags)
    assert list(job.model) == [f"{program}.json"]
    assert seen(job, program)["argv"][0].endswith(f"/{program}")
    assert seen(job, program)["argv"][1:] == argv


def test_a_start_script_may_lie_in_a_channel(product, images):
    code = product.folder("code", files={"start.sh": "echo started from a channel with $1\n"})
    job = product.train(
        images.base, "--channel", f"code={code}", "--entrypoint", "/bin/sh",
        "--argument", "/opt/ml/input/data/code/start.sh", "--argument", "7",
    )  # fmt: skip
    assert job.log() == "started from a channel with 7\n"


INIT = """\
#!/usr/bin/env python3
import os, sys
words = sys.argv[2:] if sys.argv[1] == "--" else sys.argv[1:]
try:
    os.execvp(words[0], words)
except OSError as error:
    sys.exit(f"exec {words[0]} failed: {error.strerror}")
"""
"""Stands in for tini, which the base image need not have."""


def test_an_init_program_as_entrypoint_gets_the_word_train_and_needs_such_a_program(product, images):
    entrypoint = 'ENTRYPOINT ["init", "--"]'
    with_train = images.make(entrypoint, init=INIT, train="#!/bin/sh\necho trained\n")
    assert product.train(with_train).log() == "trained\n"
    job = product.train(images.make(entrypoint, init=INIT), code=1)
    assert job.log() == "exec train failed: No such file or directory\n"
    assert job.reason == "AlgorithmError: , exit code: 1"


def test_a_container_has_no_more_rights_and_limits_than_docker_run_gives_and_no_other_program(
    product, images, docker
):
    look = """
        grep -E '^(Cap|Seccomp:|NoNewPrivs)' /proc/self/status
        cat /proc/self/limits
        cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null
        ls /dev/fuse 2>&1
        for process in /proc/[0-9]*; do read -r name < $process/comm; echo "runs $name"; done
    """
    image = images.train(look)
    found = product.train(image).log()
    assert found == docker("run", "--rm", image, "train").stdout
    assert "No such file" in found
    assert "CapEff" in found
    assert [line for line in found.splitlines() if line.startswith("runs ")] == ["runs train"]


def test_user_and_working_directory_of_the_image_hold(product, images):
    # an engine reads stdout and stderr as it likes: only within one of them is the order that of the program
    program = "exec 2>&1; id -u; id -g; pwd; touch /opt/ml/model/x"
    image = images.train(program, "WORKDIR /srv/work", "USER 12345:23456")
    job = product.train(image, code=1)
    assert job.log().splitlines()[:3] == ["12345", "23456", "/srv/work"]
    assert "Permission denied" in job.log(), "/opt/ml/model is root's, as on the platform"


def test_root_is_the_directory_where_the_setting_says_so(product, images):
    image = images.train("pwd", "WORKDIR /srv/work")
    assert product.train(image, "--setting", "working-directory=root").log() == "/\n"


def test_code_in_the_image_survives_while_model_and_output_are_hidden(product, images):
    image = images.train(
        "find /opt/ml/code /opt/ml/model /opt/ml/output /opt/ml/input -type f -name baked",
        files={f"/opt/ml/{name}/baked": "baked" for name in ("code", "model", "output", "input")},
    )
    assert product.train(image).log() == "/opt/ml/code/baked\n"


def test_channels_are_mounted_read_only_by_default_and_written_when_the_setting_says_so(product, images):
    writer = images.train("cat /opt/ml/input/data/train/a.csv; echo more >> /opt/ml/input/data/train/a.csv")
    data = product.folder("data", files={"a.csv": "1\n"})
    job = product.train(writer, "--channel", f"train={data}", code=1)
    assert "Read-only file system" in job.log()
    assert (data / "a.csv").read_text() == "1\n"
    product.train(writer, "--channel", f"train={data}", "--setting", "channel-access=read-write")
    assert (data / "a.csv").read_text() == "1\nmore\n"
    job = product.train(
        writer, "--channel", f"train={data},mode=FastFile", "--setting", "channel-access=read-write", code=1
    )
    assert "Read-only file system" in job.log(), "FastFile is read-only whatever is set"


def test_fastfile_is_written_as_file_and_the_content_type_is_passed_on(product, witness):
    data = product.folder("data", files={"a.csv": "1\n"})
    job = product.train(
        witness, "--channel", f"train={data},mode=FastFile,content-type=text/csv", "--channel", f"test={data}"
    )
    assert seen(job)["input"]["config/inputdataconfig.json"] == (
        '{"train":{"ContentType":"text/csv","TrainingInputMode":"File","S3DistributionType":"FullyReplicated",'
        '"RecordWrapperType":"None"},"test":{"TrainingInputMode":"File","S3DistributionType":"FullyReplicated",'
        '"RecordWrapperType":"None"}}'
    )
    assert seen(job)["input"]["data/train/a.csv"] == seen(job)["input"]["data/test/a.csv"] == "1\n"


def test_channels_take_folders_files_and_file_uris_and_each_has_a_manifest(product, witness):
    data = product.folder("my data", files={"b.csv": "b", "a.csv": "a", "sub/c.csv": "c"})
    job = product.train(
        witness, "--channel", f"folder={data}", "--channel", f"file={data / 'a.csv'}",
        "--channel", f"uri=file://{data}/sub", "--channel", "relative=my data",
    )  # fmt: skip
    found = {name: text for name, text in seen(job)["input"].items() if name.startswith("data/")}
    base = str(data).lstrip("/")
    whole = f"{base}/\nfile://{data}/a.csv\nfile://{data}/b.csv\nfile://{data}/sub/c.csv\n"
    assert found == {
        "data/folder/a.csv": "a",
        "data/folder/b.csv": "b",
        "data/folder/sub/c.csv": "c",
        "data/folder-manifest": whole,
        "data/file/a.csv": "a",
        "data/file-manifest": f"{base}/a.csv\nfile://{data}/a.csv\n",
        "data/uri/c.csv": "c",
        "data/uri-manifest": f"{base}/sub/\nfile://{data}/sub/c.csv\n",
        "data/relative/a.csv": "a",
        "data/relative/b.csv": "b",
        "data/relative/sub/c.csv": "c",
        "data/relative-manifest": whole,
    }


def test_shared_memory_is_64_megabytes_or_as_set(product, images):
    image = images.train("df -k /dev/shm | tail -n1 | awk '{print $2}'")
    assert product.train(image).log() == "65536\n"
    assert product.train(image, "--setting", "shm-size=32m").log() == "32768\n"
