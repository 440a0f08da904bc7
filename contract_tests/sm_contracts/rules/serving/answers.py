"""How the sample payload is answered."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sm_contracts.evidence.serving.answers import (
    AcceptVariants,
    AnyInvocation,
    ContentTypeParameters,
    ExtraHeaders,
    LargeBodies,
    SampleInvocation,
)
from sm_contracts.evidence.serving.exchange import KEPT_BYTES
from sm_contracts.roles import SERVING, Role
from sm_contracts.rule import Fail, Inconclusive, Outcome, Pass, Severity, rule
from sm_contracts.rules.serving import HOSTING_FAQ, INFERENCE_CODE, INVOKE_ENDPOINT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sm_contracts.evidence.serving.exchange import Exchange

LIMIT_S = 60.0
LONGEST_ATTRIBUTES = 1024


@rule(
    "SM310",
    "no-invocations",
    severity=Severity.ERROR,
    roles=SERVING,
    needs=AnyInvocation,
    source=INFERENCE_CODE,
)
def no_invocations(invocation: AnyInvocation) -> Iterator[Outcome]:
    """POST /invocations is not there.

    What:
        POST /invocations was answered with 404 or 405.

    Why:
        SageMaker sends every inference request as POST /invocations to port 8080. A server with other paths is
        healthy, and never answers a caller.

    Fix:
        Serve POST on exactly the path /invocations (no trailing slash, no prefix such as /v1).
    """
    answer = invocation.answer
    if answer.status in (404, 405):
        yield Fail(f"POST /invocations is answered with status {answer.status}", answer.as_json())
    elif answer.status is None:
        yield Inconclusive(f"POST /invocations was not answered: the container {answer}")


@rule(
    "SM311",
    "invocation-failed",
    severity=Severity.ERROR,
    roles=SERVING,
    needs=SampleInvocation,
    source=INFERENCE_CODE,
)
def invocation_failed(sample: SampleInvocation) -> Iterator[Outcome]:
    """The sample payload is not answered with 200.

    What:
        The payload that was given as a sample was sent to POST /invocations, and no answer with status 200 came.

    Why:
        Whatever the container answers but 200 reaches the caller as a ModelError.

    Fix:
        The answer is in the evidence, the reason mostly in the container's log. Send the same with
        `sm-emulate serve IMAGE` and `sm-emulate invoke --data @FILE`; check that --content-type is what the model
        expects.
    """
    last = sample.last
    if last.ok:
        yield Pass({"seconds": round(last.seconds, 3), "content_type": last.header("Content-Type")})
    elif last.status in (404, 405):
        yield Inconclusive(f"POST /invocations is answered {last.status}, see SM310")
    elif last.failure == "timeout":
        yield Inconclusive("there is no complete answer in time, see SM312")
    elif sample.remedy:
        yield Inconclusive(f"it works with {sample.remedy}, see {sample.remedy_rule}")
    else:
        yield Fail(f"the sample payload was sent, and the container {last}", last.as_json())


@rule(
    "SM312",
    "invocation-timeout",
    severity=Severity.ERROR,
    # streams have 8 minutes (SM612), batch transform and asynchronous endpoints up to an hour
    roles=(Role.SERVE, Role.PIPELINE, Role.SERVERLESS, Role.SESSIONS),
    needs=SampleInvocation,
    source=INFERENCE_CODE,
)
def invocation_timeout(sample: SampleInvocation) -> Iterator[Outcome]:
    """The sample payload is not answered within 60 seconds.

    What:
        The sample payload was sent to POST /invocations, and its answer was not complete after 60 seconds.

    Why:
        SageMaker gives a container 60 seconds for an answer and then drops the connection; the caller gets a
        ModelError "Your invocation timed out". The limit cannot be raised for real-time endpoints.

    Fix:
        Make inference faster (a larger instance, a smaller batch), or use an asynchronous endpoint or batch transform,
        which wait up to an hour.
    """
    last = sample.last
    numbers = {"seconds": round(last.seconds, 3), "limit_seconds": LIMIT_S}
    if last.seconds > LIMIT_S:
        yield Fail(f"the answer to the sample payload was not complete after {LIMIT_S:g} s", numbers)
    elif last.failure:
        yield Inconclusive(f"there was no answer to time: the container {last}")
    else:
        yield Pass(numbers)


@rule(
    "SM313", "payload-limit", severity=Severity.WARNING, roles=SERVING, needs=LargeBodies, source=HOSTING_FAQ
)
def payload_limit(bodies: LargeBodies) -> Iterator[Outcome]:
    """A large body is refused because of its size.

    What:
        Bodies of 6 MB and 25 MB were sent to POST /invocations. One was answered with 413, or the connection was cut
        while a small body of the same kind is answered. Whether the content makes sense is not judged. For 6 MB this
        is an error.

    Why:
        A real-time endpoint passes on bodies of up to 25 MB (the API reference still says 6 MB). What the container
        refuses on top of that fails for callers with "Received client error (413)".

    Fix:
        Raise the server's own limit to 25 MB: `client_max_body_size 25m` in nginx (its default is 1 MB),
        MAX_CONTENT_LENGTH in Flask, `TS_MAX_REQUEST_SIZE` in TorchServe.
    """
    for size, body, severity in (
        ("6 MB", bodies.six, Severity.ERROR),
        ("25 MB", bodies.twenty_five, Severity.WARNING),
    ):
        if body is None:
            continue
        if body.status == 413:
            yield Fail(f"a body of {size} is answered with 413", body.as_json(), severity)
        elif body.failure in {"reset", "closed"} and bodies.small.answered:
            yield Fail(
                f"a body of {size} was sent, and the container {body}; a small one is answered {bodies.small.status}",
                body.as_json() | {"small_body_status": bodies.small.status},
                severity,
            )
        elif body.failure:
            yield Inconclusive(f"a body of {size} was sent, and the container {body}")
        else:
            yield Pass({f"status_{size.replace(' ', '_').lower()}": body.status})


@rule(
    "SM314",
    "response-content-type",
    severity=Severity.WARNING,
    roles=SERVING,
    needs=SampleInvocation,
    source=INVOKE_ENDPOINT,
)
def response_content_type(sample: SampleInvocation) -> Iterator[Outcome]:
    """The answer's Content-Type is missing, or not what the body is.

    What:
        The answer to the sample payload has no Content-Type header, or one that its body contradicts: HTML for what is
        no HTML, JSON for what does not parse as JSON, CSV for what is JSON.

    Why:
        The header goes to the caller as it is. In a pipeline it becomes the Content-Type of the next container's
        request; data capture, Clarify and joins in batch transform choose their parser by it.

    Fix:
        Set the header to the type of the body. Frameworks have defaults: Flask and Django say text/html unless told.
    """
    last = sample.last
    if not last.ok:
        yield Inconclusive("the sample payload is not answered 200, see SM311")
        return
    told = last.header("Content-Type")
    shown = {"content_type": told, "body": last.text}
    if last.length == 0:
        yield Pass(shown)
    elif not told:
        yield Fail("the answer has no Content-Type header", shown)
    elif contradiction := _contradiction(told.partition(";")[0].strip().lower(), last):
        yield Fail(f"the answer's Content-Type is {told}, but its body is {contradiction}", shown)
    else:
        yield Pass(shown)


def _contradiction(kind: str, answer: Exchange) -> str:
    """Say what a body is that is not what its type says; empty if it may be."""
    text = answer.body.decode("utf-8", "replace").strip()
    whole = answer.length <= KEPT_BYTES
    if kind in {"text/html", "application/xhtml+xml"} and not text.startswith("<"):
        return "JSON" if whole and _is_json(text) and text[:1] in "{[" else "no HTML"
    if kind == "application/json" and whole and not _is_json(text):
        return "not JSON"
    if kind == "text/csv" and whole and text[:1] in {"{", "["} and _is_json(text):
        return "JSON"
    return ""


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


@rule(
    "SM315",
    "content-type-parameters",
    severity=Severity.WARNING,
    roles=SERVING,
    needs=ContentTypeParameters,
    source=INFERENCE_CODE,
)
def content_type_parameters(sent: ContentTypeParameters) -> Iterator[Outcome]:
    """A content type with a parameter is refused where the bare type works.

    What:
        The sample payload works with its content type, and fails with `; charset=utf-8` behind it.

    Why:
        Clients and the containers before this one in a pipeline add parameters. SageMaker passes the header on as it
        is.

    Fix:
        Compare only what stands before the first semicolon: `request.mimetype` in Flask, or
        `content_type.partition(";")[0].strip()`.
    """
    last = sent.with_parameters[-1]
    if not last.ok:
        yield Fail(f"with `; charset=utf-8` behind the content type the container {last}", last.as_json())


@rule(
    "SM316",
    "accept-default",
    severity=Severity.ERROR,
    roles=SERVING,
    needs=(SampleInvocation, AcceptVariants),
    source=INVOKE_ENDPOINT,
)
def accept_default(sample: SampleInvocation, accept: AcceptVariants) -> Iterator[Outcome]:
    """A request without an Accept header, or with `*/*`, fails where a named type works.

    What:
        The sample payload is answered with 200 when Accept names a type, and not when the header is missing or `*/*`.

    Why:
        Callers need not say what they accept. The container then sees no Accept header, or `*/*`.

    Fix:
        Treat a missing Accept and `*/*` as a type of your choice. Do not compare the header for equality only.
    """
    working = accept.working or sample.rescued_by
    for name, answers in (
        ("without an Accept header", accept.missing),
        ("with Accept: */*", accept.any_type),
    ):
        if not answers[-1].ok:
            works = f"with Accept: {working} it works" if working else "without an Accept header it works"
            yield Fail(f"{name} the container {answers[-1]}; {works}", answers[-1].as_json())


@rule(
    "SM322",
    "extra-headers",
    severity=Severity.ERROR,
    roles=SERVING,
    needs=ExtraHeaders,
    source=INFERENCE_CODE,
)
def extra_headers(extra: ExtraHeaders) -> Iterator[Outcome]:
    """A request fails when it carries headers that the container does not know.

    What:
        The sample payload works, and fails when headers are added that the platform may add; or a ping does.

    Why:
        SageMaker passes on the headers of its API and may add more at any time; containers must ignore what they do
        not know.

    Fix:
        Ignore unknown headers. Raise the server's limit on header count or size if that is what refuses them.
    """
    for what, answer in (("the sample payload", extra.invocations[-1]), ("a ping", extra.ping)):
        if not answer.ok:
            yield Fail(
                f"{what} was sent with headers that the platform may add, and the container {answer}",
                answer.as_json() | {"headers": list(extra.names)},
            )


@rule(
    "SM323",
    "custom-attributes",
    severity=Severity.INFO,
    roles=SERVING,
    needs=SampleInvocation,
    source=INVOKE_ENDPOINT,
)
def custom_attributes(sample: SampleInvocation) -> Iterator[Outcome]:
    """The answer's custom attributes are too long, or not visible ASCII.

    What:
        An answer carries X-Amzn-SageMaker-Custom-Attributes with over 1024 characters, or with characters other than
        visible ASCII.

    Why:
        SageMaker hands the header to the caller only within these limits.

    Fix:
        Keep the value short, and encode what is not ASCII (for example with base64).
    """
    answers = [*sample.answers, *([sample.custom_attributes] if sample.custom_attributes else [])]
    if not any(answer.status is not None for answer in answers):
        yield Inconclusive("the sample payload was not answered, see SM311")
    for answer in answers:
        value = answer.header("X-Amzn-SageMaker-Custom-Attributes")
        if value is None:
            continue
        if len(value) > LONGEST_ATTRIBUTES:
            yield Fail(
                f"the custom attributes have {len(value)} characters, more than 1024", {"length": len(value)}
            )
            return
        if odd := sorted({character for character in value if not " " <= character <= "~"}):
            yield Fail(
                "the custom attributes hold characters that are not visible ASCII", {"characters": odd}
            )
            return
