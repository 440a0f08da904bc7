"""What only some containers can do: a port that they are told, streamed answers, sessions."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from sm_contracts.evidence import Missing
from sm_contracts.evidence.capabilities import InPipeline, Piece, SessionDialogue, Stream, Streams
from sm_contracts.probes.serving import INTERRUPTED, model_folder
from sm_contracts.probes.serving_http import Request, ping_request, wait
from sm_contracts.probes.serving_life import Conditions, InterruptedLifeError, Life, endpoint_request
from sm_contracts.probes.serving_long import NO_SAMPLE, Sample, first_invocation
from sm_contracts.probes.serving_short import BOUND_PORT, SAFE_PORTS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sm_contracts.evidence.serving.exchange import Exchange
    from sm_contracts.evidence.serving.lives import Trial
    from sm_contracts.probes import Evidences, Workbench
    from sm_contracts.probes.serving_http import Client
    from sm_emulate.api import ContainerSpec

TRIES = 3
"""For an answer that seems not to stream: this machine may have held it up."""
STREAMS_AT = 0.9
"""Of an answer's time: with a first byte before it, one try is enough."""
LEAST_WINDOW_S = 20.0
"""For a healthy ping at the port that was told, where the container alone takes next to nothing."""
PATIENCE_S, SHORT_PATIENCE_S = 10.0, 3.0
"""For an answer other than a failure: of the first container, and of one whose like has answered before."""
SETTLE_S = 0.3
"""Further ports may open a moment after the first healthy ping."""
SESSION_HEADER, NEW_SESSION = "X-Amzn-SageMaker-Session-Id", "NEW_SESSION"
OPENED_HEADER = "X-Amzn-SageMaker-New-Session-Id"
_UNHEALTHY = Missing("the container did not become healthy, see SM302")
_JSON = "application/json"


class PipelineProbe:
    """Starts the container as one of a pipeline, with a port of its own, once it has shown that it works alone."""

    name = "pipeline"
    gives: tuple[type, ...] = (InPipeline,)
    lives = 2
    alone = False

    def run(self, bench: Workbench, wanted: frozenset[type]) -> Evidences:
        del wanted
        sample, model = _sample(bench), model_folder(bench)
        window_s = bench.subject.limits.startup_timeout_s
        try:
            with _life(bench, "alone", model, window_s) as life:
                start = life.begin()
                if not start.healthy:
                    return {InPipeline: _UNHEALTHY}
                if sample is not None:
                    first_invocation(life, sample)
                    _check_stopping(bench)
                alone = life.trial(start, tuple(sample.answers) if sample else ())
            window_s = min(window_s, max(LEAST_WINDOW_S, 10 * alone.seconds))
            return {InPipeline: _with_port(bench, sample, model, window_s, alone)}
        except InterruptedLifeError:
            return {InPipeline: INTERRUPTED}


class CapabilitiesProbe:
    """Asks a container for a stream, and for a session."""

    name = "capabilities"
    gives: tuple[type, ...] = (Streams, SessionDialogue)
    lives = 1
    alone = False

    def run(self, bench: Workbench, wanted: frozenset[type]) -> Evidences:
        sample = _sample(bench)
        found: dict[type, object] = {}
        if sample is None:
            found[Streams] = NO_SAMPLE
        asked = wanted - set(found)
        reason = _UNHEALTHY
        try:
            if asked:
                window_s = bench.subject.limits.startup_timeout_s
                with _life(bench, "capabilities", model_folder(bench), window_s) as life:
                    if life.begin().healthy:
                        if Streams in asked and sample is not None:
                            found[Streams] = _streams(life, sample)
                        if SessionDialogue in asked:
                            found[SessionDialogue] = _dialogue(life, sample)
        except InterruptedLifeError:
            reason = INTERRUPTED
        return {kind: found.get(kind, reason) for kind in wanted}


PROBES = (PipelineProbe(), CapabilitiesProbe())


def _sample(bench: Workbench) -> Sample | None:
    payload = bench.subject.payload
    return None if payload is None else Sample(payload=payload, accept=payload.accept)


def _life(
    bench: Workbench,
    name: str,
    model: Path | None,
    window_s: float,
    vary: Callable[[ContainerSpec], ContainerSpec] | None = None,
) -> Life:
    conditions = Conditions(name=name, window_s=window_s, model=model, vary=vary)
    return Life(bench, endpoint_request(bench), conditions)


def _check_stopping(bench: Workbench) -> None:
    """What was seen while the user wanted to leave was cut short, and tells nothing."""
    if bench.stopping():
        raise InterruptedLifeError


def _ask(life: Life, client: Client, request: Request, patience_s: float = PATIENCE_S) -> Exchange:
    """Send it, and again for a while if the container breaks: a healthy ping may come before it is ready (SM305)."""
    until = time.monotonic() + patience_s
    while True:
        seen = client.send(request)
        _check_stopping(life.bench)
        if not _may_work_later(life, seen) or time.monotonic() > until:
            return seen
        wait(0.4, life.bench.stopping)


def _may_work_later(life: Life, seen: Exchange) -> bool:
    refused = seen.answered and (seen.status or 0) < 500
    return not refused and seen.failure != "timeout" and not life.over


# --- a port of its own ----------------------------------------------------------------------------------


def _with_port(
    bench: Workbench, sample: Sample | None, model: Path | None, window_s: float, alone: Trial
) -> InPipeline:
    """Tell it its port and look where it listens and answers."""
    told = {
        "SAGEMAKER_BIND_TO_PORT": str(BOUND_PORT),
        "SAGEMAKER_SAFE_PORT_RANGE": f"{SAFE_PORTS[0]}-{SAFE_PORTS[1]}",
    }

    def vary(spec: ContainerSpec) -> ContainerSpec:
        return replace(spec, environment={**spec.environment, **told}, publish=(*spec.publish, BOUND_PORT))

    with _life(bench, "told its port", model, window_s, vary) as life:
        ping, default = _pings(life, window_s)
        wait(SETTLE_S, bench.stopping)
        listeners = life.listeners()
        invocation = None
        patience_s = max(SHORT_PATIENCE_S, 3 * sample.worked_after_s) if sample is not None else 0.0
        if ping.ok and sample is not None:
            invocation = _ask(life, life.client_at(BOUND_PORT), sample.request(), patience_s)
        _check_stopping(bench)
        return InPipeline(
            alone=alone,
            port=BOUND_PORT,
            ping=ping,
            default_ping=default,
            invocation=invocation,
            listeners=listeners,
            exit_code=life.exit_code,
            log_tail=life.log_tail,
        )


def _pings(life: Life, window_s: float) -> tuple[Exchange, Exchange]:
    """Ping both ports until one is healthy, and the told one a little longer; give the last answer of each."""
    from sm_contracts.evidence.serving.exchange import Exchange

    nobody = Exchange(what=ping_request().what, failure="refused", detail="nobody listened")
    ping = default = nobody
    until = time.monotonic() + window_s
    stopping = life.bench.stopping
    while time.monotonic() < until and not life.over and not stopping():
        if life.container is not None and life.reached:
            ping, default = life.client_at(BOUND_PORT).ping(), life.client.ping()
            if ping.ok:
                break
            if default.ok:  # it may be about to listen at the other, too
                until = min(until, time.monotonic() + 1.0)
        wait(0.1, stopping)
    return ping, default


# --- streams --------------------------------------------------------------------------------------------


def _streams(life: Life, sample: Sample) -> Streams:
    """Send the sample until an answer was seen to come in parts."""
    window_s = life.bench.subject.limits.stream_s
    patience = time.monotonic() + PATIENCE_S
    tries: list[Stream] = []
    while len(tries) < TRIES:
        life.bench.say(f"capabilities: a stream, {len(tries) + 1} of at most {TRIES}")
        one = _stream(life, replace(sample.request(), timeout_s=window_s))
        _check_stopping(life.bench)
        seen = one.exchange
        if seen.status == 200:
            tries.append(one)
            if seen.failure or one.first_s <= STREAMS_AT * one.last_s:
                break
        elif not _may_work_later(life, seen) or time.monotonic() > patience:
            break
        else:
            wait(0.4, life.bench.stopping)
    return Streams(tries=tuple(tries), window_s=window_s)


def _stream(life: Life, request: Request) -> Stream:
    """Send it, and note when each piece of the answer's body comes."""
    pieces: list[Piece] = []
    with life.client.connect() as connection:
        began = time.monotonic()
        connection.request(request)
        seen = connection.answer(
            request, came=lambda size: pieces.append(Piece(at_s=time.monotonic() - began, size=size))
        )
    return Stream(exchange=seen, pieces=tuple(pieces))


# --- sessions -------------------------------------------------------------------------------------------


def _dialogue(life: Life, sample: Sample | None) -> SessionDialogue:
    """Open a session, use it, close it: with the sample payload, and with the bodies that AWS's servers know."""
    life.bench.say("capabilities: a session")
    known = _known("NEW_SESSION", "a request to open a session")
    requests = [known] if sample is None else [sample.request(), known]
    now = time.time()
    opening: list[Exchange] = []
    session = None
    for request in requests:
        opening.append(_ask(life, life.client, _in_session(request, NEW_SESSION)))
        header = opening[-1].header(OPENED_HEADER)
        if opening[-1].ok and header is not None:
            session = header.partition(";")[0]
            break
    using = closing = None
    if session is not None:
        if sample is not None:
            using = life.client.send(_in_session(sample.request(), session))
        closing = life.client.send(_in_session(_known("CLOSE", "a request to close the session"), session))
        _check_stopping(life.bench)
    return SessionDialogue(opening=tuple(opening), using=using, closing=closing, now=now)


def _known(word: str, what: str) -> Request:
    return Request(what=what, body=f'{{"requestType": "{word}"}}'.encode(), content_type=_JSON)


def _in_session(request: Request, session: str) -> Request:
    return replace(request, headers={**request.headers, SESSION_HEADER: session})
