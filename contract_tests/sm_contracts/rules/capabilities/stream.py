"""What InvokeEndpointWithResponseStream asks of a container."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sm_contracts.evidence.capabilities import Stream, Streams
from sm_contracts.roles import Role
from sm_contracts.rule import Fail, Inconclusive, Outcome, Pass, Severity, rule
from sm_contracts.rules.capabilities import sources

if TYPE_CHECKING:
    from collections.abc import Iterator

SHORTEST_S = 0.5
"""Of an answer whose course tells anything: what takes less is there at once anyway."""
LATE = 0.9
"""Of the time of an answer: a first byte after it came at the end."""
APART_S = 0.02
"""Between two pieces that were not sent together."""
_NOT_WORKING = Inconclusive("the sample payload is not answered 200, see SM311")


@rule(
    "SM611",
    "stream-not-flushed",
    severity=Severity.WARNING,
    roles=Role.STREAMING,
    needs=Streams,
    source=sources.INFERENCE_CODE,
)
def stream_not_flushed(seen: Streams) -> Iterator[Outcome]:
    """The answer comes in one burst at its end.

    What:
        The sample payload was sent several times. Each time all of the answer's body came at once, when it was
        complete, and nothing before.

    Why:
        A client of InvokeEndpointWithResponseStream is given each part as soon as the container sends it. Where the
        container or a proxy in front of it collects the answer first, streaming is no faster than InvokeEndpoint, and
        the client waits without a sign of life.

    Fix:
        Hand the framework an iterator (`StreamingResponse(parts())`, Flask's `Response(stream_with_context(parts()))`)
        and make it yield each part when it is there. In nginx set `proxy_buffering off` and `gzip off`; a compressing
        middleware must leave streams alone. End each record with a newline: parts arrive cut and joined otherwise
        than they were sent.
    """
    tries = [each for each in seen.tries if each.exchange.status == 200 and each.pieces]
    if not tries:
        yield _NOT_WORKING
        return
    best = min(tries, key=_share)
    shown = {"tries": [each.as_evidence() for each in tries]}
    long = [each for each in tries if each.last_s >= SHORTEST_S]
    bursts = [each for each in long if each.longest_gap_s < APART_S]
    if any(_share(each) <= LATE for each in long):
        yield Pass({"first_byte_s": round(best.first_s, 3), "last_byte_s": round(best.last_s, 3)})
    elif not long:
        yield Inconclusive(
            f"the whole answer is there after {best.last_s:.2f} s, too soon to see whether it is streamed",
            f"give a payload whose answer takes {2 * SHORTEST_S:.0f} s or more",
        )
    elif bursts:
        one = bursts[0]
        yield Fail(
            f"the first byte came after {one.first_s:.2f} s of {one.last_s:.2f} s, and all of the body with it",
            shown,
        )
    else:
        yield Inconclusive(
            f"the first byte came after {best.first_s:.2f} s, and the rest within {best.last_s - best.first_s:.2f} s",
            "give a payload with a longer answer",
        )


def _share(stream: Stream) -> float:
    return stream.first_s / stream.last_s if stream.last_s else 1.0


@rule(
    "SM612",
    "stream-not-ended",
    severity=Severity.ERROR,
    roles=Role.STREAMING,
    needs=Streams,
    source=sources.STREAM,
)
def stream_not_ended(seen: Streams) -> Iterator[Outcome]:
    """A streamed answer does not come to a proper end.

    What:
        The answer to the sample payload broke off: the connection closed before the last chunk, or before as many bytes
        as Content-Length announces. Or it was not complete after 8 minutes.

    Why:
        The client's event stream then ends with ModelStreamError: StreamBroken where it broke off,
        ModelInvocationTimeExceeded after 8 minutes ("did not complete sending the inference response in the allotted
        time"). Most clients throw away what had come until then.

    Fix:
        Let the framework end the answer: return from the iterator, also after an error within it, which belongs into
        the stream as a last record. Do not keep a stream open to wait for more; bound the number of parts, or the time.
    """
    tries = [each for each in seen.tries if each.exchange.status == 200]
    if not tries:
        yield _NOT_WORKING
        return
    for each in tries:
        shown = {"window_s": seen.window_s, **each.as_evidence()}
        got = each.exchange
        if got.failure == "timeout":
            silence = got.seconds - each.last_s if each.pieces else got.seconds
            yield Fail(
                f"the answer had not ended after {seen.window_s:g} s; {got.length} bytes had come, the last of them "
                f"{silence:.1f} s before",
                shown,
            )
            return
        if got.failure:
            yield Fail(f"the answer broke off: {got.detail}", shown)
            return
    if not all(each.framed for each in tries):
        yield Inconclusive(
            "the answer has neither chunks nor a length: its end cannot be told from a connection that broke",
            "send Transfer-Encoding: chunked",
        )
        return
    yield Pass({"seconds": round(max(each.exchange.seconds for each in tries), 3)})
