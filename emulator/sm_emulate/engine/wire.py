"""HTTP/1.1 as container engines speak it, over unix, TCP, TLS and ssh sockets.

Why not the Docker SDK or `http.client`: importing the first costs half of a whole `docker run`, the second
pulls in the email package (25 ms), and attaching needs the bare socket with what has been read of it so far.
"""

from __future__ import annotations

import json
from collections import deque
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sm_emulate.engine.connection import Connection, Head
from sm_emulate.errors import EngineError, EngineNotFoundError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sm_emulate.engine.endpoint import Endpoint

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


class Pending:
    """A call that is on its way."""

    def __init__(self, client: Client, connection: Connection, call: str) -> None:
        self._client = client
        self._call = call
        self.connection = connection

    def answer(self) -> Any:
        """Wait for the answer and give its JSON (None if it has no body)."""
        return self._client._finish(self.connection, self._call)  # noqa: SLF001 - one thing in two classes

    def abandon(self) -> None:
        self.connection.close()


class Client:
    """Calls of the Docker API on one endpoint; any thread may call, each call has a connection to itself."""

    def __init__(self, endpoint: Endpoint, version: tuple[int, int], server: str = "") -> None:
        self.endpoint = endpoint
        self.version = version
        self.server = server
        """How it names itself: `Docker/28.0.0 (linux)`, `Libpod/5.2.0 (linux)`."""
        self._idle: deque[Connection] = deque()

    @classmethod
    def reach(cls, endpoint: Endpoint, timeout: float) -> Client:
        """Ping the endpoint and agree on an API version. Raises OSError, or EngineError if it is too old."""
        connection = Connection(endpoint.dial(timeout))
        try:
            connection.send("GET", "/_ping", {}, b"")
            head = connection.head()
            version = _agree(head, b"".join(connection.body(head)), endpoint)
            client = cls(endpoint, version, head.headers.get("server", ""))
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
        return self.begin(method, path, query=query, body=body, headers=headers, timeout=timeout).answer()

    def begin(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, object] | None = None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = _USUAL_TIMEOUT,
    ) -> Pending:
        """Make a call without waiting for its answer."""
        connection = self._send(method, path, query=query, body=body, headers=headers, timeout=timeout)
        return Pending(self, connection, f"{method} {path}")

    def stream(self, path: str, *, query: Mapping[str, object], timeout: float) -> tuple[Connection, Head]:
        """Make a GET whose answer goes on for as long as the caller reads and keeps the connection."""
        connection, head = self._ask("GET", path, query=query, timeout=timeout)
        connection.socket.settimeout(None)
        return connection, head

    def ask_head(self, path: str, *, query: Mapping[str, object]) -> Head:
        """Make a HEAD call. Raises `NotFoundError`."""
        connection, head = self._ask("HEAD", path, query=query, timeout=_USUAL_TIMEOUT)
        self._keep(connection, head)
        return head

    def download(self, path: str, *, query: Mapping[str, object] | None = None) -> Connection:
        """Make a GET whose answer is bytes up to the end of the connection, which the caller closes."""
        connection, _ = self._ask("GET", path, query=query, timeout=_USUAL_TIMEOUT, last=True)
        return connection

    def upload(self, path: str, pieces: Iterable[bytes], *, kind: str) -> Any:
        """POST a body of any length; give the answer's JSON objects, one a line."""
        headers = {"Content-Type": kind, "Transfer-Encoding": "chunked"}
        connection = self._send("POST", path, query=None, headers=headers, timeout=_USUAL_TIMEOUT)
        with _closing_on_error(connection):
            for piece in pieces:
                connection.socket.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
            connection.socket.sendall(b"0\r\n\r\n")
        head = self._head(connection, f"POST {path}")
        with _closing_on_error(connection):
            answer = b"".join(connection.body(head))
        self._keep(connection, head)
        return [json.loads(line) for line in answer.splitlines() if line.strip()]

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

    def _finish(self, connection: Connection, call: str) -> Any:
        head = self._head(connection, call)
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
                value=call,
                evidence=(answer[:200].decode(errors="replace"),),
            ) from error

    def _ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, object] | None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        last: bool = False,
    ) -> tuple[Connection, Head]:
        connection = self._send(
            method, path, query=query, body=body, headers=headers, timeout=timeout, last=last
        )
        return connection, self._head(connection, f"{method} {path}")

    def _send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, object] | None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        last: bool = False,
    ) -> Connection:
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
                connection.send(method, target, given, sent, last=last)
            except OSError as error:
                raise _gone(self.endpoint, error) from error
        return connection

    def _head(self, connection: Connection, call: str) -> Head:
        """Read the answer's head; an error answer is read whole and raised."""
        with _closing_on_error(connection):
            try:
                head = connection.head()
            except TimeoutError as error:
                raise EngineError(
                    f"the container engine did not answer within {connection.socket.gettimeout():g} s",
                    value=f"{call} at {self.endpoint.url}",
                    hint="see whether `docker ps` answers; restart the engine if it does not",
                ) from error
            except OSError as error:
                raise _gone(self.endpoint, error) from error
            if head.status < 400:
                return head
            # the answer to a HEAD has a length and no body
            words = "" if call.startswith("HEAD ") else _words(b"".join(connection.body(head)))
        self._keep(connection, head)
        if head.status == 404:
            raise NotFoundError(words, value=call, evidence=(words,))
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
