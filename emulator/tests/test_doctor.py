"""`sm-emulate doctor`: what is looked at, and what is said when something is amiss."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta

import pytest

from sm_emulate.api.doctor import examine
from sm_emulate.engine.discover import connect
from sm_emulate.engine.memory import MemoryEngine
from sm_emulate.engine.owner import owner_is_gone, owner_label
from sm_emulate.engine.protocol import LABEL_HOME, LABEL_OWNER, LABEL_SESSION, ContainerSpec
from sm_emulate.errors import EngineError, EngineNotFoundError


def by_name(examination):
    return {finding.name: finding for finding in examination.findings}


def look(engine, tmp_path):
    return examine(lambda: engine, state_folder=tmp_path / "not" / "yet")


class Altered(MemoryEngine):
    """A memory engine that tells something else of itself."""

    def __init__(self, **told):
        super().__init__()
        self.told = told

    def info(self):
        return replace(super().info(), **self.told)


def test_a_healthy_machine(tmp_path):
    found = look(MemoryEngine(), tmp_path)
    assert found.can_train
    assert [f.name for f in found.findings] == [
        "engine", "image store", "transports", "gpu", "credentials in containers", "disk: state folder",
        "fast file", "cache", "clock", "limits", "leftovers",
    ]  # fmt: skip
    assert "Memory Engine 1, API 1.41" in by_name(found)["engine"].seen
    assert by_name(found)["transports"].seen.startswith("bind: ")
    assert "`sm-emulate clean --cache` removes it" in by_name(found)["cache"].seen
    told = json.loads(json.dumps(found.as_json()))
    assert told["can_train"] is True
    assert set(told["findings"][0]) == {"name", "status", "seen", "remedy"}


def test_no_engine_means_no_training(tmp_path):
    def nowhere():
        raise EngineNotFoundError(
            "no container engine answers", hint="install Docker", evidence=("unix:///x: no",)
        )

    found = examine(nowhere, state_folder=tmp_path)
    assert not found.can_train
    assert by_name(found)["engine"].status == "fail"
    assert by_name(found)["engine"].remedy == "install Docker"
    assert "unix:///x: no" in by_name(found)["engine"].seen


def test_an_engine_that_breaks_off_is_a_finding(tmp_path):
    engine = MemoryEngine()
    engine.fail_next("info", EngineError("it broke", evidence=("words",)))
    found = look(engine, tmp_path)
    assert not found.can_train
    assert "words" in by_name(found)["engine"].seen

    engine = MemoryEngine()
    engine.fail_next("leftovers", EngineError("it broke"))
    found = look(engine, tmp_path)
    assert by_name(found)["leftovers"].status == "fail"
    assert by_name(found)["clock"].status == "ok"


def test_a_clock_that_is_off(tmp_path):
    ours = MemoryEngine().info().server_time
    found = by_name(look(Altered(server_time=ours - timedelta(hours=1)), tmp_path))["clock"]
    assert found.status == "warn"
    assert "behind ours" in found.seen
    assert found.remedy


def test_an_engine_that_does_not_see_our_files(tmp_path):
    class Far(MemoryEngine):
        def shares(self, folder):
            return False

    found = look(Far(), tmp_path)
    assert by_name(found)["transports"].status == "warn"
    assert by_name(found)["transports"].seen.startswith("volume: ")
    assert found.can_train


def test_limits_that_the_engine_cannot_set(tmp_path):
    found = by_name(look(Altered(warnings=("WARNING: No memory limit support",)), tmp_path))["limits"]
    assert found.status == "warn"
    assert "No memory limit support" in found.seen


def test_gpus_that_the_engine_does_not_hand_out(tmp_path, monkeypatch):
    monkeypatch.setattr("sm_emulate.api.doctor._cards", lambda: ("Tesla T4",))
    found = by_name(look(MemoryEngine(), tmp_path))["gpu"]
    assert found.status == "warn"
    assert "nvidia-ctk" in found.remedy
    assert by_name(look(MemoryEngine(gpus=1), tmp_path))["gpu"].status == "ok"


def test_what_dead_owners_left_is_told(tmp_path):
    engine = MemoryEngine()
    engine.add_image("i", lambda box: 0)
    ended = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True, text=True
    )
    dead = owner_label(int(ended.stdout))
    for name, owner in (("mine", owner_label()), ("theirs", dead)):
        labels = {LABEL_SESSION: "s", LABEL_OWNER: owner, LABEL_HOME: str(tmp_path / "not" / "yet")}
        engine.create(ContainerSpec(image="i", name=name, labels=labels))
    elsewhere = {LABEL_SESSION: "s", LABEL_OWNER: dead, LABEL_HOME: "/home/of/another"}
    engine.create(ContainerSpec(image="i", name="another's", labels=elsewhere))
    found = by_name(look(engine, tmp_path))["leftovers"]
    assert found.status == "warn"
    assert found.seen.startswith("1 of runs")
    assert "container theirs" in found.seen
    assert found.remedy == "sm-emulate clean"


def test_an_owner_is_known_by_more_than_its_number():
    assert owner_is_gone(owner_label()) is False
    assert owner_is_gone("elsewhere/1/1") is None
    assert owner_is_gone("") is None
    host, pid, started = owner_label().rsplit("/", 2)
    if started != "0":
        assert owner_is_gone(f"{host}/{pid}/{int(started) - 1}") is True


@pytest.mark.engine
def test_this_machine_passes(tmp_path):
    found = examine(lambda: connect(environ=os.environ), state_folder=tmp_path)
    assert found.can_train
    names = [finding.name for finding in found.findings]
    assert len(names) == len(set(names)) == 12


@pytest.mark.parametrize(
    ("entry", "status", "words"),
    [
        ("thread", "ok", "at 169.254.170.2: "),
        ("container", "ok", "by a second container since you are not root"),
        (None, "warn", "cannot be entered from here"),
    ],
)
def test_whether_containers_can_have_credentials(tmp_path, monkeypatch, entry, status, words):
    engine = MemoryEngine()
    engine.network_entry = entry
    monkeypatch.setenv("AWS_PROFILE", "mine")
    found = by_name(look(engine, tmp_path))["credentials in containers"]
    assert found.status == status
    assert words in found.seen
    assert ("made from yours" in found.seen) == (entry is not None)
