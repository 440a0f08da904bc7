"""Every batch rule on evidence that keeps it, breaks it, and decides nothing."""

from __future__ import annotations

import json

import pytest

from sm_contracts.evidence import Missing
from sm_contracts.evidence.batch import (
    AsyncBody,
    Chunked,
    ExecutionParameters,
    MultiRecord,
    Newlines,
    Order,
    Transformed,
)
from sm_contracts.evidence.serving.exchange import Exchange
from sm_contracts.judging import judge
from sm_contracts.registry import all_rules
from sm_contracts.roles import Role
from sm_contracts.subject import Subject

SUBJECT = Subject(image="image", roles=frozenset({Role.BATCH, Role.ASYNC}), roles_found_by="asked for")
ROWS = (b"1\n", b"2\n", b"3\n")


def made(output, records=ROWS, words=()):
    return Transformed(records=records, output=output, words=words)


FAILED = made(None, words=("ClientError: 400", "send one row"))
ONE = made(b"10\n", records=ROWS[:1])
SINGLE = made(b"10\n20\n30\n")


def multi(output, *, one=ONE, single=SINGLE, **more):
    seen = output if isinstance(output, Transformed) else made(output)
    return [MultiRecord(one=one, single=single, multi=seen, **more)]


def parameters(status, body=b""):
    return [ExecutionParameters(status=status, body=body)]


def newlines(output, one=ONE):
    return [Newlines(one=one, single=made(output))]


def order(single, several):
    return [Order(single=made(single), multi=made(several))]


def body(**changed):
    small = Exchange(what="a small body", seconds=0.1, status=400)
    large = Exchange(what="a body of 100 MB", seconds=0.1, **changed)
    return [AsyncBody(small=small, large=large)]


HEADED = made(b"label\n10\n", records=ROWS[:1])

CASES = [
    ("SM501", "pass", parameters(404), ""),
    ("SM501", "pass", parameters(405), ""),
    ("SM501", "pass", parameters(200, b'{"MaxConcurrentTransforms": 4, "BatchStrategy": "SINGLE_RECORD"}'), ""),
    ("SM501", "pass", parameters(200, b"{}"), ""),
    ("SM501", "fail", parameters(None), "was not answered"),
    ("SM501", "fail", parameters(500), "is answered 500"),
    ("SM501", "fail", parameters(200, b"<html>"), "an HTML page"),
    ("SM501", "fail", parameters(200, b"ok"), "what is no JSON"),
    ("SM501", "fail", parameters(200, b"[]"), "no object"),
    ("SM501", "fail", parameters(200, b'{"MaxPayloadInMB": "6"}'), "MaxPayloadInMB as '6'"),
    ("SM501", "fail", parameters(200, b'{"BatchStrategy": "MultiRecord"}'), "'MultiRecord'"),
    ("SM502", "pass", multi(b"10\n20\n30\n"), ""),
    ("SM502", "pass", multi(b"10\n\n20\n30\n\n"), ""),
    ("SM502", "pass", multi(b"label\n10\n20\n30\n", one=HEADED), ""),
    ("SM502", "pass", multi(b'{"predictions": [1, 2, 3]}'), ""),
    ("SM502", "fail", multi(b"10\n"), "3 records in one body are answered with 1"),
    ("SM502", "fail", multi(b"10\n20\n30\n40\n"), "answered with 4"),
    ("SM502", "fail", multi(FAILED), "ClientError: 400"),
    ("SM502", "inconclusive", multi(FAILED, wants_single=True), "SINGLE_RECORD"),
    ("SM502", "inconclusive", multi(b"10\n", single=FAILED), "SM311"),
    ("SM502", "inconclusive", multi(b'{"predictions": {"sum": 6}}'), "one JSON document"),
    ("SM503", "pass", [Chunked(whole=ONE, chunked=ONE)], ""),
    ("SM503", "fail", [Chunked(whole=ONE, chunked=made(None, words=("ClientError: 411",)))], "ClientError: 411"),
    ("SM503", "inconclusive", [Chunked(whole=FAILED, chunked=FAILED)], "SM311"),
    ("SM504", "pass", newlines(b"10\n20\n30\n"), ""),
    ("SM504", "pass", newlines(b"a\nb\na\nb\na\nb\n", one=made(b"a\nb\n", records=ROWS[:1])), ""),
    ("SM504", "fail", newlines(b"10\n\n20\n\n30\n\n"), "3 blank lines"),
    ("SM504", "fail", newlines(b"label\n10\nlabel\n20\nlabel\n30\n", one=HEADED), "a header: label"),
    ("SM504", "inconclusive", newlines(None), "SM311"),
    ("SM505", "pass", body(status=200), ""),
    ("SM505", "pass", body(status=400), ""),
    ("SM505", "fail", body(status=413), "answered with 413"),
    ("SM505", "fail", body(failure="reset"), "a small one is answered 400"),
    ("SM505", "inconclusive", body(failure="timeout"), "a body of 100 MB was sent"),
    ("SM506", "pass", order(b"10\n20\n30\n", b"10\n20\n30\n"), ""),
    ("SM506", "pass", order(b"0.1234\n0.5\n0.25\n", b"0.12341\n0.5\n0.25\n"), ""),
    ("SM506", "pass", order(b'{"p": [1]}\n{"p": [2]}\n{"p": [3]}\n', b'{"p": [1, 2, 3]}'), ""),
    ("SM506", "fail", order(b"10\n20\n30\n", b"30\n20\n10\n"), "in another order"),
    ("SM506", "inconclusive", order(b"10\n10\n10\n", b"10\n10\n10\n"), "the same answer"),
    ("SM506", "inconclusive", order(b"10\n20\n30\n", b"11\n22\n33\n"), "or on chance"),
    ("SM506", "inconclusive", order(b"10\n20\n30\n", b"10\n"), "SM502"),
    ("SM506", "inconclusive", order(b"10\n20\n30\n", None), "SM502"),
]  # fmt: skip


def judged(rule_id, evidence):
    rule = all_rules()[rule_id]
    return judge(rule, SUBJECT, dict(zip(rule.needs, evidence, strict=True)))


@pytest.mark.parametrize(("rule_id", "status", "evidence", "words"), CASES)
def test_a_rule_on_evidence(rule_id, status, evidence, words):
    result = judged(rule_id, evidence)
    assert result.status.value == status, result
    assert words in result.message


def test_a_container_that_refuses_several_records_is_only_warned_of():
    assert judged("SM502", multi(FAILED)).severity.value == "warning"
    assert judged("SM502", multi(b"10\n")).severity.value == "error"


def test_every_rule_is_broken_kept_and_left_undecided():
    rules = {each for each in all_rules() if each.startswith("SM5")}
    for status in ("pass", "fail"):
        assert {rule_id for rule_id, found, _, _ in CASES if found == status} == rules
    for rule_id in rules:
        rule = all_rules()[rule_id]
        missing = judged(rule_id, [Missing("no reason", "look again")] * len(rule.needs))
        assert missing.status.value == "inconclusive"


def test_no_rule_is_about_an_image_that_serves_an_endpoint_only():
    serving = Subject(image="image", roles=frozenset({Role.SERVE}), roles_found_by="asked for")
    for rule_id, rule in all_rules().items():
        if rule_id.startswith("SM5"):
            assert judge(rule, serving, {}).status.value == "skip"


def test_evidence_for_a_machine_has_the_log_of_what_failed():
    assert FAILED.as_evidence() == {"records": 3, "log": ["ClientError: 400", "send one row"]}
    assert json.loads(json.dumps(SINGLE.as_evidence()))["output"] == "10\n20\n30\n"
