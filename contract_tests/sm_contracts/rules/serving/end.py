"""How the container ends, and what it said in its life."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sm_contracts.evidence.serving.end import InFlight, Logs, Stop
from sm_contracts.roles import SERVING
from sm_contracts.rule import Fail, Inconclusive, Outcome, Pass, Severity, rule
from sm_contracts.rules.serving import INFERENCE_CODE

if TYPE_CHECKING:
    from collections.abc import Iterator

LOGS_PAGE = "https://docs.aws.amazon.com/sagemaker/latest/dg/logging-cloudwatch.html"


@rule("SM327", "sigterm-ignored", severity=Severity.ERROR, roles=SERVING, needs=Stop, source=INFERENCE_CODE)
def sigterm_ignored(stop: Stop) -> Iterator[Outcome]:
    """The container is still alive 30 seconds after SIGTERM.

    What:
        PID 1 was sent SIGTERM, and the container had not ended when the stop window was over.

    Why:
        SageMaker stops containers with SIGTERM, and kills them 30 seconds later: whatever was under way is lost.
        A process with PID 1 does not get the default action of a signal: without a handler SIGTERM does nothing.

    Fix:
        Handle SIGTERM, or let a server that does be PID 1: exec-form ENTRYPOINT, and `exec` at the end of a shell
        script.
    """
    if stop.seconds is None:
        yield Fail(
            f"the container was alive {stop.window_s:g} s after SIGTERM", {"window_seconds": stop.window_s}
        )
    else:
        yield Pass({"seconds": round(stop.seconds, 3), "exit_code": stop.exit_code})


@rule(
    "SM328",
    "in-flight-dropped",
    severity=Severity.WARNING,
    roles=SERVING,
    needs=InFlight,
    source=INFERENCE_CODE,
)
def in_flight_dropped(flight: InFlight) -> Iterator[Outcome]:
    """A request that is in flight at SIGTERM is cut.

    What:
        SIGTERM was sent while a request was on its way. The request got no complete answer, or an error.

    Why:
        Instances are stopped on every scale-in, update and security patch. The 30 seconds between SIGTERM and SIGKILL
        are there to finish what has begun.

    Fix:
        On SIGTERM stop accepting connections, finish the requests that have begun, then exit. Most servers do this if
        the signal reaches them.
    """
    answer, before = flight.answer, flight.before
    if not before.answered:
        yield Inconclusive(f"the same request was not answered before SIGTERM either: the container {before}")
    elif not answer.answered or (before.status or 0) < 500 <= (answer.status or 0):
        yield Fail(f"a request was in flight at SIGTERM, and the container {answer}", answer.as_json())
    else:
        yield Pass({"status": answer.status})


@rule("SM336", "no-logs", severity=Severity.WARNING, roles=SERVING, needs=Logs, source=LOGS_PAGE)
def no_logs(logs: Logs) -> Iterator[Outcome]:
    """The container writes nothing to stdout or stderr.

    What:
        From its start to its end, with good and malformed requests in between, the container wrote nothing to stdout or
        stderr.

    Why:
        What goes there is what CloudWatch Logs gets, and all that is ever seen of a container on SageMaker. Log files
        inside it vanish with the instance.

    Fix:
        Log to stdout or stderr, unbuffered (`PYTHONUNBUFFERED=1`).
    """
    if logs.bytes == 0:
        yield Fail(
            "the container wrote nothing to stdout or stderr between its start and its end", {"bytes": 0}
        )
    else:
        yield Pass({"bytes": logs.bytes})
