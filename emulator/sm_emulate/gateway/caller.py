"""A kept connection to a container: one request after the other, each to its whole answer."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import httptools

from sm_emulate.gateway.connecting import connected

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from sm_emulate.gateway.front import Upstream


class NoAnswerError(Exception):
    """The container did not take the request, or did not answer it whole; the words say which."""


class NotReachedError(NoAnswerError):
    """Nobody took the connection: the container has not seen the request."""


class TooSlowError(NoAnswerError):
    """The answer was not whole in time."""


@dataclass(frozen=True, slots=True)
class CallAnswer:
    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in lower case."""


class Caller:
    """Calls a container over one connection that is kept as long as the container keeps it.

    Args:
        upstream: where the container listens.
        headers: sent with every request, Host among them.
        connect_timeout_s: for a connection to be accepted.
    """

    def __init__(self, upstream: Upstream, headers: Mapping[str, str], *, connect_timeout_s: float) -> None:
        self._upstream, self._connect_timeout_s = upstream, connect_timeout_s
        self._lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode("latin-1")
        self._wire: _Wire | None = None

    async def call(
        self,
        method: str,
        path: str,
        body: bytes | AsyncIterator[bytes] | None,
        *,
        timeout_s: float,
        headers: Mapping[str, str] | None = None,
        length: int | None = None,
        sink: Callable[[bytes], object] | None = None,
    ) -> CallAnswer:
        """Send a request and give its answer.

        Args:
            method: of the request.
            path: likewise.
            body: the whole, or its pieces.
            timeout_s: for the answer to be whole.
            headers: sent beside those of every request.
            length: of a body of pieces; it is sent in chunks if that is not known.
            sink: takes the answer's body as it comes; `CallAnswer.body` is then empty.

        Raises:
            NoAnswerError: there is none within `timeout_s`, or it broke off.
        """
        more = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        head = f"{method} {path} HTTP/1.1\r\n".encode() + self._lines + more.encode("latin-1", "replace")
        for attempt in (0, 1):
            kept = self._wire is not None and not self._wire.closed
            wire = self._wire if kept and self._wire is not None else await self._connect()
            try:
                answer = await asyncio.wait_for(wire.exchange(head, body, length, sink), timeout_s)
            except _GoneBeforeAnswerError as error:
                self.close()
                # the container closed a connection that had idled: nobody has seen this request
                if kept and attempt == 0 and not _streams(body):
                    continue
                raise NoAnswerError(str(error)) from error
            except (TimeoutError, asyncio.TimeoutError) as error:
                self.close()
                raise TooSlowError(f"no answer within {timeout_s:g} s") from error
            except BaseException:
                self.close()
                raise
            if not wire.keeps:
                self.close()
            return answer
        raise AssertionError("the second attempt returns or raises")

    def close(self) -> None:
        """Let go of the connection."""
        if self._wire is not None:
            self._wire.close()
            self._wire = None

    async def _connect(self) -> _Wire:
        where = self._upstream
        try:
            wire = await connected(_Wire, where.host, where.port, self._connect_timeout_s)
        except TimeoutError as error:
            limit = self._connect_timeout_s
            raise NotReachedError(f"the connection was not accepted within {limit:g} s") from error
        except OSError as error:
            raise NotReachedError(f"it cannot be connected to: {error.strerror or error}") from error
        self._wire = wire
        return wire


def _streams(body: bytes | AsyncIterator[bytes] | None) -> bool:
    return body is not None and not isinstance(body, bytes)


class _GoneBeforeAnswerError(NoAnswerError):
    """The connection was closed before the first byte of an answer."""


class _Wire(asyncio.Protocol):
    """One TCP connection and the answer that is being read from it."""

    def __init__(self) -> None:
        self.closed = False
        self.keeps = True
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._waiting: asyncio.Future[CallAnswer] | None = None
        self._room = asyncio.Event()
        self._room.set()
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._sink: Callable[[bytes], object] = self._body.append
        self._begun = False

    async def exchange(
        self,
        head: bytes,
        body: bytes | AsyncIterator[bytes] | None,
        length: int | None = None,
        sink: Callable[[bytes], object] | None = None,
    ) -> CallAnswer:
        """Send one request and wait for its whole answer."""
        assert self._transport is not None
        self._waiting = asyncio.get_running_loop().create_future()
        self._headers, self._body, self._begun = {}, [], False
        self._sink = self._body.append if sink is None else sink
        if body is None:
            self._transport.write(head + b"\r\n")
        elif isinstance(body, bytes):
            self._transport.write(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        else:
            await self._send_pieces(head, body, length)
        return await self._waiting

    async def _send_pieces(self, head: bytes, body: AsyncIterator[bytes], length: int | None) -> None:
        assert self._transport is not None
        assert self._waiting is not None
        framing = b"Transfer-Encoding: chunked" if length is None else b"Content-Length: %d" % length
        self._transport.write(head + framing + b"\r\n\r\n")
        async for piece in body:
            if self._waiting.done():  # it has answered, or gone, without hearing all of it
                self.keeps = False
                return
            self._transport.write(b"%x\r\n%b\r\n" % (len(piece), piece) if length is None else piece)
            await self._room.wait()
        if length is None:
            self._transport.write(b"0\r\n\r\n")

    def close(self) -> None:
        self.closed = True
        if self._transport is not None:
            self._transport.abort()

    # --- the transport's calls ------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by birth

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(NoAnswerError(f"the answer is no HTTP: {error}"))

    def eof_received(self) -> None:
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        self._room.set()
        if self._waiting is None or self._waiting.done():
            return
        if not self._begun:
            self._fail(_GoneBeforeAnswerError("the container closed the connection without an answer"))
        elif "content-length" in self._headers or "transfer-encoding" in self._headers:
            self._fail(NoAnswerError("the answer broke off"))
        else:
            self._done()  # HTTP/1.0: the end of the connection is the end of the answer
        del exc

    def pause_writing(self) -> None:
        self._room.clear()

    def resume_writing(self) -> None:
        self._room.set()

    # --- the parser's calls ---------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._begun = True

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self._sink(body)

    def on_message_complete(self) -> None:
        if self._parser.get_status_code() == 100:
            self._headers = {}
            return
        self.keeps = self.keeps and self._parser.should_keep_alive()
        self._done()

    def _done(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(
                CallAnswer(self._parser.get_status_code(), b"".join(self._body), self._headers)
            )

    def _fail(self, error: NoAnswerError) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(error)
        self.close()
