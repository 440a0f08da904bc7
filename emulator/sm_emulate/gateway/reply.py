"""The client's half of an exchange: an answer that is held until it is whole, one that is streamed, or an error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sm_emulate.gateway import wire
from sm_emulate.gateway.event_stream import payload_part
from sm_emulate.spec import invocation as spec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sm_emulate.gateway.answers import ErrorAnswer
    from sm_emulate.gateway.captured import Transcript
    from sm_emulate.gateway.connection import ClientConnection
    from sm_emulate.gateway.incoming import Incoming
    from sm_emulate.gateway.wire import Wording

ONE_WRITE = 64 * 1024
"""Up to here joining head and body is cheaper than a second system call."""

_ERROR_BODY_BYTES = 4 * spec.MAX_MESSAGE_CHARS
"""What is kept of an error's body: a character of UTF-8 has at most four bytes."""


class Reply:
    """Gives the client what comes from the container, in the shape that the client asked for.

    Nothing is out until an answer is whole (`ends`) or has to be streamed (`goes_on`): as long as it is held, an
    error can stand in its place. Once it is streamed, it can only go on, end or break off.

    Args:
        client: who asked.
        request: for what.
    """

    __slots__ = (
        "_chunks",
        "_client",
        "_held",
        "_held_size",
        "_length",
        "_request",
        "_wording",
        "is_error",
        "lines",
        "out",
        "status",
        "streams",
        "transcript",
        "will_close",
    )

    def __init__(self, client: ClientConnection, request: Incoming) -> None:
        self._client, self._request = client, request
        self._wording: Wording | None = None
        self._length: int | None = None
        self._held: list[bytes] = []
        self._held_size = 0
        self._chunks = False
        self.status: int | None = None
        """What the container answered; None while it has not."""
        self.lines: Sequence[bytes] = ()
        """The headers of its answer that are passed on."""
        self.is_error = False
        """Whether it is kept for a ModelError."""
        self.streams = False
        """Whether its head is out already."""
        self.out = 0
        """How much of a body the client was given."""
        self.will_close = False
        """Whether the client was told that the connection ends with this answer."""
        self.transcript: Transcript | None = None
        """Where the answer is written down, if it is captured."""

    # --- the container's answer ---------------------------------------------------------------------------

    def begins(self, wording: Wording, status: int, lines: Sequence[bytes], length: int | None) -> None:
        """Take the head of an answer; `length` is None where only its end will tell."""
        self._wording, self.status, self.lines, self._length = wording, status, lines, length
        # 4xx and 5xx are documented, 3xx is not (UNSURE); but no client of the API follows a redirect
        self.is_error = status >= 300 and self._request.invokes

    def goes_on(self, data: bytes, hold_bytes: int) -> bool:
        """Take a part of the body; tell whether a stream that the client asked for has begun with it."""
        if self.is_error:
            if self._held_size < _ERROR_BODY_BYTES:
                self._held.append(data[: _ERROR_BODY_BYTES - self._held_size])
                self._held_size += len(self._held[-1])
            return False
        if self.streams:
            self.out += len(data)
            if self.transcript is not None:
                self.transcript.answer.append(data)
            self._client.write(self._framed(data))
            return False
        self._held.append(data)
        self._held_size += len(data)
        if self._request.flushes:
            self._start_streaming()
            return True
        if self._held_size > hold_bytes:
            self._start_streaming()
        return False

    def ends(self) -> None:
        """Give what is left of an answer that has come to its end."""
        if not (self.streams or self._request.events):
            self._give_whole()
            return
        if not self.streams:
            self._start_streaming()
        if self._chunks:
            self._client.write(wire.LAST_CHUNK)

    def forget(self) -> None:
        """Forget an error that was held: the container is asked once more."""
        self._held.clear()
        self._held_size, self.is_error = 0, False
        self.status, self.lines = None, ()

    def longest(self, more: int) -> int:
        """Give how long the answer is at least, once so many bytes more have come."""
        return max(self.size + more, self._length or 0)

    @property
    def size(self) -> int:
        """How much of the container's body has come."""
        return self.out if self.streams else self._held_size

    @property
    def error_message(self) -> str:
        """The body of an error that is held."""
        return b"".join(self._held).decode("utf-8", "replace")

    # --- answers of our own -------------------------------------------------------------------------------

    def give_error(self, error: ErrorAnswer) -> None:
        """Give an error, in place of an answer that is not out."""
        head = self._client.serving.wording.error_head(error, self._connection_line())
        body = b"" if self._request.method == b"HEAD" else error.body
        self.out = len(body)
        self._client.write(head + body)

    def give_own(self, status: int, lines: Sequence[bytes], body: bytes) -> None:
        """Give an answer for which no container was asked."""
        framing = wire.content_length(len(body))
        head = self._client.serving.wording.answer_head(
            status, lines, framing, self._connection_line(), invoked=False
        )
        self.out = len(body)
        self._client.write(head + body)

    def break_off(self, event: bytes | None) -> None:
        """End an answer whose head is out: with an event that says why, or as nobody can take for its end."""
        if event is None or not self._request.events:
            self._client.abort()
        else:
            self._client.write(wire.chunk(event) + wire.LAST_CHUNK if self._chunks else event)

    # --- steps --------------------------------------------------------------------------------------------

    def _give_whole(self) -> None:
        assert self.status is not None
        assert self._wording is not None
        body = self._held[0] if len(self._held) == 1 else b"".join(self._held)
        framing = b"" if self.status == 204 else wire.content_length(len(body))
        head = self._wording.answer_head(
            self.status, self.lines, framing, self._connection_line(), invoked=self._request.invokes
        )
        self.out = len(body)
        if self.transcript is not None:
            self.transcript.answer.append(body)
        if len(body) <= ONE_WRITE:
            self._client.write(head + body)
        else:
            self._client.write(head)
            self._client.write(body)

    def _start_streaming(self) -> None:
        self.streams = True
        assert self.status is not None
        assert self._wording is not None
        events = self._request.events
        if self._length is not None and not events:
            framing = wire.content_length(self._length)
        elif self._request.version_10:
            # HTTP/1.0 knows no chunks: the end of the connection is the end of the body
            framing = b""
            self._request.keep_alive = False
        else:
            framing = b"Transfer-Encoding: chunked\r\n"
            self._chunks = True
        head = self._wording.answer_head(
            200 if events else self.status,
            wire.stream_headers(self.lines) if events else self.lines,
            framing,
            self._connection_line(),
            invoked=self._request.invokes,
        )
        body = b"".join(self._held)
        if self.transcript is not None:
            self.transcript.answer.append(body)
        self._held.clear()
        self.out += len(body)
        self._client.write(head)
        if body:
            self._client.write(self._framed(body))

    def _framed(self, data: bytes) -> bytes:
        """Give a part of the body as it goes over the client's connection."""
        if self._request.events:
            data = payload_part(data)
        return wire.chunk(data) if self._chunks else data

    def _connection_line(self) -> bytes:
        request = self._request
        self.will_close = not (request.keep_alive and request.complete) or self._client.serving.draining
        if self.will_close:
            return b"Connection: close\r\n"
        return b"Connection: keep-alive\r\n" if request.version_10 else b""
