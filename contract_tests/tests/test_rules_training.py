"""Every training rule on evidence that keeps it, breaks it, and decides nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sm_contracts.evidence import Missing
from sm_contracts.evidence.training.devices import GpuUse, PipeReads
from sm_contracts.evidence.training.ending import (
    Endings,
    Failures,
    Metrics,
    TrainingEnd,
    TrainingLog,
    TrainingStart,
)
from sm_contracts.evidence.training.folders import (
    Clashes,
    Folder,
    InputWrites,
    ModelFolder,
    OutputFolder,
    WritableLayer,
)
from sm_contracts.evidence.training.run import TrainingRun
from sm_contracts.evidence.training.stop import Resumed, Sidecars, Stopped
from sm_contracts.evidence.training.variants import (
    ConfigVariants,
    Isolated,
    Permissions,
    Quoting,
    SharedMemory,
    TuningJob,
    TwoHosts,
    TypedHyperparameters,
)
from sm_contracts.judging import judge
from sm_contracts.registry import all_rules
from sm_contracts.roles import Role
from sm_contracts.subject import Subject

SUBJECT = Subject(image="image", roles=frozenset({Role.TRAIN}), roles_found_by="asked for")
GOOD = TrainingRun(exit_code=0, seconds=1.5, log=("training",), log_bytes=9)
BAD = TrainingRun(
    exit_code=1, seconds=0.5, failure=b"ValueError: no", log=("Traceback (most recent call last):", "x")
)
SILENT = TrainingRun(exit_code=1, seconds=0.5)
STUCK = TrainingRun(exit_code=137, timed_out=True, seconds=600)
TRACEBACK = (
    "epoch 1",
    "Traceback (most recent call last):",
    '  File "train", line 3, in <module>',
    "ValueError: no",
)


def hidden(*log, failure=None):
    return TrainingRun(exit_code=0, log=log, failure=failure)


def stopped(**changed):
    usual = {
        "run": GOOD, "window_s": 120.0, "sent_after_s": 1.0, "lived_on_s": 0.2, "handled": True, "model_files": 1,
    }  # fmt: skip
    return Stopped(**(usual | changed))


def model(**changed):
    return ModelFolder(folder=Folder(**({"files": 1} | changed)))


EMPTY_OUTPUT = OutputFolder(folder=Folder(files=0))

CASES = [
    ("SM201", "pass", [TrainingStart(run=GOOD)], ""),
    ("SM201", "pass", [TrainingStart(run=BAD)], ""),
    (
        "SM201",
        "fail",
        [TrainingStart(run=TrainingRun(exit_code=None, start_error='exec: "train"'))],
        'exec: "train"',
    ),
    (
        "SM201",
        "fail",
        [TrainingStart(run=TrainingRun(exit_code=1, start_error="exec format error"))],
        "format",
    ),
    ("SM202", "pass", [TrainingEnd(run=GOOD)], ""),
    ("SM202", "fail", [TrainingEnd(run=BAD)], "exit code 1 after 0.5 s"),
    ("SM202", "inconclusive", [TrainingEnd(run=BAD, blamed=("SM216",))], "see SM216"),
    ("SM202", "inconclusive", [TrainingEnd(run=BAD, sample_data=False)], "--channel NAME=PATH"),
    (
        "SM202",
        "fail",
        [TrainingEnd(run=TrainingRun(exit_code=1, log=("ModuleNotFoundError: x",)), sample_data=False)],
        "",
    ),
    ("SM202", "fail", [TrainingEnd(run=TrainingRun(exit_code=137, oom_killed=True))], "memory"),
    ("SM203", "pass", [model()], ""),
    ("SM203", "fail", [model(files=0)], "empty"),
    ("SM204", "pass", [Failures(runs=(BAD,))], ""),
    ("SM204", "fail", [Failures(runs=(BAD, SILENT))], "no failure file"),
    ("SM204", "fail", [Failures(runs=(TrainingRun(exit_code=1, failure=b" \n"),))], "no failure file"),
    ("SM205", "pass", [Endings(runs=(GOOD, BAD))], ""),
    ("SM205", "pass", [Endings(runs=(hidden(*TRACEBACK, "tried again, done"),))], ""),
    ("SM205", "fail", [Endings(runs=(hidden(*TRACEBACK),))], "traceback"),
    ("SM205", "pass", [Endings(runs=(replace(hidden("flushed late"), errors=TRACEBACK),))], ""),
    (
        "SM205",
        "fail",
        [Endings(runs=(replace(hidden("flushed late"), errors=TRACEBACK, left_model=False),))],
        "stderr",
    ),
    (
        "SM205",
        "pass",
        [Endings(runs=(replace(hidden("done"), errors=("a warning",), left_model=False),))],
        "",
    ),
    (
        "SM205",
        "fail",
        [Endings(runs=(hidden('Exception in thread "main" java.lang.E: x', "\tat Main.main"),))],
        "traceback",
    ),
    ("SM205", "fail", [Endings(runs=(GOOD, hidden("done", failure=b"no")))], "output/failure"),
    ("SM206", "pass", [Failures(runs=(BAD,))], ""),
    ("SM206", "pass", [Failures(runs=(TrainingRun(exit_code=1, failure="ä".encode() * 1024),))], ""),
    ("SM206", "fail", [Failures(runs=(TrainingRun(exit_code=1, failure=b"x" * 1025),))], "1025 characters"),
    ("SM206", "fail", [Failures(runs=(TrainingRun(exit_code=1, failure=b"caf\xe9!"),))], "0xe9"),
    ("SM206", "inconclusive", [Failures(runs=(SILENT,))], "SM204"),
    ("SM207", "pass", [stopped()], ""),
    ("SM207", "pass", [stopped(handled=None)], ""),
    ("SM207", "fail", [stopped(killed=True, lived_on_s=120.0, handled=False)], "no handler"),
    ("SM207", "inconclusive", [stopped(sent_after_s=None)], "before it could be stopped"),
    ("SM207", "inconclusive", [stopped(handled=False)], "kernel discards it"),
    ("SM208", "pass", [stopped()], ""),
    ("SM208", "fail", [stopped(model_files=0)], "empty"),
    ("SM208", "inconclusive", [stopped(model_files=0, killed=True)], "SM207"),
    ("SM208", "inconclusive", [stopped(model_files=0, sent_after_s=None)], "by itself"),
    ("SM209", "pass", [InputWrites(wrote=(), copied=True, read_only=GOOD)], ""),
    ("SM209", "fail", [InputWrites(wrote=(), copied=True, read_only=BAD)], "read-only"),
    (
        "SM209",
        "fail",
        [InputWrites(wrote=("/opt/ml/input/data/train/c",), copied=True, read_only=GOOD)],
        "train/c",
    ),
    ("SM210", "pass", [model()], ""),
    ("SM210", "fail", [model(symlinks={"best": "last"})], "best -> last"),
    ("SM211", "pass", [model(symlinks={"best": "last"}), EMPTY_OUTPUT], ""),
    (
        "SM211",
        "fail",
        [model(), OutputFolder(folder=Folder(files=1, specials={"p": "FIFO"}))],
        "output/data/p is a FIFO",
    ),
    ("SM211", "fail", [model(specials={"s": "socket"}), EMPTY_OUTPUT], "model/s is a socket"),
    ("SM212", "pass", [Quoting(names=("o",), plain=GOOD, quoted=GOOD)], ""),
    ("SM212", "pass", [Quoting(names=("o",), plain=BAD, quoted=BAD)], ""),
    ("SM212", "fail", [Quoting(names=("o",), plain=GOOD, quoted=BAD)], "only as they were given"),
    ("SM212", "fail", [Quoting(names=("o",), plain=BAD, quoted=GOOD)], "only with their quotes turned"),
    ("SM213", "pass", [TuningJob(run=GOOD)], ""),
    ("SM213", "fail", [TuningJob(run=BAD)], "_tuning_objective_metric"),
    ("SM214", "pass", [Isolated(run=GOOD, asked=True)], ""),
    ("SM214", "fail", [Isolated(run=BAD, asked=False)], "isolation"),
    ("SM215", "pass", [TwoHosts(run=GOOD)], ""),
    ("SM215", "fail", [TwoHosts(run=BAD, at_ease=GOOD)], "exit code 1"),
    (
        "SM215",
        "fail",
        [TwoHosts(run=BAD, at_ease=GOOD, alone=True)],
        "with the host name algo-N it completes",
    ),
    ("SM215", "inconclusive", [TwoHosts(run=BAD, at_ease=BAD)], "whatever"),
    ("SM216", "pass", [Permissions(user="", strict=GOOD)], ""),
    ("SM216", "pass", [Permissions(user="1000", strict=GOOD)], ""),
    ("SM216", "pass", [Permissions(user="1000", strict=BAD)], ""),
    ("SM216", "fail", [Permissions(user="1000", strict=BAD, open=GOOD)], "as user 1000"),
    ("SM217", "pass", [WritableLayer(bytes=1 << 30)], ""),
    ("SM217", "fail", [WritableLayer(bytes=(1 << 30) + 1)], "1.00 GiB"),
    ("SM218", "pass", [SharedMemory(run=GOOD)], ""),
    ("SM218", "pass", [SharedMemory(run=BAD)], ""),
    ("SM218", "fail", [SharedMemory(run=BAD, roomy=GOOD)], "with 1 GiB it completes"),
    ("SM218", "fail", [SharedMemory(run=TrainingRun(exit_code=135))], "bus error"),
    (
        "SM218",
        "fail",
        [SharedMemory(run=hidden("DataLoader worker is killed by signal: Bus error."))],
        "Bus error",
    ),
    ("SM219", "pass", [ConfigVariants(runs={"a": GOOD, "b": GOOD})], ""),
    ("SM219", "fail", [ConfigVariants(runs={"a": GOOD, "`{}` as hyperparameters": BAD})], "with `{}`"),
    ("SM220", "pass", [Clashes(equal=(), different=())], ""),
    ("SM220", "fail", [Clashes(equal=(), different=("model/m",))], "different files"),
    ("SM220", "fail", [Clashes(equal=("model/m",), different=())], "equal for this data"),
    ("SM221", "pass", [TrainingLog(bytes=1)], ""),
    ("SM221", "fail", [TrainingLog(bytes=0)], "nothing"),
    ("SM222", "pass", [PipeReads(opened={"train": 2}, run=GOOD)], ""),
    ("SM222", "fail", [PipeReads(opened={"train": 1, "test": 0}, run=STUCK)], "test_0"),
    ("SM223", "pass", [Metrics(matches={"loss": 3}, broken={})], ""),
    ("SM223", "fail", [Metrics(matches={"loss": 0}, broken={})], "no line"),
    ("SM223", "fail", [Metrics(matches={"loss": 1}, broken={"auc": "its regex has no group"})], "auc"),
    ("SM224", "pass", [Sidecars(markers=("a.sagemaker-uploading",), run=GOOD)], ""),
    ("SM224", "fail", [Sidecars(markers=("a.sagemaker-uploading",), run=BAD)], "upload markers"),
    ("SM225", "pass", [Resumed(checkpoints=("a",), interrupted=True, run=GOOD)], ""),
    (
        "SM225",
        "fail",
        [Resumed(checkpoints=("a",), interrupted=True, run=BAD)],
        "interrupted and started again",
    ),
    (
        "SM225",
        "fail",
        [Resumed(checkpoints=("a",), interrupted=False, run=BAD)],
        "run to its end and started again",
    ),
    ("SM226", "pass", [TypedHyperparameters(strings=GOOD, typed=None)], ""),
    (
        "SM226",
        "fail",
        [TypedHyperparameters(strings=TrainingRun(exit_code=1, log=("TypeError: 'str'",)), typed=GOOD)],
        "'str'",
    ),
    ("SM226", "inconclusive", [TypedHyperparameters(strings=BAD, typed=BAD)], "SM202"),
    ("SM227", "pass", [GpuUse(looks=50, opened=("/dev/nvidia0",), run=GOOD)], ""),
    ("SM227", "fail", [GpuUse(looks=50, opened=(), run=TrainingRun(seconds=9.0))], "no process opened a GPU"),
    ("SM227", "inconclusive", [GpuUse(looks=3, opened=(), run=GOOD)], "3 times only"),
]


@pytest.mark.parametrize(("rule_id", "status", "evidence", "words"), CASES)
def test_a_rule_on_evidence(rule_id, status, evidence, words):
    rule = all_rules()[rule_id]
    result = judge(rule, SUBJECT, {type(each): each for each in evidence})
    assert (result.status.value, words in result.message) == (status, True), result
    assert tuple(type(each) for each in evidence) == rule.needs


@pytest.mark.parametrize("status", ["pass", "fail"])
def test_every_training_rule_is_shown_both_ways(status):
    training = {rule for rule in all_rules() if rule.startswith("SM2")}
    assert len(training) == 27
    assert {rule for rule, shown, _, _ in CASES if shown == status} == training


def test_needing_a_network_is_an_error_where_isolation_is_meant():
    rule = all_rules()["SM214"]
    asked, not_asked = (
        judge(rule, SUBJECT, {Isolated: Isolated(run=BAD, asked=asked)}).severity.value
        for asked in (True, False)
    )
    assert (asked, not_asked) == ("error", "warning")


def test_a_host_name_without_which_no_job_completes_is_an_error():
    rule = all_rules()["SM215"]
    one, two = (
        judge(rule, SUBJECT, {TwoHosts: TwoHosts(run=BAD, at_ease=GOOD, alone=alone)}).severity.value
        for alone in (True, False)
    )
    assert (one, two) == ("error", "warning")


def test_equal_files_of_two_hosts_are_only_worth_knowing():
    rule = all_rules()["SM220"]
    assert judge(rule, SUBJECT, {Clashes: Clashes(equal=("a",), different=())}).severity.value == "info"
    assert (
        judge(rule, SUBJECT, {Clashes: Clashes(equal=("a",), different=("b",))}).severity.value == "warning"
    )


@pytest.mark.parametrize("rule_id", [rule for rule in all_rules() if rule.startswith("SM2")])
def test_missing_evidence_is_never_a_verdict(rule_id):
    rule = all_rules()[rule_id]
    absent = judge(rule, SUBJECT, {kind: Missing("not to be had", "do this") for kind in rule.needs})
    senseless = judge(rule, SUBJECT, {kind: Missing("no such thing", applies=False) for kind in rule.needs})
    assert (absent.status.value, absent.message) == ("inconclusive", "not to be had; do this")
    assert senseless.status.value == "skip"


def test_the_evidence_of_a_failure_is_json():
    import json

    for rule_id, status, evidence, _ in CASES:
        result = judge(all_rules()[rule_id], SUBJECT, {type(each): each for each in evidence})
        assert json.loads(json.dumps(result.as_json()))["status"] == status
