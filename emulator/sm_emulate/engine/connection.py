"""One HTTP/1.1 connection to an engine: requests out, answers in, the bare socket when handed over."""

from __future__ import annotations

import errno
import select
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator, Mapping

_READ = 1 << 18


@dataclass(frozen=True, kw_only=True)
class Head:
    """Status line and headers of an answer; header names in lower case."""

    status: int
    headers: Mapping[str, str]


class Connection:
    """One connection with whatever of it has been read ahead."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self._ahead = b""

    def close(self) -> None:
        self.socket.close()

    def usable(self) -> bool:
        """Tell whether an idle connection is still open: an idle one has nothing to say but its end."""
        try:
            return not self._ahead and not select.select([self.socket], [], [], 0)[0]
        except (OSError, ValueError):
            return False

    def send(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes, *, last: bool = False
    ) -> None:
        """Send a request; the `last` one is answered up to the connection's end, without chunks."""
        lines = [f"{method} {path} HTTP/1.{0 if last else 1}", "Host: docker", "User-Agent: sm-emulate"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if (body or method in ("POST", "PUT")) and "Transfer-Encoding" not in headers:
            lines.append(f"Content-Length: {len(body)}")
        self.socket.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + body)

    def head(self) -> Head:
        status_line = self._line()
        version, _, rest = status_line.partition(b" ")
        if not version.startswith(b"HTTP/1.") or not rest[:3].isdigit():
            raise ConnectionError(f"this is not HTTP: {status_line[:80]!r}")
        headers: dict[str, str] = {}
        while line := self._line():
            name, _, value = line.partition(b":")
            headers[name.decode("latin-1").strip().lower()] = value.decode("latin-1").strip()
        return Head(status=int(rest[:3]), headers=headers)

    def body(self, head: Head) -> Iterator[bytes]:
        """Yield the body's pieces; the connection can be used again once they are all read, if `framed`."""
        if head.status in (204, 304):
            return
        if "chunked" in head.headers.get("transfer-encoding", "").lower():
            while size := int(self._line().split(b";")[0], 16):
                yield self._exactly(size)
                self._line()
            while self._line():
                pass
        elif "content-length" in head.headers:
            yield self._exactly(int(head.headers["content-length"]))
        else:
            yield from self.rest()

    def framed(self, head: Head) -> bool:
        """Whether the connection outlives this answer."""
        known_end = (
            head.status in (204, 304)
            or "content-length" in head.headers
            or "transfer-encoding" in head.headers
        )
        return known_end and head.headers.get("connection", "").lower() != "close"

    def rest(self, pause_s: float | None = None) -> Iterator[bytes]:
        """Yield all that comes until the other side closes; nothing once, when nothing has come for `pause_s`."""
        if self._ahead:
            ahead, self._ahead = self._ahead, b""
            yield ahead
        quiet = True
        while True:
            self.socket.settimeout(None if quiet else pause_s)
            try:
                data = self.socket.recv(_READ)
            except TimeoutError:
                quiet = True
                yield b""
                continue
            if not data:
                return
            quiet = False
            yield data

    def receive_into(self, buffer: memoryview) -> int:
        """Fill a buffer with what comes next, without a copy where that can be; 0 at the end."""
        if self._ahead:
            size = min(len(buffer), len(self._ahead))
            buffer[:size] = self._ahead[:size]
            self._ahead = self._ahead[size:]
            return size
        return self.socket.recv_into(buffer)

    def _more(self) -> None:
        data = self.socket.recv(_READ)
        if not data:
            raise ConnectionResetError(errno.ECONNRESET, "the engine closed the connection")
        self._ahead += data

    def _line(self) -> bytes:
        while (end := self._ahead.find(b"\n")) < 0:
            self._more()
        line, self._ahead = self._ahead[:end], self._ahead[end + 1 :]
        return line.rstrip(b"\r")

    def _exactly(self, size: int) -> bytes:
        if len(self._ahead) < size:
            pieces = [self._ahead]
            missing = size - len(self._ahead)
            self._ahead = b""
            while missing > 0:
                data = self.socket.recv(min(missing, _READ))
                if not data:
                    raise ConnectionResetError(errno.ECONNRESET, "the engine closed the connection")
                pieces.append(data)
                missing -= len(data)
            return b"".join(pieces)
        data, self._ahead = self._ahead[:size], self._ahead[size:]
        return data
