"""Pings of a container that runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sm_contracts.evidence.serving.end import ServerBanner
from sm_contracts.evidence.serving.load import BusyPings
from sm_contracts.evidence.serving.start import IdlePings
from sm_contracts.roles import SERVING
from sm_contracts.rule import Fail, Inconclusive, Outcome, Pass, Severity, rule
from sm_contracts.rules.serving import INFERENCE_CODE

if TYPE_CHECKING:
    from collections.abc import Iterator

LIMIT_S = 2.0
_DEVELOPMENT = ("werkzeug", "simplehttp", "basehttp", "wsgiserver", "webrick", "development server")


@rule("SM304", "ping-slow", severity=Severity.ERROR, roles=SERVING, needs=IdlePings, source=INFERENCE_CODE)
def ping_slow(idle: IdlePings) -> Iterator[Outcome]:
    """A ping takes over 2 seconds although nothing else is asked.

    What:
        GET /ping was sent again and again while no invocation ran. More than one took longer than 2 seconds.

    Why:
        SageMaker gives a ping 2 seconds. A later answer counts as none, and an instance that fails its health checks
        is replaced.

    Fix:
        Keep the handler of /ping trivial: no inference, no call to another service, no lock that an invocation holds.
    """
    slow = [ping for ping in idle.pings if ping.seconds > LIMIT_S]
    numbers = {"seconds": [round(ping.seconds, 3) for ping in idle.pings], "limit_seconds": LIMIT_S}
    if len(slow) > 1:
        slowest = max(ping.seconds for ping in slow)
        yield Fail(
            f"{len(slow)} of {len(idle.pings)} idle pings took over 2 s, the slowest {slowest:.1f} s", numbers
        )
    else:
        yield Pass(numbers)


@rule(
    "SM306",
    "ping-blocked",
    severity=Severity.ERROR,
    roles=SERVING,
    needs=(IdlePings, BusyPings),
    source=INFERENCE_CODE,
)
def ping_blocked(idle: IdlePings, busy: BusyPings) -> Iterator[Outcome]:
    """Pings take over 2 seconds while invocations run.

    What:
        Four clients sent the sample payload over and over while GET /ping was asked. In two rounds a ping took longer
        than 2 seconds.

    Why:
        SageMaker pings on while the container works. A server whose only worker is busy with an invocation fails
        its health checks under load, and its instance is replaced when it is needed most.

    Fix:
        Answer pings from a thread, process or event loop that no invocation holds: threads in gunicorn
        (`--threads 4`), a second worker, or `run_in_executor` around the model in an async server.
    """
    numbers = {
        "clients": busy.rounds[0].clients if busy.rounds else 0,
        "invocations": sum(each.invocations for each in busy.rounds),
        "slowest_ping_seconds": [round(each.slowest_s, 3) for each in busy.rounds],
        "limit_seconds": LIMIT_S,
    }
    if sum(ping.seconds > LIMIT_S for ping in idle.pings) > 1:
        yield Inconclusive("idle pings take over 2 s as well, see SM304")
    elif len(busy.rounds) > 1 and all(each.slowest_s > LIMIT_S for each in busy.rounds):
        slowest = max(each.slowest_s for each in busy.rounds)
        yield Fail(
            f"while {busy.rounds[0].clients} clients invoked, a ping took {slowest:.1f} s (limit 2 s), twice",
            numbers,
        )
    else:
        yield Pass(numbers)


@rule(
    "SM330",
    "development-server",
    severity=Severity.WARNING,
    roles=SERVING,
    needs=ServerBanner,
    source=INFERENCE_CODE,
)
def development_server(banner: ServerBanner) -> Iterator[Outcome]:
    """A development server answers.

    What:
        The Server header or the log names a server that its makers do not mean for production: Werkzeug (Flask's own),
        Python's http.server or wsgiref, and the like.

    Why:
        Such servers accept few connections at a time, handle one request after the other, or stop on errors that a
        real one survives. On SageMaker that shows as failed pings and timeouts under load.

    Fix:
        Run the same application under gunicorn, uvicorn, waitress or another production server.
    """
    server = (banner.server or "").lower()
    named = [name for name in _DEVELOPMENT if name in server]
    if named:
        yield Fail(f"the Server header says {banner.server!r}", {"server": banner.server})
    elif banner.log_lines:
        yield Fail(
            f"the log says {banner.log_lines[0].strip()[:160]!r}", {"log_lines": list(banner.log_lines)}
        )
    else:
        yield Pass({"server": banner.server})
