"""The client's side of the gateway: one connection, its requests in order, its answers in the same order."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from typing import TYPE_CHECKING, cast

import httptools

from sm_emulate.gateway.answers import refusal
from sm_emulate.gateway.exchange import Exchange
from sm_emulate.gateway.express import Express, express
from sm_emulate.gateway.incoming import MAX_HEAD_BYTES, Incoming
from sm_emulate.gateway.own import OwnExchange

if TYPE_CHECKING:
    from sm_emulate.gateway.answers import ErrorAnswer
    from sm_emulate.gateway.serving import Serving

_HTTP2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""How a client begins that knows that HTTP/2 is spoken here (RFC 9113, 3.4)."""

_LINGER_S = 5.0
"""How long a client that is still sending may read its answer before the connection is closed under it."""


class ClientConnection(asyncio.Protocol):
    """Parses requests, works them off one after the other, and pauses a client that is too fast."""

    def __init__(self, serving: Serving) -> None:
        self.serving = serving
        self.write_paused = False
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._parsing: Incoming | None = None
        self._waiting: deque[Incoming] = deque()
        self._express: Express | None = None
        """In place of a current exchange."""
        self._current: Exchange | OwnExchange | None = None
        self._current_request: Incoming | None = None
        self._advancing = False
        self._reading = True
        self._deaf = False
        self._first: bytes | None = b""
        self._gone = False
        self._head_bytes = 0
        self._timer: asyncio.TimerHandle | None = None

    # --- the transport's calls ----------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are asyncio.Transport in all but name
        self._transport = cast("asyncio.Transport", transport)
        self.serving.clients.add(self)

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        if self._first is not None:
            data = self._settle(data)
            if not data:
                return
        if self._express is not None:
            self._express.give_way()
        between = self._parsing is None or self._parsing.complete
        alone = between and self._current is None and not self._waiting
        if alone:
            self._express = express(self, data)
            if self._express is not None:
                self._express.begin()
                return
        unfinished = self._parsing if self._parsing is not None and not self._parsing.head_done else None
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # the request itself is served; what follows it is another protocol
            self._hear_no_more()
        except httptools.HttpParserError as error:
            self._misheard(refusal("ValidationError", f"The request is not HTTP/1.1: {error}"))
        else:
            if alone and self._parsing is not None:
                self.serving.known.learn(data, self._parsing)
            # a head that goes on: what came before its first packet's end is not known to be its own
            if unfinished is not None and self._parsing is unfinished and not unfinished.head_done:
                self._head_bytes += len(data)
                if self._head_bytes > MAX_HEAD_BYTES:
                    self._misheard(_head_too_long())
        self._advance()
        self.update_reading()

    def eof_received(self) -> bool:
        self._end_express()
        if self._current is None and not self._waiting:
            return False
        if not self._deaf and self._parsing is not None and not self._parsing.complete:
            return False
        if self._current_request is not None and self._current_request.flushes:
            # its container would go on for minutes for nobody
            return False
        # a client may close its sending half and still read
        self._hear_no_more()
        return True

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio names it
        self._end_express()
        self._gone = True
        self._deaf = True
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
        current, self._current = self._current, None
        if current is not None:
            current.client_left()
        self.serving.left(self)

    def pause_writing(self) -> None:
        self._end_express()
        self.write_paused = True
        if self._current is not None:
            self._current.client_is_slow()

    def resume_writing(self) -> None:
        self._end_express()
        self.write_paused = False
        if self._current is not None:
            self._current.client_keeps_up()

    # --- the parser's calls -------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._parsing = Incoming()
        self._head_bytes = 0

    def on_url(self, url: bytes) -> None:
        assert self._parsing is not None
        self._parsing.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        assert self._parsing is not None
        if not self._parsing.head_done:
            self._parsing.add_header(name, value)

    def on_headers_complete(self) -> None:
        request = self._parsing
        assert request is not None
        request.method = self._parser.get_method()
        request.keep_alive = self._parser.should_keep_alive()
        request.version_10 = self._parser.get_http_version() == "1.0"
        request.settle(self.serving.front, self.serving.router)
        if request.head_bytes > MAX_HEAD_BYTES:
            request.refused = _head_too_long()
        self._waiting.append(request)
        if request.expects or (request.length is not None and request.length > self.serving.front.hold_bytes):
            self._advance()

    def on_body(self, data: bytes) -> None:
        request = self._parsing
        assert request is not None
        request.size += len(data)
        if request.refused is not None:
            return
        mine = self._current is not None and self._current_request is request
        if request.size > self.serving.front.max_body_bytes:
            error = request.outgrow(self.serving.front)
            if mine and self._current is not None:
                self._current.refuse(error)
        elif mine and self._current is not None and self._current.streams_request:
            self._current.body_arrived(data)
        else:
            request.body.append(data)
            if mine and self._current is not None:
                self._current.body_grew()

    def on_message_complete(self) -> None:
        request = self._parsing
        assert request is not None
        request.complete = True
        if self._current is not None and self._current_request is request:
            self._current.request_complete()

    # --- the exchange's calls -----------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        if not self._gone and self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def abort(self) -> None:
        """Close at once, so that the client cannot take what it has for the whole."""
        self._deaf = True
        if self._transport is None:
            return
        connection = self._transport.get_extra_info("socket")
        if connection is not None:
            # a reset: a plain end would look like the end of an answer that has no stated length
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def cut(self) -> None:
        """Close now, with the error that is owed if it can still be given."""
        self._end_express()
        if self._current is not None:
            self._current.cut()
        else:
            self.abort()

    def arm(self, seconds: float) -> float:
        """Give the time by which the current exchange must have moved on, and watch it."""
        deadline = self.serving.loop.time() + seconds
        # one timer per connection, moved on when it fires: setting one per request would cost more
        if self._timer is None:
            self._timer = self.serving.loop.call_at(deadline, self._on_timer)
        elif self._timer.when() > deadline:
            self._timer.cancel()
            self._timer = self.serving.loop.call_at(deadline, self._on_timer)
        return deadline

    def exchange_done(self, *, close: bool) -> None:
        """Go on with the next request, or part with the client."""
        request, self._current_request = self._current_request, None
        self._current = None
        if self._gone or self._transport is None or self._transport.is_closing():
            return
        if close or self.serving.draining:
            self._part(unfinished=request is not None and not request.complete)
        elif not self._advancing:
            self._advance()
            self.update_reading()

    def express_over(self, exchange: Exchange | None, request: Incoming | None) -> None:
        """Go on with an exchange in place of the express, or with nothing."""
        self._express = None
        self._current, self._current_request = exchange, request

    def update_reading(self) -> None:
        """Read on only while there is room: one request at a time, and only as fast as the container."""
        if self._gone or self._transport is None or self._transport.is_closing():
            return
        paused = bool(self._waiting) or (self._current is not None and self._current.sending_paused)
        if paused and self._reading:
            self._reading = False
            self._transport.pause_reading()
        elif not paused and not self._reading:
            self._reading = True
            self._transport.resume_reading()

    # --- the gateway's calls ------------------------------------------------------------------------------

    def drain(self) -> None:
        """Close if nothing is in flight; otherwise the answer under way is the last."""
        self._end_express()
        if self._current is None and not self._waiting and self._transport is not None:
            self._transport.close()

    # --- steps --------------------------------------------------------------------------------------------

    def _settle(self, data: bytes) -> bytes:
        """Give what is HTTP/1.1 for all that can be told; hand the connection over if it is HTTP/2."""
        assert self._first is not None
        first = self._first + data
        if not _HTTP2.startswith(first[: len(_HTTP2)]):
            self._first = None
            return first
        self._first = first
        if len(first) >= len(_HTTP2):
            from sm_emulate.gateway.http2 import Http2Connection

            assert self._transport is not None
            other = Http2Connection(self.serving)
            self._transport.set_protocol(other)
            self.serving.clients.discard(self)
            other.connection_made(self._transport)
            other.data_received(first)
        return b""

    def _end_express(self) -> None:
        """See to it that an exchange hears of whatever happens now."""
        if self._express is not None:
            self._express.give_way()

    def _advance(self) -> None:
        if self._advancing:
            return
        self._advancing = True
        while self._waiting and self._current is None and not self._gone:
            request = self._waiting.popleft()
            self._current_request = request
            exchange = OwnExchange(self, request) if request.own else Exchange(self, request)
            self._current = exchange
            exchange.begin()
        self._advancing = False

    def _part(self, *, unfinished: bool) -> None:
        assert self._transport is not None
        self._deaf = True
        self._waiting.clear()
        if not unfinished:
            self._transport.close()
            return
        # closing now would reset a client that is still sending, and it would never read its answer
        self.update_reading()
        if self._transport.can_write_eof():
            self._transport.write_eof()
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.serving.loop.call_later(_LINGER_S, self._transport.abort)

    def _hear_no_more(self) -> None:
        self._deaf = True
        last = self._waiting[-1] if self._waiting else self._current_request
        if last is not None:
            last.keep_alive = False

    def _misheard(self, error: ErrorAnswer) -> None:
        """Refuse what could not be parsed, after the answers that are owed for what came before it."""
        self._deaf = True
        request = self._parsing
        if request is None or request.complete:
            request = Incoming()
            self._waiting.append(request)
        elif not request.head_done:
            self._waiting.append(request)
        request.refused = error
        request.broken = True
        request.keep_alive = False
        if self._current is not None and self._current_request is request:
            self._current.refuse(error)

    def _on_timer(self) -> None:
        self._end_express()
        self._timer = None
        if self._current is None:
            return
        if self.serving.loop.time() < self._current.deadline:
            self._timer = self.serving.loop.call_at(self._current.deadline, self._on_timer)
        else:
            self._current.expire()


def _head_too_long() -> ErrorAnswer:
    return refusal("ValidationError", f"The request's headers are longer than {MAX_HEAD_BYTES} bytes.")
