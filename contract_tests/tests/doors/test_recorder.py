"""What is remembered of a container, however much it writes."""

from datetime import timedelta

import pytest

from sm_contracts.recorded import HOST_LABEL, RUN_LABEL, RecordedEngine
from sm_contracts.recorder import FIRST_LINES, LAST_LINES, LINE_CHARACTERS, Recorder
from sm_emulate.api import ContainerSpec
from sm_emulate.errors import StartError
from sm_emulate.events import Invoked, Pinged, now


def test_lines_are_put_together_and_only_first_and_last_are_kept():
    record = Recorder("serving")
    life = record.life("algo-1", 1.0)
    record.hear(life, b"".join(b"line %d\n" % number for number in range(1000)) + b"half")
    record.hear(life, b" a line\nno end")
    record.over(life, 3)
    lines = [line for _, line in life.log()]
    assert lines[0] == "line 0"
    assert lines[FIRST_LINES] == f"... {1001 - FIRST_LINES - LAST_LINES} lines left out ..."
    assert lines[-2:] == ["half a line", "no end"]
    assert len(lines) == FIRST_LINES + LAST_LINES + 2
    assert record.log_tail(2) == ("half a line", "no end")
    assert life.exit_code == 3


def test_an_endless_line_is_cut():
    record = Recorder()
    life = record.life("", 0.0)
    for _ in range(100):
        record.hear(life, b"x" * 1000)
    assert all(len(line) <= LINE_CHARACTERS + 3 for _, line in life.log())
    assert len(life.rest) <= 2 * LINE_CHARACTERS


def test_lives_add_up_and_the_first_end_counts():
    record = Recorder()
    record.life("a", 1.0, 3.0, 0)
    life = record.life("b", 2.0, 2.5)
    record.over(life, 1)
    assert (life.end, life.exit_code) == (2.5, 1)
    assert record.container_seconds() == 2.5
    assert record.containers == 2


def test_events_of_an_endpoint_become_marks():
    record = Recorder("serving")
    hear = record.listener()
    hear(Pinged(status=None, seconds=2.0, failure="timeout"))
    hear(Invoked(path="/invocations", status=424, original_status=500, model_seconds=0.5, overhead_seconds=0.1,
                 bytes_in=1, bytes_out=2))  # fmt: skip
    ping, invocation = sorted(record.timeline(), key=lambda each: each["what"], reverse=True)
    assert (ping["status"], ping["seconds"], ping["failure"]) == (None, 2.0, "timeout")
    assert (invocation["status"], invocation["path"], invocation["probe"]) == (500, "/invocations", "serving")
    assert ping["at"] <= record.now() - 1.9


def test_an_invocation_that_is_told_late_is_marked_when_it_was():
    record = Recorder("serving")
    record.listener()(
        Invoked(at=now() - timedelta(seconds=60), path="/invocations", status=200, original_status=200,
                model_seconds=0.5, overhead_seconds=0.1, bytes_in=1, bytes_out=2)
    )  # fmt: skip
    (invocation,) = record.timeline()
    assert invocation["at"] <= record.now() - 60


def test_a_container_that_the_probe_killed_is_told_apart():
    record = Recorder("serving")
    ours, theirs = record.life("a", 1.0), record.life("b", 2.0)
    record.signal(ours, "SIGTERM")
    record.signal(ours, "SIGKILL")
    record.over(ours, 137)
    record.over(theirs, 137)
    lives = {each["name"]: each["killed"] for each in record.timeline() if each["what"] == "container"}
    assert lives == {"1 a": True, "2 b": False}
    signals = [(each["container"], each["name"]) for each in record.timeline() if each["what"] == "signal"]
    assert signals == [("1 a", "SIGTERM"), ("1 a", "SIGKILL")]


@pytest.mark.parametrize(
    ("labels", "more", "name"),
    [
        (
            {RUN_LABEL: "endpoints/check-123-second-start"},
            {"hostname": "container-0.local"},
            "1 second start",
        ),
        (
            {RUN_LABEL: "training-jobs/check-7", HOST_LABEL: "algo-1"},
            {"hostname": "ip-10-0-0-1"},
            "1 as usual",
        ),
        ({RUN_LABEL: "training-jobs/check-8"}, {"hostname": "ip-10-0-0-1"}, "1 ip-10-0-0-1"),
        ({}, {"name": "named"}, "1 named"),
        ({}, {}, "1"),
    ],
)
def test_containers_have_names_for_people(engine, labels, more, name):
    record = Recorder("p")
    record.names["check-7"] = "as usual"
    recorded = RecordedEngine(engine, record)
    recorded.start(recorded.create(ContainerSpec(image="fake:1", command=("x",), labels=labels, **more)))
    recorded.sweep()
    assert [each["name"] for each in record.timeline() if each["what"] == "container"] == [name]


def test_hosts_of_one_job_are_told_apart(engine):
    record = Recorder("p")
    record.names["check-7"] = "on two hosts"
    recorded = RecordedEngine(engine, record)
    network = recorded.create_network("n", internal=True, labels={})
    for host in ("algo-1", "algo-2"):
        labels = {RUN_LABEL: "training-jobs/check-7", HOST_LABEL: host}
        recorded.start(
            recorded.create(ContainerSpec(image="fake:1", command=("x",), labels=labels, network=network))
        )
    recorded.sweep()
    names = [each["name"] for each in record.timeline() if each["what"] == "container"]
    assert names == ["1 on two hosts algo-1", "2 on two hosts algo-2"]


def test_a_container_that_cannot_be_started_has_a_life_of_no_length(engine):
    record = Recorder("p")
    recorded = RecordedEngine(engine, record)
    engine.fail_next("start", StartError("exec format error"))
    with pytest.raises(StartError):
        recorded.start(recorded.create(ContainerSpec(image="fake:1", command=("x",))))
    recorded.sweep()
    assert record.container_seconds() < 1
    assert engine.leftovers({}) == []
