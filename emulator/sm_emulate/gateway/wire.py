"""Bytes of HTTP heads: what goes to the container and what goes to the client."""

from __future__ import annotations

import os
import time
from itertools import count
from typing import TYPE_CHECKING

from sm_emulate.gateway.event_stream import CONTENT_TYPE
from sm_emulate.spec import invocation as spec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sm_emulate.gateway.answers import ErrorAnswer
    from sm_emulate.gateway.front import EndpointFront
    from sm_emulate.gateway.known import KnownAnswer

_REASONS = {
    200: b"OK",
    201: b"Created",
    202: b"Accepted",
    204: b"No Content",
    302: b"Found",
    400: b"Bad Request",
    403: b"Forbidden",
    404: b"Not Found",
    413: b"Content Too Large",
    424: b"Failed Dependency",
    429: b"Too Many Requests",
    500: b"Internal Server Error",
    503: b"Service Unavailable",
}

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"


_RENAMED = {
    f"{theirs}: ".encode(): f"{ours}: ".encode() for theirs, ours in spec.STREAM_RESPONSE_HEADERS.items()
}


class Wording:
    """The parts of heads that are the same for every request of one variant, or of none."""

    def __init__(self, front: EndpointFront, variant_name: str = "") -> None:
        host = front.container_host.encode("latin-1")
        agent = spec.CONTAINER_USER_AGENT.encode("latin-1")
        self._to_container = b" HTTP/1.1\r\nHost: " + host + b"\r\nUser-Agent: " + agent + b"\r\n"
        self._variant = (
            spec.INVOKED_VARIANT_HEADER.encode() + b": " + variant_name.encode("latin-1", "replace") + b"\r\n"
        )
        self._request_id = b"\r\n" + spec.REQUEST_ID_HEADER.encode() + b": "
        seed = os.urandom(10).hex()
        # unique without asking the kernel for randomness at every request
        self._id_prefix = f"{seed[:8]}-{seed[8:12]}-4{seed[12:15]}-8{seed[15:18]}-"
        self._ids = count(1)
        self._date = b""
        self._date_of = 0

    def request_head(self, method: bytes, path: bytes, headers: Sequence[bytes], length: int | None) -> bytes:
        """Give the head that the container reads; `headers` are whole lines."""
        if length is None:
            return b"".join((method, b" ", path, self._to_container, *headers, b"\r\n"))
        return b"".join(
            (method, b" ", path, self._to_container, *headers, b"Content-Length: %d\r\n\r\n" % length)
        )

    def answer_head(
        self, status: int, headers: Sequence[bytes], framing: bytes, connection: bytes, *, invoked: bool
    ) -> bytes:
        """Give the head that the client reads; `framing` and `connection` are whole lines or empty."""
        return b"".join(
            (
                first_line(status),
                self._request_id,
                f"{self._id_prefix}{next(self._ids):012x}".encode(),
                self._date_line(),
                self._variant if invoked else b"",
                *headers,
                framing,
                connection,
                b"\r\n",
            )
        )

    def known_head(self, known: KnownAnswer) -> bytes:
        """Give the head of `answer_head` for an answer that came before, to a client whose connection is kept."""
        request_id = f"{self._id_prefix}{next(self._ids):012x}".encode()
        return b"".join(
            (known.first, self._request_id, request_id, self._date_line(), self._variant, known.last)
        )

    def error_head(self, error: ErrorAnswer, connection: bytes) -> bytes:
        """Give the head of an error answer."""
        error_type = f"{spec.ERROR_TYPE_HEADER}: {error.code}\r\n".encode() if error.code else b""
        return self.answer_head(
            error.status,
            (error_type, f"Content-Type: {error.content_type}\r\n".encode()),
            content_length(len(error.body)),
            connection,
            invoked=False,
        )

    def _date_line(self) -> bytes:
        now = int(time.time())
        if now != self._date_of:
            # strftime's day and month names would follow the locale
            parts = time.gmtime(now)
            day = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[parts.tm_wday]
            months = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
            clock = f"{parts.tm_hour:02}:{parts.tm_min:02}:{parts.tm_sec:02}"
            text = f"{day}, {parts.tm_mday:02} {months[parts.tm_mon - 1]} {parts.tm_year} {clock} GMT"
            self._date = b"\r\nDate: " + text.encode() + b"\r\n"
            self._date_of = now
        return self._date


def first_line(status: int) -> bytes:
    return b"HTTP/1.1 %d %b" % (status, _REASONS.get(status, b"Unknown"))


def stream_headers(headers: Sequence[bytes]) -> list[bytes]:
    """Give the lines of an event stream's head for those of the container's answer."""
    lines = [f"Content-Type: {CONTENT_TYPE}\r\n".encode()]
    for line in headers:
        name, separator, value = line.partition(b": ")
        renamed = _RENAMED.get(name + separator)
        if renamed is not None:
            lines.append(renamed + value)
    return lines


def content_length(length: int) -> bytes:
    return b"Content-Length: %d\r\n" % length


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)
