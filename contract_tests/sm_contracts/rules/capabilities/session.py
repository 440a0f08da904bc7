"""What stateful sessions ask of a container."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from sm_contracts.evidence.capabilities import SessionDialogue
from sm_contracts.roles import Role
from sm_contracts.rule import Fail, Inconclusive, Outcome, Pass, Severity, rule
from sm_contracts.rules.capabilities import sources

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sm_contracts.evidence.serving.exchange import Exchange

OPENED = "X-Amzn-SageMaker-New-Session-Id"
CLOSED = "X-Amzn-SageMaker-Closed-Session-Id"
_ID = r"[a-zA-Z0-9](-*[a-zA-Z0-9])*"
_EXPIRES = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z"
_LONGEST = 256
_FORM = "ID; Expires=2031-01-31T12:00:00Z"


@rule(
    "SM631",
    "session-header",
    severity=Severity.ERROR,
    roles=Role.SESSIONS,
    needs=SessionDialogue,
    source=sources.INVOKE,
)
def session_header(seen: SessionDialogue) -> Iterator[Outcome]:
    """A header that opens or closes a session is missing or malformed.

    What:
        A request with X-Amzn-SageMaker-Session-Id: NEW_SESSION was answered 200 without
        X-Amzn-SageMaker-New-Session-Id, or with one that is not `ID; Expires=YYYY-MM-DDTHH:MM:SSZ`, in UTC and in the
        future, an id of letters, digits and inner hyphens, at most 256 characters in all. Or the session was
        closed with an X-Amzn-SageMaker-Closed-Session-Id that is not its id.

    Why:
        The container makes up the id. SageMaker reads it and the time from this header, gives both to the client as
        NewSessionId, and sends what comes with the id to the same instance until then. Without a header that it can
        read there is no session: later requests go to any instance.

    Fix:
        Answer NEW_SESSION with `X-Amzn-SageMaker-New-Session-Id: 1f3c5a7e-0b2d; Expires=2031-01-31T12:00:00Z`, and the
        request that closes it with `X-Amzn-SageMaker-Closed-Session-Id: 1f3c5a7e-0b2d`.
    """
    for each in seen.opening:
        header = each.header(OPENED)
        if each.ok and header is not None:
            wrong = _wrong_opening(header, seen.now)
            if wrong:
                yield Fail(
                    f"NEW_SESSION is answered with {OPENED}: {header!r:.300}, which {wrong}",
                    _evidence(each, OPENED),
                )
                return
            yield from _end(seen, header.partition(";")[0])
            return
    answered = [each for each in seen.opening if each.ok]
    if answered:
        yield Fail(
            f"NEW_SESSION ({answered[0].what}) is answered 200 without {OPENED}",
            _evidence(answered[0], OPENED),
        )
    else:
        refused = "; ".join(f"{each.what}: {each}" for each in seen.opening)
        yield Inconclusive(
            f"no request with NEW_SESSION was answered 200: {refused}",
            "give the payload that opens a session: --data @FILE --content-type TYPE",
        )


def _end(seen: SessionDialogue, session: str) -> Iterator[Outcome]:
    """Judge what was said of the session after it was opened."""
    for each in (seen.using, seen.closing):
        header = None if each is None or not each.ok else each.header(CLOSED)
        if each is not None and header is not None and header != session:
            yield Fail(
                f"{each.what} in the session {session} is answered with {CLOSED}: {header!r:.300}, which is not its id",
                _evidence(each, CLOSED),
            )
            return
    closed = seen.closing is not None and seen.closing.header(CLOSED) is not None
    yield Pass({"session": session, "closed": closed})


def _wrong_opening(value: str, now: float) -> str | None:
    """Say what is wrong with the header, to follow "which"."""
    session, semicolon, rest = value.partition(";")
    if not re.fullmatch(_ID, session):
        return f"begins with an id that is not letters, digits and inner hyphens (expected {_FORM})"
    if len(value) > _LONGEST:
        return f"has {len(value)} characters, {_LONGEST} are allowed"
    if not semicolon or "expires" not in rest.lower():
        return f"says no expiry (expected {_FORM})"
    if not re.fullmatch(rf"\sExpires={_EXPIRES}", rest):
        return f"says the expiry in another form (expected {_FORM})"
    try:
        until = datetime.strptime(rest.partition("=")[2], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    except ValueError:
        return "expires on a day that no calendar has"
    return "has expired already" if until.timestamp() <= now else None


def _evidence(exchange: Exchange, name: str) -> dict[str, object]:
    return {**exchange.as_json(), "header": name, "value": exchange.header(name)}
