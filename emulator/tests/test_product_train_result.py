"""What a training job comes to: its statuses, its reason, its JSON, its exit code, its words."""

from __future__ import annotations

import itertools
import json
import re
from datetime import datetime

import botocore.session
import pytest
from botocore.validate import ParamValidator
from product import golden

pytestmark = pytest.mark.engine

ORDER = ["Starting", "Downloading", "Training", "Uploading"]


def is_an_answer_of(operation, document):
    """Assert that AWS's own service model takes the document for the answer of an operation."""
    shape = (
        botocore.session.get_session().get_service_model("sagemaker").operation_model(operation).output_shape
    )
    answer = {key: value for key, value in document.items() if key != "Emulator"}
    assert set(answer) <= set(shape.members)
    assert ParamValidator().validate(answer, shape).generate_report() == ""


def test_a_job_that_succeeds_says_so_plainly(product, images):
    image = images.train("echo training; echo model > /opt/ml/model/m; echo more > /opt/ml/output/data/o")
    done = product.run("train", image, "--job-name", "golden")
    assert done.code == 0
    golden("train-completed.out", product.plain(done.out))
    golden("train-completed.err", product.plain(done.err))


def test_a_job_that_fails_says_why(product, images):
    image = images.train("echo training; echo 'bad data in row 7' > /opt/ml/output/failure; exit 9")
    done = product.run("train", image, "--job-name", "golden")
    assert done.code == 1
    golden("train-failed.out", product.plain(done.out))
    golden("train-failed.err", product.plain(done.err))


def test_the_json_is_describe_training_jobs_answer_and_an_emulator_object(product, images):
    data = product.folder("data", files={"a": "1"})
    image = images.train("echo loss: 0.5; echo x > /opt/ml/model/x; echo y > /opt/ml/output/data/y")
    job = product.train(
        image, "--job-name", "shape", "--channel", f"train={data}", "--hyperparameter", "a=1",
        "--environment", "A=b", "--metric", "loss=loss: ([0-9.]+)", "--max-run", "1h",
    )  # fmt: skip
    is_an_answer_of("DescribeTrainingJob", job.json)
    timeless = job.json | {"Emulator": {}, "TrainingTimeInSeconds": 1, "BillableTimeInSeconds": 1}
    golden("train.json", product.plain(json.dumps(timeless, indent=2)) + "\n")
    emulator = job.json["Emulator"]
    assert emulator["RunFolder"] == str(product.home / "training-jobs/shape")
    assert emulator["ContainerExitCodes"] == {"algo-1": 0}
    assert set(emulator["Seconds"]) >= {"Starting", "Downloading", "Training", "Uploading", "Total"}
    assert emulator["Image"] == image
    assert json.loads((job.folder / "result.json").read_text()) == job.json
    assert product.describe("shape") == job.json


def test_a_failed_job_is_an_answer_too(product, images):
    job = product.train(images.train("exit 1"), code=1)
    is_an_answer_of("DescribeTrainingJob", job.json)
    assert job.json["ModelArtifacts"] == {"S3ModelArtifacts": ""}


def test_statuses_follow_each_other_as_on_the_platform_and_their_times_fit(product, images):
    job = product.train(images.train("exit 0"))
    assert job.statuses == [*ORDER, "Completed"]
    steps = [
        (datetime.fromisoformat(step["StartTime"]), datetime.fromisoformat(step["EndTime"]))
        for step in job.json["SecondaryStatusTransitions"]
    ]
    assert all(start <= end for start, end in steps)
    assert all(before[1] == after[0] for before, after in itertools.pairwise(steps))
    failed = product.train(images.train("exit 1"), code=1)
    assert failed.statuses == [*ORDER, "Failed"]
    assert failed.status == ("Failed", "Failed")


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("exit 1", "AlgorithmError: , exit code: 1"),
        ("printf 'bad input' > /opt/ml/output/failure; exit 2", "AlgorithmError: bad input, exit code: 2"),
        ("exit 137", "AlgorithmError: , exit code: 137"),
        (
            "printf 'é%.0s' $(seq 2000) > /opt/ml/output/failure; exit 255",
            f"AlgorithmError: {'é' * 1024}, exit code: 255",
        ),
        ("printf 'a\\377b' > /opt/ml/output/failure; exit 4", "AlgorithmError: a\ufffdb, exit code: 4"),
        ("ln -s /etc/passwd /opt/ml/output/failure; exit 5", "AlgorithmError: , exit code: 5"),
        ("mkfifo /opt/ml/output/failure; exit 6", "AlgorithmError: , exit code: 6"),
    ],
    ids=["empty", "text", "137-without-oom", "1024-characters", "not-utf8", "link", "fifo"],
)
def test_the_reason_is_the_failure_files_text_in_sagemakers_words(product, images, program, reason):
    job = product.train(images.train(program), code=1)
    assert job.reason == reason
    assert job.codes == {"algo-1": int(reason.rpartition(" ")[2])}


def test_a_program_that_outgrows_the_memory_is_told_to_take_a_larger_instance(product, images):
    """Through the Python door: the command line sets no limit of memory yet."""
    from dataclasses import replace

    from sm_emulate.api.training import train
    from sm_emulate.engine.discover import connect
    from sm_emulate.lifecycle.platform import Platform
    from sm_emulate.request.training import from_aws
    from sm_emulate.spec.profiles import DEFAULT_PROFILE
    from sm_emulate.spec.settings import Settings

    request = from_aws(
        {
            "TrainingJobName": "hungry",
            "AlgorithmSpecification": {
                "TrainingImage": images.train_python("eaten = bytearray(256 << 20)"),
                "TrainingInputMode": "File",
            },
            "RoleArn": "arn:aws:iam::111122223333:role/mine",
            "OutputDataConfig": {"S3OutputPath": f"file://{product.tmp}/out"},
            "ResourceConfig": {"InstanceType": "ml.c5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 10},
            "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        }
    )
    engine = connect(product.endpoint, environ={})
    try:
        for setting, reason in (
            (
                {},
                "ClientError: Please use an instance type with more memory, or reduce the size of job data ",
            ),
            ({"out-of-memory-reason": "exit-code"}, "AlgorithmError: , exit code: 137"),
        ):
            result = train(
                replace(request, training_job_name=f"hungry-{len(setting)}"),
                engine=engine,
                home=product.home,
                platform=Platform(settings=Settings(DEFAULT_PROFILE, setting)),
                vary=lambda spec: replace(spec, memory_bytes=64 << 20),
            )
            assert result.failure_reason.startswith(reason)
            assert result.container_exit_codes == {"algo-1": 137}
    finally:
        engine.close()


def test_a_failure_file_of_a_program_that_exits_0_is_ignored_unless_set(product, images):
    image = images.train("echo odd > /opt/ml/output/failure")
    job = product.train(image)
    assert job.status == ("Completed", "Completed")
    assert job.reason is None
    job = product.train(image, "--setting", "failure-file-on-exit-zero=fails-job", code=1)
    assert job.reason.startswith("AlgorithmError: odd")


def test_a_missing_program_is_told_in_the_engines_words(product, images):
    job = product.train(images.make(other="#!/bin/sh\n"), code=1)
    assert job.reason.startswith("ClientError: Artifact upload failed:API error (400): ")
    assert 'exec: "train": executable file not found in $PATH' in job.reason
    assert job.codes == {}
    assert job.statuses == [*ORDER, "Failed"]


def test_a_program_without_the_right_to_run_is_not_found_either(product, images):
    job = product.train(images.make("RUN chmod 0644 /usr/local/bin/train", train="#!/bin/sh\n"), code=1)
    assert job.reason.startswith("ClientError: Artifact upload failed:API error (400): ")
    assert job.codes == {}


def test_a_program_named_by_its_path_without_the_right_to_run_is_permission_denied(product, images):
    image = images.make(
        "RUN chmod 0644 /usr/local/bin/start",
        'ENTRYPOINT ["/usr/local/bin/start"]',
        start="#!/bin/sh\n",
    )
    assert "permission denied" in product.train(image, code=1).reason.lower()


@pytest.mark.parametrize(
    ("program", "words"),
    [("#!/no/such/shell\n", "no such file or directory"), ("\x7fELF no program at all", "exec format error")],
    ids=["no-interpreter", "wrong-format"],
)
def test_a_program_that_the_kernel_refuses_fails_the_job_with_the_kernels_words(
    product, images, program, words
):
    # engines differ: some say so when they start it, others let the container print it and exit
    job = product.train(images.make(train=program), code=1)
    assert job.status == ("Failed", "Failed")
    assert words in job.err + job.reason


def test_metrics_are_read_from_both_streams_while_the_job_runs(product, images):
    image = images.train("echo 'loss: 0.5'; echo 'loss: 0.25'; echo 'loss: nothing'; echo 'acc=7e-1' >&2")
    job = product.train(
        image, "--metric", "loss=loss: ([0-9.]+)", "--metric", r"acc=acc=(\S+)", "--metric", "no=(x{9})"
    )
    final = {metric["MetricName"]: metric["Value"] for metric in job.json["FinalMetricDataList"]}
    assert final == {"loss": 0.25, "acc": 0.7}
    events = [json.loads(line) for line in (job.folder / "events.ndjson").read_text().splitlines()]
    assert [
        (e["name"], e["value"]) for e in events if e["event"] == "MetricRecorded" and e["name"] == "loss"
    ] == [
        ("loss", 0.5),
        ("loss", 0.25),
    ]
    assert job.json["AlgorithmSpecification"]["MetricDefinitions"][0] == {
        "Name": "loss",
        "Regex": "loss: ([0-9.]+)",
    }


def test_a_request_file_runs_and_flags_go_over_it(product, images):
    data = product.folder("data", files={"a": "1"})
    image = images.train(
        "echo $TRAINING_JOB_NAME $A; cat /opt/ml/input/config/hyperparameters.json; ls /opt/ml/input/data"
    )
    request = {
        "TrainingJobName": "from-file",
        "AlgorithmSpecification": {"TrainingImage": image, "TrainingInputMode": "File"},
        "RoleArn": "arn:aws:iam::111122223333:role/mine",
        "InputDataConfig": [
            {
                "ChannelName": "train",
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/train/"}},
            }
        ],
        "OutputDataConfig": {"S3OutputPath": f"file://{product.tmp}/out"},
        "ResourceConfig": {"InstanceType": "ml.c5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 10},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        "HyperParameters": {"a": "1", "b": "2"},
        "Environment": {"A": "from-file"},
    }
    (product.tmp / "job.json").write_text(json.dumps(request))
    job = product.train(
        "--request",
        "job.json",
        "--channel",
        f"train={data}",
        "--hyperparameter",
        "b=3",
        "--environment",
        "A=flag",
    )
    assert job.log() == 'from-file flag\n{"a":"1","b":"3"}train\ntrain-manifest\n'
    assert job.json["ResourceConfig"] == request["ResourceConfig"]
    assert job.json["StoppingCondition"] == {"MaxRuntimeInSeconds": 3600}
    assert job.json["RoleArn"] == request["RoleArn"]
    assert json.loads((job.folder / "request.json").read_text())["HyperParameters"] == {"a": "1", "b": "3"}
    is_an_answer_of("DescribeTrainingJob", job.json)


def test_a_dry_run_prints_everything_and_starts_nothing(product, images):
    data = product.folder("data", files={"a": "1"})
    image = images.train("exit 0")
    words = (
        "train", image, "--job-name", "dry", "--channel", f"train={data}", "--hyperparameter", "a=1",
        "--instance-count", "2", "--environment", "A=b c", "--dry-run",
    )  # fmt: skip
    # no engine at all: so nothing can have been started
    nobody = {"DOCKER_HOST": f"unix://{product.tmp}/nobody.sock"}
    dry = product.run(*words, env=nobody)
    assert dry.code == 0, str(dry)
    golden("train-dry-run", product.plain(dry.out))
    hosts = product.run(*words, "--output", "json", env=nobody).json
    assert [host["Host"] for host in hosts] == ["algo-1", "algo-2"]
    assert hosts[1]["Environment"]["A"] == "b c"
    assert hosts[0]["DockerRun"][:2] == ["docker", "run"]
    assert product.runs() == []


def test_the_docker_run_line_of_a_dry_run_starts_the_same_container(product, images):
    import subprocess

    image = images.train("env | sort; pwd; id; ls -d /opt/ml/*")
    words = ("train", image, "--job-name", "same", "--environment", "A=b c")
    job = product.train(*words[1:])
    line = product.run(*words, "--dry-run", "--output", "json").json[0]["DockerRun"]
    by_hand = subprocess.run(
        [*line[:2], "--rm", *line[2:]], env=product.env, capture_output=True, text=True, check=True
    )
    # each run has a token of its own
    assert by_hand.stdout == re.sub(r"(/v2/credentials/)[-0-9a-f]+", r"\1TOKEN", job.log())
