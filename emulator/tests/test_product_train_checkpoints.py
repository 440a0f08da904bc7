"""Checkpoints, spot interruptions, uploads during the job, warm pools and secrets, on the real engine."""

from __future__ import annotations

import json
import signal

import pytest

pytestmark = pytest.mark.engine

RESUMES = """
import os, pathlib, signal, sys
folder = pathlib.Path("/opt/ml/checkpoints")
print("found", *sorted(os.listdir(folder)), flush=True)
print("model", *os.listdir("/opt/ml/model"), flush=True)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
steps = [int(path.name) for path in folder.iterdir() if path.name.isdigit()]
step = max(steps, default=0)
target = {0: 4, 4: 8}.get(step, 12)
while step < target:
    step += 1
    (folder / f"{step}").write_text(str(step))
    for old in steps[:-2]:
        (folder / f"{old}").unlink()
    steps = [*steps[-2:], step]
    (pathlib.Path("/opt/ml/model") / "step").write_text(str(step))
    os.chmod(folder / f"{step}", 0o600)
while step < 12:
    signal.pause()
"""


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_an_interrupted_job_resumes_from_its_checkpoints(product, images):
    job = product.train(
        images.train_python(RESUMES), "--checkpoint-path", "kept", "--spot", "--interrupt-after", "4,4",
    )  # fmt: skip
    life = ["Starting", "Downloading", "Training"]
    assert job.statuses == [*life, "Interrupted", *life, "Interrupted", *life, "Uploading", "Completed"]
    lines = job.log().splitlines()
    found = [[int(name) for name in line.split()[1:]] for line in lines if line.startswith("found")]
    assert [sorted(each) for each in found] == [[], [2, 3, 4], [6, 7, 8]], (
        "deleted ones are deleted there, too"
    )
    assert [line for line in lines if line.startswith("model")] == ["model"] * 3
    assert job.model == {"step": b"12"}
    assert names(product.tmp / "kept") == ["10", "11", "12"]
    assert "spot interruption 2" in job.err
    assert job.json["BillableTimeInSeconds"] < job.json["TrainingTimeInSeconds"]
    manifest = (job.folder / "opt-ml/algo-1/input/data/checkpoints-manifest").read_text().splitlines()
    kept = product.tmp / "kept"
    assert manifest == [f"{kept}/".lstrip("/"), *sorted(f"file://{kept}/{number}" for number in found[2])]


def test_sidecars_are_seen_from_inside_and_the_target_is_like_the_folder_during_the_job(product, images):
    image = images.train(
        """
        cd /opt/ml/checkpoints; mkdir deep; echo 1 > deep/a; echo 2 > b; ln -s b link
        until [ -e b.sagemaker-uploaded ] && [ -e deep/a.sagemaker-uploaded ]; do sleep 0.1; done
        ls -A deep; ls -s b.sagemaker-uploaded; echo uploaded
        rm b; while [ -e b.sagemaker-uploaded ]; do sleep 0.1; done; echo deleted; sleep 600
        """
    )
    running = product.start(
        "train", image, "--job-name", "job", "--checkpoint-path", "kept", "--stop-grace", "0", cwd=product.tmp
    )
    kept = product.tmp / "kept"
    running.wait_for("uploaded\n")
    assert names(kept) == ["b", "deep/a"]
    (kept / "theirs").write_text("added by others")
    running.wait_for("deleted\n")
    done = running.interrupt().finish()
    assert done.code == 130
    assert names(kept) == ["deep/a", "theirs"], "what others add is neither pulled nor deleted"
    log = product.run("logs", "job").out
    assert "a\na.sagemaker-uploaded\n0 b.sagemaker-uploaded\n" in log
    assert "/opt/ml/checkpoints/link of algo-1 was not uploaded: it is a symlink" in done.err
    assert product.describe("job")["SecondaryStatus"] == "Stopped"


def test_hosts_share_one_prefix_and_a_failed_job_keeps_its_checkpoints(product, images):
    image = images.train(
        "echo x > /state/of-$(cut -d'\"' -f4 /opt/ml/input/config/resourceconfig.json); exit 3"
    )
    job = product.train(
        image,
        "--instance-count",
        "2",
        "--checkpoint-path",
        "kept",
        "--checkpoint-local-path",
        "/state",
        code=1,
    )
    assert names(product.tmp / "kept") == ["of-algo-1", "of-algo-2"]
    assert not (job.folder / "opt-ml/algo-1/checkpoints").exists(), "no second copy stays"
    config = job.folder / "opt-ml/algo-1/input/config/checkpointconfig.json"
    assert json.loads(config.read_text()) == {"LocalPath": "/state"}


def test_checkpoints_inside_the_model_are_packed_with_it(product, images):
    image = images.train("echo 1 > /opt/ml/model/ck/1; echo m > /opt/ml/model/m")
    job = product.train(image, "--checkpoint-path", "kept", "--checkpoint-local-path", "/opt/ml/model/ck")
    assert names(product.tmp / "kept") == ["1"]
    assert {"m", "ck/1"} <= set(job.model)


def test_a_folder_shared_by_all_hosts_where_the_setting_says_so(product, images):
    image = images.train(
        """
        cd /opt/ml/checkpoints; echo x > $HOSTNAME
        for try in $(seq 600); do [ $(ls | wc -l) = 1 ] || break; sleep 0.1; done; ls | wc -l
        """
    )
    job = product.train(
        image, "--instance-count", "2", "--checkpoint-path", "kept", "--setting", "checkpoint-folder=shared"
    )
    assert job.log() == "2\n"
    assert len(names(product.tmp / "kept")) == 2


def test_checkpoints_go_to_s3_and_come_back(product, images):
    bucket = product.folder("home", "s3", "bucket")
    image = images.train("cat /opt/ml/checkpoints/step; echo 7 > /opt/ml/checkpoints/step")
    words = (image, "--checkpoint-path", "s3://bucket/state", "--s3", "embedded")
    product.train(*words)
    assert names(bucket) == ["state/step"]
    job = product.train(*words)
    assert job.log() == "7\n"
    manifest = (job.folder / "opt-ml/algo-1/input/data/checkpoints-manifest").read_text()
    assert manifest == "state/\ns3://bucket/state/step\n"


def test_tensors_tensorboard_and_profiler_files_are_uploaded_while_the_job_runs(product, images):
    image = images.train(
        """
        cd /opt/ml/output; mkdir -p tensors/events; echo t > tensors/events/1; echo b > tensorboard/events.out
        echo p > profiler/system; until [ -e tensorboard/events.out.sagemaker-uploaded ]; do sleep 0.1; done
        until [ -e tensors/events/1.sagemaker-uploaded ] && [ -e profiler/system.sagemaker-uploaded ]
        do sleep 0.1; done; rm tensors/events/1; echo more > tensors/events/2
        """
    )
    job = product.train(
        image, "--job-name", "job", "--tensorboard-output", "board", "--debug-output", "debug",
        "--profiler-output", "profile",
    )  # fmt: skip
    assert names(product.tmp / "board") == ["job/tensorboard-output/events.out"]
    assert names(product.tmp / "debug") == ["job/debug-output/events/1", "job/debug-output/events/2"]
    assert names(product.tmp / "profile") == ["job/profiler-output/system"]
    config = job.folder / "opt-ml/algo-1/input/config/profilerconfig.json"
    assert (
        config.read_text()
        == '{"ProfilingParameters":{"ProfilerEnabled":true,"LocalPath":"/opt/ml/output/profiler"}}'
    )


def test_kill_9_in_mid_job_loses_no_checkpoint_that_was_uploaded(product, images):
    image = images.train(
        "cd /opt/ml/checkpoints; echo 1 > a; until [ -e a.sagemaker-uploaded ]; do sleep 0.1; done; echo up; sleep 600"
    )
    running = product.start("train", image, "--job-name", "job", "--checkpoint-path", "kept", cwd=product.tmp)
    running.wait_for("up\n").send(signal.SIGKILL)
    running.finish()
    assert product.run("clean").code == 0
    assert product.left_on_engine() == []
    assert product.describe("job")["TrainingJobStatus"] == "Failed"
    assert (product.tmp / "kept/a").read_text() == "1\n"
    assert product.run("clean", "job").code == 0
    assert product.runs() == []


def test_max_wait_ends_a_spot_job(product, images):
    job = product.train(
        images.train("sleep 600"), "--spot", "--max-run", "8", "--max-wait", "8", "--interrupt-after", "0.1",
        "--interrupted-for", "600", "--stop-grace", "0",
    )  # fmt: skip
    assert job.status == ("Stopped", "MaxWaitTimeExceeded")
    assert job.statuses[-3:] == ["Interrupted", "Stopping", "MaxWaitTimeExceeded"]


def test_interruptions_are_for_spot_jobs(product, images):
    refused = product.run("train", images.train("exit 0"), "--interrupt-after", "1")
    assert refused.code == 2
    assert "only managed spot training is interrupted" in refused.err
    assert "--spot" in refused.err
    assert product.runs() == []


def test_wrong_words_are_refused_before_anything_starts(product, images):
    image = images.train("exit 0")
    for words, told in (
        (
            ("--checkpoint-path", "kept", "--checkpoint-local-path", "/"),
            "cannot be the root of the container",
        ),
        (("--spot", "--interrupt-after", "soon"), "--interrupt-after is no row of durations"),
        (("--spot", "--keep-alive", "60"), "warm pools cannot be used with spot instances"),
        (("--checkpoint-path", "s3://"), "CheckpointConfig.S3Uri"),
    ):
        refused = product.run("train", image, *words)
        assert (refused.code, product.runs()) == (2, []), str(refused)
        assert told in refused.err


CACHES = """
echo $SAGEMAKER_MANAGED_WARMPOOL_CACHE_DIRECTORY; ls /opt/ml/sagemaker/warmpoolcache
touch /opt/ml/sagemaker/warmpoolcache/of-$TRAINING_JOB_NAME; echo left > /left
test ! -e /left-before; touch /left-before
if grep -q algo-2 /opt/ml/input/config/resourceconfig.json; then
    until getent hosts algo-2 > /dev/null; do sleep 0.1; done; echo found
fi
"""


def test_a_warm_pool_is_used_by_the_next_job_that_matches(product, images):
    image = images.train(CACHES)
    hosts = (image, "--instance-count", "2")
    first = product.train(*hosts, "--keep-alive", "10m", "--job-name", "first")
    assert first.json["WarmPoolStatus"] == {"Status": "Available"}
    (pool,) = product.run("ps", "--output", "json").json
    assert (pool["Name"], pool["Kind"], pool["Status"]) == ("first", "warm-pools", "Available")
    (network,) = product.left_on_engine()
    assert product.run("clean").code == 0
    assert product.left_on_engine() == [network], "it is kept until its time is over"
    other = product.train(image, "--keep-alive", "10m", "--job-name", "other")
    assert "using the warm pool" not in other.err, "it has another number of hosts"
    second = product.train(*hosts, "--keep-alive", "10m", "--job-name", "second")
    assert "using the warm pool of first" in second.err
    assert second.log() == "/opt/ml/sagemaker/warmpoolcache\nof-first\nfound\n"
    reused = product.describe("first")["WarmPoolStatus"]
    assert (reused["Status"], reused["ReusedByJob"]) == ("Reused", "second")
    assert second.json["WarmPoolStatus"] == {"Status": "Available"}
    # a job that asks for none uses it, and it ends with it
    third = product.train(*hosts, "--job-name", "third")
    assert third.log().splitlines()[1:3] == ["of-first", "of-second"]
    assert third.json["WarmPoolStatus"]["Status"] == "Terminated"
    assert product.left_on_engine() == []
    assert product.run("clean", "other").code == 0
    assert not (product.home / "warm-pools").exists()


def test_a_warm_pool_whose_time_is_over_is_swept_by_the_next_job(product, images):
    image = images.train("sleep 0.2")
    product.train(image, "--instance-count", "2", "--keep-alive", "1", "--job-name", "first")
    product.train(image, "--entrypoint", "sleep", "--argument", "1", "--job-name", "later")
    assert product.describe("first")["WarmPoolStatus"] == {
        "Status": "Terminated",
        "ResourceRetainedBillableTimeInSeconds": 1,
    }
    product.train(image, "--job-name", "last")
    assert product.left_on_engine() == []
    assert not (product.home / "warm-pools").exists()


def test_a_killed_job_s_warm_pool_goes_with_it(product, images):
    image = images.train("echo ready; sleep 600")
    running = product.start(
        "train", image, "--instance-count", "2", "--keep-alive", "600", "--job-name", "job"
    )
    running.wait_for("algo-1 | ready").wait_for("algo-2 | ready").send(signal.SIGKILL)
    running.finish()
    assert product.run("clean").code == 0
    assert product.left_on_engine() == []
    assert not (product.home / "warm-pools").exists()


def test_secrets_are_nowhere_but_in_the_container(product, images, docker):
    secret = "hunter2hunter2"
    image = images.train("test $MY_TOKEN = hunter2hunter2 && echo right; sleep 600")
    words = ("train", image, "--environment", f"MY_TOKEN={secret}", "--job-name", "job", "--stop-grace", "0")
    running = product.start(*words)
    running.wait_for("right\n")
    (left,) = product.left_on_engine()
    labels = docker("inspect", "--format", "{{json .Config.Labels}}", left.split()[1]).stdout
    assert "dev.sm-emulate.run" in labels
    assert secret not in labels
    done = running.interrupt().finish()
    assert secret not in done.out + done.err
    assert not product.files_that_hold(secret)
    assert product.describe("job")["Environment"] == {"MY_TOKEN": "***"}
    shown = product.run(*words, "--dry-run")
    assert "MY_TOKEN=***" in shown.out
    assert secret not in shown.out
