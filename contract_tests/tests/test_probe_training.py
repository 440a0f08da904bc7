"""The training probe on the in-memory engine: what it runs, what it blames, and that it leaves nothing behind."""

from __future__ import annotations

import json
import os
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from sm_contracts.evidence import Missing
from sm_contracts.probes.training import PROBES
from sm_contracts.probes.training.way import Way, is_text, quoted, typed
from sm_contracts.registry import all_rules
from sm_contracts.roles import Role
from sm_contracts.runner import run
from sm_contracts.subject import Limits, Subject, TrainingSample
from sm_emulate.engine.memory import MemoryEngine

ML = "/opt/ml"


@pytest.fixture
def engine():
    made = MemoryEngine()
    yield made
    left = made.leftovers({})
    made.close()
    assert left == []


@pytest.fixture
def channel(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "a.csv").write_text("1,2\n")
    return folder


def read(box, name):
    return json.loads(box.path(f"{ML}/input/config/{name}.json").read_text())


def save(box, name="model"):
    box.print("training")
    box.path(f"{ML}/model/{name}-{read(box, 'resourceconfig')['current_host']}", write=True).write_text("x")


def judge(engine, program, channel, *, select="SM2", stopping=lambda: False, **sample):
    image = engine.add_image("image:1", program)
    limits = sample.pop("limits", Limits(train_stop_grace_s=1.0))
    channels = () if channel is None else (f"train={channel}",)
    subject = Subject(
        image="image:1",
        roles=frozenset({Role.TRAIN}),
        roles_found_by="asked for",
        training=TrainingSample(channels=channels, **sample),
        limits=limits,
    )
    rules = [rule for rule in all_rules().values() if rule.id.startswith((select, "SM002"))]
    said = []
    verdict = run(rules, PROBES, subject, engine=engine, image=image, say=said.append, stopping=stopping)
    results = {result.id: result for result in verdict.rules}
    # as the probe said them, without its name in front
    return results, [line.removeprefix("training: ") for line in said]


def failed(results):
    return {rule for rule, result in results.items() if result.status.value == "fail"}


def test_a_program_that_keeps_the_rules_takes_few_runs(engine, channel):
    results, said = judge(engine, save, channel, hyperparameters={"epochs": "3", "optimizer": "adam"})
    assert failed(results) == set(), results
    runs = [line for line in said if line != "training"]
    assert len(runs) <= 7, runs
    assert results["SM213"].status.value == results["SM214"].status.value == "pass"
    assert results["SM222"].status.value == results["SM224"].status.value == "skip"


def test_only_the_runs_that_are_needed_are_made(engine, channel):
    _, said = judge(engine, save, channel, select="SM203")
    assert said == ["training", "as the platform runs it"]


def test_a_failure_is_not_blamed_on_its_consequences(engine, channel):
    def program(box):
        box.path(f"{ML}/output/failure", write=True).write_text("no")
        return 1

    results, said = judge(engine, program, channel)
    assert failed(results) == {"SM202", "SM221"}  # it has no log either
    assert "see SM202" in results["SM203"].message
    assert "on two hosts" not in said


def test_without_channels_a_failure_decides_nothing(engine):
    results, _ = judge(engine, lambda box: box.print("no data") or 1, None)
    assert "SM202" not in failed(results)
    assert "--channel" in results["SM202"].message


def test_several_conditions_that_fail_together_are_told_apart(engine, channel):
    def program(box):
        if "_tuning_objective_metric" in read(box, "hyperparameters"):
            return 2
        if box.spec.network == "none":
            return 3
        return save(box)

    results, said = judge(engine, program, channel)
    assert failed(results) == {"SM213", "SM214"}
    assert "exit code 2" in results["SM213"].message
    assert "exit code 3" in results["SM214"].message
    assert "under several conditions at once" in said


@pytest.mark.parametrize(
    ("rule", "trips"),
    [
        ("SM215", lambda box: not box.hostname.startswith("algo-")),
        ("SM218", lambda box: box.spec.shm_bytes < 1 << 30),
        ("SM219", lambda box: "topology" in read(box, "resourceconfig")),
        ("SM226", lambda box: isinstance(read(box, "hyperparameters").get("epochs", 1), str)),
        ("SM212", lambda box: not read(box, "hyperparameters").get("optimizer", '"').startswith('"')),
    ],
)
def test_the_condition_that_makes_the_difference_is_named(engine, channel, rule, trips):
    def program(box):
        box.print("hello")
        if trips(box):
            box.path(f"{ML}/output/failure", write=True).write_text("no")
            return 1
        return save(box)

    given = {"epochs": "3"} if rule != "SM212" else {"optimizer": "adam"}
    results, _ = judge(engine, program, channel, hyperparameters=given)
    assert failed(results) == {rule}, results
    assert f"see {rule}" in results["SM202"].message
    if rule != "SM226":  # what it took to train is the reason, not the engine
        assert results["SM217"].message == f"training on the sample data fails; see {rule}"


def test_a_channel_may_be_written_into_without_harm_to_the_data(engine, channel):
    def program(box):
        with suppress(OSError):  # where it is read-only
            box.path(f"{ML}/input/data/train/cache", write=True).write_text("x")
        save(box)

    results, _ = judge(engine, program, channel)
    assert failed(results) == {"SM209"}
    assert results["SM209"].evidence["wrote"] == ["/opt/ml/input/data/train/cache"]
    assert os.listdir(channel) == ["a.csv"]


def test_a_host_that_waits_for_its_peer_finds_it_even_when_the_peer_has_ended(engine, channel):
    def program(box):
        resources = read(box, "resourceconfig")
        save(box)
        if resources["current_host"] == "algo-1" and len(resources["hosts"]) > 1:
            box.sleep(2.5)
            for _ in range(1000):
                with suppress(OSError):
                    box.print(box.resolve("algo-2"))
                    return 0
                box.sleep(0.05)
            return 1
        return 0

    results, _ = judge(engine, program, channel, select="SM215")
    assert results["SM215"].status.value == "pass", results["SM215"]


def test_names_that_resolve_late(engine, channel):
    def program(box):
        save(box)
        until = time.monotonic() + 2.0  # far less than the second host is late
        for name in read(box, "resourceconfig")["hosts"]:
            while time.monotonic() < until:
                with suppress(OSError):
                    box.resolve(name)
                    break
                box.sleep(0.05)
            else:
                box.print("no", name)
                return 1
        box.sleep(2.0)  # for the peer to find this host
        return 0

    results, _ = judge(engine, program, channel, select="SM215")
    assert failed(results) == {"SM215"}
    assert "algo-1: no algo-2" in results["SM215"].evidence["log"]


def test_a_stop_in_mid_run(engine, channel):
    def deaf(box):
        save(box)
        box.sleep(4)

    results, _ = judge(engine, deaf, channel, select="SM207")
    assert failed(results) == {"SM207"}
    assert results["SM207"].evidence["handler"] is False

    def hears(box):
        box.handled.add("SIGTERM")
        box.print("training")
        if box.next_signal(2.5) is None:
            save(box)

    results, _ = judge(engine, hears, channel, select="SM20")
    assert failed(results) == {"SM208"}
    assert results["SM207"].status.value == "pass"


def test_a_handler_that_is_set_up_late_is_waited_for(engine, channel):
    def slow_to_begin(box):
        box.print("loading")
        box.sleep(4.0)
        box.handled.add("SIGTERM")
        while box.next_signal(0) is not None:
            pass  # what came before the handler is lost
        if box.next_signal(3.0) is None:
            box.sleep(1)
        save(box)

    patient = Limits(train_stop_grace_s=60.0)
    results, said = judge(engine, slow_to_begin, channel, select="SM207", limits=patient)
    assert results["SM207"].status.value == "pass", results["SM207"]
    assert said.count("stopped in mid-run") == 2


def test_a_run_that_never_ends_is_bounded_and_still_shows_how_it_stops(engine, channel):
    def endless(box):
        box.print("training")
        box.sleep(600)

    limits = Limits(train_timeout_s=1.0, train_stop_grace_s=0.5)
    results, _ = judge(engine, endless, channel, limits=limits)
    assert failed(results) == {"SM207"}
    assert "did not end within" in results["SM203"].message


def test_checkpoints_are_found_again_with_markers_beside_them(engine, channel):
    seen = []

    def program(box):
        folder = box.path(f"{ML}/checkpoints")
        folder.mkdir(exist_ok=True)
        seen.append(sorted(each.name for each in folder.iterdir()))
        save(box)
        box.path(f"{ML}/checkpoints/epoch-1", write=True).write_text("x")

    results, _ = judge(engine, program, channel, select="SM22")
    assert failed(results) == set()
    assert (results["SM224"].status.value, results["SM225"].status.value) == ("pass", "pass")
    assert ["epoch-1", "epoch-1.sagemaker-uploaded", "epoch-1.sagemaker-uploading"] in seen


def test_an_interruption_ends_everything_at_once(engine, channel):
    began = threading.Event()

    def endless(box):
        began.set()
        box.print("training")
        box.sleep(600)

    results, _ = judge(engine, endless, channel, stopping=began.is_set)
    assert {result.status.value for rule, result in results.items() if rule != "SM002"} == {"inconclusive"}
    assert results["SM203"].message == "the check was interrupted"


def test_a_gpu_that_is_not_here_decides_nothing(engine, channel):
    image = engine.add_image("image:1", save)
    subject = Subject(
        image="image:1",
        roles=frozenset({Role.TRAIN}),
        roles_found_by="asked for",
        training=TrainingSample(channels=(f"train={channel}",)),
        gpus="all",
    )
    rules = [rule for rule in all_rules().values() if rule.id in {"SM202", "SM227"}]
    verdict = run(rules, PROBES, subject, engine=engine, image=image)
    assert {result.status.value for result in verdict.rules} == {"inconclusive"}
    assert "GPU" in verdict.rules[0].message


def test_gpus_that_are_opened_are_seen(channel):
    engine = MemoryEngine(gpus=1)
    image = engine.add_image(
        "image:1", lambda box: box.opened.add("/dev/nvidia0") or save(box) or box.sleep(2)
    )
    subject = Subject(
        image="image:1",
        roles=frozenset({Role.TRAIN}),
        roles_found_by="asked for",
        training=TrainingSample(channels=(f"train={channel}",)),
        instance_type="ml.g5.xlarge",
    )
    rules = [all_rules()["SM227"]]
    (result,) = run(rules, PROBES, subject, engine=engine, image=image).rules
    engine.close()
    assert (result.status.value, result.evidence["devices"]) == ("pass", ["/dev/nvidia0"])


def read_pipe(box, channel, epoch):
    return box.path(f"{ML}/input/data/{channel}_{epoch}").read_bytes()


def judge_pipes(engine, program, channel, *names, options="mode=Pipe"):
    image = engine.add_image("image:1", program)
    subject = Subject(
        image="image:1",
        roles=frozenset({Role.TRAIN}),
        roles_found_by="asked for",
        training=TrainingSample(channels=tuple(f"{name}={channel},{options}" for name in names)),
        limits=Limits(train_stop_grace_s=1.0),
    )
    return run([all_rules()["SM222"]], PROBES, subject, engine=engine, image=image).rules[0]


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ("mode=Pipe", b"1,2\n"),
        ("mode=Pipe,record-wrapper=RecordIO", bytes.fromhex("0a23d7ce 04000000") + b"1,2\n"),
    ],
)
def test_a_program_that_reads_its_pipes_passes(engine, channel, options, wanted):
    def program(box):
        assert [read_pipe(box, "train", epoch) for epoch in range(2)] == [wanted] * 2
        save(box)

    result = judge_pipes(engine, program, channel, "train", options=options)
    assert (result.status.value, result.message) == ("pass", "")


def test_a_pipe_that_nobody_opens_is_named(engine, channel):
    def program(box):
        read_pipe(box, "train", 0)
        save(box)

    result = judge_pipes(engine, program, channel, "train", "validation")
    assert result.status.value == "fail"
    assert "nobody opened /opt/ml/input/data/validation_0; training ended with exit code 0" in result.message


def test_hyperparameters_that_are_strings():
    given = {"epochs": "3", "name": "adam", "quoted": '"sgd"', "flag": "true", "list": "[1]", "empty": ""}
    assert [name for name, value in given.items() if is_text(value)] == ["name", "quoted", "empty"]
    turned = quoted(given)
    assert turned == given | {"name": '"adam"', "quoted": "sgd", "empty": '""'}
    assert typed(given) == given | {"epochs": 3, "flag": True, "list": [1]}


def test_unknown_keys_are_added_and_topology_is_null():
    files = {
        "hyperparameters.json": b"{}",
        "resourceconfig.json": b'{"current_host":"algo-1"}',
        "inputdataconfig.json": b'{"train":{"TrainingInputMode":"File"}}',
    }
    changed = Way(hyperparameters={}, extra_keys=True).config_files(files)
    resources = json.loads(changed["resourceconfig.json"])
    assert resources["topology"] is None
    assert set(resources) > {"current_host", "topology"}
    assert set(json.loads(changed["inputdataconfig.json"])) == {"train"}
    assert changed["hyperparameters.json"] == b"{}"


def test_nothing_is_left_in_the_temporary_folder(engine, channel, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    results, _ = judge(engine, save, channel)
    assert not isinstance(results, Missing)
    assert list(Path(tmp_path / "tmp").iterdir()) == []
