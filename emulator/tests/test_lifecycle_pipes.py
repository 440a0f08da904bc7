"""Pipe channels of a job, on the in-memory engine: what ends a job, and what is told of it."""

from __future__ import annotations

import threading

import pytest

from sm_emulate import api
from sm_emulate.errors import MachineError
from sm_emulate.events import EpochStreamed
from sm_emulate.lifecycle.platform import Platform
from sm_emulate.spec.profiles import DEFAULT_PROFILE
from sm_emulate.spec.settings import Settings

INTERNAL = "InternalServerError: We encountered an internal error.  Please try again."


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "a").write_bytes(b"a" * 3_000_000)
    return folder


def pipe(box, name):
    return box.path(f"/opt/ml/input/data/{name}")


def test_what_was_streamed_is_told_by_epoch_and_in_the_result(jobs, heard, data):
    def program(box):
        assert len(pipe(box, "x_0").read_bytes()) == 3_000_000
        with pipe(box, "x_1").open("rb", buffering=0) as fifo:
            assert fifo.read(1) == b"a"

    result = jobs.run(program, channels={"x": api.channel(data, mode="Pipe")})
    assert result.status.value == "Completed"
    told = [(each.host, each.channel, each.epoch, each.whole) for each in heard.of(EpochStreamed)]
    assert told == [("algo-1", "x", 0, True), ("algo-1", "x", 1, False)]
    sent = sum(each.sent_bytes for each in heard.of(EpochStreamed))
    assert jobs.described()["Emulator"]["Pipes"] == {"x": {"algo-1": {"Epochs": 2, "Bytes": sent}}}
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("pipe")]


def test_a_plan_names_the_first_fifo_and_no_folder(home, data):
    request = api.training_request(
        "img", channels={"x": api.channel(data, mode="Pipe"), "y": str(data)}, job_name="job"
    )
    (planned,) = api.plan(request)
    assert planned.pipes == ("/opt/ml/input/data/x_0",)
    assert "/opt/ml/input/data/y" in planned.directories
    assert "/opt/ml/input/data/x" not in planned.directories
    assert [each.target for each in planned.container.mounts if "/data/" in each.target] == [
        "/opt/ml/input/data/y"
    ]


def test_a_job_without_pipes_says_nothing_of_them(jobs, data):
    jobs.run(lambda box: 0, channels={"x": str(data)})
    assert "Pipes" not in jobs.described()["Emulator"]


def test_each_host_is_fed_for_itself(jobs, data):
    def program(box):
        # all at once: none has to wait for the others
        barrier.wait(180)
        assert len(pipe(box, "x_0").read_bytes()) == 3_000_000

    barrier = threading.Barrier(2)
    jobs.run(program, channels={"x": api.channel(data, mode="Pipe")}, instance_count=2)
    assert {host: use.epochs for host, use in jobs.result.pipes["x"].items()} == {"algo-1": 1, "algo-2": 1}


def test_the_time_out_counts_from_the_start_of_the_container(jobs, heard, data):
    platform = Platform(settings=Settings(DEFAULT_PROFILE, {"pipe-timeout": "1"}))

    def program(box):
        box.next_signal()
        return 0

    result = jobs.run(program, platform=platform, channels={"x": api.channel(data, mode="Pipe")})
    assert (result.status.value, result.failure_reason) == ("Failed", INTERNAL)
    assert heard.log() == "Platform Error: SageMaker pipe channel timed out.\n"


def test_data_that_cannot_be_read_any_more_fails_the_job(jobs, data):
    def program(box):
        (data / "a").unlink()
        pipe(box, "x_0").read_bytes()
        box.next_signal()

    result = jobs.run(program, channels={"x": api.channel(data, mode="Pipe")})
    assert result.failure_reason.startswith("ClientError: Data download failed:")
    assert str(data / "a") in result.failure_reason


def test_an_engine_that_does_not_share_our_files_is_refused(jobs, engine, data, monkeypatch):
    monkeypatch.setattr(engine, "shares", lambda folder: False)
    with pytest.raises(
        MachineError, match="Pipe mode needs a container engine that runs on this Linux machine"
    ):
        jobs.run(lambda box: 0, channels={"x": api.channel(data, mode="Pipe")})
    assert not jobs.folder().path.exists()
