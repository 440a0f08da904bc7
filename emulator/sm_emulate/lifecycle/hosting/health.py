"""The ping health check of an endpoint's start, and the diagnosis when it is not passed."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sm_emulate.gateway.ping import PingOutcome, ping
from sm_emulate.spec.endpoint import CONTAINER_PORT
from sm_emulate.spec.invocation import PING_PATH, PING_TIMEOUT_S

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sm_emulate.engine.protocol import Exit, Listener
    from sm_emulate.gateway.front import Upstream

REFUSED_PAUSE_S = 0.005
"""Between two tries while nothing listens yet: a refused connection costs the container nothing."""
UNHEALTHY_PAUSE_S = (0.05, 1.0)
"""Between two pings that were answered badly: the first pause and the longest, doubled in between."""

FIRST_WORD_S, NEXT_WORD_S = 15.0, 60.0
"""When somebody who waits is told for the first time what is seen so far, and how long after that again."""


def wait_until_healthy(
    upstream: Upstream,
    *,
    window_s: float,
    give_up: Callable[[], bool],
    heard: Callable[[PingOutcome], None],
    still: Callable[[PingOutcome | None, float], None],
    host_header: str,
    also: Callable[[], PingOutcome | None] = lambda: None,
) -> PingOutcome | None:
    """Ping until a 200 comes; give the last outcome, which is no 200 when the window closed.

    Args:
        upstream: where the container listens.
        window_s: seconds from now that the container has.
        give_up: asked before each ping; true ends the wait (the container has exited, a stop was asked for).
        heard: told each outcome other than a refused connection.
        still: told the last outcome and the seconds so far, now and then while it takes long.
        host_header: as the container sees it.
        also: asked after a 200; an outcome that is no 200 counts in its place.
    """
    began = time.monotonic()
    deadline, next_word = began + window_s, began + FIRST_WORD_S
    outcome: PingOutcome | None = None
    pause, longest = UNHEALTHY_PAUSE_S
    while not give_up() and (left := deadline - (moment := time.monotonic())) > 0:
        if moment >= next_word:
            next_word = moment + NEXT_WORD_S
            still(outcome, moment - began)
        outcome = ping(
            upstream.host, upstream.port, timeout_s=min(PING_TIMEOUT_S, left), host_header=host_header
        )
        if outcome.failure == "refused":
            time.sleep(REFUSED_PAUSE_S)
            continue
        heard(outcome)
        if outcome.status == 200:
            outcome = also() or outcome
        if outcome.status == 200:
            return outcome
        time.sleep(min(pause, max(0.0, deadline - time.monotonic())))
        pause = min(pause * 2, longest)
    return outcome


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """Why an endpoint's container did not become healthy, and what to do."""

    cause: str
    """`exited`, `nothing-listens`, `other-port`, `loopback-only`, `wrong-status`, `too-slow`, `no-http`."""
    seen: str
    hint: str


def diagnose(
    *,
    ended: Exit | None,
    last: PingOutcome | None,
    listeners: Sequence[Listener] | None,
    window_s: float,
    port: int = CONTAINER_PORT,
) -> Diagnosis:
    """Say why the health check was not passed, from what was seen."""
    if ended is not None:
        memory = " after the kernel killed it for memory" if ended.oom_killed else ""
        return Diagnosis(
            cause="exited",
            seen=f"the container exited with code {ended.code}{memory} before it answered GET /ping with 200",
            hint="its last log lines are below; `serve` must stay in the foreground",
        )
    if last is not None and last.path != PING_PATH:
        return Diagnosis(
            cause="wrong-status",
            seen=last.detail,
            hint='a multi-model container answers GET /models with status 200 and {"models": []}',
        )
    if last is not None and last.status is not None:
        return Diagnosis(
            cause="wrong-status",
            seen=f"GET /ping was answered with status {last.status}",
            hint="answer 200 once the model is loaded; only 200 counts",
        )
    if last is not None and last.failure == "timeout":
        return Diagnosis(
            cause="too-slow",
            seen=f"GET /ping was not answered within {PING_TIMEOUT_S:g} seconds",
            hint="load the model before the server listens or in the background; keep /ping trivial",
        )
    if last is not None and last.failure in {"bad-response", "reset"} and _reachable(listeners, port):
        return Diagnosis(
            cause="no-http",
            seen=f"port {port} answers, but not with HTTP: {last.detail}",
            hint=f"serve plain HTTP/1.1 on port {port}",
        )
    return _nobody_there(listeners, port, window_s)


def _reachable(listeners: Sequence[Listener] | None, port: int) -> bool:
    """Tell whether something listens where the outside can see it; an engine's proxy answers for nobody, too."""
    return listeners is None or any(
        each.port == port and not each.address.startswith("127.") and each.address != "::1"
        for each in listeners
    )


def _nobody_there(listeners: Sequence[Listener] | None, port: int, window_s: float) -> Diagnosis:
    if listeners is not None and _reachable(listeners, port):
        return Diagnosis(
            cause="too-slow",
            seen=f"the server listens on port {port}, but not within {window_s:g} seconds",
            hint="give it longer with --startup-timeout, or listen first and load the model in the background",
        )
    here = [each for each in listeners or () if each.port == port]
    if here:
        where = ", ".join(sorted({each.address for each in here}))
        return Diagnosis(
            cause="loopback-only",
            seen=f"the server listens on {where}, which is not reachable from outside the container",
            hint=f"bind to 0.0.0.0:{port}",
        )
    if listeners:
        others = ", ".join(sorted({f"{each.address}:{each.port}" for each in listeners}))
        return Diagnosis(
            cause="other-port",
            seen=f"the container listens on {others}, not on port {port}",
            hint=f"listen on 0.0.0.0:{port}, or on SAGEMAKER_BIND_TO_PORT where it is set",
        )
    return Diagnosis(
        cause="nothing-listens",
        seen=f"nothing listened on port {port} within {window_s:g} seconds",
        hint="start the server in `serve`, or give it longer with --startup-timeout",
    )
