"""Every multi-model rule on evidence that keeps it, breaks it, and decides nothing."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from sm_contracts.evidence import Missing
from sm_contracts.evidence.multi_model import (
    CapabilityLabel,
    Cycles,
    DoubleLoad,
    Exhaustion,
    Invocations,
    ListBeforeLoad,
    Loaded,
    Loads,
    LoadWithPings,
    Names,
    Page,
    Paging,
    PingBeside,
    PingsWhileLoading,
    PingWithoutModels,
    UnknownName,
    Unloaded,
    read_page,
)
from sm_contracts.evidence.serving.exchange import Exchange
from sm_contracts.evidence.serving.start import Listening, Ping, Start
from sm_contracts.judging import judge
from sm_contracts.registry import all_rules
from sm_contracts.roles import Role
from sm_contracts.subject import Subject

SUBJECT = Subject(image="image", roles=frozenset({Role.MULTI_MODEL}), roles_found_by="asked for")
MIB = 1 << 20


def answer(status=200, document=None, **more):
    body = b"" if document is None else json.dumps(document).encode()
    return Exchange(status=status, body=body, length=len(body), seconds=0.1, **more)


NOT_FOUND = answer(404)
BROKEN = answer(500, "no such file")
GONE = Exchange(failure="reset", seconds=0.1)


def listing(*names, token=None):
    page = {"models": [{"modelName": name, "modelUrl": f"/opt/ml/models/{name}/model"} for name in names]}
    return read_page(answer(document=page if token is None else page | {"nextPageToken": token}))


def model(load=200, invoke=200, name="0a1b", key="a.tar.gz", get=200):
    if load != 200:
        return Loaded(name=name, target_model=key, answer=answer(load, "refused"))
    return Loaded(
        name=name, target_model=key, answer=answer(load), got=answer(get), invoked=answer(invoke, "words")
    )


FINE = model()
RENAMED = model(name="2c3d", key="other/name.tar.gz")


def start(outcome, **more):
    return [PingWithoutModels(start=Start(outcome=outcome, seconds=1.0, window_s=2.0, **more))]


def unknown(**more):
    return [UnknownName(**({"get": NOT_FOUND, "delete": NOT_FOUND, "invoke": NOT_FOUND} | more))]


def loads(*models, listed=None, **more):
    return [Loads(models=models, listed=listed or listing(models[0].name), **more)]


def names(first=FINE, renamed=RENAMED, **more):
    return [Names(first=first, renamed=renamed, **more)]


def unloaded(**more):
    kept = {
        "name": "0a1b",
        "answer": answer(),
        "got": NOT_FOUND,
        "invoked": NOT_FOUND,
        "listed": (listing("2c3d"),),
        "again": answer(),
    }
    return [Unloaded(**(kept | more))]


def cycles(*readings, size=24, **more):
    return Cycles(model_bytes=size * MIB, readings=tuple(each * MIB for each in readings), **more)


def paging(*pages, expected=("a", "b", "c"), **more):
    return [Paging(expected=expected, pages=pages, **more)]


def exhausted(refusal, **more):
    return [Exhaustion(limit_bytes=200 * MIB, model_bytes=24 * MIB, loaded=4, refusal=refusal, **more)]


def load(seconds, *pings):
    """Give a load with pings: when each was sent, how long it took, whether it was answered before the load's end."""
    return LoadWithPings(
        seconds=seconds,
        pings=tuple(
            PingBeside(sent_s=sent, answer=Exchange(status=200, seconds=took), in_time=early)
            for sent, took, early in pings
        ),
    )


def pings(*loads):
    return [PingsWhileLoading(loads=loads)]


BLOCKED = load(0.8, (0.05, 0.76, False))
LATE = PingBeside(sent_s=0.05, answer=Exchange(failure="timeout", seconds=2.0), in_time=False)
ILL = PingBeside(sent_s=0.05, answer=Exchange(status=503, seconds=0.1), in_time=True)

CASES = [
    ("SM401", "pass", [CapabilityLabel(value="true")], ""),
    ("SM401", "fail", [CapabilityLabel(value=None)], "has no label"),
    ("SM401", "fail", [CapabilityLabel(value="yes")], "'yes', not 'true'"),
    ("SM402", "pass", [ListBeforeLoad(page=listing())], ""),
    ("SM402", "fail", [ListBeforeLoad(page=read_page(NOT_FOUND))], "answered 404"),
    ("SM402", "fail", [ListBeforeLoad(page=read_page(answer(document=[])))], "without a list of models"),
    ("SM402", "fail", [ListBeforeLoad(page=read_page(answer(document={"models": None})))], "without a list"),
    ("SM402", "fail", [ListBeforeLoad(page=listing("default"))], "lists default before"),
    ("SM402", "fail", [ListBeforeLoad(page=listing(token="0"))], "next page of an empty list"),
    ("SM402", "fail", [ListBeforeLoad(page=read_page(GONE))], "reset the connection"),
    ("SM403", "pass", start("healthy"), ""),
    ("SM403", "fail", start("unhealthy", pings=(Ping(status=503, seconds=0.1),)), "with status 503"),
    ("SM403", "fail", start("unhealthy", listeners=(Listening(address="0.0.0.0", port=80),)), "not on port 8080"),
    ("SM403", "fail", start("exited", exit_code=3), "exited with code 3"),
    ("SM403", "fail", start("not-started", start_error="no such file"), "no such file"),
    ("SM404", "pass", loads(FINE, model(name="2c3d")), ""),
    ("SM404", "pass", loads(FINE, listed=listing("x", "0a1b")), ""),
    ("SM404", "fail", loads(model(500), model(500)), "loading a.tar.gz as 0a1b: the container answered 500"),
    ("SM404", "fail", loads(FINE, model(507)), "answered 507"),
    ("SM404", "fail", loads(model(get=404)), "GET /models/0a1b: the container answered 404"),
    ("SM404", "fail", loads(FINE, listed=listing()), "does not list it"),
    ("SM404", "fail", loads(FINE, listed=read_page(BROKEN)), "with one model loaded"),
    ("SM404", "inconclusive", loads(model(500), blamed=("SM408",)), "SM408"),
    ("SM404", "inconclusive", loads(FINE, listed=listing("a.tar.gz")), "SM408"),
    ("SM405", "pass", [DoubleLoad(again=answer(409))], ""),
    ("SM405", "fail", [DoubleLoad(again=answer(200))], "a second time: the container answered 200"),
    ("SM405", "fail", [DoubleLoad(again=GONE)], "reset the connection"),
    ("SM406", "pass", unknown(), ""),
    ("SM406", "fail", unknown(get=answer(200)), "GET /models/NAME"),
    ("SM406", "fail", unknown(delete=answer(200)), "DELETE /models/NAME"),
    ("SM406", "fail", unknown(invoke=BROKEN), "POST /models/NAME/invoke"),
    ("SM407", "pass", [Invocations(models=(FINE,), sample_given=True)], ""),
    ("SM407", "fail", [Invocations(models=(FINE, model(invoke=500)), sample_given=True)], "answered 500"),
    ("SM407", "fail", [Invocations(models=(model(invoke=404),), sample_given=False)], "answered 404"),
    ("SM407", "inconclusive", [Invocations(models=(model(invoke=400),), sample_given=False)], "--data"),
    ("SM407", "inconclusive", [Invocations(models=(model(invoke=500),), sample_given=True, blamed=("SM408",))], "SM408"),
    ("SM408", "pass", names(), ""),
    ("SM408", "pass", names(model(invoke=400), model(invoke=400), sample_given=False), ""),
    ("SM408", "fail", names(model(500), None, derived=model(name="a")), "works as 'a' and not under an opaque name"),
    ("SM408", "fail", names(FINE, model(500, key="other.tar.gz")), "not when TargetModel is other.tar.gz"),
    ("SM408", "fail", names(FINE, model(invoke=404)), "answered 404"),
    ("SM408", "fail", names(strange=("a.tar.gz",)), "lists a.tar.gz, which was given to no model"),
    ("SM408", "inconclusive", names(model(500), None), "SM404"),
    ("SM408", "inconclusive", names(model(invoke=500), None), "SM407"),
    ("SM408", "inconclusive", names(FINE, None), "one name only"),
    ("SM409", "pass", unloaded(), ""),
    ("SM409", "pass", unloaded(cycles=cycles(100, 108, 107, 110)), ""),
    ("SM409", "pass", unloaded(cycles=cycles(100, 124, 124, 124)), ""),
    ("SM409", "pass", unloaded(cycles=cycles(100, 102, 104, 106, size=2)), ""),
    ("SM409", "pass", unloaded(got=BROKEN), ""),
    ("SM409", "fail", unloaded(answer=BROKEN), "unloading a loaded model"),
    ("SM409", "fail", unloaded(listed=(listing("2c3d"), listing("0a1b"))), "still listed"),
    ("SM409", "fail", unloaded(got=answer()), "GET /models/NAME of a model that was unloaded"),
    ("SM409", "fail", unloaded(invoked=answer()), "POST /models/NAME/invoke of a model"),
    ("SM409", "fail", unloaded(again=answer(409)), "loading a model again"),
    ("SM409", "fail", unloaded(cycles=cycles(100, 124, 148, 172)), "from 100 to 172 MiB"),
    ("SM409", "inconclusive", unloaded(cycles=cycles(100, 124, 148, 172, collector="java")), "java"),
    ("SM410", "pass", paging(listing("a", "b", "c")), ""),
    ("SM410", "pass", paging(listing("a", "b", token="2"), listing("c")), ""),
    ("SM410", "fail", paging(listing("a", "b", token="2"), listing("a", "b", token="2"), endless=True), "no end"),
    ("SM410", "fail", paging(listing("a", "b", token="2"), listing("b", "c")), "listed more than once"),
    ("SM410", "fail", paging(listing("a", "b")), "1 are not listed"),
    ("SM410", "fail", paging(listing("a", "b", "c", token="3"), listing(token="3"), endless=True), "no last page"),
    ("SM410", "fail", paging(listing("a", token="1"), read_page(BROKEN)), "answered 500"),
    ("SM410", "fail", paging(read_page(answer(document={"models": ["a", "b", "c"]}))), "not a modelName"),
    ("SM410", "inconclusive", paging(listing("a.tar.gz"), strange=("a.tar.gz",)), "SM408"),
    ("SM411", "pass", exhausted(answer(507)), ""),
    ("SM411", "fail", exhausted(BROKEN), "with 4 copies of the model in 200 MiB, the container answered 500"),
    ("SM411", "fail", exhausted(GONE, exit_code=137, oom_killed=True), "code 137, killed for memory"),
    ("SM411", "fail", exhausted(answer(507), alive=False), "answers no ping any more"),
    ("SM411", "fail", exhausted(None, exit_code=137, alive=False), "the container exited with code 137"),
    ("SM411", "inconclusive", exhausted(None), "give a larger model"),
    ("SM411", "inconclusive", [replace(exhausted(BROKEN)[0], loaded=1)], "the server itself may need more"),
    ("SM412", "pass", pings(load(0.8, (0.05, 0.01, True))), ""),
    ("SM412", "pass", pings(BLOCKED, BLOCKED, load(0.8, (0.05, 0.01, True), (0.3, 0.5, False))), ""),
    ("SM412", "pass", pings(load(0.1, (0.05, 0.01, True))), ""),
    ("SM412", "fail", pings(BLOCKED, BLOCKED), "in 2 loads of up to 0.8 s no ping was answered"),
    ("SM412", "fail", pings(replace(BLOCKED, seconds=4.0, pings=(LATE,))), "gave no complete answer in 2.0 s"),
    ("SM412", "fail", pings(replace(BLOCKED, pings=(ILL,))), "answered 503"),
    ("SM412", "fail", pings(load(3.0, (0.05, 2.4, True))), "after 2.4 s"),
    ("SM412", "inconclusive", pings(BLOCKED), "too short"),
    ("SM412", "inconclusive", pings(load(0.01)), "0.01 s at most, too short"),
    ("SM412", "inconclusive", pings(), "too short"),
]  # fmt: skip


def judged(rule_id, evidence):
    rule = all_rules()[rule_id]
    return judge(rule, SUBJECT, dict(zip(rule.needs, evidence, strict=True)))


@pytest.mark.parametrize(("rule_id", "status", "evidence", "words"), CASES)
def test_a_rule_on_evidence(rule_id, status, evidence, words):
    result = judged(rule_id, evidence)
    assert result.status.value == status, result
    assert words in result.message
    assert json.loads(json.dumps(dict(result.evidence))) == result.evidence


def test_every_rule_is_broken_kept_and_left_undecided():
    rules = {each for each in all_rules() if each.startswith("SM4")}
    assert rules == {f"SM4{number:02}" for number in range(1, 13)}
    for status in ("pass", "fail"):
        assert {rule_id for rule_id, found, _, _ in CASES if found == status} == rules
    for rule_id in rules:
        rule = all_rules()[rule_id]
        missing = judged(rule_id, [Missing("no reason", "look again")] * len(rule.needs))
        assert missing.status.value == "inconclusive"


def test_no_rule_is_about_an_image_that_serves_one_model():
    serving = Subject(image="image", roles=frozenset({Role.SERVE}), roles_found_by="asked for")
    for rule_id, rule in all_rules().items():
        if rule_id.startswith("SM4"):
            assert judge(rule, serving, {}).status.value == "skip"


def test_a_token_may_be_a_number_and_an_empty_one_is_none():
    assert [listing(token=token).token for token in (2, "2", "", None)] == ["2", "2", None, None]


def test_a_page_that_is_longer_than_what_is_kept_is_no_page():
    page = read_page(replace(answer(document={"models": []}), length=1 << 20))
    assert page == Page(answer=page.answer, trouble="the container answered with 1048576 bytes in one page")
