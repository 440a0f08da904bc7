"""Every rule of band 3 passes and fails on evidence values; no engine."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sm_contracts.evidence import Missing
from sm_contracts.evidence.serving.answers import (
    AcceptVariants,
    AnyInvocation,
    ContentTypeParameters,
    ExtraHeaders,
    LargeBodies,
    MalformedAnswers,
    SampleInvocation,
)
from sm_contracts.evidence.serving.connections import Accepts, AfterDrops, AfterMalformed, KeepAlive, SlowBody
from sm_contracts.evidence.serving.end import InFlight, Logs, ServerBanner, Stop
from sm_contracts.evidence.serving.exchange import Exchange
from sm_contracts.evidence.serving.lives import (
    BoundPort,
    Isolated,
    ModelDirectory,
    SecondStart,
    Serverless,
    SharedMemory,
    Trial,
    WithoutModel,
)
from sm_contracts.evidence.serving.load import (
    BusyPings,
    BusyRound,
    MemoryReadings,
    Mixup,
    ParallelAnswers,
    Zombies,
)
from sm_contracts.evidence.serving.start import FirstInvocation, IdlePings, Listening, Ping, Start
from sm_contracts.judging import judge
from sm_contracts.registry import all_rules
from sm_contracts.roles import Role
from sm_contracts.rule import Severity, Status
from sm_contracts.subject import Subject

SUBJECT = Subject(image="x", roles=frozenset({Role.SERVE}), roles_found_by="asked for")
PASS, FAIL, INCONCLUSIVE = Status.PASS, Status.FAIL, Status.INCONCLUSIVE
MIB = 1 << 20


def answer(status=200, body=b"{}", kind="application/json", **more):
    headers = (("Content-Type", kind),) if kind else ()
    given = {"what": "the sample payload", "seconds": 0.01, "length": len(body), "headers": headers} | more
    return Exchange(status=status, body=body, **given)


def silent(failure="closed", **more):
    return Exchange(what="the sample payload", failure=failure, **({"seconds": 0.1} | more))


OK = answer()
PING = Exchange(what="GET /ping", status=200, seconds=0.01)
SLOW_PING = replace(PING, seconds=3.0)
NO_PING = Exchange(what="GET /ping", failure="timeout", seconds=6.0)
REFUSED_PING = Exchange(what="GET /ping", failure="refused", seconds=0.0)

HEALTHY = Start(outcome="healthy", seconds=0.5, window_s=480, pings=(Ping(status=200, seconds=0.01),))
EXITED = Start(outcome="exited", seconds=1.0, window_s=480, exit_code=1, log_tail=("KeyError: 'vocab'",))
UNHEALTHY = Start(outcome="unhealthy", seconds=480, window_s=480, listeners=())


def listening(*pairs):
    return tuple(Listening(address=address, port=port) for address, port in pairs)


def pinged(*statuses, failure=""):
    return tuple(Ping(status=status, seconds=0.01, failure=failure) for status in statuses)


UP = Trial(outcome="healthy", seconds=0.5, answers=(OK, OK, OK))
UP_UNASKED = Trial(outcome="healthy", seconds=0.5)
UP_FAILING = Trial(outcome="healthy", seconds=0.5, answers=(answer(500, b"read-only", "text/plain"),))
GONE = Trial(outcome="exited", seconds=0.7, exit_code=1, log_tail=("OSError: Read-only file system",))
STUCK = Trial(outcome="unhealthy", seconds=30.0)
BOUND = BoundPort(
    port=8123,
    safe=(9000, 9999),
    ping=PING,
    default_ping=REFUSED_PING,
    listeners=listening(("0.0.0.0", 8123)),
)
IGNORED = replace(BOUND, ping=REFUSED_PING, default_ping=PING, listeners=listening(("0.0.0.0", 8080)))
WITHOUT = WithoutModel(trial=GONE, window_s=30, logged=True, with_model=UP)
BODIES = LargeBodies(small=OK, six=answer(400), twenty_five=answer(400))
SAMPLE = SampleInvocation(answers=(OK, OK))
ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
IDLE = IdlePings(pings=(PING,) * 4)


def sample(*answers, **more):
    return SampleInvocation(answers=answers, **more)


def malformed(*answers):
    return MalformedAnswers(answers=answers, sample_answer=OK)


def busy(*slowest, connect_s=0.0):
    return BusyPings(
        rounds=tuple(
            BusyRound(
                clients=4, invocations=9, pings=(replace(PING, seconds=seconds, connect_s=connect_s), PING)
            )
            for seconds in slowest
        )
    )


def memory(*mib):
    return MemoryReadings(batch=10, readings=tuple(int(each * MIB) for each in mib))


def attributed(value):
    return replace(OK, headers=(*OK.headers, (ATTRIBUTES, value)))


def accepts(*slowest):
    return Accepts(clients=32, rounds=tuple((0.001, seconds) for seconds in slowest))


CASES = [
    ("SM301", HEALTHY, PASS),
    ("SM301", EXITED, FAIL),
    ("SM301", replace(EXITED, oom_killed=True, log_tail=()), FAIL),
    (
        "SM301",
        Start(outcome="not-started", seconds=0.1, window_s=480, start_error='exec: "serve": not found'),
        FAIL,
    ),
    ("SM301", UNHEALTHY, PASS),
    ("SM301", replace(EXITED, remedy="a writable /opt/ml/model", remedy_rule="SM324"), INCONCLUSIVE),
    (
        "SM301",
        replace(
            EXITED, model_given=False, log_tail=("FileNotFoundError: No such file: '/opt/ml/model/a.bin'",)
        ),
        INCONCLUSIVE,
    ),
    ("SM301", replace(EXITED, model_given=False), FAIL),
    ("SM302", HEALTHY, PASS),
    ("SM302", EXITED, INCONCLUSIVE),
    ("SM302", UNHEALTHY, FAIL),
    ("SM302", replace(UNHEALTHY, pings=pinged(503)), FAIL),
    ("SM302", replace(UNHEALTHY, pings=pinged(404), other_paths=("/health",)), FAIL),
    ("SM302", replace(UNHEALTHY, pings=pinged(None, failure="timeout"), patient=SLOW_PING), FAIL),
    ("SM302", replace(UNHEALTHY, listeners=listening(("127.0.0.1", 8080))), FAIL),
    ("SM302", replace(UNHEALTHY, listeners=listening(("0.0.0.0", 5000))), FAIL),
    (
        "SM302",
        replace(
            UNHEALTHY, listeners=listening(("0.0.0.0", 8080)), pings=pinged(None, failure="bad-response")
        ),
        FAIL,
    ),
    ("SM302", replace(UNHEALTHY, listeners=None), FAIL),
    (
        "SM302",
        replace(
            UNHEALTHY,
            model_given=False,
            pings=pinged(503),
            answer=answer(503, b"no model at /opt/ml/model/tree.joblib", "text/plain"),
        ),
        INCONCLUSIVE,
    ),
    ("SM302", replace(UNHEALTHY, remedy="1 GiB of /dev/shm", remedy_rule="SM338"), INCONCLUSIVE),
    ("SM303", HEALTHY, PASS),
    ("SM303", replace(HEALTHY, pings=pinged(503, 200)), PASS),
    ("SM303", replace(UNHEALTHY, pings=pinged(204)), FAIL),
    ("SM303", EXITED, INCONCLUSIVE),
    ("SM304", IDLE, PASS),
    ("SM304", IdlePings(pings=(PING, SLOW_PING, PING, PING)), PASS),
    ("SM304", IdlePings(pings=(PING, SLOW_PING, NO_PING, PING)), FAIL),
    ("SM305", FirstInvocation(first=OK), PASS),
    ("SM305", FirstInvocation(first=answer(503), later=(answer(503), OK), after_s=2.0), FAIL),
    ("SM305", FirstInvocation(first=silent(), later=(OK,), after_s=0.5), FAIL),
    ("SM305", FirstInvocation(first=answer(500), later=(answer(500),)), INCONCLUSIVE),
    ("SM306", (IDLE, busy(0.1)), PASS),
    ("SM306", (IDLE, busy(3.0, 0.1)), PASS),
    ("SM306", (IDLE, busy(3.0, 2.1)), FAIL),
    ("SM306", (IDLE, busy(3.0, 3.0, connect_s=2.5)), PASS),
    ("SM306", (IdlePings(pings=(SLOW_PING,) * 4), busy(3.0, 3.0)), INCONCLUSIVE),
    ("SM307", HEALTHY, PASS),
    ("SM307", replace(UNHEALTHY, listeners=listening(("127.0.0.1", 8080), ("0.0.0.0", 9000))), FAIL),
    ("SM307", replace(UNHEALTHY, listeners=listening(("::1", 8080))), FAIL),
    ("SM307", replace(UNHEALTHY, listeners=listening(("127.0.0.1", 8080), ("0.0.0.0", 8080))), PASS),
    ("SM307", replace(UNHEALTHY, listeners=None), INCONCLUSIVE),
    ("SM307", EXITED, INCONCLUSIVE),
    ("SM308", HEALTHY, PASS),
    ("SM308", replace(UNHEALTHY, listeners=listening(("127.0.0.1", 5000))), FAIL),
    ("SM308", replace(UNHEALTHY, listeners=listening(("0.0.0.0", 8080), ("0.0.0.0", 5000))), PASS),
    ("SM308", UNHEALTHY, PASS),
    ("SM308", replace(UNHEALTHY, listeners=None), INCONCLUSIVE),
    ("SM309", accepts(0.01, 0.2, 0.01), PASS),
    ("SM309", accepts(1.0, 0.01, 0.01), PASS),
    ("SM309", accepts(1.0, 0.01, 0.3), FAIL),
    ("SM310", AnyInvocation(answer=OK, made_up=False), PASS),
    ("SM310", AnyInvocation(answer=answer(400), made_up=True), PASS),
    ("SM310", AnyInvocation(answer=answer(404), made_up=True), FAIL),
    ("SM310", AnyInvocation(answer=answer(405), made_up=False), FAIL),
    ("SM310", AnyInvocation(answer=silent(), made_up=False), INCONCLUSIVE),
    ("SM311", SAMPLE, PASS),
    ("SM311", sample(answer(500)), FAIL),
    ("SM311", sample(silent("reset")), FAIL),
    ("SM311", sample(answer(failure="cut-short")), FAIL),
    ("SM311", sample(answer(404)), INCONCLUSIVE),
    ("SM311", sample(silent("timeout", seconds=75)), INCONCLUSIVE),
    ("SM311", sample(answer(500), remedy="1 GiB of /dev/shm", remedy_rule="SM338"), INCONCLUSIVE),
    ("SM312", SAMPLE, PASS),
    ("SM312", sample(silent("timeout", seconds=75)), FAIL),
    ("SM312", sample(answer(seconds=61.0)), FAIL),
    ("SM312", sample(answer(seconds=59.0)), PASS),
    ("SM312", sample(silent("reset")), INCONCLUSIVE),
    ("SM313", BODIES, PASS),
    ("SM313", replace(BODIES, twenty_five=answer(413)), FAIL),
    ("SM313", replace(BODIES, six=answer(413), twenty_five=None), FAIL),
    ("SM313", replace(BODIES, twenty_five=silent("reset")), FAIL),
    ("SM313", replace(BODIES, small=silent("reset"), six=silent("reset"), twenty_five=None), INCONCLUSIVE),
    ("SM313", replace(BODIES, twenty_five=silent("timeout")), INCONCLUSIVE),
    ("SM314", SAMPLE, PASS),
    ("SM314", sample(answer(body=b"1,2\n", kind="text/csv")), PASS),
    ("SM314", sample(answer(body=b"", kind=None)), PASS),
    ("SM314", sample(answer(body=b"<p>1</p>", kind="text/html")), PASS),
    ("SM314", sample(answer(kind=None)), FAIL),
    ("SM314", sample(answer(kind="text/html; charset=utf-8")), FAIL),
    ("SM314", sample(answer(body=b"1,2", kind="application/json")), FAIL),
    ("SM314", sample(answer(kind="text/csv")), FAIL),
    ("SM314", sample(answer(500)), INCONCLUSIVE),
    ("SM315", ContentTypeParameters(plain=OK, with_parameters=(OK,)), PASS),
    ("SM315", ContentTypeParameters(plain=OK, with_parameters=(answer(500), OK)), PASS),
    ("SM315", ContentTypeParameters(plain=OK, with_parameters=(answer(415), answer(415))), FAIL),
    ("SM316", (SAMPLE, AcceptVariants(working=None, missing=(OK,), any_type=(OK,))), PASS),
    ("SM316", (SAMPLE, AcceptVariants(working="text/csv", missing=(answer(406),), any_type=(OK,))), FAIL),
    ("SM316", (SAMPLE, AcceptVariants(working=None, missing=(OK,), any_type=(answer(406),))), FAIL),
    ("SM317", malformed(answer(400), answer(415), OK), PASS),
    ("SM317", malformed(answer(400), answer(500)), FAIL),
    ("SM317", malformed(silent("closed")), FAIL),
    ("SM318", malformed(answer(400), OK, answer(body=b"setosa\n", kind="text/csv")), PASS),
    ("SM318", malformed(answer(body=b'{"error": "bad input"}')), FAIL),
    ("SM318", malformed(answer(body=b'{"error": null, "predictions": []}')), PASS),
    ("SM318", malformed(answer(body=b"ValueError: could not convert", kind="text/plain")), FAIL),
    ("SM318", malformed(answer(body=b'{"status": "failed"}')), FAIL),
    (
        "SM318",
        MalformedAnswers(
            answers=(answer(body=b'{"error": 0.5}'),), sample_answer=answer(body=b'{"error": 0.25}')
        ),
        PASS,
    ),
    (
        "SM319",
        malformed(answer(400, b"not a table\n", "text/plain"), answer(200, b"<html>", "text/html")),
        PASS,
    ),
    ("SM319", malformed(answer(400, b"<!doctype html><title>400", "text/html")), FAIL),
    ("SM319", malformed(answer(500, b"x" * 3000, "text/plain")), FAIL),
    (
        "SM319",
        malformed(answer(500, b"x", "text/plain", failure="cut-short", detail="1 of 9 bytes came")),
        FAIL,
    ),
    ("SM320", AfterDrops(clients=12, pings=(PING,), waited_s=0.1), PASS),
    ("SM320", AfterDrops(clients=12, pings=(NO_PING, NO_PING, PING), waited_s=6.0), PASS),
    ("SM320", AfterDrops(clients=12, pings=(NO_PING, NO_PING), waited_s=11.0), FAIL),
    ("SM320", AfterDrops(clients=12, pings=(REFUSED_PING,), waited_s=0.3, exit_code=1), FAIL),
    ("SM321", AfterMalformed(requests=60, pings=(PING,), waited_s=0.1), PASS),
    ("SM321", AfterMalformed(requests=60, pings=(answer(503),), waited_s=11.0), FAIL),
    ("SM321", AfterMalformed(requests=60, pings=(PING, REFUSED_PING), waited_s=0.4, exit_code=134), FAIL),
    ("SM322", ExtraHeaders(names=("Via",), invocations=(OK,), ping=PING), PASS),
    ("SM322", ExtraHeaders(names=("Via",), invocations=(answer(400), OK), ping=PING), PASS),
    ("SM322", ExtraHeaders(names=("Via",), invocations=(answer(400), answer(431)), ping=PING), FAIL),
    ("SM322", ExtraHeaders(names=("Via",), invocations=(OK,), ping=answer(400)), FAIL),
    ("SM323", SAMPLE, PASS),
    ("SM323", sample(attributed("trace=1")), PASS),
    ("SM323", sample(attributed("x" * 1025)), FAIL),
    ("SM323", sample(OK, custom_attributes=attributed("größe=1")), FAIL),
    ("SM323", sample(silent()), INCONCLUSIVE),
    ("SM324", ModelDirectory(read_only=UP, writable=None, sample_given=True), PASS),
    ("SM324", ModelDirectory(read_only=UP_UNASKED, writable=None, sample_given=False), INCONCLUSIVE),
    ("SM324", ModelDirectory(read_only=GONE, writable=UP, sample_given=True), FAIL),
    ("SM324", ModelDirectory(read_only=GONE, writable=UP_UNASKED, sample_given=False), FAIL),
    ("SM324", ModelDirectory(read_only=UP_FAILING, writable=UP, sample_given=True), FAIL),
    ("SM324", ModelDirectory(read_only=UP_FAILING, writable=UP_FAILING, sample_given=True), INCONCLUSIVE),
    ("SM324", ModelDirectory(read_only=GONE, writable=GONE, sample_given=True), INCONCLUSIVE),
    ("SM325", WITHOUT, PASS),
    ("SM325", replace(WITHOUT, trial=UP_UNASKED), PASS),
    ("SM325", replace(WITHOUT, trial=replace(STUCK, status=503, said="no model")), PASS),
    ("SM325", replace(WITHOUT, trial=STUCK), FAIL),
    ("SM325", replace(WITHOUT, logged=False), FAIL),
    ("SM325", replace(WITHOUT, trial=replace(STUCK, status=503), logged=False), FAIL),
    ("SM325", replace(WITHOUT, trial=STUCK, with_model=None), INCONCLUSIVE),
    ("SM326", Isolated(trial=UP_UNASKED, asked_for=False), PASS),
    ("SM326", Isolated(trial=GONE, asked_for=False), FAIL),
    ("SM326", Isolated(trial=STUCK, asked_for=True), FAIL),
    ("SM327", Stop(window_s=30, seconds=0.2, exit_code=0), PASS),
    ("SM327", Stop(window_s=30, seconds=29.5, exit_code=143), PASS),
    ("SM327", Stop(window_s=30, seconds=None), FAIL),
    ("SM328", InFlight(answer=OK, before=OK), PASS),
    ("SM328", InFlight(answer=silent("reset"), before=OK), FAIL),
    ("SM328", InFlight(answer=answer(503), before=OK), FAIL),
    ("SM328", InFlight(answer=silent(), before=silent()), INCONCLUSIVE),
    ("SM329", SecondStart(first=UP, second=UP), PASS),
    ("SM329", SecondStart(first=UP, second=GONE), FAIL),
    ("SM329", SecondStart(first=UP, second=UP_FAILING), FAIL),
    ("SM329", SecondStart(first=UP, second=replace(UP, answers=(answer(body=b"[1]"),) * 3)), FAIL),
    ("SM329", SecondStart(first=UP, second=replace(UP, answers=(answer(kind="text/plain"),) * 3)), FAIL),
    (
        "SM329",
        SecondStart(
            first=replace(UP, answers=(answer(body=b"1"), answer(body=b"2"))),
            second=replace(UP, answers=(answer(body=b"3"), answer(body=b"4"))),
        ),
        PASS,
    ),
    ("SM329", SecondStart(first=UP_UNASKED, second=UP_UNASKED), INCONCLUSIVE),
    ("SM330", ServerBanner(server="nginx/1.22.1"), PASS),
    ("SM330", ServerBanner(server=None), PASS),
    ("SM330", ServerBanner(server="Werkzeug/3.0 Python/3.11"), FAIL),
    ("SM330", ServerBanner(server="SimpleHTTP/0.6 Python/3.11"), FAIL),
    ("SM330", ServerBanner(server=None, log_lines=("WARNING: This is a development server.",)), FAIL),
    ("SM331", BOUND, PASS),
    ("SM331", IGNORED, FAIL),
    ("SM331", replace(IGNORED, default_ping=REFUSED_PING, exit_code=1), FAIL),
    ("SM332", BOUND, PASS),
    (
        "SM332",
        replace(BOUND, listeners=listening(("0.0.0.0", 8123), ("127.0.0.1", 8002), ("::", 9001))),
        PASS,
    ),
    ("SM332", replace(BOUND, listeners=listening(("0.0.0.0", 8123), ("0.0.0.0", 8002))), FAIL),
    ("SM332", replace(BOUND, listeners=listening(("0.0.0.0", 8123), ("::", 10000))), FAIL),
    ("SM332", IGNORED, PASS),
    ("SM332", replace(BOUND, listeners=None), INCONCLUSIVE),
    ("SM333", ParallelAnswers(clients=4, invocations=90, distinct=8), PASS),
    ("SM333", ParallelAnswers(clients=4, invocations=90, distinct=8, failures=(answer(503),)), FAIL),
    (
        "SM333",
        ParallelAnswers(
            clients=4, invocations=9, distinct=2, mixups=(Mixup(payload="[1]", expected="1", got="2"),)
        ),
        FAIL,
    ),
    ("SM334", Serverless(trial=UP, sample_given=True, asked_for=False), PASS),
    ("SM334", Serverless(trial=GONE, sample_given=True, asked_for=False), FAIL),
    ("SM334", Serverless(trial=UP_FAILING, sample_given=True, asked_for=True), FAIL),
    ("SM334", Serverless(trial=UP_UNASKED, sample_given=False, asked_for=False), INCONCLUSIVE),
    ("SM335", KeepAlive(pairs=((OK, OK), (OK, None))), PASS),
    ("SM335", KeepAlive(pairs=((OK, answer(400)),)), PASS),
    ("SM335", KeepAlive(pairs=((OK, OK), (OK, silent("closed")))), FAIL),
    ("SM335", KeepAlive(pairs=((OK, silent("bad-response")),)), FAIL),
    ("SM335", KeepAlive(pairs=((silent(), None),)), INCONCLUSIVE),
    ("SM336", Logs(bytes=1), PASS),
    ("SM336", Logs(bytes=0), FAIL),
    ("SM337", Zombies(names=(), killed="gunicorn", processes=5), PASS),
    ("SM337", Zombies(names=("gunicorn",), killed="gunicorn", processes=5), FAIL),
    ("SM337", Zombies(names=("sh", "sh"), killed="", processes=5), FAIL),
    ("SM338", SharedMemory(small=UP, large=None, sample_given=True), PASS),
    ("SM338", SharedMemory(small=UP_UNASKED, large=None, sample_given=False), INCONCLUSIVE),
    ("SM338", SharedMemory(small=GONE, large=UP, sample_given=True), FAIL),
    ("SM338", SharedMemory(small=UP_FAILING, large=UP_FAILING, sample_given=True), INCONCLUSIVE),
    ("SM339", memory(50, 60, 61, 61, 62, 62, 62, 62, 62), PASS),
    ("SM339", memory(50, 60, 70, 80, 90, 100, 110, 120, 130), FAIL),
    ("SM339", memory(50, 60, 70, 69, 90, 100, 110, 120, 130), FAIL),
    ("SM339", replace(memory(50, 60, 70, 80, 90, 100, 110, 120, 130), collector="java"), INCONCLUSIVE),
    ("SM339", replace(memory(50, 150, 250, 350, 450, 550, 650, 750, 850), collector="java"), FAIL),
    ("SM339", memory(50, 53, 56, 59, 62, 65, 68, 71, 74), INCONCLUSIVE),
    ("SM339", memory(50, 90, 110, 120, 125, 126, 127, 128, 129), PASS),
    ("SM339", memory(50, 50.1, 50.2, 50.3, 50.4, 50.5, 50.6, 50.7, 50.8), PASS),
    ("SM339", memory(50, 60, 70), INCONCLUSIVE),
    ("SM340", SlowBody(at_once=OK, slow=(OK,), seconds=7.3, longest_pause_s=6), PASS),
    ("SM340", SlowBody(at_once=answer(400), slow=(answer(400),), seconds=7.3, longest_pause_s=6), PASS),
    ("SM340", SlowBody(at_once=OK, slow=(silent(), silent()), seconds=7.3, longest_pause_s=6), FAIL),
    ("SM340", SlowBody(at_once=OK, slow=(silent(), OK), seconds=7.3, longest_pause_s=6), PASS),
    ("SM340", SlowBody(at_once=OK, slow=(answer(408),), seconds=7.3, longest_pause_s=6), FAIL),
    ("SM340", SlowBody(at_once=silent(), slow=(), seconds=0, longest_pause_s=0), INCONCLUSIVE),
]


def judged(rule_id, evidence):
    rule = all_rules()[rule_id]
    values = evidence if isinstance(evidence, tuple) else (evidence,)
    return judge(rule, SUBJECT, dict(zip(rule.needs, values, strict=True)))


@pytest.mark.parametrize(
    ("rule_id", "evidence", "status"),
    CASES,
    ids=[f"{case[0]}-{number}-{case[2].value}" for number, case in enumerate(CASES)],
)
def test_a_rule_on_evidence(rule_id, evidence, status):
    result = judged(rule_id, evidence)
    assert result.status is status, (result.message, result.evidence)
    if status is not PASS:
        assert result.message


def band():
    return [rule_id for rule_id in all_rules() if rule_id.startswith("SM3")]


def test_the_band_is_whole():
    assert band() == [f"SM3{number:02}" for number in range(1, 41)]


@pytest.mark.parametrize("status", [PASS, FAIL])
def test_every_rule_is_shown_both_ways(status):
    assert {case[0] for case in CASES if case[2] is status} == set(band())


@pytest.mark.parametrize("rule_id", band())
def test_without_evidence_a_rule_is_inconclusive_and_says_how_to_have_it(rule_id):
    rule = all_rules()[rule_id]
    missing = Missing("no sample payload was given", "give --data @FILE")
    result = judge(rule, SUBJECT, dict.fromkeys(rule.needs, missing))
    assert (result.status, result.message) == (
        INCONCLUSIVE,
        "no sample payload was given; give --data @FILE",
    )


@pytest.mark.parametrize(
    ("rule_id", "evidence", "severity"),
    [
        ("SM313", replace(BODIES, six=answer(413), twenty_five=None), Severity.ERROR),
        ("SM313", replace(BODIES, twenty_five=answer(413)), Severity.WARNING),
        ("SM326", Isolated(trial=GONE, asked_for=True), Severity.ERROR),
        ("SM326", Isolated(trial=GONE, asked_for=False), Severity.WARNING),
        ("SM331", replace(IGNORED, labelled=True), Severity.ERROR),
        ("SM331", IGNORED, Severity.WARNING),
        ("SM334", Serverless(trial=GONE, sample_given=True, asked_for=True), Severity.ERROR),
        ("SM334", Serverless(trial=GONE, sample_given=True, asked_for=False), Severity.WARNING),
    ],
)
def test_a_breach_weighs_more_where_it_is_asked_for(rule_id, evidence, severity):
    result = judged(rule_id, evidence)
    assert (result.status, result.severity) == (FAIL, severity)


@pytest.mark.parametrize(
    ("start", "cause"),
    [
        (UNHEALTHY, "nothing-listens"),
        (replace(UNHEALTHY, pings=pinged(503)), "status"),
        (replace(UNHEALTHY, pings=pinged(404), other_paths=("/health",)), "other-path"),
        (replace(UNHEALTHY, pings=pinged(None, failure="timeout"), patient=SLOW_PING), "too-slow"),
        (replace(UNHEALTHY, listeners=listening(("127.0.0.1", 8080))), "loopback-only"),
        (replace(UNHEALTHY, listeners=listening(("0.0.0.0", 5000))), "other-port"),
        (
            replace(
                UNHEALTHY, listeners=listening(("0.0.0.0", 8080)), pings=pinged(None, failure="bad-response")
            ),
            "no-http",
        ),
    ],
)
def test_the_evidence_says_why_a_container_is_not_healthy(start, cause):
    assert judged("SM302", start).evidence["cause"] == cause
