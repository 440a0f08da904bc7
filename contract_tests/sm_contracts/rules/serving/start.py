"""Coming up: the program, the health check, and where it listens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sm_contracts.evidence.serving.start import FirstInvocation, Start
from sm_contracts.roles import SERVING
from sm_contracts.rule import Fail, Inconclusive, Outcome, Pass, Severity, rule
from sm_contracts.rules.serving import INFERENCE_CODE

if TYPE_CHECKING:
    from collections.abc import Iterator

PORT = 8080
_ABSENCE = (
    "no such file", "not found", "filenotfound", "does not exist", "doesn't exist", "no model", "missing", "is empty",
)  # fmt: skip


@rule(
    "SM301",
    "serve-does-not-start",
    severity=Severity.ERROR,
    roles=SERVING,
    needs=Start,
    source=INFERENCE_CODE,
)
def serve_does_not_start(start: Start) -> Iterator[Outcome]:
    """The container cannot be started, or ends before it is healthy.

    What:
        `docker run IMAGE serve` could not run the program, or the program ended before it answered GET /ping with 200.

    Why:
        SageMaker runs the image with the word `serve`. A container that ends is started again until the start window
        is over; then CreateEndpoint fails with "did not pass the ping health check".

    Fix:
        Run `docker run --rm IMAGE serve` and read the last lines of its log, which are in the evidence. Without an
        ENTRYPOINT the image needs an executable `serve` on its PATH; with one, it must take the argument `serve`.
        The program must stay in the foreground.
    """
    if start.outcome == "not-started":
        yield Fail(f"the program could not be started: {start.start_error}", {"error": start.start_error})
    elif start.outcome == "exited":
        yield from _unless_explained(
            start,
            Fail(
                f"the container exited with code {start.exit_code} after {start.seconds:.1f} s, before it was "
                f"healthy{_killed(start)}{_last_words(start)}",
                {
                    "exit_code": start.exit_code,
                    "oom_killed": start.oom_killed,
                    "seconds": round(start.seconds, 3),
                    "log_tail": list(start.log_tail),
                },
            ),
        )


@rule(
    "SM302", "ping-never-healthy", severity=Severity.ERROR, roles=SERVING, needs=Start, source=INFERENCE_CODE
)
def ping_never_healthy(start: Start) -> Iterator[Outcome]:
    """GET /ping is not answered with 200 within the start window.

    What:
        The container runs, and no GET /ping on port 8080 was answered with status 200 within 2 seconds before the
        start window was over. The evidence says what was found instead: nothing listens, on loopback only, on another
        port, another path, another status, too slow.

    Why:
        SageMaker pings the container from its start on. Without a 200 in the window (8 minutes unless
        ContainerStartupHealthCheckTimeoutInSeconds says otherwise) the endpoint fails with "did not pass the ping
        health check".

    Fix:
        Answer GET /ping on 0.0.0.0:8080 with status 200 and an empty body as soon as the model is loaded. If the
        model needs longer, raise ContainerStartupHealthCheckTimeoutInSeconds (60 to 3600), and check with
        `--startup-timeout`.
    """
    if start.outcome in {"exited", "not-started"}:
        yield Inconclusive("the container did not run long enough to be asked, see SM301")
        return
    if start.healthy:
        yield Pass({"seconds_to_healthy": round(start.seconds, 3)})
        return
    found, seen = cause(start)
    evidence: dict[str, Any] = {
        "cause": found,
        "window_seconds": start.window_s,
        "pings": [
            {"status": ping.status, "seconds": round(ping.seconds, 3), "failure": ping.failure}
            for ping in start.pings[-5:]
        ],
        "listeners": None if start.listeners is None else [str(each) for each in start.listeners],
        "log_tail": list(start.log_tail),
    }
    if start.other_paths:
        evidence["paths_that_answer_200"] = list(start.other_paths)
    message = f"no 200 on GET /ping within {start.window_s:g} s: {seen}"
    yield from _unless_explained(start, Fail(message, evidence))


def cause(start: Start) -> tuple[str, str]:
    """Say what was found in place of a healthy ping."""
    last = start.pings[-1] if start.pings else None
    if last is not None and last.status is not None:
        if last.status == 404 and start.other_paths:
            return "other-path", f"/ping is answered 404, {' and '.join(start.other_paths)} with 200"
        said = f" {start.answer.text[:120]!r}" if start.answer is not None and start.answer.body else ""
        return "status", f"it is answered with status {last.status}{said}"
    if last is not None and last.failure == "timeout":
        patient = start.patient
        took = (
            f"; without that limit it is answered {patient.status} after {patient.seconds:.1f} s"
            if patient is not None and patient.answered
            else ""
        )
        return "too-slow", f"it is not answered within 2 s{took}"
    here = [each for each in start.listeners or () if each.port == PORT]
    if here and all(each.loopback for each in here):
        return "loopback-only", f"the server listens on {here[0]}, which cannot be reached from outside"
    if here and last is not None and last.failure:
        return "no-http", f"port {PORT} is open, but does not speak HTTP ({last.failure})"
    if start.listeners and not here:
        return "other-port", f"it listens on {', '.join(map(str, start.listeners))}, not on port {PORT}"
    return "nothing-listens", f"nothing listens on port {PORT}"


@rule("SM303", "ping-status", severity=Severity.ERROR, roles=SERVING, needs=Start, source=INFERENCE_CODE)
def ping_status(start: Start) -> Iterator[Outcome]:
    """A healthy ping is answered with something else than exactly 200.

    What:
        GET /ping is answered with a status from 201 to 299.

    Why:
        The documented sign of health is status 200 with an empty body. Nothing promises that another success counts,
        and a container that SageMaker does not take for healthy is replaced.

    Fix:
        Answer GET /ping with status 200.
    """
    if not start.pings:
        yield Inconclusive("no ping was answered, see SM301 and SM302")
    odd = sorted({ping.status for ping in start.pings if ping.status is not None and 200 < ping.status < 300})
    if odd:
        yield Fail(
            f"GET /ping was answered with status {', '.join(map(str, odd))} instead of 200", {"statuses": odd}
        )


@rule(
    "SM305",
    "ping-before-ready",
    severity=Severity.ERROR,
    roles=SERVING,
    needs=FirstInvocation,
    source=INFERENCE_CODE,
)
def ping_before_ready(invocation: FirstInvocation) -> Iterator[Outcome]:
    """The ping is healthy before the model can answer.

    What:
        The sample payload was sent as soon as GET /ping was answered with 200. It failed, and a later one worked.

    Why:
        From the first 200 on SageMaker sends traffic. Every scale-out and every replaced instance then begins with
        errors for callers.

    Fix:
        Answer GET /ping with 503 until the model is loaded in every worker, then with 200.
    """
    first, later = invocation.first, invocation.later
    if first.ok:
        yield Pass({"seconds": round(first.seconds, 3)})
    elif later and later[-1].ok:
        yield Fail(
            f"right after the first 200 on GET /ping the container {first}; "
            f"{invocation.after_s:.1f} s later the same payload worked",
            {
                "first": first.as_json(),
                "attempts": len(later),
                "worked_after_seconds": round(invocation.after_s, 3),
            },
        )
    else:
        yield Inconclusive("the sample payload never worked, see SM311")


@rule("SM307", "loopback-only", severity=Severity.ERROR, roles=SERVING, needs=Start, source=INFERENCE_CODE)
def loopback_only(start: Start) -> Iterator[Outcome]:
    """The server listens on 8080 at the loopback address only.

    What:
        In the container's network namespace port 8080 is bound to 127.0.0.1 or ::1, and to no other address.

    Why:
        Loopback is the container's own: from outside, where SageMaker is, the connection is refused.

    Fix:
        Bind to 0.0.0.0 (in most servers `--host 0.0.0.0`), not to 127.0.0.1 or localhost.
    """
    yield from _about_listeners(start)
    here = [each for each in start.listeners or () if each.port == PORT]
    if not start.healthy and here and all(each.loopback for each in here):
        yield Fail(
            f"the server listens on {here[0]} only, which cannot be reached from outside the container",
            {"listeners": [str(each) for each in start.listeners or ()]},
        )


@rule("SM308", "wrong-port", severity=Severity.ERROR, roles=SERVING, needs=Start, source=INFERENCE_CODE)
def wrong_port(start: Start) -> Iterator[Outcome]:
    """The container listens, but not on port 8080.

    What:
        Something listens in the container's network namespace, and nothing on port 8080.

    Why:
        SageMaker sends GET /ping and POST /invocations to port 8080. (Only in a container that is told a port with
        SAGEMAKER_BIND_TO_PORT does it use that one.)

    Fix:
        Listen on `int(os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080"))`. EXPOSE in a Dockerfile changes nothing.
    """
    yield from _about_listeners(start)
    if not start.healthy and start.listeners and all(each.port != PORT for each in start.listeners):
        others = ", ".join(map(str, start.listeners))
        yield Fail(
            f"the container listens on {others}, and not on port {PORT}",
            {"listeners": [str(each) for each in start.listeners]},
        )


def _about_listeners(start: Start) -> Iterator[Outcome]:
    if start.outcome in {"exited", "not-started"}:
        yield Inconclusive("the container did not run long enough to listen, see SM301")
    elif not start.healthy and start.listeners is None:
        yield Inconclusive("what listens inside the container cannot be seen on this engine")


def _unless_explained(start: Start, fail: Fail) -> Iterator[Outcome]:
    """Fail, unless a further container shows what it is really about."""
    if start.remedy:
        yield Inconclusive(f"it becomes healthy with {start.remedy}, see {start.remedy_rule}")
    elif not start.model_given and _wants_a_model(start):
        yield Inconclusive(
            "it did not become healthy without model data, and says that it misses some", "give --model PATH"
        )
    else:
        yield fail


def _wants_a_model(start: Start) -> bool:
    said = [*start.log_tail, start.answer.text if start.answer is not None else ""]
    return any("/opt/ml/model" in line and any(word in line.lower() for word in _ABSENCE) for line in said)


def _killed(start: Start) -> str:
    return " (the kernel killed a process of it for memory)" if start.oom_killed else ""


def _last_words(start: Start) -> str:
    return f"; its last words: {start.log_tail[-1].strip()[:200]!r}" if start.log_tail else ", without a word"
