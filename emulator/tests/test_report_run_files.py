"""What is kept of a run while it goes."""

from __future__ import annotations

import json
from datetime import datetime, timezone

import pytest

from sm_emulate import events
from sm_emulate.errors import MachineError
from sm_emulate.report.run_files import RunFiles, event_line
from sm_emulate.storage.runs import Runs

AT = datetime(2026, 1, 31, 12, 0, 0, 42_000, tzinfo=timezone.utc)


@pytest.fixture
def run(tmp_path):
    with Runs(tmp_path).create("training-jobs", "job") as run:
        run.write(run.request, {})
        yield run


def test_each_host_has_a_log_of_its_bytes(run):
    with RunFiles(run) as files:
        files(events.LogLines(host="algo-1", data=b"\xff1\n"))
        files(events.LogLines(host="algo-2", data=b"2\n"))
        files(events.LogLines(host="algo-1", data=b"3\n"))
        assert run.log("algo-1").read_bytes() == b"\xff1\n3\n"
    assert run.log("algo-2").read_bytes() == b"2\n"


def test_every_other_event_is_one_line_of_json_at_once(run):
    with RunFiles(run) as files:
        files(events.StatusChanged(at=AT, status="InProgress", secondary="Training", message="m"))
        files(events.Progress(task="packing", done_bytes=1, total_bytes=2))
        files(events.ContainerExited(at=AT, host="algo-1", container="c", code=1, oom_killed=True))
        lines = [json.loads(line) for line in run.events.read_text().splitlines()]
    assert lines == [
        {
            "event": "StatusChanged",
            "at": "2026-01-31T12:00:00.042+00:00",
            "status": "InProgress",
            "secondary": "Training",
            "message": "m",
        },
        {
            "event": "ContainerExited",
            "at": "2026-01-31T12:00:00.042+00:00",
            "host": "algo-1",
            "container": "c",
            "code": 1,
            "oom_killed": True,
        },
    ]


def test_every_kind_of_event_can_be_written_as_json():
    made = [
        events.ContainerStarted(host="h", container="c"),
        events.MetricRecorded(name="loss", value=0.5),
        events.ArtifactPacked(
            name="n", path="p", members=1, packed_bytes=2, skipped={"a": "b"}, clashes=("c",)
        ),
        events.Pinged(status=None, seconds=0.1, failure="refused"),
        events.Invoked(
            path="/",
            status=200,
            original_status=None,
            model_seconds=0,
            overhead_seconds=0,
            bytes_in=0,
            bytes_out=0,
        ),
        events.Warned(message="w"),
    ]
    for event in made:
        record = json.loads(event_line(event))
        assert record["event"] == type(event).__name__
        assert list(record)[1] == "at"


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"original_status": 200, "failure": 'it said "no"\n', "variant": "bl\u00fc"},
        {"path": '/a"b\\c\x00\u2028', "status": 0, "model_seconds": 1e-06, "overhead_seconds": 12.5},
    ],
)
def test_the_line_of_an_invocation_reads_as_that_of_any_event(more):
    given = {
        "path": "/invocations",
        "status": 200,
        "original_status": None,
        "model_seconds": 0.001234,
        "overhead_seconds": 0,
        "bytes_in": 1,
        "bytes_out": 2,
        "failure": "",
        "variant": "",
    }
    at = datetime(2026, 1, 31, 12, 0, 0, 42_999, tzinfo=timezone.utc)
    line = event_line(events.Invoked(at=at, **given | more))
    assert (
        line == json.dumps({"event": "Invoked", "at": "2026-01-31T12:00:00.042+00:00"} | given | more) + "\n"
    )


def test_events_that_came_together_are_written_as_those_that_did_not(run):
    invoked = [
        events.Invoked(
            path=f"/{number}", status=200, original_status=200, model_seconds=0.1, overhead_seconds=0.1,
            bytes_in=1, bytes_out=2,
        )
        for number in range(3)
    ]  # fmt: skip
    mixed = [*invoked, events.Warned(message="w")]
    with RunFiles(run) as files:
        files.hear_all(invoked)
        files.hear_all(mixed)
        assert run.events.read_text() == "".join(map(event_line, [*invoked, *mixed]))


def test_a_disk_that_is_full_is_told_as_such(run, monkeypatch):
    with RunFiles(run) as files:
        files(events.LogLines(host="algo-1", data=b"1\n"))

        class Full:
            def write(self, _data):
                raise OSError(28, "No space left on device")

            def close(self):
                pass

        files._logs["algo-1"].close()
        files._logs["algo-1"] = Full()
        with pytest.raises(MachineError, match="the run's logs cannot be written: No space left") as told:
            files(events.LogLines(host="algo-1", data=b"2\n"))
    assert told.value.hint.startswith("free some space")
