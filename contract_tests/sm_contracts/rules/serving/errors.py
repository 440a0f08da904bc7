"""What malformed input does."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from sm_contracts.evidence.serving.answers import MalformedAnswers
from sm_contracts.evidence.serving.connections import AfterDrops, AfterMalformed
from sm_contracts.roles import SERVING
from sm_contracts.rule import Fail, Outcome, Pass, Severity, rule
from sm_contracts.rules.serving import INFERENCE_CODE, INVOKE_ENDPOINT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sm_contracts.evidence.serving.exchange import Exchange

LONGEST_BODY = 2048
_ERROR_KEYS = {"error", "errors", "exception", "traceback", "errormessage", "error_message"}
_ERROR_TEXT = re.compile(
    r"\s*\W?(error|exception|traceback|invalid|failed|failure|could not|cannot|can't|unable to|bad request|malformed)\b"
    r"|[\s\S]*Traceback \(most recent call last\)|\s*\w*(Error|Exception):",
    re.IGNORECASE,
)


@rule(
    "SM317",
    "bad-input-status",
    severity=Severity.WARNING,
    roles=SERVING,
    needs=MalformedAnswers,
    source=INVOKE_ENDPOINT,
)
def bad_input_status(malformed: MalformedAnswers) -> Iterator[Outcome]:
    """Malformed input gives a server error, or no answer at all.

    What:
        Payloads that the model cannot take (truncated, of another kind, empty, binary) were answered with a 5xx status,
        or the connection was closed without an answer.

    Why:
        SageMaker counts 5xx as a fault of the model: alarms go off, automatic rollback is triggered, and clients
        retry what can never work. 4xx tells the caller to mend the request.

    Fix:
        Catch what goes wrong while the payload is read and answer with 400 (415 for a content type that you do not
        know) and one short sentence.
    """
    bad = [answer for answer in malformed.answers if (answer.status or 599) >= 500]
    for answer in bad:
        yield Fail(f"{answer.what} was sent, and the container {answer}", answer.as_json())
    if not bad:
        yield Pass({answer.what: answer.status for answer in malformed.answers})


@rule(
    "SM318",
    "error-as-success",
    severity=Severity.WARNING,
    roles=SERVING,
    needs=MalformedAnswers,
    source=INVOKE_ENDPOINT,
)
def error_as_success(malformed: MalformedAnswers) -> Iterator[Outcome]:
    """Malformed input is answered with 200 and an error text.

    What:
        A payload that the model cannot take was answered with status 200, and the body says that it went wrong.

    Why:
        For SageMaker, for its metrics and for every client 200 is a prediction: the error text is captured, joined and
        stored as one.

    Fix:
        Answer with 400 and the same text.
    """
    if _says_error(malformed.sample_answer):
        return  # the sample's own answer reads like that: nothing can be told from the text
    for answer in malformed.answers:
        if answer.ok and _says_error(answer):
            yield Fail(
                f"{answer.what} was answered with status 200 and the text {answer.text[:120]!r}",
                answer.as_json(),
            )


def _says_error(answer: Exchange) -> bool:
    text = answer.body.decode("utf-8", "replace")
    try:
        value = json.loads(text)
    except ValueError:
        return bool(_ERROR_TEXT.match(text))
    if isinstance(value, str):
        return bool(_ERROR_TEXT.match(value))
    if not isinstance(value, dict):
        return False
    told = {str(key).lower(): inside for key, inside in value.items()}
    if any(told.get(key) for key in _ERROR_KEYS):
        return True
    return (
        str(told.get("status", "")).lower() in {"error", "failed", "failure"} or told.get("success") is False
    )


@rule(
    "SM319",
    "error-body",
    severity=Severity.WARNING,
    roles=SERVING,
    needs=MalformedAnswers,
    source=INVOKE_ENDPOINT,
)
def error_body(malformed: MalformedAnswers) -> Iterator[Outcome]:
    """The body of an error is HTML, over 2 KB, or cut short.

    What:
        An answer with a 4xx or 5xx status has a body that is an HTML page, longer than 2048 bytes, or shorter than its
        header says.

    Why:
        The body becomes the message of the ModelError that the caller gets, up to 2048 characters. A page of HTML
        hides the reason; a body that is cut short is reported as "could not load the entire response body".

    Fix:
        Answer errors with one short line of plain text or JSON. Replace the framework's error pages.
    """
    for answer in malformed.answers:
        if answer.status is None or answer.status < 400:
            continue
        kind = (answer.header("Content-Type") or "").lower()
        start = answer.body.lstrip()[:15].lower()
        if answer.failure == "cut-short":
            yield Fail(f"the error for {answer.what} is cut short: {answer.detail}", answer.as_json())
        elif answer.length and (kind.startswith("text/html") or start.startswith((b"<!doctype", b"<html"))):
            yield Fail(
                f"the error for {answer.what} (status {answer.status}) is an HTML page", answer.as_json()
            )
        elif answer.length > LONGEST_BODY:
            yield Fail(
                f"the error for {answer.what} (status {answer.status}) is {answer.length} bytes long",
                answer.as_json(),
            )


@rule(
    "SM320",
    "client-disconnect",
    severity=Severity.ERROR,
    roles=SERVING,
    needs=AfterDrops,
    source=INFERENCE_CODE,
)
def client_disconnect(after: AfterDrops) -> Iterator[Outcome]:
    """The container is unhealthy after clients went away within their requests.

    What:
        Clients closed or reset their connections within the body of a request, and before its answer. After that
        GET /ping was not answered with 200 for 10 seconds, or the container had exited.

    Why:
        SageMaker drops the connection when an invocation takes longer than 60 seconds, and networks break. The
        container must not pay for it with its health.

    Fix:
        Expect the connection to end wherever it is read or written, and let go of the worker, lock or slot that the
        request held.
    """
    yield from _unhealthy(after, f"after {after.clients} clients went away within their requests")


@rule(
    "SM321",
    "no-recovery",
    severity=Severity.ERROR,
    roles=SERVING,
    needs=AfterMalformed,
    source=INFERENCE_CODE,
)
def no_recovery(after: AfterMalformed) -> Iterator[Outcome]:
    """The container is unhealthy after a burst of malformed requests.

    What:
        Malformed requests were sent from several clients. After that GET /ping was not answered with 200 for 10
        seconds, or the container had exited.

    Why:
        One caller with a bad payload then takes the endpoint down for all others, until the instance is replaced.

    Fix:
        Catch exceptions per request. A worker that dies must be started again, and /ping must be answered by
        something that lives on.
    """
    yield from _unhealthy(after, f"after {after.requests} malformed requests")


def _unhealthy(after: AfterDrops | AfterMalformed, when: str) -> Iterator[Outcome]:
    last = after.pings[-1]
    if after.exit_code is not None:
        yield Fail(f"{when} the container exited with code {after.exit_code}", {"exit_code": after.exit_code})
    elif not last.ok:
        yield Fail(
            f"{when} GET /ping was not answered with 200 for {after.waited_s:.0f} s: the container {last}",
            {"pings": [ping.as_json() for ping in after.pings[-5:]], "seconds": round(after.waited_s, 1)},
        )
    else:
        yield Pass({"healthy_after_seconds": round(after.waited_s, 3)})
