"""How a container's end is noticed before the engine has tidied up after it."""

from __future__ import annotations

import json
import select
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sm_emulate.engine.wire import Client, Pending

_PATIENCE = 2.0
"""Seconds for the engine to begin its stream of events; most take one millisecond, some never begin."""


class ExitWatch:
    """Follows the engine's events about one container, from before its start.

    Docker tells of a container's end at once, but answers `wait` only after it has taken down its network:
    45 ms later on a bridge, an eighth of a whole `docker run`. So both are asked, and the first counts.
    """

    def __init__(self, client: Client, container: str) -> None:
        filters = {"container": [container], "event": ["die"]}
        self._connection, head = client.stream(
            "/events", query={"filters": json.dumps(filters)}, timeout=_PATIENCE
        )
        self._pieces = self._connection.body(head)

    def close(self) -> None:
        self._connection.close()

    def first(self, waiting: Pending) -> int | None:
        """Block until either side tells; give the exit code, or None if the answer to `wait` is there.

        The watch is over then, and so is the wait if a code was given.
        """
        code = None
        try:
            poller = select.poll()
            poller.register(self._connection.socket, select.POLLIN)
            poller.register(waiting.connection.socket, select.POLLIN)
            if self._connection.socket.fileno() in [number for number, _ in poller.poll()]:
                # events that end or cannot be read are no reason to fail: `wait` will answer
                with suppress(StopIteration, OSError, ValueError, KeyError, TypeError):
                    code = _exit_code(next(self._pieces))
        except BaseException:
            waiting.abandon()
            raise
        finally:
            self.close()
        if code is not None:
            waiting.abandon()
        return code


def _exit_code(event: bytes) -> int:
    told = json.loads(event)
    return int((told.get("Actor") or told)["Attributes"]["exitCode"])
