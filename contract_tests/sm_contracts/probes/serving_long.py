"""The acts of the long life: what one container is asked, in an order in which no act spoils the next."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

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
from sm_contracts.evidence.serving.start import FirstInvocation, IdlePings
from sm_contracts.probes.serving_http import Request, wait
from sm_contracts.probes.serving_payloads import malformed, padded

if TYPE_CHECKING:
    from sm_contracts.evidence.serving.exchange import Exchange
    from sm_contracts.probes.serving_http import Client
    from sm_contracts.probes.serving_life import Life
    from sm_contracts.subject import SamplePayload

NO_SAMPLE = Missing("no sample payload was given", "give --data @FILE --content-type TYPE")
PING_LIMIT_S = 2.0
INVOKE_LIMIT_S = 60.0
NEAR_INVOKE_LIMIT_S = 75.0
"""An answer that comes between the limit and this is asked for again: the machine may have been slow."""
WARMING_S = 10.0
"""For how long the sample is tried again after a first invocation that failed."""
SIX_MB = 6_291_456
TWENTY_FIVE_MB = 25_000_000

EXTRA_HEADERS = {
    "X-Amzn-SageMaker-Target-Variant": "AllTraffic",
    "X-Amzn-SageMaker-Inference-Id": "1f3c5a7e-sm-emulate",
    "X-Amzn-SageMaker-Inference-Component": "component-1",
    "X-Amzn-SageMaker-Forwarded-Api-Version": "2017-05-13",
    "X-Amzn-SageMaker-New-In-2031": "a header that nobody knows yet",
    "X-Amzn-RequestId": "7b5c2c52-3a0e-4b3a-9d0e-2f3d3a9f5c11",
    "X-Amzn-Trace-Id": "Root=1-67891233-abcdef012345678912345678;Sampled=1",
    "X-Forwarded-For": "10.32.0.2",
    "Via": "1.1 router",
    "Traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
}
CUSTOM_ATTRIBUTES = "trace_id=sm-emulate"


@dataclass
class Sample:
    """The sample payload, and what is known of it by now."""

    payload: SamplePayload
    accept: str | None = None
    """The Accept header that is used."""
    works: bool = False
    seconds: float = 0.0
    """That an invocation takes."""
    worked_after_s: float = 0.0
    """After the first healthy ping: how long the container took to answer it."""
    answers: list[Exchange] = field(default_factory=list)

    @property
    def mute(self) -> bool:
        """Whether it is not answered in time, so that asking again only costs time."""
        return bool(self.answers) and self.answers[-1].failure == "timeout"

    def request(self, what: str = "the sample payload") -> Request:
        """Give the invocation as the user means it."""
        return Request(
            what=what,
            body=self.payload.body,
            content_type=self.payload.content_type,
            accept=self.accept,
            timeout_s=INVOKE_LIMIT_S,
        )


def any_request(sample: Sample | None) -> Request:
    """Give the sample's invocation, or a made-up one for what any payload shows."""
    if sample is not None:
        return sample.request()
    return Request(what="the payload {}", body=b"{}", content_type="application/json")


def first_invocation(life: Life, sample: Sample) -> FirstInvocation:
    """Send the sample at once, and again until it works; learn whether it does."""
    began = time.monotonic()
    first = _patiently(life.client, sample.request("the first invocation"))
    later: list[Exchange] = []
    # a refusal in so many words will not go away by waiting; what is still loading says 5xx or nothing
    patience = WARMING_S if first.status is None or first.status >= 500 else 1.0
    last = first
    while (
        not last.ok
        and last.status not in (404, 405)
        and last.failure != "timeout"
        and time.monotonic() - began < patience
        and not life.bench.stopping()
        and life.container is not None
    ):
        wait(0.4, life.bench.stopping)
        last = life.client.send(sample.request())
        later.append(last)
    sample.works = last.ok
    sample.answers = [last]
    sample.seconds = last.seconds
    after_s = time.monotonic() - began
    sample.worked_after_s = after_s if later and last.ok else 0.0
    return FirstInvocation(first=first, later=tuple(later), after_s=after_s)


def _patiently(client: Client, request: Request) -> Exchange:
    """Invoke within SageMaker's limit; once more if the answer came shortly after it."""
    seen = client.send(replace(request, timeout_s=NEAR_INVOKE_LIMIT_S))
    if seen.seconds > INVOKE_LIMIT_S and not seen.failure:
        seen = client.send(replace(request, timeout_s=NEAR_INVOKE_LIMIT_S))
    return seen


def sample_invocation(life: Life, sample: Sample) -> SampleInvocation:
    """Repeat what works; where nothing does, look for an Accept header that helps."""
    rescued: str | None = None
    if not sample.works and sample.payload.accept is None and sample.answers[-1].answered:
        rescued = _accept_that_works(life, sample)
    attributes: Exchange | None = None
    if sample.works:
        repeats = 4 if sample.seconds < 0.5 else 1
        for _ in range(repeats):
            if life.bench.stopping():
                break
            sample.answers.append(life.client.send(sample.request()))
        sample.seconds = sorted(answer.seconds for answer in sample.answers)[len(sample.answers) // 2]
        asked = sample.request("the sample payload with custom attributes")
        headers = {"X-Amzn-SageMaker-Custom-Attributes": CUSTOM_ATTRIBUTES}
        attributes = life.client.send(replace(asked, headers=headers))
    return SampleInvocation(
        answers=tuple(sample.answers),
        accept=sample.accept,
        rescued_by=rescued,
        custom_attributes=attributes,
    )


def _accept_that_works(life: Life, sample: Sample) -> str | None:
    kinds = (sample.payload.content_type, "application/json", "text/csv")
    for accept in dict.fromkeys(kind for kind in kinds if kind):
        answer = life.client.send(replace(sample.request(), accept=accept))
        if answer.ok:
            sample.accept, sample.works, sample.seconds = accept, True, answer.seconds
            sample.answers = [answer]
            return accept
    return None


def idle_pings(life: Life) -> IdlePings:
    """Ping a few times; more often where one was slow."""
    pings = [life.client.ping(timeout_s=6.0) for _ in range(4)]
    while any(ping.seconds > PING_LIMIT_S for ping in pings) and len(pings) < 8 and not life.bench.stopping():
        pings.append(life.client.ping(timeout_s=6.0))
    return IdlePings(pings=tuple(pings))


def any_invocation(life: Life, sample: Sample | None) -> AnyInvocation:
    """Send something to /invocations."""
    if sample is not None and sample.answers:
        return AnyInvocation(answer=sample.answers[-1], made_up=False)
    return AnyInvocation(answer=life.client.send(any_request(None)), made_up=True)


def content_type_parameters(life: Life, sample: Sample) -> ContentTypeParameters | Missing:
    """Send the sample with a parameter behind its type."""
    kind = sample.payload.content_type
    if kind is None:
        return Missing("no content type was given for the sample payload", "give --content-type TYPE")
    plain, _, parameters = kind.partition(";")
    if parameters.strip():
        return Missing(
            "the sample's content type has parameters already", "give --content-type without parameters"
        )
    asked = sample.request("the sample payload with a content type that has a parameter")
    seen = _until_ok(life, replace(asked, content_type=f"{plain.strip()}; charset=utf-8"))
    return ContentTypeParameters(plain=sample.answers[-1], with_parameters=seen)


def accept_variants(life: Life, sample: Sample) -> AcceptVariants:
    """Send the sample without an Accept, and with one that leaves the choice to the container."""
    asked = sample.request()
    missing = (
        tuple(sample.answers)
        if sample.accept is None
        else _until_ok(life, replace(asked, what="the sample payload without Accept", accept=None))
    )
    any_type = _until_ok(life, replace(asked, what="the sample payload with Accept: */*", accept="*/*"))
    return AcceptVariants(working=sample.accept, missing=missing, any_type=any_type)


def extra_headers(life: Life, sample: Sample) -> ExtraHeaders:
    """Send the sample, and a ping, with headers that the platform may add."""
    asked = sample.request("the sample payload with headers of the platform")
    seen = _until_ok(life, replace(asked, headers=EXTRA_HEADERS))
    ping = life.client.ping(timeout_s=6.0, headers=EXTRA_HEADERS)
    return ExtraHeaders(names=tuple(EXTRA_HEADERS), invocations=seen, ping=ping)


def malformed_answers(life: Life, sample: Sample) -> MalformedAnswers:
    """Send what the sample cannot mean."""
    answers = []
    for wrong in malformed(sample.payload):
        if life.bench.stopping() or life.container is None:
            break
        asked = replace(sample.request(wrong.what), body=wrong.body, content_type=wrong.content_type)
        answers.append(life.client.send(replace(asked, timeout_s=20.0)))
    return MalformedAnswers(answers=tuple(answers), sample_answer=sample.answers[-1])


def large_bodies(life: Life, sample: Sample | None) -> LargeBodies:
    """Send bodies of the sizes that an endpoint lets through."""
    asked = any_request(sample)

    def sized(what: str, size: int) -> Exchange:
        seen: Exchange | None = None
        for _ in range(2):
            seen = life.client.send(replace(asked, what=what, body=padded(asked.body, size)))
            if seen.status != 413 and seen.failure not in {"reset", "closed"}:
                break
        assert seen is not None
        return seen

    small = sized("a body of 4 KB", max(4096, len(asked.body)))
    six = sized("a body of 6 MB", SIX_MB)
    # a refusal once is a refusal; the larger body would be refused, too
    large = None if six.status == 413 or six.failure else sized("a body of 25 MB", TWENTY_FIVE_MB)
    return LargeBodies(small=small, six=six, twenty_five=large)


def _until_ok(life: Life, request: Request, tries: int = 2) -> tuple[Exchange, ...]:
    """Send it, and once more if it fails."""
    seen: list[Exchange] = []
    while len(seen) < tries and not (seen and seen[-1].ok):
        seen.append(life.client.send(request))
    return tuple(seen)
