"""The WebSocket between the platform and a container: its handshake, its frames one for one, its pings.

The frames are websockets' own, at the level where each is bytes, an opcode and FIN: a library that joins fragments, or
decodes their text, could not give them on as they are.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Protocol, cast

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import CLOSED, OPEN
from websockets.uri import WebSocketURI

from sm_emulate.gateway.bidirectional_parts import Part
from sm_emulate.gateway.connecting import connected
from sm_emulate.spec import bidirectional as spec

if TYPE_CHECKING:
    from sm_emulate.gateway.front import Upstream
    from sm_emulate.gateway.serving import Serving

GOING_AWAY = 1001
NORMAL = 1000
NO_CODE = 1005
_INTERNAL_ERROR = 1011
_GOODBYE_S = 5.0
"""How long a container that was told the end may take to close."""

_DATA = frozenset({Opcode.TEXT, Opcode.BINARY, Opcode.CONT})

_QUIET = logging.getLogger("sm_emulate.container_socket")
"""What a container sends is told by errors, not by a library's log."""
_QUIET.addHandler(logging.NullHandler())
_QUIET.propagate = False


class SocketUser(Protocol):
    """Who talks to a container over a socket."""

    def accepted(self) -> None:
        """Hear that the container took the WebSocket."""

    def refused(self, status: int, body: bytes) -> None:
        """Hear that it answered with something else."""

    def part_came(self, part: Part) -> None:
        """Take a frame."""

    def batch_ended(self) -> None:
        """Hear that the frames that came together have been handed over."""

    def closed(self, code: int, reason: str) -> None:
        """Hear that the container closed the socket in order."""

    def failed(self, why: str, *, message: str | None = None) -> None:
        """Hear that there is no talking to it; `message` is the caller's sentence, if there is a better one."""

    def pause_sending(self) -> None:
        """Hear that the container does not keep up."""

    def resume_sending(self) -> None:
        """Hear that it does again."""


class ContainerSocket(asyncio.Protocol):
    """One WebSocket to a container.

    Args:
        serving: the gateway; the limits of its endpoint hold.
        user: hears what comes; not any more once `leave` was called.
        target: path and query.
        container_name: what messages call the container.
    """

    def __init__(self, serving: Serving, user: SocketUser, *, target: str, container_name: str) -> None:
        self._serving, self._front, self._user, self._loop = serving, serving.front, user, serving.loop
        self._name = container_name
        path, _, query = target.partition("?")
        self._wire = ClientProtocol(
            WebSocketURI(secure=False, host="localhost", port=80, path=path, query=query),
            max_size=(None, spec.MAX_PART_BYTES),
            logger=_QUIET,
        )
        self._transport: asyncio.Transport | None = None
        self._over = False
        self._answered = False
        self._text = False
        self._reading = True
        self._unanswered = 0
        self._pings: asyncio.TimerHandle | None = None
        self._goodbye: asyncio.TimerHandle | None = None

    async def connect(self, upstream: Upstream) -> None:
        """Connect, and ask for the WebSocket; `user` hears how it went."""
        limit = self._front.connect_timeout_s
        try:
            await connected(lambda: self, upstream.host, upstream.port, limit)
        except TimeoutError:
            self._fail(f"the container did not accept a connection within {limit:g} s")
        except ConnectionRefusedError:
            self._fail(f"nothing listens on {upstream.host}:{upstream.port}")
        except OSError as error:
            self._fail(f"no connection to {upstream.host}:{upstream.port}: {error.strerror or error}")

    # --- what its user does -------------------------------------------------------------------------------

    def send(self, part: Part) -> None:
        """Send a frame; `flush` once there are no more at hand."""
        if self._over or self._wire.state is not OPEN:
            return
        if self._wire.expect_continuation_frame:
            self._wire.send_continuation(part.data, fin=part.complete)
        elif part.text:
            self._wire.send_text(part.data, fin=part.complete)
        else:
            self._wire.send_binary(part.data, fin=part.complete)

    def flush(self) -> None:
        """Write what was sent."""
        data = self._wire.data_to_send()
        if data and self._transport is not None and not self._transport.is_closing():
            self._transport.write(b"".join(data))

    def finish(self, code: int = NORMAL) -> None:
        """Send a close frame, and go on listening until the container has closed, too."""
        if self._wire.state is OPEN:
            self._wire.send_close(code)
            self.flush()

    def leave(self, code: int) -> None:
        """Say goodbye, and hear no more."""
        if self._over:
            return
        self._over = True
        self._stop_pings()
        if self._transport is None or not self._answered:
            self._abort()
            return
        self.finish(code)
        self._part()

    def hang_up(self) -> None:
        """Close the connection now, whatever the container has still to say."""
        if self._transport is None:
            return
        if self._transport.get_write_buffer_size():
            self._transport.abort()
        else:
            # a reset could take the close frame from a container that has not read it yet
            self._transport.close()

    def pause_reading(self) -> None:
        if self._reading and self._transport is not None and not self._transport.is_closing():
            self._reading = False
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if not self._reading and self._transport is not None and not self._transport.is_closing():
            self._reading = True
            self._transport.resume_reading()

    # --- the transport's calls ----------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by birth
        self._serving.sockets.add(self)
        if self._over:
            self._transport.abort()
            return
        request = self._wire.connect()
        del request.headers["Host"]
        request.headers["Host"] = self._front.container_host
        self._wire.send_request(request)
        self.flush()

    def data_received(self, data: bytes) -> None:
        self._wire.receive_data(data)
        self._heed()

    def eof_received(self) -> None:
        self._wire.receive_eof()
        self._heed()

    def connection_lost(self, exc: Exception | None) -> None:
        self._serving.sockets.discard(self)
        self._stop_pings()
        if self._goodbye is not None:
            self._goodbye.cancel()
        if not self._over and exc is None and self._wire.close_sent is not None:
            # it was told to close, and did, if without a word
            self._over = True
            self._user.closed(NO_CODE, "")
        elif not self._over:
            reset = f": {exc}" if exc is not None else ""
            self._fail(f"the container closed the connection without a close frame{reset}")

    def pause_writing(self) -> None:
        if not self._over:
            self._user.pause_sending()

    def resume_writing(self) -> None:
        if not self._over:
            self._user.resume_sending()

    # --- steps --------------------------------------------------------------------------------------------

    def _heed(self) -> None:
        wire = self._wire
        came = False
        for event in wire.events_received():
            if self._over:
                break
            if isinstance(event, Response):
                self._heed_answer(event)
            elif isinstance(event, Frame) and self._heed_frame(event):
                came = True
        # a broken frame before the end of the connection says more than the end
        if not self._over and wire.handshake_exc is not None:
            self._fail(f"its answer to the WebSocket handshake is none: {_words(wire.handshake_exc)}")
        elif not self._over and wire.parser_exc is not None and not isinstance(wire.parser_exc, EOFError):
            why = _words(wire.parser_exc)
            self._fail(
                f"it sent what is no WebSocket frame: {why}",
                message=spec.BAD_FRAME.format(container=self._name, why=why),
            )
        if not (self._over and wire.state is CLOSED):
            self.flush()
        if came:
            self._user.batch_ended()

    def _heed_answer(self, answer: Response) -> None:
        self._answered = True
        error = self._wire.handshake_exc
        if error is None:
            self._unanswered = 0
            self._await_ping()
            self._user.accepted()
        elif isinstance(error, InvalidStatus):
            self._over = True
            self._abort()
            self._user.refused(answer.status_code, bytes(answer.body or b""))

    def _heed_frame(self, frame: Frame) -> bool:
        if frame.opcode in _DATA:
            if frame.opcode is not Opcode.CONT:
                self._text = frame.opcode is Opcode.TEXT
            self._user.part_came(Part(bytes(frame.data), self._text, frame.fin))
            return True
        if frame.opcode is Opcode.PONG:
            self._unanswered = 0
        elif frame.opcode is Opcode.CLOSE:
            close = self._wire.close_rcvd
            self._over = True
            self._stop_pings()
            self.flush()  # the answer to it
            self._part()
            self._user.closed(
                NO_CODE if close is None else int(close.code), "" if close is None else close.reason
            )
        return False

    def _await_ping(self) -> None:
        self._pings = self._loop.call_later(self._front.bidirectional.ping_interval_s, self._ping)

    def _ping(self) -> None:
        most = self._front.bidirectional.unanswered_pings
        if not self._reading:
            # its pongs lie behind what a slow caller has not taken yet
            self._unanswered = 0
        elif self._unanswered >= most:
            self.finish(_INTERNAL_ERROR)
            self._fail(
                f"it did not answer {most} pings in a row",
                message=spec.UNANSWERED.format(container=self._name, pings=most),
            )
            return
        self._unanswered += 1
        self._wire.send_ping(b"")
        self.flush()
        self._await_ping()

    def _stop_pings(self) -> None:
        if self._pings is not None:
            self._pings.cancel()
            self._pings = None

    def _part(self) -> None:
        """Let the container close the connection, which is its part, but not for long."""
        if self._transport is not None and self._goodbye is None:
            # what it still sends is of no use, but its end must be heard
            self.resume_reading()
            self._goodbye = self._loop.call_later(_GOODBYE_S, self._abort)

    def _abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _fail(self, why: str, *, message: str | None = None) -> None:
        self._over = True
        self._stop_pings()
        self.flush()  # a close frame that says what is wrong, if it can still be heard
        if self._transport is not None:
            self._transport.close()
            self._goodbye = self._loop.call_later(_GOODBYE_S, self._abort)
        self._user.failed(why, message=message)


def _words(error: Exception) -> str:
    """Give the words of an error, or of what it came from, which say more."""
    return str(error.__cause__ or error).partition("\n")[0]
