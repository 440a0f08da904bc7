"""Many small requests over a few connections, one behind the other on each: no event loop, no task for each of them.

asyncio takes as long for a small request as a fast container does. What is out of the ordinary is left to `Caller`.
"""

from __future__ import annotations

import re
import select
import socket
import struct
import time
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import httptools

from sm_emulate.gateway.caller import CallAnswer, NoAnswerError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sm_emulate.gateway.front import Upstream

LOOK_S = 0.1
"""How often somebody who wants to stop, and what takes too long, is looked for."""
_PIECE = 1 << 16
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
_CLOSES = re.compile(rb"^http/1\.0|\r\nconnection:[ \t]*close", re.IGNORECASE)

_SPRINT = 64
"""Pieces of answers that are read before somebody who wants to stop is looked for."""
_HEADS = 64
"""So many heads of answers are known by sight: most answers of a container begin alike."""

_LOOKS = 64
"""How often one looks before going to sleep: some 60 us, about what it takes to be woken."""
_MOST_SLEEPS = 512

_Found = TypeVar("_Found")

Outcome = bytes | CallAnswer | NoAnswerError | None
"""The body of an answer of 2xx; any other answer; why there is none; None if it was not sent."""


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
        self.heads: dict[bytes, _Head] = {}
        self.vigil = Vigil()

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


class Vigil:
    """Waits, and stays awake for a moment where that is worth while.

    A fast container answers sooner than a thread that sleeps can be woken. Where looking again was in vain it is left
    off for twice as long each time, and where it was not, for half as long.
    """

    def __init__(self) -> None:
        self._sleeps = 0
        self._next = 0

    def wait(self, look: Callable[[], _Found | None], sleep: Callable[[], _Found]) -> _Found:
        """Give what `look` finds, or what `sleep` returns."""
        if self._sleeps:
            self._sleeps -= 1
            return sleep()
        for looked in range(_LOOKS):
            found = look()
            if found is not None:
                if looked:
                    self._next //= 2
                return found
        self._sleeps = self._next = min(2 * self._next or 1, _MOST_SLEEPS)
        return sleep()


class _Head(NamedTuple):
    """What the head of an answer says."""

    length: int
    """Of the whole answer."""
    status: int
    closes: bool


def _read_head(head: bytes) -> _Head | None:
    """Read a head that says how long its answer is; None for any other."""
    length = _LENGTH.search(head)
    if length is None or head[9:12] < b"200" or not head.startswith(b"HTTP/1."):
        return None
    return _Head(len(head) + int(length[1]), int(head[9:12]), _CLOSES.search(head) is not None)


class _Connection:
    """A connection, and the answer that is being read from it."""

    def __init__(self, lane: Lane, *, blocking: bool) -> None:
        upstream, timeout_s = lane.upstream, lane.connect_timeout_s
        try:
            self.socket = socket.create_connection((upstream.host, upstream.port), timeout_s)
        except TimeoutError as error:
            raise NoAnswerError(f"the connection was not accepted within {timeout_s:g} s") from error
        except OSError as error:
            raise NoAnswerError(f"it cannot be connected to: {error.strerror or error}") from error
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(blocking)
        self.blocking = blocking
        if blocking:  # the kernel's own limit: Python's would ask twice for each piece
            patience = struct.pack("ll", 0, int(LOOK_S * 1_000_000))
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, patience)
        self.heads = lane.heads
        self.used = False
        self.closes = False
        self.number = -1
        self.deadline = 0.0
        self.data = b""
        self.message: _Message | None = None

    def send(self, number: int, request: bytes, deadline: float) -> None:
        self.number, self.deadline = number, deadline
        self.data, self.message = b"", None
        sent = self.socket.send(request)
        if sent < len(request):
            self.socket.settimeout(max(0.1, deadline - time.monotonic()))
            self.socket.sendall(request[sent:])
            self.socket.setblocking(self.blocking)

    def look(self) -> bytes | None:
        """Give what has come, if something has."""
        try:
            return self.socket.recv(_PIECE, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return None

    def sleep(self) -> bytes:
        """Give what comes, if it comes in time; of a connection that blocks."""
        return self.socket.recv(_PIECE)

    def take(self, data: bytes) -> bytes | CallAnswer | None:
        """Take a piece of the answer; give the answer when it is whole."""
        if self.message is not None:
            return self._feed(data)
        if self.data:
            data = self.data + data
        start = data.find(b"\r\n\r\n") + 4
        if start < 4:
            self.data = data
            return None
        head = self.heads.get(data[:start]) or self._new(data[:start])
        if head is None:
            self.message, self.data = _Message(), b""
            return self._feed(data)
        length, status, closes = head
        if len(data) < length:
            self.data = data
            return None
        self.closes = closes
        body = data[start:length]
        return body if status < 300 else CallAnswer(status, body)

    def _new(self, head: bytes) -> _Head | None:
        read = _read_head(head)
        if read is not None:
            if len(self.heads) >= _HEADS:  # they have dates in them, or lengths of all kinds
                self.heads.clear()
            self.heads[head] = read
        return read

    def _feed(self, data: bytes) -> bytes | CallAnswer | None:
        assert self.message is not None
        try:
            answer = self.message.feed(data)
        except (httptools.HttpParserError, ValueError) as error:
            raise NoAnswerError(f"the answer is no HTTP: {error}") from error
        if answer is not None:
            self.closes = not self.message.keeps
        return answer

    def ended(self) -> bytes | CallAnswer | None:
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

    def feed(self, data: bytes) -> bytes | CallAnswer | None:
        self._parser.feed_data(data)
        if not self._over:
            return None
        self.keeps = self._parser.should_keep_alive()
        return self._answer()

    def at_end(self) -> bytes | CallAnswer | None:
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

    def _answer(self) -> bytes | CallAnswer:
        body, status = b"".join(self._body), self._parser.get_status_code()
        return body if 200 <= status < 300 else CallAnswer(status, body, self._headers)


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
        self._look_at = 0.0
        self._busy: dict[int, _Connection] = {}
        self._alone = lane.count == 1
        self._poll = select.poll()

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
                if self._alone:
                    (connection,) = self._busy.values()
                    self._sprint(connection)
                    continue
                for number, _ in self._lane.vigil.wait(self._look, self._sleep):
                    self._read(self._busy[number])
                if self._look_at < time.monotonic():
                    self._look_at = time.monotonic() + LOOK_S
                    for connection in [each for each in self._busy.values() if self._late(each)]:
                        self._too_slow(connection)
        finally:
            for connection in self._busy.values():
                connection.close()
        return self._outcomes

    def _look(self) -> list[tuple[int, int]] | None:
        return self._poll.poll(0) or None

    def _sleep(self) -> list[tuple[int, int]]:
        return self._poll.poll(1000 * LOOK_S)

    def _sprint(self, connection: _Connection) -> None:
        """Read from the only connection for a while, as long as more comes over it."""
        for _ in range(_SPRINT):
            if not self._read(connection):
                return

    def _late(self, connection: _Connection) -> bool:
        return connection.deadline < time.monotonic()

    def _too_slow(self, connection: _Connection) -> None:
        self._lost(connection, NoAnswerError(f"no answer within {self._timeout_s:g} s"), fresh=True)

    def _begin(self, connection: _Connection | None) -> None:
        """Send the next body, over this connection or a new one."""
        if self._next >= len(self._bodies):
            if connection is not None:
                self._rest(connection)
            return
        number, self._next = self._next, self._next + 1
        self._send(number, connection)

    def _send(self, number: int, connection: _Connection | None) -> bool:
        """Send a body over this connection or a new one; tell whether it is on its way over this one."""
        body = self._bodies[number]
        request = b"%b%d\r\n\r\n%b" % (self._lane.head, len(body), body)
        kept = connection is not None
        try:
            if connection is None:
                connection = self._open()
            connection.send(number, request, time.monotonic() + self._timeout_s)
        except NoAnswerError as error:
            self._give(number, error)
            return False
        except OSError as error:
            assert connection is not None
            self._lost(connection, NoAnswerError(f"it could not be sent: {error.strerror or error}"))
            return False
        return kept

    def _open(self) -> _Connection:
        connection = _Connection(self._lane, blocking=self._alone)
        self._enter(connection)
        return connection

    def _enter(self, connection: _Connection) -> None:
        self._busy[connection.socket.fileno()] = connection
        if not self._alone:
            self._poll.register(connection.socket, select.POLLIN)

    def _read(self, connection: _Connection) -> bool:
        """Read what has come; tell whether more is to come over this connection."""
        try:
            if self._alone:
                data = self._lane.vigil.wait(connection.look, connection.sleep)
            else:
                data = connection.socket.recv(_PIECE)
        except BlockingIOError:
            if self._late(connection):
                self._too_slow(connection)
            return False
        except OSError as error:
            self._lost(connection, NoAnswerError(f"the connection broke: {error.strerror or error}"))
            return False
        try:
            answer = connection.take(data) if data else connection.ended()
        except NoAnswerError as error:
            self._lost(connection, error, fresh=True)
            return False
        if answer is not None:
            return self._answered(connection, answer, over=not data)
        if not data:
            words = (
                "the answer broke off"
                if connection.begun
                else "the container closed the connection without an answer"
            )
            self._lost(connection, NoAnswerError(words))
        elif self._late(connection):
            self._too_slow(connection)
        else:
            return True
        return False

    def _answered(self, connection: _Connection, answer: bytes | CallAnswer, *, over: bool) -> bool:
        self._outcomes[connection.number] = answer
        self._room -= len(answer) if isinstance(answer, bytes) else len(answer.body)
        connection.used = True
        number = self._next
        if self._room < 0 or over or connection.closes or number >= len(self._bodies):
            if self._room < 0:
                self._next = len(self._bodies)
            if over or connection.closes:
                self._drop(connection)
                self._begin(None)
            else:
                self._rest(connection)
            return False
        self._next = number + 1
        return self._send(number, connection)

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
        if self._busy.pop(connection.socket.fileno(), None) is not None and not self._alone:
            self._poll.unregister(connection.socket)
