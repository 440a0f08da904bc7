"""The rules about bidirectional streams on evidence that keeps them, breaks them, and decides nothing."""

from __future__ import annotations

import json

import pytest

from sm_contracts.evidence import Missing
from sm_contracts.evidence.bidirectional import Frames, Handshake, Pong, Said
from sm_contracts.evidence.image import Configuration
from sm_contracts.judging import judge
from sm_contracts.registry import all_rules
from sm_contracts.roles import Role
from sm_contracts.subject import Subject

RULES = ("SM621", "SM622", "SM623", "SM624")
SUBJECT = Subject(image="image", roles=frozenset({Role.BIDIRECTIONAL}), roles_found_by="asked for")
LABEL = "com.amazonaws.sagemaker.capabilities.bidirectional-streaming"
PATH = "/invocations-bidirectional-stream"
ANSWERED, SILENT, DROPPED = Said(outcome="answered"), Said(outcome="silent"), Said(outcome="dropped")
CLOSED = Said(outcome="closed", code=1003, reason="text only")


def labelled(**labels):
    return Configuration(labels=labels)


def frames(text, binary, *, sample=True):
    return Frames(text=text, binary=binary, sample=sample)


CASES = [
    ("SM621", "pass", labelled(**{LABEL: "true"}), ""),
    ("SM621", "fail", labelled(), "is missing"),
    ("SM621", "fail", labelled(**{LABEL: "false"}), "says 'false'"),
    ("SM621", "inconclusive", labelled(**{LABEL: "TRUE"}), "lower case"),
    ("SM622", "pass", Handshake(path=PATH, status=101), ""),
    ("SM622", "fail", Handshake(path=PATH, status=404, trouble="status 404", body=b"no"), "status 404"),
    ("SM622", "fail", Handshake(path=PATH, status=None, trouble="no answer within 20 s"), "no answer"),
    ("SM623", "pass", frames(ANSWERED, ANSWERED), ""),
    ("SM623", "pass", frames(ANSWERED, SILENT), ""),
    ("SM623", "pass", frames(CLOSED, ANSWERED), ""),
    ("SM623", "fail", frames(ANSWERED, CLOSED), "closed the WebSocket with code 1003 (text only)"),
    ("SM623", "fail", frames(SILENT, DROPPED), "dropped the connection"),
    ("SM623", "inconclusive", frames(CLOSED, CLOSED, sample=False), "give --data"),
    ("SM623", "inconclusive", frames(DROPPED, DROPPED), "none that it knows"),
    ("SM624", "pass", Pong(seconds=0.01, window_s=20.0), ""),
    ("SM624", "fail", Pong(seconds=None, window_s=20.0), "within 20 s"),
    ("SM624", "inconclusive", Pong(seconds=None, window_s=20.0, closed="code 1011"), "code 1011"),
]


def judged(rule_id, evidence):
    rule = all_rules()[rule_id]
    return judge(rule, SUBJECT, dict.fromkeys(rule.needs, evidence))


@pytest.mark.parametrize(("rule_id", "status", "evidence", "words"), CASES)
def test_a_rule_on_evidence(rule_id, status, evidence, words):
    result = judged(rule_id, evidence)
    assert result.status.value == status, result
    assert words in result.message
    json.dumps(result.as_json())  # what reports are made of


def test_every_rule_is_broken_kept_and_left_undecided():
    for status in ("pass", "fail"):
        assert {rule_id for rule_id, found, _, _ in CASES if found == status} == set(RULES)
    for rule_id in RULES:
        missing = judged(rule_id, Missing("no reason", "look again"))
        assert (missing.status.value, missing.message) == ("inconclusive", "no reason; look again")


def test_only_binary_frames_are_a_warning():
    severities = {rule_id: all_rules()[rule_id].severity.value for rule_id in RULES}
    assert severities == {rule_id: "warning" if rule_id == "SM623" else "error" for rule_id in RULES}
