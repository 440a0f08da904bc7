"""The rules about pipelines, streams and sessions on evidence that keeps them, breaks them, and decides nothing."""

from __future__ import annotations

import json

import pytest

from sm_contracts.evidence import Missing
from sm_contracts.evidence.capabilities import InPipeline, Piece, SessionDialogue, Stream, Streams
from sm_contracts.evidence.image import Configuration
from sm_contracts.evidence.serving.exchange import Exchange
from sm_contracts.evidence.serving.lives import Trial
from sm_contracts.evidence.serving.start import Listening
from sm_contracts.judging import judge
from sm_contracts.registry import all_rules
from sm_contracts.roles import Role
from sm_contracts.subject import Subject

RULES = ("SM601", "SM602", "SM611", "SM612", "SM631")
ROLES = frozenset({Role.PIPELINE, Role.STREAMING, Role.SESSIONS})
SUBJECT = Subject(image="image", roles=ROLES, roles_found_by="asked for")
LABEL = "com.amazonaws.sagemaker.capabilities.accept-bind-to-port"
OPENED, CLOSED = "X-Amzn-SageMaker-New-Session-Id", "X-Amzn-SageMaker-Closed-Session-Id"
CHUNKED = (("Transfer-Encoding", "chunked"),)
NOON = 1_800_000_000.0
"""2027-01-15T08:00:00Z, when each session below is opened."""


def labelled(**labels):
    return Configuration(labels=labels)


def answer(status=200, **more):
    return Exchange(what="a request", status=status, seconds=0.1, **more)


REFUSED = Exchange(what="GET /ping", failure="refused")


def alone(*answers):
    return Trial(outcome="healthy", seconds=1.0, answers=answers)


def listening(*places):
    return tuple(Listening(address=address, port=port) for address, port in places)


def told(**changed):
    return InPipeline(
        **{
            "alone": alone(answer()),
            "port": 8123,
            "ping": answer(),
            "default_ping": REFUSED,
            "invocation": answer(),
            "listeners": listening(("0.0.0.0", 8123), ("127.0.0.1", 9001)),
            **changed,
        }
    )


def stream(*times, failure="", seconds=None, headers=CHUNKED, status=200, detail=""):
    """A stream whose pieces came at these times."""
    took = seconds if seconds is not None else (times[-1] if times else 0.1)
    pieces = tuple(Piece(at_s=each, size=10) for each in times)
    exchange = Exchange(
        what="the sample payload", status=status, seconds=took, headers=headers, length=10 * len(times),
        failure=failure, detail=detail,
    )  # fmt: skip
    return Stream(exchange=exchange, pieces=pieces)


def streams(*tries):
    return Streams(tries=tries, window_s=480.0)


FLOWING = stream(0.2, 0.4, 0.6, 0.8)
BURST = stream(2.0, 2.001, 2.002)


def session(opening, *, using=None, closing=None, what="the sample payload"):
    """A dialogue; `opening` is what New-Session-Id says, or the answers themselves."""
    if isinstance(opening, str):
        opening = (Exchange(what=what, status=200, headers=((OPENED, opening),)),)
    return SessionDialogue(opening=opening, using=using, closing=closing, now=NOON)


def closing(value):
    return Exchange(what="a request to close the session", status=200, headers=((CLOSED, value),))


IGNORED = Exchange(what="the sample payload", status=200)
UNKNOWN = Exchange(what="a request to open a session", status=400)
FINE = "1f3c-5a7e; Expires=2027-01-15T09:00:00Z"

CASES = [
    ("SM601", "pass", labelled(**{LABEL: "true"}), ""),
    ("SM601", "fail", labelled(), "is missing"),
    ("SM601", "fail", labelled(**{LABEL: "false"}), "says 'false'"),
    ("SM601", "fail", labelled(**{LABEL: ""}), "says ''"),
    ("SM601", "inconclusive", labelled(**{LABEL: "True"}), "write true in lower case"),
    ("SM602", "pass", told(), ""),
    ("SM602", "pass", told(invocation=None, listeners=None), ""),
    ("SM602", "fail", told(ping=REFUSED, default_ping=answer()), "healthy at 8080 as if it had not been told"),
    ("SM602", "fail", told(ping=REFUSED, exit_code=1), "exited with code 1"),
    ("SM602", "fail", told(ping=answer(502)), "the container answered 502"),
    ("SM602", "fail", told(listeners=listening(("0.0.0.0", 8123), ("127.0.0.1", 8080))), "127.0.0.1:8080 as well"),
    ("SM602", "fail", told(listeners=None, default_ping=answer()), "answers GET /ping at 8080 as well"),
    ("SM602", "fail", told(invocation=answer(502)), "one that is told nothing answers it"),
    ("SM602", "inconclusive", told(invocation=answer(400), alone=alone(answer(400))), "SM311"),
    ("SM611", "pass", streams(FLOWING), ""),
    ("SM611", "pass", streams(BURST, FLOWING), ""),
    ("SM611", "fail", streams(BURST, BURST, BURST), "after 2.00 s of 2.00 s"),
    ("SM611", "fail", streams(stream(1.0, headers=(("Content-Length", "10"),))), "all of the body with it"),
    ("SM611", "fail", streams(BURST, stream(0.3)), "after 2.00 s"),
    ("SM611", "inconclusive", streams(stream(0.1, 0.2)), "too soon"),
    ("SM611", "inconclusive", streams(stream(2.0, 2.05, 2.1)), "a longer answer"),
    ("SM611", "inconclusive", streams(), "SM311"),
    ("SM611", "inconclusive", streams(stream(1.0, status=500)), "SM311"),
    ("SM612", "pass", streams(FLOWING), ""),
    ("SM612", "pass", streams(stream(1.0, headers=(("Content-Length", "10"),))), ""),
    ("SM612", "fail", streams(stream(0.2, 0.4, failure="cut-short", detail="20 bytes came")), "20 bytes came"),
    ("SM612", "fail", streams(FLOWING, stream(0.2, failure="cut-short", detail="10 bytes came")), "broke off"),
    ("SM612", "fail", streams(stream(1.0, seconds=480.0, failure="timeout")), "after 480 s; 10 bytes had come"),
    ("SM612", "fail", streams(stream(seconds=480.0, failure="timeout")), "480.0 s before"),
    ("SM612", "inconclusive", streams(stream(0.2, 0.4, headers=())), "cannot be told from a connection that broke"),
    ("SM612", "inconclusive", streams(), "SM311"),
    ("SM631", "pass", session(FINE), ""),
    ("SM631", "pass", session(FINE, using=answer(), closing=closing("1f3c-5a7e")), ""),
    ("SM631", "pass", session(FINE, using=answer(), closing=answer(400)), ""),
    ("SM631", "pass", session((UNKNOWN, *session(FINE).opening)), ""),
    ("SM631", "pass", session((IGNORED, *session(FINE).opening)), ""),
    ("SM631", "fail", session((IGNORED, UNKNOWN)), "(the sample payload) is answered 200 without X-Amzn"),
    ("SM631", "fail", session("1f3c-5a7e"), "says no expiry"),
    ("SM631", "fail", session("-1f3c; Expires=2027-01-15T09:00:00Z"), "letters, digits and inner hyphens"),
    ("SM631", "fail", session("a_b; Expires=2027-01-15T09:00:00Z"), "letters, digits and inner hyphens"),
    ("SM631", "fail", session("; Expires=2027-01-15T09:00:00Z"), "letters, digits and inner hyphens"),
    ("SM631", "fail", session(f"{'a' * 240}; Expires=2027-01-15T09:00:00Z"), "has 270 characters"),
    ("SM631", "fail", session("a; Expires=2027-01-15T09:00:00"), "another form"),
    ("SM631", "fail", session("a; Expires=2027-01-15T09:00:00+00:00"), "another form"),
    ("SM631", "fail", session("a;Expires=2027-01-15T09:00:00Z"), "another form"),
    ("SM631", "fail", session("a; expires=2027-01-15T09:00:00Z"), "another form"),
    ("SM631", "fail", session("a; Expires=2027-02-30T09:00:00Z"), "no calendar"),
    ("SM631", "fail", session("a; Expires=2027-01-15T07:00:00Z"), "has expired already"),
    ("SM631", "fail", session(FINE, closing=closing("1F3C-5A7E")), "which is not its id"),
    ("SM631", "fail", session(FINE, using=closing("other")), "which is not its id"),
    ("SM631", "inconclusive", session((UNKNOWN,)), "no request with NEW_SESSION was answered 200"),
    ("SM631", "inconclusive", session((Exchange(what="x", failure="timeout"), UNKNOWN)), "give the payload"),
]  # fmt: skip


def judged(rule_id, evidence):
    rule = all_rules()[rule_id]
    (needed,) = rule.needs
    return judge(rule, SUBJECT, {needed: evidence})


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


def test_no_rule_is_about_an_image_that_serves_plainly():
    serving = Subject(image="image", roles=frozenset({Role.SERVE}), roles_found_by="asked for")
    assert {judge(all_rules()[rule_id], serving, {}).status.value for rule_id in RULES} == {"skip"}


def test_only_a_stream_that_is_not_flushed_is_a_warning():
    severities = {rule_id: all_rules()[rule_id].severity.value for rule_id in RULES}
    assert severities == {rule_id: "warning" if rule_id == "SM611" else "error" for rule_id in RULES}


def test_evidence_for_a_machine_has_the_course_of_a_stream():
    shown = FLOWING.as_evidence()
    assert (shown["pieces"], shown["first_byte_s"], shown["last_byte_s"]) == (4, 0.2, 0.8)
    assert shown["transfer_encoding"] == "chunked"
