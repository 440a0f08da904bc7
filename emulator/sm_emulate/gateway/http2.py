"""The client's side of the gateway over HTTP/2, for the one operation that needs it."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, cast

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    RequestReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.exceptions import H2Error, ProtocolError
from h2.settings import SettingCodes, Settings

from sm_emulate.gateway import answers
from sm_emulate.gateway.bidirectional import PREFIX, SUFFIX, BidirectionalStream
from sm_emulate.gateway.incoming import MAX_HEAD_BYTES
from sm_emulate.spec import bidirectional as spec
from sm_emulate.spec import invocation

if TYPE_CHECKING:
    from h2.events import Event

    from sm_emulate.gateway.serving import Serving

_STREAMS = 1024
_STREAM_WINDOW = 128 * 1024
_CONNECTION_WINDOW = _STREAMS * _STREAM_WINDOW
"""So large that streams whose container does not keep up never hold up the others of their connection."""

_MUCH, _LITTLE = 256 * 1024, 64 * 1024
"""Bytes that wait for a slow client: from the first on its container waits, too, down to the second."""


class Http2Connection(asyncio.Protocol):
    """One connection of a client, with as many streams as it opens."""

    def __init__(self, serving: Serving) -> None:
        self.serving = serving
        self.write_paused = False
        self._transport: asyncio.Transport | None = None
        self._wire = H2Connection(H2Configuration(client_side=False, header_encoding="latin-1"))
        self._streams: dict[int, Http2Stream] = {}
        self._full: set[Http2Stream] = set()
        self._writing = False
        self._closing = False
        self._gone = False

    # --- the transport's calls ----------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by birth
        self.serving.clients.add(self)
        wire = self._wire
        # `update` would send the values of before
        wire.local_settings = Settings(
            client=False,
            initial_values={
                SettingCodes.MAX_CONCURRENT_STREAMS: _STREAMS,
                SettingCodes.INITIAL_WINDOW_SIZE: _STREAM_WINDOW,
                SettingCodes.MAX_HEADER_LIST_SIZE: MAX_HEAD_BYTES,
            },
        )
        wire.initiate_connection()
        wire.increment_flow_control_window(_CONNECTION_WINDOW)
        self.write_soon()

    def data_received(self, data: bytes) -> None:
        try:
            events = self._wire.receive_data(data)
        except H2Error as error:
            self._broken(error)
            return
        for event in events:
            self._heed(event)
        self.write_soon()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio names it
        self._gone = True
        streams, self._streams = self._streams, {}
        for stream in streams.values():
            stream.lost()
        self.serving.left(self)

    def pause_writing(self) -> None:
        self.write_paused = True
        for stream in list(self._streams.values()):
            stream.slow_down()

    def resume_writing(self) -> None:
        self.write_paused = False
        for stream in list(self._streams.values()):
            stream.flush()
        self.write_soon()

    # --- the streams' calls -------------------------------------------------------------------------------

    def write_soon(self) -> None:
        """Write what there is, at once with what else comes in this round of the loop."""
        if not self._writing and not self._gone:
            self._writing = True
            self.serving.loop.call_soon(self._write)

    def flush_soon(self, stream: Http2Stream) -> None:
        """Have a stream give its client what it has, together with what else comes in this round of the loop."""
        self._full.add(stream)
        self.write_soon()

    @property
    def is_open(self) -> bool:
        return not self._gone and not self._closing

    def forget(self, stream_id: int) -> None:
        """Let go of a stream that has ended in both directions, or for us."""
        self._streams.pop(stream_id, None)
        if self.serving.draining and not self._streams:
            self._close()

    # --- the gateway's calls ------------------------------------------------------------------------------

    def drain(self) -> None:
        """End all streams: none would come to an end by itself."""
        self.cut()

    def cut(self) -> None:
        """End all streams now, each with the error that is owed."""
        if self._closing:
            return
        for stream in list(self._streams.values()):
            stream.cut()
        if not self._streams:
            self._close()

    def abort(self) -> None:
        """Close at once, whatever the client has not taken yet."""
        if self._transport is not None:
            self._transport.abort()

    # --- steps --------------------------------------------------------------------------------------------

    def _heed(self, event: Event) -> None:
        if isinstance(event, RequestReceived):
            self._begin(event)
        elif isinstance(event, DataReceived):
            stream = self._streams.get(event.stream_id)
            if stream is None:
                self._acknowledge(event.flow_controlled_length or 0, event.stream_id)
            else:
                stream.data_came(event.data or b"", event.flow_controlled_length or 0)
        elif isinstance(event, StreamEnded):
            stream = self._streams.get(event.stream_id)
            if stream is not None:
                stream.input_ended()
        elif isinstance(event, StreamReset):
            stream = self._streams.pop(event.stream_id, None)
            if stream is not None:
                stream.lost()
        elif isinstance(event, WindowUpdated):
            streams = (
                list(self._streams.values())
                if not event.stream_id
                else [self._streams[event.stream_id]]
                if event.stream_id in self._streams
                else []
            )
            for each in streams:
                each.flush()
        elif isinstance(event, ConnectionTerminated):
            for each in list(self._streams.values()):
                each.lost()
            self._streams.clear()
            self._close()

    def _begin(self, event: RequestReceived) -> None:
        headers = {str(name): str(value) for name, value in event.headers}
        method, target = headers.get(":method", ""), headers.get(":path", "")
        path = target.partition("?")[0]
        stream = Http2Stream(self, self._wire, event.stream_id)
        self._streams[event.stream_id] = stream
        if method != "POST" or not path.startswith(PREFIX) or not path.endswith(SUFFIX):
            words = spec.NOT_OVER_HTTP2.format(method=method, path=path, endpoint_name=self._endpoint)
            stream.refuse(answers.refusal("UnknownOperationException", words))
        elif self.serving.draining:
            words = invocation.STREAM_FAILED.format(endpoint=self._endpoint)
            stream.refuse(answers.refusal("ServiceUnavailableError", words))
        else:
            stream.begin(BidirectionalStream(self.serving, stream, target, headers))

    @property
    def _endpoint(self) -> str:
        return self.serving.front.endpoint_name

    def _acknowledge(self, length: int, stream_id: int) -> None:
        if length:
            self._wire.acknowledge_received_data(length, stream_id)

    def _write(self) -> None:
        self._writing = False
        full, self._full = self._full, set()
        for stream in full:
            stream.flush()
        data = self._wire.data_to_send()
        if data and self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def _broken(self, error: H2Error) -> None:
        """Part with a client that does not speak HTTP/2; the library has its reason ready to be sent."""
        del error
        self._closing = True
        streams, self._streams = self._streams, {}
        for stream in streams.values():
            stream.lost()
        self._write()
        if self._transport is not None:
            self._transport.close()

    def _close(self) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        self._closing = True
        self._wire.close_connection()
        self._write()
        self._transport.close()


class Http2Stream:
    """One request over HTTP/2, and its answer: flow control in both directions."""

    def __init__(self, connection: Http2Connection, wire: H2Connection, stream_id: int) -> None:
        self._connection, self._wire, self._id = connection, wire, stream_id
        self._talk: BidirectionalStream | None = None
        self._waiting: deque[bytes] = deque()
        self._given = self._size = 0
        self._ending = self._ended = self._input_over = False
        self._slow = self._paused = False
        self._unacknowledged = 0

    # --- the connection's calls ---------------------------------------------------------------------------

    def begin(self, talk: BidirectionalStream) -> None:
        self._talk = talk
        talk.begin()

    def refuse(self, error: answers.ErrorAnswer) -> None:
        """Answer with an error, before anybody was asked."""
        self.answer(
            error.status,
            [
                (invocation.ERROR_TYPE_HEADER, error.code),
                ("content-type", error.content_type),
                ("content-length", str(len(error.body))),
            ],
        )
        self.send(error.body)
        self.end()

    def data_came(self, data: bytes, length: int) -> None:
        self._unacknowledged += length
        if self._talk is not None:
            self._talk.data_came(data)
        if not self._paused:
            self._acknowledge()

    def input_ended(self) -> None:
        self._input_over = True
        if self._talk is not None:
            self._talk.input_ended()
        self._forget_if_over()

    def lost(self) -> None:
        """Hear that the client has gone."""
        self._ended = True
        self._waiting.clear()
        self._size = 0
        if self._talk is not None:
            self._talk.caller_left()
        self.resume()

    def cut(self) -> None:
        if self._talk is not None:
            self._talk.cut()
        self.flush()
        if self._waiting:
            # a client that takes nothing will not take its end either
            self.reset(ErrorCodes.CANCEL)

    def slow_down(self) -> None:
        """Have the container wait: the client does not take what it has."""
        if not self._slow and self._talk is not None:
            self._slow = True
            self._talk.caller_is_slow()

    def flush(self) -> None:
        """Give the client as much as it takes."""
        try:
            self._flush()
        except ProtocolError:  # the client has given it up
            self.lost()

    # --- the talk's calls ---------------------------------------------------------------------------------

    def answer(self, status: int, headers: list[tuple[str, str]]) -> None:
        if self._ended:
            return
        lines = [(":status", str(status)), *((name.lower(), value) for name, value in headers)]
        try:
            self._wire.send_headers(self._id, lines)
        except ProtocolError:  # it was opened and given up in one packet
            self.lost()
        self._connection.write_soon()

    def send(self, data: bytes) -> None:
        if self._ended:
            return
        self._waiting.append(data)
        self._size += len(data)
        self._connection.flush_soon(self)
        if self._size > _MUCH:
            self.slow_down()

    def end(self) -> None:
        self._ending = True
        if not self._ended:
            self._connection.flush_soon(self)

    def pause(self) -> None:
        self._paused = True

    def resume(self) -> None:
        self._paused = False
        self._acknowledge()

    def reset(self, code: ErrorCodes) -> None:
        """End it, so that nobody can take what came for the whole."""
        if self._ended:
            return
        self._ended = True
        self._waiting.clear()
        self._wire.reset_stream(self._id, code)
        self._connection.write_soon()
        self._connection.forget(self._id)

    # --- steps --------------------------------------------------------------------------------------------

    def _flush(self) -> None:
        wire = self._wire
        while self._waiting and not self._ended and not self._connection.write_paused:
            room = min(wire.local_flow_control_window(self._id), wire.max_outbound_frame_size)
            if room <= 0:
                break
            data = self._next(room)
            self._size -= len(data)
            if data:
                wire.send_data(self._id, data)
        if self._ending and not self._waiting and not self._ended:
            self._ended = True
            wire.end_stream(self._id)
            self._stop_the_client()
        self._connection.write_soon()
        if self._slow and self._size <= _LITTLE and not self._connection.write_paused:
            self._slow = False
            if self._talk is not None:
                self._talk.caller_keeps_up()

    def _next(self, room: int) -> bytes:
        """Take what goes into one frame: events have their own lengths and need no frame each."""
        taken: list[bytes] = []
        while self._waiting and room:
            first = self._waiting[0]
            data = first[self._given : self._given + room] if self._given or len(first) > room else first
            taken.append(data)
            room -= len(data)
            self._given += len(data)
            if self._given == len(first):
                self._waiting.popleft()
                self._given = 0
        return taken[0] if len(taken) == 1 else b"".join(taken)

    def _stop_the_client(self) -> None:
        """Tell a client whose answer is whole to send no more, as RFC 9113, 8.1 has it."""
        if not self._input_over:
            self._wire.reset_stream(self._id, ErrorCodes.NO_ERROR)
        self._connection.forget(self._id)

    def _forget_if_over(self) -> None:
        if self._ended:
            self._connection.forget(self._id)

    def _acknowledge(self) -> None:
        length, self._unacknowledged = self._unacknowledged, 0
        if length and self._connection.is_open:
            self._wire.acknowledge_received_data(length, self._id)
            self._connection.write_soon()
