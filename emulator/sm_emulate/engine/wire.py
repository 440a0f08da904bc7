"""HTTP/1.1 as container engines speak it, over unix, TCP, TLS and ssh sockets.

Why not the Docker SDK or `http.client`: importing the first costs half of a whole `docker run`, the second
pulls in the email package (25 ms), and attaching needs the bare socket with what has been read of it so far.
"""

from __future__ import annotations

import errno
import json
import select
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sm_emulate.errors import EngineError, EngineNotFoundError, NotFoundError

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator, Mapping

    from sm_emulate.engine.endpoint import Endpoint

_READ = 1 << 18
_USUAL_TIMEOUT = 300.0
"""Seconds that an engine has for an ordinary answer; a start on a loaded machine can take a minute."""
_OURS = (1, 47)
_OLDEST = (1, 40)
"""DeviceRequests came with 1.40 (Docker 19.03)."""


class RefusedError(EngineError):
    """The engine answered with an HTTP error other than 404."""

    def __init__(self, what: str, *, status: int, words: str) -> None:
        super().__init__(what, evidence=(words,))
        self.status = status
        self.words = words


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

    def send(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> None:
        lines = [f"{method} {path} HTTP/1.1", "Host: docker", "User-Agent: sm-emulate"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if body or method in ("POST", "PUT"):
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

    def rest(self) -> Iterator[bytes]:
        """Yield all that comes until the other side closes."""
        if self._ahead:
            ahead, self._ahead = self._ahead, b""
            yield ahead
        while data := self.socket.recv(_READ):
            yield data

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


class Client:
    """Calls of the Docker API on one endpoint; any thread may call, each call has a connection to itself."""

    def __init__(self, endpoint: Endpoint, version: tuple[int, int]) -> None:
        self.endpoint = endpoint
        self.version = version
        self._idle: deque[Connection] = deque()

    @classmethod
    def reach(cls, endpoint: Endpoint, timeout: float) -> Client:
        """Ping the endpoint and agree on an API version. Raises OSError, or EngineError if it is too old."""
        connection = Connection(endpoint.dial(timeout))
        try:
            connection.send("GET", "/_ping", {}, b"")
            head = connection.head()
            client = cls(endpoint, _agree(head, b"".join(connection.body(head)), endpoint))
            client._keep(connection, head)
        except BaseException:
            connection.close()
            raise
        return client

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, object] | None = None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = _USUAL_TIMEOUT,
    ) -> Any:
        """Make a call and give its JSON (None if it has no body). `timeout` None waits for ever."""
        connection, head = self._ask(method, path, query=query, body=body, headers=headers, timeout=timeout)
        with _closing_on_error(connection):
            answer = b"".join(connection.body(head))
        self._keep(connection, head)
        if not answer.strip():
            return None
        if "json" not in head.headers.get("content-type", "json"):
            return answer
        try:
            return json.loads(answer)
        except ValueError as error:
            raise EngineError(
                "the container engine answered with something that is not JSON",
                value=f"{method} {path}",
                evidence=(answer[:200].decode(errors="replace"),),
            ) from error

    def messages(
        self, method: str, path: str, *, query: Mapping[str, object], headers: Mapping[str, str]
    ) -> Iterator[dict[str, Any]]:
        """Make a call that is answered by a stream of JSON objects, one a line."""
        connection, head = self._ask(method, path, query=query, headers=headers)
        rest = b""
        with _closing_on_error(connection):
            for piece in connection.body(head):
                *lines, rest = (rest + piece).split(b"\n")
                for line in lines:
                    if line.strip():
                        yield json.loads(line)
        self._keep(connection, head)
        if rest.strip():
            yield json.loads(rest)

    def hijack(
        self, path: str, *, query: Mapping[str, object] | None = None, body: object = None
    ) -> Connection:
        """Make a call after which the connection carries the container's bare streams."""
        upgrade = {"Connection": "Upgrade", "Upgrade": "tcp"}
        connection, _ = self._ask(
            "POST", path, query=query, body=body, headers=upgrade, timeout=_USUAL_TIMEOUT
        )
        connection.socket.settimeout(None)
        return connection

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()

    def _ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, object] | None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> tuple[Connection, Head]:
        target = f"/v{self.version[0]}.{self.version[1]}{path}"
        if query:
            target += "?" + "&".join(f"{name}={quote(str(value), safe='')}" for name, value in query.items())
        sent = b""
        given = dict(headers or {})
        if body is not None:
            sent = json.dumps(body, separators=(",", ":")).encode()
            given["Content-Type"] = "application/json"
        connection = self._connection()
        with _closing_on_error(connection):
            try:
                connection.socket.settimeout(timeout)
                connection.send(method, target, given, sent)
                head = connection.head()
            except TimeoutError as error:
                raise EngineError(
                    f"the container engine did not answer within {timeout:g} s",
                    value=f"{method} {path} at {self.endpoint.url}",
                    hint="see whether `docker ps` answers; restart the engine if it does not",
                ) from error
            except OSError as error:
                raise _gone(self.endpoint, error) from error
            if head.status < 400:
                return connection, head
            words = _words(b"".join(connection.body(head)))
        self._keep(connection, head)
        if head.status == 404:
            raise NotFoundError(words, value=f"{method} {path}", evidence=(words,))
        raise RefusedError(f"the container engine refused: {words}", status=head.status, words=words)

    def _connection(self) -> Connection:
        while True:
            try:
                kept = self._idle.pop()
            except IndexError:
                break
            if kept.usable():
                return kept
            kept.close()
        try:
            return Connection(self.endpoint.dial(10.0))
        except OSError as error:
            raise _gone(self.endpoint, error) from error

    def _keep(self, connection: Connection, head: Head) -> None:
        if connection.framed(head):
            self._idle.append(connection)
        else:
            connection.close()


class _closing_on_error:  # noqa: N801 - reads as the context manager that it is
    """Close a connection if the block fails, and tell a broken one in our own words."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if kind is None:
            return
        self._connection.close()
        if isinstance(error, (OSError, ValueError)):
            raise EngineError(
                "the connection to the container engine broke",
                evidence=(str(error),),
                hint="is it still running?",
            ) from error


def _agree(head: Head, answer: bytes, endpoint: Endpoint) -> tuple[int, int]:
    """Choose the API version that both sides speak, from the answer to a ping."""
    if head.status != 200:
        raise ConnectionError(f"ping was answered with {head.status}: {_words(answer)}")
    stated = head.headers.get("api-version", "")
    major, _, minor = stated.partition(".")
    if not (major.isdigit() and minor.isdigit()):
        raise ConnectionError("it does not say which API version it speaks: no container engine?")
    theirs = (int(major), int(minor))
    if theirs < _OLDEST:
        raise EngineError(
            "the container engine is too old",
            value=f"API {stated} at {endpoint.url}",
            expected="API 1.40 (Docker 19.03) or later",
            hint="update the engine",
        )
    return min(_OURS, theirs)


def _gone(endpoint: Endpoint, error: OSError) -> EngineNotFoundError:
    return EngineNotFoundError(
        "the container engine no longer answers",
        value=endpoint.url,
        evidence=(str(error),),
        hint="see whether `docker ps` answers",
    )


def _words(answer: bytes) -> str:
    """Find the engine's own words in an error answer: JSON, or text of a proxy in front."""
    text = answer.decode(errors="replace").strip()
    try:
        message = json.loads(text)
    except ValueError:
        return text or "(no reason given)"
    if isinstance(message, dict):
        return str(message.get("message") or message.get("cause") or text)
    return text
