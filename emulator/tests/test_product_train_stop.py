"""Stopping a training job: by hand, from elsewhere, by its own limit; what remains then."""

from __future__ import annotations

import json
import signal

import pytest
from product import Job

pytestmark = pytest.mark.engine

POLITE = """
echo half > /opt/ml/model/half
trap 'echo saved > /opt/ml/model/saved; echo goodbye; exit 0' TERM
echo ready
while :; do sleep 0.05; done
"""
STUBBORN = """
trap '' TERM INT
echo half > /opt/ml/model/half
echo ready
while :; do sleep 0.05; done
"""
STOPPED = ["Starting", "Downloading", "Training", "Stopping", "Uploading", "Stopped"]


@pytest.fixture
def started(product):
    def start(image, *words):
        running = product.start("train", image, "--job-name", "job", "--output", "json", *words, kind=Job)
        return running.wait_for("ready\n")

    return start


def test_ctrl_c_stops_gently_packs_and_exits_130(images, started):
    job = started(images.train(POLITE)).interrupt().finish()
    assert job.code == 130, str(job)
    assert job.status == ("Stopped", "Stopped")
    assert job.statuses == STOPPED
    assert "goodbye\n" in job.err
    assert job.model == {"half": b"half\n", "saved": b"saved\n"}
    assert job.codes == {"algo-1": 0}
    assert job.reason is None
    assert "Traceback" not in job.err


def test_ctrl_c_twice_kills_at_once_and_still_packs(images, started):
    running = started(images.train(STUBBORN)).interrupt().wait_for("Stopping - ")
    job = running.interrupt().finish()
    assert job.code == 130, str(job)
    assert job.codes == {"algo-1": 137}
    assert job.status == ("Stopped", "Stopped")
    assert job.model == {"half": b"half\n"}


def test_sigterm_stops_as_ctrl_c_does_and_exits_0(images, started):
    job = started(images.train(POLITE)).send(signal.SIGTERM).finish()
    assert job.code == 0, str(job)
    assert job.status == ("Stopped", "Stopped")
    assert job.model == {"half": b"half\n", "saved": b"saved\n"}


def test_stop_from_another_process(product, images, started):
    running = started(images.train(POLITE))
    done = product.run("stop", "job")
    assert done.code == 0, str(done)
    assert done.out == "training-jobs/job: Stopped\n"
    job = running.finish()
    assert job.code == 0
    assert job.statuses == STOPPED
    assert job.model == {"half": b"half\n", "saved": b"saved\n"}
    again = product.run("stop", "job")
    assert (again.code, again.out) == (0, "training-jobs/job: Stopped (it was over already)\n")


def test_a_program_that_does_not_stop_is_killed_after_the_grace(product, images, started):
    running = started(images.train(STUBBORN), "--stop-grace", "0.5")
    assert product.run("stop", "job", "--output", "json").json["TrainingJobStatus"] == "Stopped"
    job = running.finish()
    assert job.codes == {"algo-1": 137}
    assert job.status == ("Stopped", "Stopped")


@pytest.mark.parametrize(
    ("entrypoint", "code", "grace"),
    [('ENTRYPOINT ["main"]', 0, "120"), ("ENTRYPOINT main; exit $?", 137, "0.5")],
    ids=["exec-form", "shell-form"],
)
def test_only_an_entrypoint_in_exec_form_hears_the_stop(product, images, started, entrypoint, code, grace):
    running = started(images.make(entrypoint, main="#!/bin/sh\n" + POLITE), "--stop-grace", grace)
    assert product.run("stop", "job").code == 0
    job = running.finish()
    assert job.codes == {"algo-1": code}
    assert ("goodbye\n" in job.log()) is (code == 0)


def test_max_run_stops_and_says_so(product, images):
    job = product.train(images.train(POLITE), "--max-run", "3")
    assert job.status == ("Stopped", "MaxRuntimeExceeded")
    assert job.statuses == [*STOPPED[:-1], "MaxRuntimeExceeded"]
    assert job.model == {"half": b"half\n", "saved": b"saved\n"}
    assert job.json["StoppingCondition"] == {"MaxRuntimeInSeconds": 3}
    killed = product.train(images.train(STUBBORN), "--max-run", "1", "--stop-grace", "0.2")
    assert killed.codes == {"algo-1": 137}
    assert killed.status == ("Stopped", "MaxRuntimeExceeded")


def test_a_code_other_than_0_after_a_stop_does_not_fail_the_job_unless_set(product, images):
    image = images.train(POLITE.replace("exit 0", "exit 3"))
    job = product.train(image, "--max-run", "3")
    assert job.status == ("Stopped", "MaxRuntimeExceeded")
    assert job.codes == {"algo-1": 3}
    running = product.start(
        "train",
        image,
        "--job-name",
        "strict",
        "--output",
        "json",
        "--setting",
        "stop-nonzero-exit=Failed",
        kind=Job,
    )
    job = running.wait_for("ready\n").interrupt().finish()
    assert job.status == ("Failed", "Failed")
    assert job.reason == "AlgorithmError: , exit code: 3"


def test_both_of_two_hosts_are_stopped(images, started):
    running = started(images.train(POLITE), "--instance-count", "2")
    job = running.wait_for("algo-1 | ready").wait_for("algo-2 | ready").interrupt().finish()
    assert job.codes == {"algo-1": 0, "algo-2": 0}
    assert job.status == ("Stopped", "Stopped")


def test_ctrl_c_while_it_is_being_started_leaves_nothing(product, images):
    for words in ("Starting - ", "Downloading - ", "Downloading the training image"):
        running = product.start(
            "train", images.train(STUBBORN), "--stop-grace", "0.2", "--output", "json", kind=Job
        )
        job = running.wait_for(words).interrupt().finish()
        assert job.code == 130, str(job)
        assert product.left_on_engine() == []
        assert "Traceback" not in job.err


def test_progress_bars_and_colours_are_for_terminals_only(product, images):
    done = product.run("train", images.train("echo hello"))
    assert "\x1b" not in done.err
    assert "\r" not in done.err


def test_the_json_of_a_stopped_job_is_in_its_folder(product, images, started):
    job = started(images.train(POLITE)).interrupt().finish()
    assert json.loads((job.folder / "result.json").read_text()) == job.json
