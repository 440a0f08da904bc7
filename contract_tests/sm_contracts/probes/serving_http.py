"""Requests to the container itself, byte by byte: what a client library would mend must stay visible."""

from __future__ import annotations

import http.client
import io
import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sm_contracts.evidence.serving.exchange import KEPT_BYTES, Exchange, Failure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_LONGEST_ANSWER = 1 << 30


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is sent. `headers` come on top of those that the platform's client always sends."""

    what: str
    method: str = "POST"
    path: str = "/invocations"
    body: bytes = b""
    content_type: str | None = None
    accept: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    keep_alive: bool = False
    timeout_s: float = 60.0

    def head(self, host: str, agent: str) -> bytes:
        """Give the bytes before the body."""
        lines = [f"{self.method} {self.path} HTTP/1.1", f"Host: {host}", f"User-Agent: {agent}"]
        if self.accept is not None:
            lines.append(f"Accept: {self.accept}")
        if self.content_type is not None:
            lines.append(f"Content-Type: {self.content_type}")
        if self.method == "POST":
            lines.append(f"Content-Length: {len(self.body)}")
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        # a server with one thread must not be held up by an idle connection
        lines.append(f"Connection: {'keep-alive' if self.keep_alive else 'close'}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


Heard = Callable[[Request, Exchange], None]


class Connection:
    """One TCP connection to the container. Never raises for what the container does: `answer` tells."""

    def __init__(
        self, host: str, port: int, *, timeout_s: float, platform: tuple[str, str], heard: Heard | None = None
    ) -> None:
        self._heard = heard
        self._began = time.monotonic()
        self._platform = platform
        self._trouble: OSError | None = None
        self._socket: socket.socket | None = None
        try:
            self._socket = socket.create_connection((host, port), timeout=timeout_s)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            self._trouble = error
        self.connect_s = time.monotonic() - self._began

    def send(self, data: bytes, *, timeout_s: float = 60.0) -> bool:
        """Send bytes; false when the container no longer takes them, or took too long."""
        if self._socket is None:
            return False
        try:
            self._socket.settimeout(timeout_s)
            self._socket.sendall(data)
        except OSError as error:
            self._trouble = error
            return False
        return True

    def request(self, request: Request) -> bool:
        """Send a whole request, head and body."""
        self._began = time.monotonic()
        return self.send(request.head(*self._platform) + request.body, timeout_s=request.timeout_s)

    def head(self, request: Request) -> bytes:
        """Give the bytes of the request's head."""
        return request.head(*self._platform)

    def answer(
        self,
        request: Request,
        *,
        timeout_s: float | None = None,
        came: Callable[[int], None] = lambda _: None,
    ) -> Exchange:
        """Read the answer to what was sent last; `came` is told the size of each piece of its body, as it comes."""
        seen = self._answer(request, timeout_s, came)
        if self._heard is not None:
            self._heard(request, seen)
        return seen

    def _answer(self, request: Request, timeout_s: float | None, came: Callable[[int], None]) -> Exchange:
        limit = request.timeout_s if timeout_s is None else timeout_s
        blank = Exchange(what=request.what, connect_s=self.connect_s)
        deadline = self._began + limit
        if self._socket is None:
            return self._failed(blank, self._trouble)
        try:
            # a container may refuse a body before it has read it: its answer is there although sending failed
            return self._read(self._socket, request, blank, deadline, came)
        except (OSError, http.client.HTTPException, ValueError) as error:
            known = self._trouble if isinstance(error, http.client.RemoteDisconnected) else None
            return self._failed(blank, known or error)

    def close(self, *, reset: bool = False) -> None:
        """Close it; `reset` does it rudely, as a client that crashes."""
        if self._socket is None:
            return
        with suppress(OSError):  # it may be gone already
            if reset:
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._socket.close()

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(
        self,
        connection: socket.socket,
        request: Request,
        blank: Exchange,
        deadline: float,
        came: Callable[[int], None],
    ) -> Exchange:
        reader = _Reader(connection, deadline)
        answer = http.client.HTTPResponse(reader, method=request.method)  # type: ignore[arg-type]  # all it asks of a socket is makefile
        answer.begin()
        seen = replace(
            blank, status=answer.status, headers=tuple(answer.getheaders()), closes=answer.will_close
        )
        kept, length = bytearray(), 0
        try:
            while data := answer.read1(65536):
                came(len(data))
                length += len(data)
                kept += data[: max(0, KEPT_BYTES - len(kept))]
                if length > _LONGEST_ANSWER:
                    return self._ended(seen, kept, length, "bad-response", "the answer does not end")
        except TimeoutError:
            return self._ended(seen, kept, length, "timeout", "the answer came to no end in time")
        except (OSError, http.client.HTTPException, ValueError) as error:
            return self._ended(seen, kept, length, "cut-short", f"{length} bytes came, then {_words(error)}")
        if answer.length:
            due = f"{length} of {length + answer.length} bytes came"
            return self._ended(seen, kept, length, "cut-short", due)
        return self._ended(seen, kept, length, "", "")

    def _ended(self, seen: Exchange, kept: bytearray, length: int, failure: Failure, detail: str) -> Exchange:
        seconds = time.monotonic() - self._began
        return replace(seen, body=bytes(kept), length=length, failure=failure, detail=detail, seconds=seconds)

    def _failed(self, blank: Exchange, error: Exception | None) -> Exchange:
        failure: Failure
        if isinstance(error, TimeoutError):
            failure = "timeout"
        elif isinstance(error, ConnectionRefusedError):
            failure = "refused"
        elif isinstance(error, http.client.RemoteDisconnected):
            failure = "closed"
        elif isinstance(error, OSError):
            failure = "reset"
        else:
            failure = "bad-response"
        return replace(blank, failure=failure, detail=_words(error), seconds=time.monotonic() - self._began)


class _Reader(io.RawIOBase):
    """A socket with one deadline for all of an answer: a byte now and then must not keep it alive."""

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self._connection, self._deadline = connection, deadline

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self._connection.settimeout(left)
        return self._connection.recv_into(buffer)  # type: ignore[arg-type]  # io names the buffer's type by a private protocol


def _words(error: Exception | None) -> str:
    if error is None:
        return ""
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__


@dataclass(frozen=True, kw_only=True)
class Client:
    """Speaks to one container as the platform's client does."""

    host: str
    port: int
    platform: tuple[str, str]
    """Its Host header and its User-Agent."""
    heard: Heard | None = None
    """Told of every answer."""

    def at(self, port: int) -> Client:
        """Give the same client for another port."""
        return replace(self, port=port)

    def connect(self, *, timeout_s: float = 5.0) -> Connection:
        """Give a connection; one that failed tells so when it is asked for an answer."""
        return Connection(self.host, self.port, timeout_s=timeout_s, platform=self.platform, heard=self.heard)

    def send(self, request: Request) -> Exchange:
        """Send a request on a connection of its own, and read the answer."""
        began = time.monotonic()
        with self.connect(timeout_s=min(20.0, request.timeout_s)) as connection:
            connection.request(request)
            seen = connection.answer(request)
        return replace(seen, seconds=time.monotonic() - began)

    def ping(self, *, timeout_s: float = 2.0, headers: Mapping[str, str] | None = None) -> Exchange:
        """Ask for its health."""
        return self.send(ping_request(timeout_s=timeout_s, headers=headers))

    def send_slowly(
        self, request: Request, pauses: Sequence[float], *, stopping: Callable[[], bool]
    ) -> Exchange:
        """Send the body in pieces, with these pauses before each of them."""
        with self.connect() as connection:
            began = time.monotonic()
            connection.send(connection.head(request))
            size = -(-len(request.body) // len(pauses)) or 1
            for number, pause in enumerate(pauses):
                wait(pause, stopping)
                if not connection.send(request.body[number * size : (number + 1) * size]):
                    break
            left = time.monotonic() - began + request.timeout_s
            return replace(connection.answer(request, timeout_s=left), seconds=time.monotonic() - began)


def ping_request(
    *, timeout_s: float = 2.0, headers: Mapping[str, str] | None = None, keep_alive: bool = False
) -> Request:
    """Give the health check."""
    return Request(
        what="GET /ping",
        method="GET",
        path="/ping",
        accept="*/*",
        timeout_s=timeout_s,
        headers=headers or {},
        keep_alive=keep_alive,
    )


def wait(seconds: float, stopping: Callable[[], bool]) -> None:
    """Sleep, unless the user wants to leave."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0 and not stopping():
        time.sleep(min(left, 0.1))
