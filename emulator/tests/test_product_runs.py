"""Runs seen from outside: ps, describe, logs, clean; and what a killed process leaves."""

from __future__ import annotations

import json
import re
import signal
import subprocess

import pytest
from product import HOME_LABEL, Job, golden

pytestmark = pytest.mark.engine

WAITING = """
echo half > /opt/ml/model/half; chmod 700 /opt/ml/model; mkdir -m 0 /opt/ml/output/data/closed
trap 'exit 0' TERM
echo ready
while :; do sleep 0.05; done
"""


@pytest.fixture
def waiting(product, images):
    def start(name, hosts=1):
        running = product.start(
            "train", images.train(WAITING), "--job-name", name, "--instance-count", hosts, "--output", "json",
            kind=Job,
        )  # fmt: skip
        for host in range(1, hosts + 1):
            running.wait_for(f"algo-{host} | ready\n" if hosts > 1 else "ready\n")
        return running

    return start


def killed(running):
    running.send(signal.SIGKILL)
    assert running.finish().code == -signal.SIGKILL


def test_ps_shows_what_runs_and_with_all_what_is_over(product, images, waiting):
    nothing = product.run("ps")
    assert (nothing.code, nothing.out) == (0, "")
    assert nothing.err == "nothing runs; `sm-emulate ps --all` lists what is over\n"
    product.train(images.train("exit 0"), "--job-name", "over")
    running = waiting("alive")
    golden("ps", product.plain(product.run("ps").out))
    golden("ps-all", product.plain(product.run("ps", "--all").out))
    listed = {row["Name"]: row for row in product.run("ps", "--all", "--output", "json").json}
    assert listed["alive"]["Status"] == "InProgress"
    assert listed["alive"]["SecondaryStatus"] == "Training"
    assert listed["over"]["Status"] == "Completed"
    assert listed["over"]["RunFolder"] == str(product.home / "training-jobs/over")
    assert [row["Name"] for row in product.run("ps", "--output", "json").json] == ["alive"]
    running.interrupt().finish()


def test_describe_follows_a_job_to_its_end(product, waiting):
    running = waiting("job")
    now = product.describe("job")
    assert now["TrainingJobStatus"] == "InProgress"
    assert now["SecondaryStatus"] == "Training"
    assert [step["Status"] for step in now["SecondaryStatusTransitions"]] == [
        "Starting",
        "Downloading",
        "Training",
    ]
    assert "EndTime" not in now["SecondaryStatusTransitions"][-1]
    job = running.interrupt().finish()
    assert product.describe("job") == job.json
    assert product.describe("training-jobs/job") == job.json


def test_logs_are_what_the_container_wrote(product, images):
    image = images.train("seq 1 5; printf 'no end'", "ENV A=b")
    product.train(image, "--job-name", "job", "--instance-count", "2")
    one = "1\n2\n3\n4\n5\nno end\n"
    assert product.run("logs", "job").out == one + one
    assert product.run("logs", "job", "--host", "algo-2").out == one
    assert product.run("logs", "job", "--host", "algo-2", "--tail", "2").out == "5\nno end\n"
    assert product.run("logs", "job", "--tail", "0").out == ""
    wrong = product.run("logs", "job", "--host", "algo-3")
    assert wrong.code == 2
    assert wrong.err == (
        "error: this run has no log of that host\n  value:    algo-3\n  expected: algo-1 or algo-2\n"
    )


def test_logs_follow_until_the_end(product, images):
    image = images.train(
        "echo ready; while [ ! -e /opt/ml/output/data/go ]; do sleep 0.05; done; seq 1 3; printf end"
    )
    running = product.start("train", image, "--job-name", "job", "--quiet").wait_for("ready\n")
    following = product.start("logs", "-f", "job").wait_for("ready\n")
    (product.home / "training-jobs/job/opt-ml/algo-1/output/data/go").touch()
    assert running.finish().code == 0
    seen = following.finish()
    assert (seen.code, seen.out) == (0, "ready\n1\n2\n3\nend\n")


def test_a_name_that_is_not_there_is_said_with_the_nearest(product, images):
    product.train(images.train("exit 0"), "--job-name", "my-job")
    for words in (["describe"], ["logs"], ["stop"], ["clean"]):
        done = product.run(*words, "my-jop")
        assert done.code == 2
        golden("no-such-run", product.plain(done.err))


def test_clean_takes_what_a_killed_job_left_and_marks_it(product, images, waiting):
    finished = product.train(images.train("echo kept > /opt/ml/model/kept"), "--job-name", "finished")
    killed(waiting("killed", hosts=2))
    assert sorted(left.split()[0] for left in product.left_on_engine()) == [
        "container",
        "container",
        "network",
    ]
    listed = {row["Name"]: row["Status"] for row in product.run("ps", "--all", "--output", "json").json}
    assert listed == {"killed": "Abandoned", "finished": "Completed"}
    assert product.describe("killed")["Emulator"]["Abandoned"] is True
    cleaned = product.run("clean")
    assert cleaned.code == 0, str(cleaned)
    assert product.left_on_engine() == []
    words = sorted(re.sub(r"[0-9a-f]{12}$", "ID", line) for line in cleaned.out.splitlines())
    assert words == [
        "removed container sm-emulate-algo-1-ID",
        "removed container sm-emulate-algo-2-ID",
        "removed network sm-emulate-ID",
    ]
    marked = product.describe("killed")
    assert marked["TrainingJobStatus"] == marked["SecondaryStatus"] == "Failed"
    assert marked["FailureReason"].startswith("InternalServerError: ")
    assert product.describe("finished") == finished.json
    assert finished.model == {"kept": b"kept\n"}
    assert product.run("clean").out == ""


def test_clean_never_touches_what_lives(product, waiting):
    running = waiting("alive", hosts=2)
    before = product.left_on_engine()
    assert product.run("clean", "--all").out == ""
    assert product.left_on_engine() == before
    refused = product.run("clean", "alive")
    assert refused.code == 2
    assert refused.err == (
        "error: this run is alive\n  value:    training-jobs/alive\n  hint:     `sm-emulate stop alive` first\n"
    )
    assert running.interrupt().finish().codes == {"algo-1": 0, "algo-2": 0}


def test_stopping_a_killed_job_clears_it_up(product, waiting):
    killed(waiting("killed"))
    done = product.run("stop", "killed")
    assert (done.code, done.out) == (0, "training-jobs/killed: Failed\n"), str(done)
    assert product.left_on_engine() == []


def test_clean_removes_folders_by_name_and_all_of_them(product, images, waiting):
    image = images.train("mkdir -m 0 /opt/ml/model/closed; echo x > /opt/ml/model/x; chmod 0 /opt/ml/model/x")
    for name in ("one", "two", "three"):
        product.train(image, "--job-name", name)
    assert product.run("clean", "one").out == "removed training-jobs/one\n"
    assert product.runs() == ["training-jobs/three", "training-jobs/two"]
    killed(waiting("killed"))
    assert "removed training-jobs/killed\n" in product.run("clean", "--all").out
    assert product.runs() == []


def test_a_name_is_free_again_after_clean_only(product, images):
    image = images.train("exit 0")
    product.train(image, "--job-name", "job")
    taken = product.run("train", image, "--job-name", "job")
    assert taken.code == 2
    golden("name-taken", product.plain(taken.err))
    product.run("clean", "job")
    product.train(image, "--job-name", "job")


def test_two_jobs_of_the_same_image_at_once_do_not_meet(product, waiting):
    first, second = waiting("first"), waiting("second")
    assert {row["Name"] for row in product.run("ps", "--output", "json").json} == {"first", "second"}
    assert first.interrupt().finish().status == ("Stopped", "Stopped")
    assert product.describe("second")["TrainingJobStatus"] == "InProgress"
    second.interrupt().finish()


def test_labels_say_whose_a_container_is(product, docker, waiting):
    running = waiting("job")
    (name,) = [left.split()[1] for left in product.left_on_engine()]
    labels = json.loads(docker("inspect", "--format", "{{json .Config.Labels}}", name).stdout)
    assert labels[HOME_LABEL] == str(product.home)
    assert labels["dev.sm-emulate.run"] == "training-jobs/job"
    assert labels["dev.sm-emulate.host"] == "algo-1"
    assert labels["dev.sm-emulate.session"]
    running.interrupt().finish()
    assert subprocess.run(["docker", "inspect", name], capture_output=True, check=False).returncode != 0
