"""One health check, as the platform makes it: `GET /ping`, two seconds, sockets and nothing else."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from time import perf_counter
from typing import Literal

from sm_emulate.spec import invocation as spec

_MAX_HEAD_BYTES = 64 * 1024
_MAX_BODY_BYTES = 1024 * 1024

PingFailure = Literal["refused", "timeout", "reset", "bad-response", "unreachable"]


@dataclass(frozen=True, kw_only=True)
class PingOutcome:
    """What one ping met: a status, or the way it failed.

    Args:
        status: what the container answered; None if it gave no HTTP answer.
        seconds: from the first packet to the last byte, or to the failure.
        failure: None when there is a status. `refused`: nothing listens. `timeout`: no whole answer in time.
            `reset`: the connection was closed without one. `bad-response`: not HTTP. `unreachable`: the rest.
        detail: plain words for the failure.
        path: what was asked for.
    """

    status: int | None
    seconds: float
    failure: PingFailure | None = None
    detail: str = ""
    path: str = spec.PING_PATH

    @property
    def healthy(self) -> bool:
        return self.status == 200


class _BadResponseError(Exception):
    pass


class _ClosedError(Exception):
    pass


def ping(
    host: str,
    port: int,
    *,
    timeout_s: float = spec.PING_TIMEOUT_S,
    path: str = spec.PING_PATH,
    host_header: str = spec.CONTAINER_HOST,
) -> PingOutcome:
    """Ask the container once whether it is well; never raises for what the container does.

    The body is read to its end and ignored, as the platform does: a status without its body is no answer yet.
    """
    began = perf_counter()
    deadline = began + timeout_s
    status: int | None = None
    failure: PingFailure | None = None
    detail = ""
    try:
        with socket.create_connection((host, port), timeout=timeout_s) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.sendall(
                f"GET {path} HTTP/1.1\r\nHost: {host_header}\r\n"
                # a server with one thread must not be held up by a ping's idle connection
                f"User-Agent: {spec.CONTAINER_USER_AGENT}\r\nAccept: */*\r\nConnection: close\r\n\r\n".encode(
                    "latin-1"
                )
            )
            status = _Answer(connection, deadline).read()
    except TimeoutError:
        failure, detail = "timeout", f"no whole answer within {timeout_s:g} s"
    except ConnectionRefusedError:
        failure, detail = "refused", f"nothing listens on {host}:{port}"
    except (ConnectionResetError, BrokenPipeError, ConnectionAbortedError):
        failure, detail = "reset", "the container reset the connection"
    except _ClosedError as error:
        failure, detail = "reset", str(error)
    except _BadResponseError as error:
        failure, detail = "bad-response", str(error)
    except OSError as error:
        failure, detail = "unreachable", error.strerror or str(error)
    return PingOutcome(status=status, seconds=perf_counter() - began, failure=failure, detail=detail)


class _Answer:
    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self._connection = connection
        self._deadline = deadline
        self._buffer = b""

    def read(self) -> int:
        while True:
            status, headers = self._head()
            if status >= 200:
                break
        if status in (204, 304):
            return status
        if headers.get(b"transfer-encoding", b"").lower().endswith(b"chunked"):
            self._chunks()
        elif b"content-length" in headers:
            length = headers[b"content-length"]
            if not length.isdigit():
                raise _BadResponseError(f"Content-Length is {length[:40]!r}")
            self._skip(int(length))
        else:
            while self._more():
                self._check_size(len(self._buffer))
        return status

    def _head(self) -> tuple[int, dict[bytes, bytes]]:
        while b"\r\n\r\n" not in self._buffer and b"\n\n" not in self._buffer:
            if len(self._buffer) >= 5 and not self._buffer.startswith(b"HTTP/"):
                raise _BadResponseError(f"the answer begins with {self._buffer[:40]!r}, which is not HTTP")
            if len(self._buffer) > _MAX_HEAD_BYTES:
                raise _BadResponseError(f"the head of the answer is longer than {_MAX_HEAD_BYTES} bytes")
            if not self._more():
                where = "within the head of its answer" if self._buffer else "without an answer"
                raise _ClosedError(f"the container closed the connection {where}")
        head, separator, rest = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            head, _, rest = self._buffer.partition(b"\n\n")
        self._buffer = rest
        first, *lines = head.split(b"\n")
        words = first.strip().split(None, 2)
        known = len(words) >= 2 and words[0] in (b"HTTP/1.1", b"HTTP/1.0")
        if not known or len(words[1]) != 3 or not words[1].isdigit() or not 100 <= int(words[1]) <= 599:
            raise _BadResponseError(f"the status line is {first[:80]!r}")
        headers = {}
        for line in lines:
            name, colon, value = line.partition(b":")
            if not colon:
                raise _BadResponseError(f"a header line is {line[:80]!r}")
            headers[name.strip().lower()] = value.strip()
        return int(words[1]), headers

    def _chunks(self) -> None:
        total = 0
        while True:
            size_text = self._line().partition(b";")[0].strip()
            try:
                size = int(size_text, 16)
            except ValueError:
                raise _BadResponseError(f"a chunk's size is {size_text[:40]!r}") from None
            if size < 0:
                raise _BadResponseError(f"a chunk's size is {size_text[:40]!r}")
            if size == 0:
                while self._line():
                    pass
                return
            total += size
            self._check_size(total)
            self._skip(size + 2)

    def _line(self) -> bytes:
        while b"\n" not in self._buffer:
            if len(self._buffer) > _MAX_HEAD_BYTES:
                raise _BadResponseError("a line of the answer has no end")
            if not self._more():
                raise _ClosedError("the container closed the connection within the body of its answer")
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.rstrip(b"\r")

    def _skip(self, length: int) -> None:
        self._check_size(length)
        while len(self._buffer) < length:
            if not self._more():
                raise _ClosedError("the container closed the connection within the body of its answer")
        self._buffer = self._buffer[length:]

    def _check_size(self, length: int) -> None:
        if length > _MAX_BODY_BYTES:
            raise _BadResponseError(f"the answer is longer than {_MAX_BODY_BYTES} bytes; a ping's is empty")

    def _more(self) -> bool:
        left = self._deadline - perf_counter()
        if left <= 0:
            raise TimeoutError
        # the limit is for the whole answer: one byte a second must not keep a ping alive
        self._connection.settimeout(left)
        data = self._connection.recv(65536)
        self._buffer += data
        return bool(data)
