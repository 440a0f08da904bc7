"""Many small requests over a few connections, one behind the other on each: no event loop, no task for each of them.

asyncio takes as long for a small request as a fast container does. What is out of the ordinary is left to `Caller`.
"""

from __future__ import annotations

import re
import select
import socket
import struct
import time
from typing import TYPE_CHECKING

import httptools

from sm_emulate.gateway.caller import CallAnswer, NoAnswerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sm_emulate.gateway.front import Upstream

LOOK_S = 0.1
"""How often somebody who wants to stop, and what takes too long, is looked for."""
_PIECE = 1 << 16
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
_CLOSES = re.compile(rb"^http/1\.0|\r\nconnection:[ \t]*close", re.IGNORECASE)

Outcome = CallAnswer | NoAnswerError | None
"""None: it was not sent."""


class Lane:
    """A few connections to a container, for one thread.

    Args:
        upstream: where the container listens.
        headers: sent with every request, Host among them.
        connections: requests that are open at the same time.
        connect_timeout_s: for a connection to be accepted.
    """

    def __init__(
        self, upstream: Upstream, headers: Mapping[str, str], *, connections: int, connect_timeout_s: float
    ) -> None:
        self.upstream, self.connect_timeout_s = upstream, connect_timeout_s
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.head = f"POST /invocations HTTP/1.1\r\n{lines}Content-Length: ".encode("latin-1")
        self.count = connections
        self.idle: list[_Connection] = []

    def invoke(
        self, bodies: Sequence[bytes], *, timeout_s: float, most_bytes: int, halted: Callable[[], bool]
    ) -> list[Outcome]:
        """Send each body to POST /invocations, and give what came of each.

        After one that has no answer, nothing more is sent: those that are left have None.

        Args:
            bodies: in order; small ones, which a socket takes in one piece.
            timeout_s: for each answer.
            most_bytes: of answers; nothing more is sent when there are so many.
            halted: asked now and then; true leaves everything as it is.
        """
        return _Run(self, bodies, timeout_s, most_bytes, halted).run()

    def close(self) -> None:
        """Let go of the connections."""
        for connection in self.idle:
            connection.close()
        self.idle.clear()


class _Connection:
    """A connection, and the answer that is being read from it."""

    def __init__(self, upstream: Upstream, *, timeout_s: float, blocking: bool) -> None:
        try:
            self.socket = socket.create_connection((upstream.host, upstream.port), timeout_s)
        except TimeoutError as error:
            raise NoAnswerError(f"the connection was not accepted within {timeout_s:g} s") from error
        except OSError as error:
            raise NoAnswerError(f"it cannot be connected to: {error.strerror or error}") from error
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(blocking)
        if blocking:  # the kernel's own limit: Python's would ask twice for each piece
            patience = struct.pack("ll", 0, int(LOOK_S * 1_000_000))
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, patience)
        self.used = False
        self.closes = False
        self.number = -1
        self.deadline = 0.0
        self.data = b""
        self.whole = -1
        self.start = self.length = 0
        self.message: _Message | None = None
        self.head = b" "
        """The last answer's: the next one is often the same."""
        self.status = 0

    def send(self, number: int, request: bytes, deadline: float) -> None:
        self.number, self.deadline = number, deadline
        self.data, self.whole, self.message = b"", -1, None
        sent = self.socket.send(request)
        if sent < len(request):
            self.socket.settimeout(max(0.1, deadline - time.monotonic()))
            self.socket.sendall(request[sent:])
            self.socket.setblocking(False)

    def take(self, data: bytes) -> CallAnswer | None:
        """Take a piece of the answer; give the answer when it is whole."""
        if self.message is not None:
            return self._feed(data)
        self.data = data = self.data + data if self.data else data
        if self.whole < 0:
            if data.startswith(self.head):
                self.whole = self.start + self.length
                return self._whole(data)
            end = data.find(b"\r\n\r\n")
            if end < 0:
                return None
            length = _LENGTH.search(data, 0, end)
            if length is None or data[9:12] < b"200" or not data.startswith(b"HTTP/1."):
                self.message, self.data = _Message(), b""
                return self._feed(data)
            self.closes = _CLOSES.search(data, 0, end) is not None
            self.start, self.length = end + 4, int(length[1])
            self.whole = self.start + self.length
            self.head, self.status = data[: self.start], int(data[9:12])
        return self._whole(data)

    def _whole(self, data: bytes) -> CallAnswer | None:
        if len(data) < self.whole:
            return None
        return CallAnswer(self.status, data[self.start : self.whole])

    def _feed(self, data: bytes) -> CallAnswer | None:
        assert self.message is not None
        try:
            answer = self.message.feed(data)
        except (httptools.HttpParserError, ValueError) as error:
            raise NoAnswerError(f"the answer is no HTTP: {error}") from error
        if answer is not None:
            self.closes = not self.message.keeps
        return answer

    def ended(self) -> CallAnswer | None:
        """Hear that the container has closed it; of HTTP/1.0 that is the end of the answer."""
        return None if self.message is None else self.message.at_end()

    @property
    def begun(self) -> bool:
        return bool(self.data) or self.message is not None

    def close(self) -> None:
        self.socket.close()


class _Message:
    """An answer that does not say how long it is."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._headed = self._over = False
        self.keeps = False

    def feed(self, data: bytes) -> CallAnswer | None:
        self._parser.feed_data(data)
        if not self._over:
            return None
        self.keeps = self._parser.should_keep_alive()
        return self._answer()

    def at_end(self) -> CallAnswer | None:
        return None if "transfer-encoding" in self._headers or not self._headed else self._answer()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self._headed = self._parser.get_status_code() >= 200

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        if self._parser.get_status_code() < 200:
            self._headers, self._body = {}, []
        else:
            self._over = True

    def _answer(self) -> CallAnswer:
        return CallAnswer(self._parser.get_status_code(), b"".join(self._body), self._headers)


class _Run:
    """One use of a lane."""

    def __init__(
        self,
        lane: Lane,
        bodies: Sequence[bytes],
        timeout_s: float,
        most_bytes: int,
        halted: Callable[[], bool],
    ) -> None:
        self._lane, self._bodies, self._halted = lane, bodies, halted
        self._timeout_s, self._room = timeout_s, most_bytes
        self._outcomes: list[Outcome] = [None] * len(bodies)
        self._next = 0
        self._busy: dict[int, _Connection] = {}
        self._alone = lane.count == 1
        self._poll = None if self._alone else select.poll()

    def run(self) -> list[Outcome]:
        try:
            for _ in range(min(self._lane.count, len(self._bodies))):
                kept = self._lane.idle.pop() if self._lane.idle else None
                if kept is not None:
                    self._enter(kept)
                self._begin(kept)
            while self._busy:
                if self._halted():
                    break
                for connection in self._ready():
                    self._read(connection)
        finally:
            for connection in self._busy.values():
                connection.close()
        return self._outcomes

    def _ready(self) -> Iterator[_Connection] | list[_Connection]:
        if self._poll is None:
            return list(self._busy.values())
        found = [self._busy[number] for number, _ in self._poll.poll(1000 * LOOK_S)]
        return found or [each for each in list(self._busy.values()) if each.deadline < time.monotonic()]

    def _begin(self, connection: _Connection | None) -> None:
        """Send the next body, over this connection or a new one."""
        if self._next >= len(self._bodies):
            if connection is not None:
                self._rest(connection)
            return
        number, self._next = self._next, self._next + 1
        self._send(number, connection)

    def _send(self, number: int, connection: _Connection | None) -> None:
        body = self._bodies[number]
        request = b"%b%d\r\n\r\n%b" % (self._lane.head, len(body), body)
        try:
            if connection is None:
                connection = self._open()
            connection.send(number, request, time.monotonic() + self._timeout_s)
        except NoAnswerError as error:
            self._give(number, error)
        except OSError as error:
            assert connection is not None
            self._lost(connection, NoAnswerError(f"it could not be sent: {error.strerror or error}"))

    def _open(self) -> _Connection:
        lane = self._lane
        connection = _Connection(
            lane.upstream,
            timeout_s=lane.connect_timeout_s,
            blocking=self._alone,
        )
        self._enter(connection)
        return connection

    def _enter(self, connection: _Connection) -> None:
        self._busy[connection.socket.fileno()] = connection
        if self._poll is not None:
            self._poll.register(connection.socket, select.POLLIN)

    def _read(self, connection: _Connection) -> None:
        try:
            data = connection.socket.recv(_PIECE)
        except BlockingIOError:
            if connection.deadline < time.monotonic():
                self._lost(connection, NoAnswerError(f"no answer within {self._timeout_s:g} s"), fresh=True)
            return
        except OSError as error:
            self._lost(connection, NoAnswerError(f"the connection broke: {error.strerror or error}"))
            return
        try:
            answer = connection.take(data) if data else connection.ended()
        except NoAnswerError as error:
            self._lost(connection, error, fresh=True)
            return
        if answer is not None:
            self._answered(connection, answer, over=not data)
        elif not data:
            words = (
                "the answer broke off"
                if connection.begun
                else "the container closed the connection without an answer"
            )
            self._lost(connection, NoAnswerError(words))

    def _answered(self, connection: _Connection, answer: CallAnswer, *, over: bool) -> None:
        self._outcomes[connection.number] = answer
        self._room -= len(answer.body)
        if self._room < 0:
            self._next = len(self._bodies)
        connection.used = True
        if over or connection.closes:
            self._drop(connection)
            self._begin(None)
        else:
            self._begin(connection)

    def _lost(self, connection: _Connection, error: NoAnswerError, *, fresh: bool = False) -> None:
        """Give up a connection. One that had idled may have been closed meanwhile: nobody has seen its request."""
        number = connection.number
        self._drop(connection)
        if connection.used and not connection.begun and not fresh:
            self._send(number, None)
        else:
            self._give(number, error)

    def _give(self, number: int, error: NoAnswerError) -> None:
        self._outcomes[number] = error
        self._next = len(self._bodies)

    def _drop(self, connection: _Connection) -> None:
        self._leave(connection)
        connection.close()

    def _rest(self, connection: _Connection) -> None:
        """Keep a connection for the next run."""
        self._leave(connection)
        self._lane.idle.append(connection)

    def _leave(self, connection: _Connection) -> None:
        if self._busy.pop(connection.socket.fileno(), None) is not None and self._poll is not None:
            self._poll.unregister(connection.socket)
