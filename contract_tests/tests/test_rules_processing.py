"""Every processing rule on evidence that keeps it, breaks it, and decides nothing."""

from __future__ import annotations

import pytest

from sm_contracts.evidence import Missing
from sm_contracts.evidence.processing import (
    ExitMessages,
    ProcessingEnd,
    ProcessingOutputs,
    ProcessingRun,
    ProcessingStart,
    ProcessingStopped,
    TrainingHabits,
)
from sm_contracts.evidence.training.folders import Folder
from sm_contracts.judging import judge
from sm_contracts.registry import all_rules
from sm_contracts.roles import Role
from sm_contracts.subject import Subject

SUBJECT = Subject(image="image", roles=frozenset({Role.PROCESSING}), roles_found_by="asked for")
GOOD = ProcessingRun(exit_code=0, seconds=1.5, log=("working",), log_bytes=8)
BAD = ProcessingRun(exit_code=1, seconds=0.5, log=("KeyError: TRAINING_JOB_NAME",))


def said(message):
    return ProcessingRun(exit_code=0, message=message)


def left(**changed):
    return ProcessingOutputs(
        folders={"result": Folder(**({"files": 1} | changed))}, places={"result": "/opt/ml/processing/result"}
    )


def stopped(**changed):
    usual = {"run": GOOD, "window_s": 120.0, "sent_after_s": 1.0, "lived_on_s": 0.2, "handled": True}
    return ProcessingStopped(**(usual | changed))


NOTHING_DECLARED = ProcessingOutputs(folders={}, places={})
NOT_STARTED = ProcessingRun(exit_code=None, start_error="No command specified")

CASES = [
    ("SM701", "pass", [ProcessingStart(run=GOOD)], ""),
    ("SM701", "pass", [ProcessingStart(run=BAD)], ""),
    ("SM701", "fail", [ProcessingStart(run=NOT_STARTED)], "No command specified"),
    ("SM702", "pass", [ProcessingEnd(run=GOOD)], ""),
    ("SM702", "fail", [ProcessingEnd(run=BAD)], "exit code 1 after 0.5 s"),
    ("SM702", "inconclusive", [ProcessingEnd(run=BAD, blamed=("SM706",))], "see SM706"),
    ("SM702", "inconclusive", [ProcessingEnd(run=BAD, sample_data=False)], "--input NAME=PATH"),
    ("SM703", "pass", [left()], ""),
    ("SM703", "fail", [left(files=0)], "nothing was written to /opt/ml/processing/result"),
    ("SM703", "inconclusive", [NOTHING_DECLARED], "--processing-output"),
    ("SM704", "pass", [left()], ""),
    ("SM704", "fail", [left(symlinks={"best": "last"})], "best"),
    ("SM704", "inconclusive", [NOTHING_DECLARED], "--processing-output"),
    ("SM705", "pass", [ExitMessages(runs=(GOOD, said("é".encode())))], ""),
    ("SM705", "fail", [ExitMessages(runs=(said(b"caf\xe9!"),))], "0xe9 at 3"),
    ("SM706", "pass", [TrainingHabits(run=GOOD)], ""),
    ("SM706", "fail", [TrainingHabits(run=BAD, with_training=GOOD)], "a training job's variables"),
    ("SM706", "inconclusive", [TrainingHabits(run=BAD, with_training=BAD)], "SM702"),
    ("SM707", "pass", [stopped()], ""),
    ("SM707", "pass", [stopped(handled=None)], ""),
    ("SM707", "fail", [stopped(killed=True, lived_on_s=120.0)], "120 s after SIGINT"),
    ("SM707", "fail", [stopped(killed=True, heeds_sigterm=True)], "it ends on SIGTERM"),
    ("SM707", "inconclusive", [stopped(sent_after_s=None)], "by itself"),
    ("SM707", "inconclusive", [stopped(handled=False)], "by itself"),
]


def judged(rule_id, evidence):
    rule = all_rules()[rule_id]
    return judge(rule, SUBJECT, dict(zip(rule.needs, evidence, strict=True)))


@pytest.mark.parametrize(("rule_id", "status", "evidence", "words"), CASES)
def test_a_rule_on_evidence(rule_id, status, evidence, words):
    result = judged(rule_id, evidence)
    assert result.status.value == status, result
    assert words in result.message


def test_a_program_that_ends_on_sigterm_alone_is_only_warned_of():
    assert judged("SM707", [stopped(killed=True, heeds_sigterm=True)]).severity.value == "warning"
    assert judged("SM707", [stopped(killed=True, heeds_sigterm=False)]).severity.value == "error"


def test_every_rule_is_broken_kept_and_left_undecided():
    rules = {each for each in all_rules() if each.startswith("SM7")}
    for status in ("pass", "fail"):
        assert {rule_id for rule_id, found, _, _ in CASES if found == status} == rules
    for rule_id in rules:
        rule = all_rules()[rule_id]
        missing = judged(rule_id, [Missing("no reason", "look again")] * len(rule.needs))
        assert missing.status.value == "inconclusive"


def test_no_rule_is_about_an_image_that_does_not_process():
    training = Subject(image="image", roles=frozenset({Role.TRAIN}), roles_found_by="asked for")
    for rule_id, rule in all_rules().items():
        if rule_id.startswith("SM7"):
            assert judge(rule, training, {}).status.value == "skip"


def test_evidence_for_a_machine_holds_the_exit_message():
    assert said(b"gave up").as_evidence()["message"] == "gave up"
    assert "message" not in GOOD.as_evidence()
