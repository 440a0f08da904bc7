"""Stateful sessions: which instance opened one, and until when it is to be asked for it."""

from __future__ import annotations

import re
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from sm_emulate.spec import invocation as spec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sm_emulate.gateway.route import Target

_OPENED = re.compile(
    rf"{spec.NEW_SESSION_HEADER}: ({spec.SESSION_ID});\sExpires=([0-9T:-]{{19}})Z\r\n".encode()
)
_CLOSED = re.compile(rf"{spec.CLOSED_SESSION_HEADER}: ({spec.SESSION_ID})\r\n".encode())
_MANY = 10_000
"""From here on, sessions that have expired without being asked for are dropped."""


class Sessions:
    """The sessions that containers have opened; an id is the container's own invention."""

    def __init__(self) -> None:
        self._open: dict[bytes, tuple[Target, float]] = {}

    def of(self, session: bytes) -> Target | None:
        """Give the instance of this session, or None if it was never opened, is closed or has expired."""
        target, expires = self._open.get(session, (None, 0.0))
        if target is not None and expires <= time.time():
            del self._open[session]
            return None
        return target

    def heard(self, headers: Sequence[bytes], target: Target) -> None:
        """Learn from the lines of an answer's head which session `target` opened or closed."""
        for line in headers:
            if (opened := _OPENED.fullmatch(line)) is not None:
                expires = _seconds(opened[3].decode())
                if expires is not None:
                    self._make_room()
                    self._open[opened[1]] = (target, expires)
            elif (closed := _CLOSED.fullmatch(line)) is not None:
                self._open.pop(closed[1], None)

    def _make_room(self) -> None:
        if len(self._open) >= _MANY:
            now = time.time()
            self._open = {name: pin for name, pin in self._open.items() if pin[1] > now}


def _seconds(text: str) -> float | None:
    """Give seconds since 1970, or None for a day that no calendar has."""
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc).timestamp()
    except ValueError:
        return None
