"""A host's name, from its delay on until the job is over, on the in-memory engine."""

from __future__ import annotations

import json
import socket
import threading
import time

import pytest

from sm_emulate import api
from sm_emulate.errors import MachineError
from sm_emulate.events import ContainerExited, Noted
from sm_emulate.lifecycle import host_names


def me(box):
    return json.loads(box.path("/opt/ml/input/config/resourceconfig.json").read_text())["current_host"]


def resolves(box, name):
    try:
        box.resolve(name)
    except socket.gaierror:
        return False
    return True


def until(box, answer):
    for _ in range(18_000):
        if resolves(box, "algo-1") is answer:
            return
        box.sleep(0.01)
    raise AssertionError(f"algo-1 resolves: {not answer}, for three minutes")


def test_the_name_of_a_host_that_has_ended_resolves_for_those_that_run(jobs):
    ended = threading.Event()
    jobs.heard.react(ContainerExited, ended.set, host="algo-1")

    def program(box):
        if me(box) == "algo-1":
            return
        ended.wait(180)
        until(box, answer=True)

    assert jobs.run(program, instance_count=3).succeeded


def test_no_name_is_kept_where_nobody_is_left_to_ask(jobs, monkeypatch):
    made = []
    # however long it takes a busy machine to end all three: they end together
    monkeypatch.setattr(host_names, "TOGETHER_S", 600.0)
    create = jobs.engine.create
    monkeypatch.setattr(jobs.engine, "create", lambda spec: made.append(spec) or create(spec))
    assert jobs.run(lambda box: None, instance_count=3).succeeded
    assert len(made) == 3


def test_names_come_as_late_as_the_setting_says(jobs):
    came = {}

    def program(box):
        until(box, answer=True)
        came[me(box)] = time.monotonic()

    late = api.platform(settings={"host-name-delay": "1"})
    began = time.monotonic()
    assert jobs.run(program, instance_count=2, platform=late).succeeded
    assert {host: moment - began >= 1 for host, moment in came.items()} == {"algo-1": True, "algo-2": True}


def test_a_name_that_cannot_be_kept_does_not_fail_the_job(jobs, monkeypatch):
    def nothing(name):
        # as on a machine that is no Linux
        raise MachineError(f"this machine has no {name}")

    monkeypatch.setattr("sm_emulate.engine.borrowed.borrowed", nothing)
    told = threading.Event()
    jobs.heard.then.append(lambda event: told.set() if isinstance(event, Noted) else None)

    def program(box):
        if me(box) == "algo-2":
            told.wait(180)

    assert jobs.run(program, instance_count=2).succeeded
    assert [note.message for note in jobs.heard.of(Noted)] == [
        "the names of hosts that have ended: this machine has no sleep"
    ]


@pytest.mark.parametrize("text", ["-1", "1.5", "soon"])
def test_a_delay_is_a_whole_number_of_seconds(text):
    from sm_emulate.errors import RequestError

    with pytest.raises(RequestError, match="setting host-name-delay does not take this value"):
        api.platform(settings={"host-name-delay": text})
