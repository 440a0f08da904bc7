"""kill -9 of sm-emulate at random moments of a job: nothing stays, the run is marked, no finished run is lost."""

from __future__ import annotations

import random
import signal
import time

import pytest

pytestmark = pytest.mark.engine

MOMENTS = 10
PROGRAM = """
[ -n "$(ls /opt/ml/checkpoints)" ] || first=15
ls /opt/ml/checkpoints; echo $HOSTNAME > /opt/ml/checkpoints/$$-$HOSTNAME
mkdir -p /opt/ml/model/sub; echo m > /opt/ml/model/sub/m; chmod 0700 /opt/ml/model/sub
sleep ${first:-0.7}
"""
"""Of the first life, which is interrupted, nothing is over by then."""


def test_kill_9_at_random_moments_of_a_job(product, images):
    image = images.train(PROGRAM)
    words = (
        image,
        "--instance-count",
        "2",
        "--checkpoint-path",
        "kept",
        "--spot",
        "--interrupt-after",
        "0.3",
    )
    words = (*words, "--stop-grace", "0")
    began = time.monotonic()
    finished = product.train(*words, "--job-name", "finished")
    length = time.monotonic() - began
    assert finished.statuses.count("Interrupted") == 1
    moments = random.Random(20260923).sample(range(100), MOMENTS)
    killed = []
    for percent in moments:
        name = f"killed-at-{percent}"
        running = product.start("train", *words, "--job-name", name, cwd=product.tmp)
        time.sleep(length * percent / 100)
        running.send(signal.SIGKILL)
        code = running.finish().code
        assert code in (-9, 0)
        if (product.home / "training-jobs" / name).exists():
            killed.append((name, code))
        for _ in range(5):
            cleaned = product.run("clean")
            assert cleaned.code == 0, str(cleaned)
            if not product.left_on_engine():
                break  # an engine may go on to make what was asked for by one who has died
        assert product.left_on_engine() == [], f"killed at {percent} % of {length:.1f} s"
        assert product.run("ps", "--output", "json").json == []
    assert any(code == -9 for _, code in killed)
    for name, _ in killed:
        described = product.describe(name)
        if described["TrainingJobStatus"] != "Completed":
            assert described["TrainingJobStatus"] == "Failed"
            assert described["Emulator"]["Abandoned"] is True
            assert described["FailureReason"].startswith("InternalServerError")
    assert product.describe("finished") == finished.json
    assert [path.name for path in (product.tmp / "kept").rglob(".*")] == [], "no half-written file"
    assert finished.model == {"sub": None, "sub/m": b"m\n"}
    assert product.run("clean", "--all").code == 0
    assert [run for run in product.runs() if not run.partition("/")[2].startswith(".")] == []
