"""What becomes of connections."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sm_contracts.evidence.serving.connections import Accepts, KeepAlive, SlowBody
from sm_contracts.roles import SERVING
from sm_contracts.rule import Fail, Inconclusive, Outcome, Pass, Severity, rule
from sm_contracts.rules.serving import INFERENCE_CODE

if TYPE_CHECKING:
    from collections.abc import Iterator

LIMIT_S = 0.25


@rule("SM309", "slow-accept", severity=Severity.WARNING, roles=SERVING, needs=Accepts, source=INFERENCE_CODE)
def slow_accept(accepts: Accepts) -> Iterator[Outcome]:
    """Connections are not accepted within 250 ms when many clients come at once.

    What:
        32 clients connected at the same moment, in three rounds. In more than one round a connection stood only after
        over 250 ms, or not at all.

    Why:
        SageMaker wants a connection accepted within 250 ms. When the server's backlog is full, the kernel drops the
        attempt and the client tries again a second later.

    Fix:
        Raise the backlog of the listening socket (`backlog=` or `request_queue_size`; 5 in Python's socketserver), and
        do not accept and serve in one and the same loop.
    """
    slowest = [max(times) for times in accepts.rounds if times]
    numbers = {"clients": accepts.clients, "slowest_seconds": slowest, "limit_seconds": LIMIT_S}
    slow = [seconds for seconds in slowest if seconds > LIMIT_S]
    if len(slow) > 1:
        yield Fail(
            f"with {accepts.clients} clients at once a connection took {max(slow) * 1000:.0f} ms to be accepted "
            f"(limit 250 ms), in {len(slow)} of {len(slowest)} rounds",
            numbers,
        )
    else:
        yield Pass(numbers)


@rule("SM335", "keep-alive", severity=Severity.WARNING, roles=SERVING, needs=KeepAlive, source=INFERENCE_CODE)
def keep_alive(alive: KeepAlive) -> Iterator[Outcome]:
    """A second request on one connection fails.

    What:
        A connection that the container left open (HTTP/1.1 without `Connection: close`) was used for a second request,
        which was not answered, or not in HTTP.

    Why:
        Clients keep connections and use them again. A server that promises to go on and does not makes every second
        request fail. Mostly it has not read the whole body of the first.

    Fix:
        Read each request's body to its end, also when it is refused, and send `Connection: close` where you mean to
        close.
    """
    for first, second in alive.pairs:
        if second is not None and not second.answered:
            yield Fail(
                f"after {first.what} (answered {first.status}) {second.what} was sent on the same connection, and the "
                f"container {second}",
                {"first": first.as_json(), "second": second.as_json()},
            )
            return
    if all(first.failure for first, _ in alive.pairs):
        yield Inconclusive("no first request was answered")
    yield Pass({"reused": sum(second is not None for _, second in alive.pairs)})


@rule("SM340", "slow-body", severity=Severity.WARNING, roles=SERVING, needs=SlowBody, source=INFERENCE_CODE)
def slow_body(slow: SlowBody) -> Iterator[Outcome]:
    """A request body that is sent slowly is dropped.

    What:
        A body was sent in pieces over several seconds. The connection was closed, or the answer was 408, although the
        same body at once is answered.

    Why:
        Bodies of up to 25 MB (100 MB in batch transform) take their time on the way. A server that gives up on a slow
        one shows as "Unable to get response from algorithm".

    Fix:
        Raise the limit for reading a body: `client_body_timeout` in nginx, `--timeout` in gunicorn with sync workers,
        the socket timeout of a server of your own. 60 seconds are what an invocation may take.
    """
    numbers = {"seconds": slow.seconds, "longest_pause_seconds": slow.longest_pause_s}
    if not slow.slow:
        yield Inconclusive(f"the same body at once is not answered either: the container {slow.at_once}")
        return
    last = slow.slow[-1]
    if last.answered and last.status == slow.at_once.status:
        yield Pass(numbers)
    elif not last.answered or last.status == 408 or (slow.at_once.ok and not last.ok):
        yield Fail(
            f"a body sent over {slow.seconds:g} s with pauses of up to {slow.longest_pause_s:g} s was dropped: the "
            f"container {last}",
            numbers | {"answer": last.as_json()},
        )
    else:
        yield Pass(numbers)
