"""A kind of job that nobody has written yet needs its own steps only; the rest is the same in all kinds."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from sm_emulate.errors import MachineError
from sm_emulate.events import StatusChanged
from sm_emulate.lifecycle.job import Job
from sm_emulate.spec.wordings import is_internal_server_error
from sm_emulate.storage.runs import Runs


@dataclass(frozen=True)
class Compiled:
    status: str
    failure_reason: str | None

    def describe(self):
        return {"CompilationJobStatus": self.status, "FailureReason": self.failure_reason}


class CompilationJob(Job[Compiled]):
    def __init__(self, run, compiling, **options):
        super().__init__(run, **options)
        self.compiling, self.status, self.reason, self.woken = compiling, "", None, 0

    def result(self):
        return Compiled(self.status, self.reason)

    @property
    def over(self):
        return self.status in {"COMPLETED", "FAILED", "STOPPED"}

    def enter(self, status):
        self.status = status
        self._publish(StatusChanged(status=status))

    def _document(self):
        return {"CompilationJobName": self.run_folder.name}

    def _run(self):
        self.enter("INPROGRESS")
        self.compiling(self)
        self.enter("STOPPED" if self._asked.times else "COMPLETED")

    def _wake(self):
        self.woken += 1

    def _end_by(self, reason):
        self.reason = reason
        self.enter("FAILED")


@pytest.fixture
def run(tmp_path):
    with Runs(tmp_path).create("training-jobs", "job") as run:
        yield run


def test_a_listener_finds_what_it_hears_of_written_down(run):
    heard = []

    def listener(event):
        heard.append((event.status, run.description(), run.result.exists()))

    result = CompilationJob(run, lambda job: None, listeners=(listener,)).run()
    running = {"CompilationJobStatus": "INPROGRESS", "FailureReason": None}
    assert heard == [("INPROGRESS", running, False), ("COMPLETED", result.describe(), True)]
    assert json.loads(run.request.read_text()) == {"CompilationJobName": "job"}


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (MachineError("the disk is full", value="/"), ": the disk is full"),
        (ZeroDivisionError("half of it"), ": ZeroDivisionError: half of it"),
        (KeyboardInterrupt(), ": KeyboardInterrupt: "),
    ],
)
def test_an_error_goes_on_and_the_run_folder_says_failed(run, error, reason):
    def compiling(job):
        raise error

    with pytest.raises(type(error)) as raised:
        CompilationJob(run, compiling).run()
    assert raised.value is error
    found = json.loads(run.result.read_text())
    assert found["CompilationJobStatus"] == "FAILED"
    assert is_internal_server_error(found["FailureReason"])
    assert found["FailureReason"].endswith(reason)


def test_a_result_that_is_there_stays(run):
    def listener(event):
        if event.status == "COMPLETED":
            raise OSError("a listener fails")

    with pytest.raises(OSError, match="a listener fails"):
        CompilationJob(run, lambda job: None, listeners=(listener,)).run()
    assert json.loads(run.result.read_text())["CompilationJobStatus"] == "COMPLETED"


def test_a_stop_is_asked_for_here_or_by_another_process(run):
    assert CompilationJob(run, lambda job: job.stop()).run().status == "STOPPED"
    run.stop_request.touch()
    job = CompilationJob(run, lambda job: None)
    assert job.run().status == "STOPPED"
    assert job.woken == 0


def test_a_request_that_cannot_be_written_is_told_in_words(run, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(run), "write", full)
    with pytest.raises(
        MachineError, match="the job cannot be written down: No space left on device"
    ) as raised:
        CompilationJob(run, lambda job: None).run()
    assert "free some space" in raised.value.hint
