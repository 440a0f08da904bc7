from __future__ import annotations

from itertools import pairwise

import pytest

from sm_emulate.spec.profiles import PROFILE_2020, PROFILE_2025
from sm_emulate.spec.settings import Settings
from sm_emulate.spec.training_job import (
    ALLOWED,
    LAYOUT,
    TERMINAL,
    SecondaryStatus,
    TrainingJobStatus,
    command_for,
    environment,
    host_names,
    hostname,
    job_arn,
    log_stream,
    next_allowed,
    private_address,
    status_of,
)

S = SecondaryStatus


def _environment(settings=None, **changes):
    given = {"job_name": "My-Job", "region": "us-east-1", "account": "123456789012", "gpu": False}
    return environment(settings or Settings(PROFILE_2025), **(given | changes))


@pytest.mark.parametrize(
    ("entrypoint", "arguments", "engine"),
    [
        (None, None, (None, ("train",))),
        (["/bin/sh", "-c"], None, (("/bin/sh", "-c"), None)),
        (None, ["--epochs", "3"], (None, ("--epochs", "3"))),
        (["/bin/sh"], ["/opt/ml/input/data/code/x.sh"], (("/bin/sh",), ("/opt/ml/input/data/code/x.sh",))),
    ],
    ids=["neither", "entrypoint", "arguments", "both"],
)
def test_the_four_ways_to_start_a_program(entrypoint, arguments, engine) -> None:
    assert command_for(entrypoint, arguments) == engine


@pytest.mark.parametrize(
    "road",
    [
        (S.STARTING, S.DOWNLOADING, S.TRAINING, S.UPLOADING, S.COMPLETED),
        (S.STARTING, S.PENDING, S.DOWNLOADING, S.TRAINING, S.UPLOADING, S.FAILED),
        (S.STARTING, S.DOWNLOADING, S.TRAINING, S.STOPPING, S.UPLOADING, S.STOPPED),
        (S.STARTING, S.DOWNLOADING, S.TRAINING, S.STOPPING, S.UPLOADING, S.MAX_RUNTIME_EXCEEDED),
        (S.STARTING, S.FAILED),
        (S.STARTING, S.DOWNLOADING, S.TRAINING, S.INTERRUPTED, S.STARTING, S.DOWNLOADING),
        (S.STARTING, S.PENDING, S.STOPPING, S.MAX_WAIT_TIME_EXCEEDED),
    ],
    ids="-".join,
)
def test_a_job_may_take_every_road_that_was_seen(road) -> None:
    assert all(next_allowed(now, then) for now, then in pairwise(road))


@pytest.mark.parametrize(
    ("now", "then"),
    [
        (S.STARTING, S.COMPLETED),
        (S.STARTING, S.UPLOADING),
        (S.TRAINING, S.COMPLETED),
        (S.TRAINING, S.STOPPED),
        (S.TRAINING, S.DOWNLOADING),
        (S.STOPPING, S.COMPLETED),
        (S.TRAINING, S.TRAINING),
    ],
    ids=str,
)
def test_any_other_step_is_refused(now, then) -> None:
    assert not next_allowed(now, then)


def test_every_status_has_its_row_and_the_last_ones_lead_nowhere() -> None:
    assert set(ALLOWED) == set(S)
    assert {S.COMPLETED, S.FAILED, S.STOPPED, S.MAX_RUNTIME_EXCEEDED, S.MAX_WAIT_TIME_EXCEEDED} == TERMINAL


@pytest.mark.parametrize(
    ("secondary", "stopping", "status"),
    [
        (S.TRAINING, False, TrainingJobStatus.IN_PROGRESS),
        (S.UPLOADING, False, TrainingJobStatus.IN_PROGRESS),
        (S.STOPPING, False, TrainingJobStatus.STOPPING),
        (S.UPLOADING, True, TrainingJobStatus.STOPPING),
        (S.MAX_RUNTIME_EXCEEDED, True, TrainingJobStatus.STOPPED),
        (S.STOPPED, True, TrainingJobStatus.STOPPED),
        (S.FAILED, True, TrainingJobStatus.FAILED),
        (S.COMPLETED, False, TrainingJobStatus.COMPLETED),
    ],
)
def test_the_status_that_goes_with_a_secondary_status(secondary, stopping, status) -> None:
    assert status_of(secondary, stopping=stopping) is status


def test_the_platform_mounts_its_own_directories_and_leaves_the_images_code_alone() -> None:
    assert LAYOUT.mounts == ("/opt/ml/input", "/opt/ml/model", "/opt/ml/output")
    assert not any(LAYOUT.code.startswith(mount) for mount in LAYOUT.mounts)
    assert all(path.startswith(LAYOUT.mounts) for path in LAYOUT.created)
    assert LAYOUT.channel("train") == "/opt/ml/input/data/train"
    assert LAYOUT.manifest("train") == "/opt/ml/input/data/train-manifest"
    assert LAYOUT.pipe("train", 0) == "/opt/ml/input/data/train_0"


def test_the_platforms_environment_and_nothing_else() -> None:
    assert list(_environment().items()) == [
        ("TRAINING_JOB_NAME", "My-Job"),
        ("TRAINING_JOB_ARN", "arn:aws:sagemaker:us-east-1:123456789012:training-job/my-job"),
        ("AWS_REGION", "us-east-1"),
        ("DMLC_INTERFACE", "eth0"),
        ("NVIDIA_VISIBLE_DEVICES", "void"),
    ]


def test_the_environment_of_2020_has_ecs_names() -> None:
    seen = _environment(Settings(PROFILE_2020), metadata_id="abc")
    assert seen["AWS_EXECUTION_ENV"] == "AWS_ECS_EC2"
    assert seen["ECS_CONTAINER_METADATA_URI"] == "http://169.254.170.2/v3/abc"
    assert seen["ECS_CONTAINER_METADATA_URI_V4"] == "http://169.254.170.2/v4/abc"


def test_a_gpu_is_not_hidden() -> None:
    assert "NVIDIA_VISIBLE_DEVICES" not in _environment(gpu=True)


def test_settings_decide_about_unsure_variables() -> None:
    settings = Settings(
        PROFILE_2025,
        {
            "dmlc-interface-variable": "unset",
            "nvidia-visible-devices": "image",
            "metrics-directory-variable": "set",
        },
    )
    seen = _environment(settings)
    assert set(seen) == {"TRAINING_JOB_NAME", "TRAINING_JOB_ARN", "AWS_REGION", "SAGEMAKER_METRICS_DIRECTORY"}
    assert seen["SAGEMAKER_METRICS_DIRECTORY"] == "/opt/ml/output/metrics/sagemaker"


@pytest.mark.parametrize(
    ("region", "arn"),
    [
        ("eu-west-1", "arn:aws:sagemaker:eu-west-1:1:training-job/a"),
        ("cn-north-1", "arn:aws-cn:sagemaker:cn-north-1:1:training-job/a"),
        ("us-gov-west-1", "arn:aws-us-gov:sagemaker:us-gov-west-1:1:training-job/a"),
    ],
)
def test_the_arn_knows_its_partition(region, arn) -> None:
    assert job_arn(region=region, account="1", job_name="A") == arn


def test_hosts_are_sorted_as_text() -> None:
    assert host_names(11) == tuple(f"algo-{n}" for n in (1, 10, 11, 2, 3, 4, 5, 6, 7, 8, 9))


def test_a_host_has_ec2s_name_and_keeps_it() -> None:
    settings = Settings(PROFILE_2025)
    address = private_address("job", "algo-1")
    assert address == private_address("job", "algo-1") != private_address("job", "algo-2")
    assert address.startswith("10.0.")
    assert hostname("10.0.3.4", settings=settings) == "ip-10-0-3-4.ec2.internal"
    assert (
        hostname("10.0.3.4", settings=settings, region="eu-west-1")
        == "ip-10-0-3-4.eu-west-1.compute.internal"
    )
    assert hostname("10.0.3.4", settings=Settings(PROFILE_2025, {"container-hostname": "aws"})) == "aws"


def test_log_streams_are_one_for_each_host() -> None:
    assert log_stream("My-Job", "algo-2", 1700000000) == "My-Job/algo-2-1700000000"
