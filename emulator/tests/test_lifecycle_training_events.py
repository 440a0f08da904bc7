"""What listeners hear of a training job: each thing once and in order, and what the run folder says meanwhile."""

from __future__ import annotations

import json
import threading

import pytest

from sm_emulate import api
from sm_emulate.engine.protocol import LogChunk
from sm_emulate.errors import BugError, MachineError
from sm_emulate.events import ContainerStarted, LogLines, LogPart, MetricRecorded, StatusChanged, Warned
from sm_emulate.lifecycle.lines import LONGEST_LINE, LineCutter
from sm_emulate.lifecycle.training.status import StatusMachine
from sm_emulate.spec.training_job import SecondaryStatus as S


def test_statuses_come_in_order_with_their_messages(jobs):
    jobs.run(lambda box: 0)
    told = [(event.secondary, event.message) for event in jobs.heard.of(StatusChanged)]
    assert told == [
        ("Starting", "Starting the training job"),
        ("Downloading", "Downloading input data"),
        ("Training", "Downloading the training image"),
        ("Training", "Training image download completed. Training in progress."),
        ("Uploading", "Uploading generated training model"),
        ("Completed", "Training job completed"),
    ]


def test_training_is_told_once_however_many_hosts_start_and_before_any_line(jobs):
    jobs.run(lambda box: box.print("hello"), instance_count=3)
    messages = [event.message for event in jobs.heard.of(StatusChanged)]
    assert messages.count("Training image download completed. Training in progress.") == 1
    for host in ("algo-1", "algo-2", "algo-3"):
        started = next(
            i for i, e in enumerate(jobs.heard) if isinstance(e, ContainerStarted) and e.host == host
        )
        first_line = next(i for i, e in enumerate(jobs.heard) if isinstance(e, LogLines) and e.host == host)
        assert started < first_line


def test_all_lines_come_in_order_and_the_last_one_is_not_lost(jobs):
    lines = "".join(f"line {number}\n" for number in range(100_000))

    def program(box):
        for start in range(0, len(lines), 4093):
            box.write(lines[start : start + 4093].encode())
        box.print("the end", end="")
        return 1

    jobs.run(program)
    assert jobs.heard.log() == lines + "the end\n"
    assert jobs.folder().log("algo-1").read_text() == lines + "the end\n"


def test_every_event_of_lines_holds_whole_lines(jobs):
    def program(box):
        box.write(b"one\ntw")
        box.write(b"o\nthr")
        box.write(b"ee")

    jobs.run(program)
    assert all(event.data.endswith(b"\n") for event in jobs.heard.of(LogLines))
    assert jobs.heard.log() == "one\ntwo\nthree\n"


def test_lines_of_stdout_and_stderr_are_not_mixed_within_a_line():
    cutter = LineCutter()
    chunks = [("stdout", b"out "), ("stderr", b"err\n"), ("stdout", b"put\n"), ("stderr", b"left")]
    given = [cutter.feed(LogChunk(stream=stream, data=data)) for stream, data in chunks]
    assert given == [(b"", 0), (b"err\n", 0), (b"out put\n", 0), (b"", 0)]
    assert (cutter.rest(), cutter.rest()) == ([("stderr", b"left\n", 0)], [])


def test_parts_of_an_unfinished_line_are_given_once_and_counted():
    cutter = LineCutter()
    cutter.feed(LogChunk(stream="stdout", data=b"line\n10%"))
    assert (cutter.waits, cutter.part(), cutter.waits) == (True, b"10%", False)
    cutter.feed(LogChunk(stream="stdout", data=b"\r20%"))
    assert (cutter.part(), cutter.part()) == (b"\r20%", b"")
    assert cutter.feed(LogChunk(stream="stdout", data=b" done\nnext")) == (b"10%\r20% done\n", 7)
    assert cutter.rest() == [("stdout", b"next\n", 0)]


@pytest.mark.parametrize("end", ["\n", ""])
def test_a_prompt_is_live_and_its_line_is_whole_in_the_end(jobs, end):
    shown = threading.Event()
    jobs.heard.react(LogPart, shown.set)

    def program(box):
        box.print("before\nloss=", end="")
        assert shown.wait(180)
        box.print("0.5;", end=end)

    jobs.run(program, metrics={"loss": "loss=([0-9.]+);"})
    parts = [event.data for event in jobs.heard.of(LogPart)]
    # what is still without its end is shown, too, where a busy machine is slow to end the program
    assert parts == [b"loss="] or (not end and parts == [b"loss=", b"0.5;"])
    assert jobs.heard.log() == "before\nloss=0.5;\n"
    assert jobs.folder().log("algo-1").read_bytes() == b"before\nloss=0.5;\n", "not twice"
    assert [event.value for event in jobs.heard.of(MetricRecorded)] == [0.5], "whole lines are searched"


def test_a_carriage_return_ends_no_line():
    cutter = LineCutter()
    assert cutter.feed(LogChunk(stream="stdout", data=b"10%\r20%\r")) == (b"", 0)
    assert cutter.feed(LogChunk(stream="stdout", data=b"done\n")) == (b"10%\r20%\rdone\n", 0)


def test_the_messages_of_a_stop_are_made_like_their_neighbours(jobs):
    jobs.heard.react(ContainerStarted, jobs.stop)
    jobs.run(lambda box: box.next_signal() and 0)
    assert [event.message for event in jobs.heard.of(StatusChanged)][-3:] == [
        "Stopping the training job",
        "Uploading generated training model",
        "Training job stopped",
    ]


def test_a_line_without_end_is_cut_where_cloudwatch_cuts_it():
    cutter = LineCutter()
    assert cutter.feed(LogChunk(stream="stdout", data=b"x" * LONGEST_LINE)) == (
        b"x" * LONGEST_LINE + b"\n",
        0,
    )
    assert cutter.rest() == []


def test_metrics_are_told_live_and_the_last_value_is_final(jobs):
    live = []

    def program(box):
        box.print("epoch 1 loss=0.5;")
        while not live:
            box.sleep(0.001)
        box.print("epoch 2 loss=0.25;", error=True)

    jobs.heard.react(MetricRecorded, lambda: live.append(True))
    result = jobs.run(program, metrics={"loss": "loss=([0-9.]+);", "never": "no such ([0-9]+)"})
    assert [(event.name, event.value) for event in jobs.heard.of(MetricRecorded)] == [
        ("loss", 0.5),
        ("loss", 0.25),
    ]
    described = result.describe()["FinalMetricDataList"]
    assert [(metric["MetricName"], metric["Value"]) for metric in described] == [("loss", 0.25)]


def test_a_regex_that_runs_away_is_given_up_and_named(jobs, monkeypatch):
    monkeypatch.setattr("sm_emulate.artifacts.metrics.TIME_LIMIT", 0.001)
    line = "a" * 5000 + "!"
    result = jobs.run(lambda box: [box.print(line) for _ in range(3)] and 0, metrics={"slow": "(a+)+$(x)"})
    assert result.succeeded
    assert jobs.heard.of(Warned)[0].message == "metric slow: its regex takes too long and was given up"


def test_run_json_says_how_it_stands_and_result_json_is_there_when_the_end_is_heard(jobs):
    seen = {}
    folder = jobs.folder()
    jobs.heard.react(
        StatusChanged,
        lambda: seen.update(
            during=folder.description(), result=folder.result.exists(), owner=folder.owner_pid()
        ),
        secondary="Uploading",
    )
    jobs.heard.react(
        StatusChanged, lambda: seen.update(after=folder.read(folder.result)), secondary="Completed"
    )
    result = jobs.run(lambda box: 0)
    assert (seen["during"]["TrainingJobStatus"], seen["during"]["SecondaryStatus"]) == (
        "InProgress",
        "Uploading",
    )
    assert seen["result"] is False
    assert seen["owner"] is not None
    assert seen["after"] == result.describe()


def test_the_result_has_the_shape_of_describe_training_job(jobs):
    described = jobs.run(lambda box: 0, hyperparameters={"epochs": 3}).describe()
    assert described["HyperParameters"] == {"epochs": "3"}
    assert [step["Status"] for step in described["SecondaryStatusTransitions"]] == [
        "Starting",
        "Downloading",
        "Training",
        "Uploading",
        "Completed",
    ]
    assert all("EndTime" in step for step in described["SecondaryStatusTransitions"])
    assert described["TrainingTimeInSeconds"] >= 1
    emulator = described["Emulator"]
    assert emulator["ContainerExitCodes"] == {"algo-1": 0}
    assert emulator["PlatformProfile"] == "2025"
    assert set(emulator["Seconds"]) >= {"Training", "Total"}
    assert json.loads(json.dumps(described)) == described


def test_events_ndjson_holds_everything_but_log_lines(jobs):
    jobs.run(lambda box: box.print("hello"))
    kinds = [json.loads(line)["event"] for line in jobs.folder().events.read_text().splitlines()]
    assert kinds == [type(event).__name__ for event in jobs.heard if not isinstance(event, LogLines)]


def test_a_disk_that_is_full_is_this_machine_s_fault(jobs, monkeypatch):
    from sm_emulate.storage.run_folder import RunFolder

    def full(self, file, document):
        raise OSError(28, "No space left on device", str(file))

    monkeypatch.setattr(RunFolder, "write", full)
    with pytest.raises(MachineError, match="the job cannot be written down: No space left on device") as told:
        jobs.run(lambda box: 0)
    assert "free some space" in told.value.hint


def test_a_status_that_cannot_follow_is_our_bug():
    told = []
    machine = StatusMachine(told.append)
    machine.enter(S.STARTING, "a")
    machine.enter(S.TRAINING, "b")
    with pytest.raises(BugError) as wrong:
        machine.enter(S.DOWNLOADING, "c")
    assert wrong.value.value == "Training -> Downloading"
    assert [event.secondary for event in told] == ["Starting", "Training"]


def test_a_new_message_is_told_only_while_its_status_lasts():
    told = []
    machine = StatusMachine(told.append)
    machine.enter(S.STARTING, "a")
    machine.enter(S.TRAINING, "b")
    machine.say(S.TRAINING, "c")
    machine.say(S.TRAINING, "c")
    machine.enter(S.STOPPING, "d")
    machine.say(S.TRAINING, "e")
    assert [event.message for event in told] == ["a", "b", "c", "d"]
    assert [step.message for step in machine.transitions] == ["a", "c", "d"]


@pytest.mark.parametrize("last", [S.STOPPED, S.MAX_RUNTIME_EXCEEDED, S.FAILED])
def test_uploading_after_a_stop_still_belongs_to_stopping(last):
    told = []
    machine = StatusMachine(told.append)
    for status in (S.STARTING, S.TRAINING, S.STOPPING, S.UPLOADING, last):
        machine.enter(status, "")
    assert [event.status for event in told][2:4] == ["Stopping", "Stopping"]
    assert machine.over
    assert machine.transitions[-1].end is not None


def test_the_standing_of_a_job_that_waits_for_a_listener_is_not_torn(jobs):
    folder = jobs.folder()
    torn = []
    jobs.heard.then.append(lambda event: torn.append(folder.read(folder.standing) is None))
    jobs.run(lambda box: 0, environment={"X": "1"})
    assert not any(torn)
    assert api.training_request_from_aws(folder.read(folder.request)).environment == {"X": "1"}
