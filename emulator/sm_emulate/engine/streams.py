"""The output of a container as the engine multiplexes it: frames of 8 bytes of header and a payload."""

from __future__ import annotations

import socket
from contextlib import suppress
from struct import Struct
from typing import TYPE_CHECKING, Literal

from sm_emulate.engine.protocol import PAUSE, PAUSE_SECONDS, LogChunk
from sm_emulate.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sm_emulate.engine.connection import Connection

_HEADER = Struct(">BxxxL")
"""Stream number, three zero bytes, length of the payload."""
_ERRORS_OF_THE_ENGINE = 3
"""The stream number on which newer engines report what went wrong with the stream itself."""


def decode(pieces: Iterable[bytes]) -> Iterator[LogChunk]:
    """Turn the multiplexed bytes into chunks, neighbouring frames of one stream joined.

    A container that writes line by line makes a frame of each line: joining them spares the readers a
    hundred thousand tiny chunks. A piece without bytes becomes PAUSE.
    """
    unpack, header_size = _HEADER.unpack_from, _HEADER.size
    ahead = b""
    for piece in pieces:
        if not piece:
            yield PAUSE
            continue
        data = ahead + piece if ahead else piece
        position, end = 0, len(data)
        joined: list[bytes] = []
        current = 0
        while position + header_size <= end:
            number, length = unpack(data, position)
            stop = position + header_size + length
            if stop > end:
                break
            if number != current:
                if joined:
                    yield _chunk(current, joined)
                    joined = []
                current = number
            joined.append(data[position + header_size : stop])
            position = stop
        if joined:
            yield _chunk(current, joined)
        ahead = data[position:]
    if len(ahead) > header_size:
        # the engine died in the middle of a frame: what it has passed on is still the container's output
        yield _chunk(ahead[0], [ahead[header_size:]])


def _chunk(number: int, payloads: list[bytes]) -> LogChunk:
    data = b"".join(payloads)
    if number == _ERRORS_OF_THE_ENGINE:
        raise EngineError(
            "the container engine broke off the container's output", evidence=(data.decode(errors="replace"),)
        )
    stream: Literal["stdout", "stderr"] = "stderr" if number == 2 else "stdout"
    return LogChunk(stream=stream, data=data)


class AttachedStream:
    """A `LogStream` on a connection that the engine has handed over."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._closed = False

    def __iter__(self) -> Iterator[LogChunk]:
        try:
            yield from decode(self._connection.rest(PAUSE_SECONDS))
        except OSError as error:
            if not self._closed:
                raise EngineError(
                    "the container engine broke off the container's output", evidence=(str(error),)
                ) from error
        finally:
            self._connection.close()

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        # wakes a thread that is reading, which closing alone would not; the other side may have been first
        with suppress(OSError):
            self._connection.socket.shutdown(socket.SHUT_RDWR)
        self._connection.close()


class EndedStream:
    """A `LogStream` of a container that says nothing."""

    def __iter__(self) -> Iterator[LogChunk]:
        return iter(())

    def close(self) -> None: ...
