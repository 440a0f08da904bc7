"""Opens WebSockets to a container as SageMaker does: one to ping, one for a text frame, one for a binary one."""

from __future__ import annotations

import socket
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from sm_contracts.evidence import Missing
from sm_contracts.evidence.bidirectional import SHOWN, Frames, Handshake, Pong, Said
from sm_contracts.probes.serving import INTERRUPTED, model_folder
from sm_contracts.probes.serving_http import wait
from sm_contracts.probes.serving_life import Conditions, InterruptedLifeError, Life, endpoint_request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from websockets.sync.client import ClientConnection

    from sm_contracts.probes import Evidences, Workbench

PATH = "/invocations-bidirectional-stream"
OPEN_S = 20.0
"""For the answer to the handshake."""
PATIENCE_S = 10.0
"""A healthy ping may come before the server is ready for WebSockets (SM305)."""
PONG_S = 20.0
"""SageMaker gives five minutes; a container that nothing keeps busy needs none of them."""
ANSWER_S, SILENCE_S = 5.0, 3.0
"""For what comes back of a frame: of the first, and of the second once the first was answered sooner."""
_STEP_S = 0.5
_UNHEALTHY = Missing("the container did not become healthy, see SM302")
_NOT_OPENED = Missing("no WebSocket could be opened, see SM622")
_WORD = b"hello"


class BidirectionalProbe:
    """Converses with a container."""

    name = "bidirectional"
    gives: tuple[type, ...] = (Handshake, Pong, Frames)
    lives = 1
    alone = False

    def run(self, bench: Workbench, wanted: frozenset[type]) -> Evidences:
        found: dict[type, object] = {}
        reason = _UNHEALTHY
        conditions = Conditions(
            name="a conversation",
            window_s=bench.subject.limits.startup_timeout_s,
            model=model_folder(bench),
        )
        try:
            with Life(bench, endpoint_request(bench), conditions) as life:
                if life.begin().healthy:
                    reason = _NOT_OPENED
                    _Conversation(life, wanted, found).run()
        except InterruptedLifeError:
            reason = INTERRUPTED
        return {kind: found.get(kind, reason) for kind in wanted}


PROBES = (BidirectionalProbe(),)


class _RefusedError(Exception):
    """No WebSocket came of it."""

    def __init__(self, seen: Handshake) -> None:
        super().__init__(seen.trouble)
        self.seen = seen


class _Conversation:
    """One use of the probe."""

    def __init__(self, life: Life, wanted: frozenset[type], found: dict[type, object]) -> None:
        self._life, self._wanted, self._found = life, wanted, found

    def run(self) -> None:
        self._life.bench.say("bidirectional: a WebSocket")
        try:
            pong = self._idle()
        except _RefusedError as refused:
            self._found[Handshake] = refused.seen
            return
        self._found[Handshake] = Handshake(path=PATH, status=101)
        if Pong in self._wanted:
            self._found[Pong] = pong
        if Frames in self._wanted:
            # the second one may be refused, as by a server that takes one caller at a time
            with suppress(_RefusedError):
                self._found[Frames] = self._frames()

    def _idle(self) -> Pong:
        """Open one, with patience, and ping it."""
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                with self._opened() as opened:
                    return self._ping(opened) if Pong in self._wanted else Pong(seconds=None, window_s=0.0)
            except _RefusedError as refused:
                status = refused.seen.status
                if (
                    (status is not None and 200 <= status < 500)
                    or time.monotonic() > until
                    or self._life.over
                ):
                    raise
            self._heed_stop()
            wait(0.4, self._life.bench.stopping)

    def _ping(self, opened: ClientConnection) -> Pong:
        from websockets.exceptions import ConnectionClosed

        began = time.monotonic()
        try:
            answered = opened.ping()
            while time.monotonic() < began + PONG_S:
                if answered.wait(_STEP_S) and opened.close_code is None:
                    return Pong(seconds=time.monotonic() - began, window_s=PONG_S)
                if opened.close_code is not None:
                    return Pong(seconds=None, window_s=PONG_S, closed=f"code {opened.close_code}")
                self._heed_stop()
        except ConnectionClosed as closed:
            return Pong(seconds=None, window_s=PONG_S, closed=str(closed))
        return Pong(seconds=None, window_s=PONG_S)

    def _frames(self) -> Frames:
        payload = self._life.bench.subject.payload
        body = _WORD if payload is None else payload.body
        self._life.bench.say("bidirectional: a text frame and a binary one")
        text = self._say(body, text=True, window_s=ANSWER_S)
        binary = self._say(body, text=False, window_s=ANSWER_S if text.outcome == "answered" else SILENCE_S)
        return Frames(text=text, binary=binary, sample=payload is not None)

    def _say(self, body: bytes, *, text: bool, window_s: float) -> Said:
        from websockets.exceptions import ConnectionClosed

        with self._opened() as opened:
            try:
                opened.send(body, text=text)
                until = time.monotonic() + window_s
                while (left := until - time.monotonic()) > 0:
                    with suppress(TimeoutError):
                        answer = opened.recv(min(left, _STEP_S), decode=False)
                        return Said(outcome="answered", answer=bytes(answer)[:SHOWN])
                    self._heed_stop()
            except ConnectionClosed as closed:
                if closed.rcvd is None:
                    return Said(outcome="dropped")
                return Said(outcome="closed", code=int(closed.rcvd.code), reason=closed.rcvd.reason)
        return Said(outcome="silent")

    @contextmanager
    def _opened(self) -> Iterator[ClientConnection]:
        """Open a WebSocket.

        Raises:
            _RefusedError: none came of it.
        """
        from websockets.exceptions import InvalidHandshake, InvalidStatus
        from websockets.sync.client import connect

        client = self._life.client
        name = client.platform[0]
        status, body = None, b""
        try:
            raw = socket.create_connection((client.host, client.port), timeout=OPEN_S)
        except OSError as error:
            raise _RefusedError(Handshake(path=PATH, status=None, trouble=str(error))) from error
        try:
            opened = connect(
                f"ws://{name}{PATH}",
                sock=raw,
                open_timeout=OPEN_S,
                close_timeout=1.0,
                ping_interval=None,
                compression=None,
                user_agent_header=None,
                proxy=None,
                max_size=None,
            )
        except InvalidStatus as error:
            status, body = error.response.status_code, bytes(error.response.body or b"")[:SHOWN]
            trouble = f"status {status}"
        except InvalidHandshake as error:
            trouble = str(error.__cause__ or error).partition("\n")[0]
        except TimeoutError:
            trouble = f"no answer within {OPEN_S:g} s"
        except (OSError, EOFError) as error:
            trouble = f"the connection broke: {error}"
        else:
            with opened:
                yield opened
            return
        raw.close()
        self._heed_stop()
        raise _RefusedError(Handshake(path=PATH, status=status, trouble=trouble, body=body))

    def _heed_stop(self) -> None:
        """What is cut short tells nothing."""
        if self._life.bench.stopping():
            raise InterruptedLifeError
