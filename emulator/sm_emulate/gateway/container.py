"""The container's side of the gateway: kept-alive connections and what comes back over them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol, cast

import httptools

from sm_emulate.gateway.connecting import connected
from sm_emulate.gateway.incoming import MAX_HEAD_BYTES
from sm_emulate.gateway.known import HEAD_END, KnownAnswer
from sm_emulate.spec import invocation as spec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sm_emulate.gateway.front import EndpointFront, Upstream

_PASSED = {name.lower().encode(): name.encode() + b": " for name in spec.RESPONSE_HEADERS}


class Asker(Protocol):
    """Who waits for a container's answer."""

    def connected(self, connection: ContainerConnection) -> None:
        """Say that a fresh connection is there."""

    def answer_begins(self, status: int, headers: list[bytes], length: int | None) -> None:
        """Say that the head of the answer has come; `length` is None where only its end will tell."""

    def answer_goes_on(self, data: bytes) -> None:
        """Hand over a part of the body."""

    def answer_ends(self) -> None:
        """Say that the whole body has come."""

    def answered(self, known: KnownAnswer, body: bytes) -> None:
        """Say all of that at once, of an answer that came in one piece with a head that is known."""

    def asking_failed(self, why: str, *, stale: bool) -> None:
        """Say that no answer, or no whole one, will come.

        Args:
            why: plain words.
            stale: a reused connection that broke before the first byte: asking again is safe.
        """

    def pause_sending(self) -> None:
        """Ask for no more of the request for now."""

    def resume_sending(self) -> None:
        """Take it back."""


class ContainerConnection(asyncio.Protocol):
    """One connection to the container; asks one thing at a time."""

    def __init__(self, pool: ContainerPool) -> None:
        self._pool = pool
        self._asker: Asker | None = None
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._reused = False
        self.idle_since = 0.0
        self.sent_whole = False
        self._forget_answer()

    def _forget_answer(self) -> None:
        self._heard = False
        self._head_done = False
        self._head_bytes = 0
        self._raw_bytes = 0
        self._headers: list[bytes] = []
        self._length: int | None = None
        self._chunked = False
        self._until_close = False
        self._done = False
        self._extra = False
        self._keep = False

    # --- asking -------------------------------------------------------------------------------------------

    def ask(self, asker: Asker, parts: Sequence[bytes], *, whole: bool) -> None:
        """Send the head and what there is of the body; the answer goes to `asker`."""
        assert self._transport is not None
        self._asker = asker
        self.sent_whole = whole
        for part in parts:
            self._transport.write(part)

    def hand_over(self, asker: Asker) -> None:
        """Have somebody else hear the rest, if there is one."""
        if self._asker is not None:
            self._asker = asker

    def send(self, data: bytes) -> None:
        """Send more of the body; `sent_whole` is set by whoever knows that it was the last."""
        assert self._transport is not None
        self._transport.write(data)

    def drop(self) -> None:
        """Break off, as the platform does when its time is up; the container sees its client leave."""
        self._asker = None
        if self._transport is not None:
            self._transport.abort()

    def pause_reading(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    # --- the transport's calls ----------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are asyncio.Transport in all but name
        self._transport = cast("asyncio.Transport", transport)
        self._pool.connections.add(self)

    def data_received(self, data: bytes) -> None:
        if self._asker is None:
            # bytes that nobody asked for: whatever they are, they are not the next answer
            self.drop()
            return
        known = self._pool.known
        if known is not None and not self._heard and known.fits(data) and self.sent_whole:
            self._answer(known, data)
            return
        began, self._heard = self._heard, True
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if not self._done:
                self._fail(f"the container's answer is not HTTP: {_reason(error)}")
                return
            self._extra = True
        if self._done:
            if not began:
                self._learn(data)
            self._finish()
        elif not self._head_done:
            # informational answers count too, or a container could send them for ever
            self._raw_bytes += len(data)
            if self._raw_bytes > MAX_HEAD_BYTES:
                self._fail(f"the head of the container's answer is longer than {MAX_HEAD_BYTES} bytes")

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._pool.lost(self)
        if self._asker is None:
            return
        if self._head_done and self._until_close and exc is None:
            self._done = True
            self._keep = False
            self._finish()
        elif not self._heard:
            self._fail("the container closed the connection without an answer", stale=self._reused)
        elif not self._head_done:
            self._fail("the container closed the connection within the head of its answer")
        else:
            self._fail("the container closed the connection within the body of its answer")

    def pause_writing(self) -> None:
        if self._asker is not None:
            self._asker.pause_sending()

    def resume_writing(self) -> None:
        if self._asker is not None:
            self._asker.resume_sending()

    # --- the parser's calls -------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self._done:
            self._extra = True

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._head_done or self._done:
            return  # trailers, or a second answer that nobody asked for
        self._head_bytes += len(name) + len(value) + len(b": \r\n")
        lowered = name.lower()
        line_start = _PASSED.get(lowered)
        if line_start is not None:
            self._headers.append(line_start + value + b"\r\n")
        elif lowered == b"content-length":
            self._length = int(value)
        elif lowered == b"transfer-encoding":
            self._chunked = value.lower().endswith(b"chunked")
            self._until_close = not self._chunked

    def on_headers_complete(self) -> None:
        if self._done:
            return
        status = self._parser.get_status_code()
        if self._head_bytes > MAX_HEAD_BYTES:
            raise ValueError(f"its head is longer than {MAX_HEAD_BYTES} bytes")
        if status < 200:
            if status == 101 or status < 100:
                raise ValueError(f"status {status} was not asked for")
            return
        if status > 599:
            raise ValueError(f"{status} is no status")
        self._head_done = True
        bodyless = status in (204, 304)
        if self._length is None and not self._chunked and not bodyless:
            self._until_close = True
        self._keep = self._parser.should_keep_alive() and not self._until_close
        if self._asker is not None:
            self._asker.answer_begins(status, self._headers, 0 if bodyless else self._length)
        if bodyless:
            self._done = True
            self._keep = self._keep and not self._length and not self._chunked

    def on_body(self, data: bytes) -> None:
        if self._asker is not None and not self._done:
            self._asker.answer_goes_on(data)

    def on_message_complete(self) -> None:
        if self._head_done:
            self._done = True
            return
        # an informational answer (100 Continue, 103 Early Hints): the real one follows
        self._headers = []
        self._length = None
        self._chunked = False
        self._until_close = False

    # --- the end of one answer ----------------------------------------------------------------------------

    def _learn(self, data: bytes) -> None:
        """Remember the head of an answer that came in one piece."""
        if self._length is not None and self._keep and not self._extra:
            end = data.find(HEAD_END) + 4
            status = self._parser.get_status_code()
            if end + self._length == len(data) and status < 300 and status != 204:
                self._pool.known = KnownAnswer(data[:end], status, self._headers, self._length)

    def _answer(self, known: KnownAnswer, data: bytes) -> None:
        """Give an answer whose head need not be read."""
        asker, self._asker = self._asker, None
        self._reused = True
        self._pool.release(self)
        assert asker is not None
        asker.answered(known, data[known.head_size :])

    def _finish(self) -> None:
        asker, self._asker = self._asker, None
        keep = self._keep and self.sent_whole and not self._extra and self.is_open()
        self._forget_answer()
        self._reused = True
        if keep:
            self._pool.release(self)
        elif self._transport is not None:
            self._transport.abort()
        if asker is not None:
            asker.answer_ends()

    def _fail(self, why: str, *, stale: bool = False) -> None:
        asker = self._asker
        self.drop()
        if asker is not None:
            asker.asking_failed(why, stale=stale)


def _reason(error: Exception) -> str:
    """Give our own words where a callback of ours refused, the parser's where it did."""
    return (
        str(error.__context__ or error)
        if isinstance(error, httptools.HttpParserCallbackError)
        else str(error)
    )


class ContainerPool:
    """Connections to one container, opened when needed and kept for a moment."""

    def __init__(self, front: EndpointFront, upstream: Upstream, loop: asyncio.AbstractEventLoop) -> None:
        self._front = front
        self._upstream = upstream
        self._loop = loop
        self._idle: list[ContainerConnection] = []
        self._sweep: asyncio.TimerHandle | None = None
        self.connections: set[ContainerConnection] = set()
        """All that are open, also those that something is asked over."""
        self.known: KnownAnswer | None = None
        """The last answer's head; the next one's is often the same."""
        self._opening: set[asyncio.Task[None]] = set()

    def take(self) -> ContainerConnection | None:
        """Give the connection that was used last, if one is free."""
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open():
                return connection
        return None

    def open(self, asker: Asker) -> asyncio.Task[None]:
        """Connect anew; `asker` hears of it. Cancel the task to want it no longer."""
        task = self._loop.create_task(self._connect(asker))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)
        return task

    async def _connect(self, asker: Asker) -> None:
        upstream = self._upstream
        limit = self._front.connect_timeout_s
        try:
            connection = await connected(
                lambda: ContainerConnection(self), upstream.host, upstream.port, limit
            )
        except TimeoutError:
            asker.asking_failed(f"the container did not accept a connection within {limit:g} s", stale=False)
        except ConnectionRefusedError:
            asker.asking_failed(f"nothing listens on {upstream.host}:{upstream.port}", stale=False)
        except OSError as error:
            asker.asking_failed(
                f"no connection to {upstream.host}:{upstream.port}: {error.strerror or error}", stale=False
            )
        else:
            asker.connected(connection)

    def release(self, connection: ContainerConnection) -> None:
        """Take a connection back whose answer has come to its end."""
        connection.idle_since = self._loop.time()
        self._idle.append(connection)
        if self._sweep is None:
            self._sweep = self._loop.call_later(self._front.keep_alive_s, self._close_unused)

    def lost(self, connection: ContainerConnection) -> None:
        self.connections.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)

    def close(self) -> None:
        if self._sweep is not None:
            self._sweep.cancel()
        for task in self._opening:
            task.cancel()
        self._idle.clear()
        for connection in tuple(self.connections):
            connection.drop()

    async def closed(self) -> None:
        """Wait, once it is closed, for the connections that were being opened."""
        await asyncio.gather(*self._opening, return_exceptions=True)

    def _close_unused(self) -> None:
        self._sweep = None
        oldest = self._loop.time() - self._front.keep_alive_s
        kept = [connection for connection in self._idle if connection.idle_since > oldest]
        unused = [connection for connection in self._idle if connection.idle_since <= oldest]
        self._idle = kept
        for connection in unused:
            connection.drop()
        if kept:
            self._sweep = self._loop.call_at(
                kept[0].idle_since + self._front.keep_alive_s, self._close_unused
            )
