"""A transport for AWS's own SDK of bidirectional streams, whose transports speak HTTP/2 over TLS only."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, DataReceived, ResponseReceived, StreamEnded, StreamReset
from h2.exceptions import H2Error

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from h2.events import Event

_READ = 64 * 1024


class LocalHttp2Transport:
    """Give it to the configuration of `aws-sdk-sagemaker-runtime-http2` as `transport`, beside an http:// endpoint_uri.

    Each call has a connection of its own.
    """

    SUPPORTS_DUPLEX_STREAMING = True
    TIMEOUT_EXCEPTIONS: tuple[type[Exception], ...] = (TimeoutError,)

    def __init__(self) -> None:
        self._calls: set[_Call] = set()

    async def send(self, request: Any, *, request_config: object = None) -> Any:
        """Send a request and give its response once its head has come; both bodies go on after that."""
        del request_config
        call = _Call(self._calls.discard)
        self._calls.add(call)
        return await call.begin(request)

    async def close(self) -> None:
        """Break off what is still under way."""
        for call in list(self._calls):
            await call.close()

    def __deepcopy__(self, memo: object) -> LocalHttp2Transport:
        return self  # the SDK copies its configuration, connections cannot be


class _Response(NamedTuple):
    """What the SDK expects of a response."""

    status: int
    fields: Any
    body: AsyncIterator[bytes]
    reason: str | None = None

    async def consume_body_async(self) -> bytes:
        return b"".join([data async for data in self.body])


class _Call:
    """One request and its response."""

    def __init__(self, over: Any) -> None:
        self._over = over
        self._wire = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._stream = 0
        self._room = asyncio.Event()
        self._head: asyncio.Future[dict[str, str]] = asyncio.get_running_loop().create_future()
        self._body: asyncio.Queue[bytes | Exception | None] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []

    async def begin(self, request: Any) -> _Response:
        from smithy_http import Field, Fields

        place = request.destination
        self._reader, self._writer = await asyncio.open_connection(place.host, place.port or 80)
        self._wire.initiate_connection()
        self._stream = self._wire.get_next_available_stream_id()
        path = (place.path or "/") + (f"?{place.query}" if place.query else "")
        lines = [
            (field.name.lower(), value)
            for field in request.fields.entries.values()
            for value in field.values
            if field.name.lower() not in ("host", "connection", "transfer-encoding")
        ]
        fixed = [
            (":method", request.method),
            (":scheme", "http"),
            (":authority", place.netloc),
            (":path", path),
        ]
        self._wire.send_headers(self._stream, [*fixed, *lines])
        self._write()
        self._tasks = [
            asyncio.create_task(self._read()),
            asyncio.create_task(self._send(request.body)),
        ]
        head = await self._head
        fields = Fields(
            [Field(name=name, values=[value]) for name, value in head.items() if not name.startswith(":")]
        )
        return _Response(int(head[":status"]), fields, self._parts())

    async def close(self) -> None:
        self._over(self)
        for task in self._tasks:
            task.cancel()
        if self._writer is not None:
            self._writer.close()
            with suppress(OSError):
                await self._writer.wait_closed()

    async def _send(self, body: Any) -> None:
        try:
            async for data in body:
                at = 0
                while at < len(data):
                    while not (room := self._wire.local_flow_control_window(self._stream)):
                        self._room.clear()
                        await self._room.wait()
                    size = min(room, self._wire.max_outbound_frame_size)
                    self._wire.send_data(self._stream, bytes(data[at : at + size]))
                    at += size
                    self._write()
                    assert self._writer is not None
                    await self._writer.drain()
            self._wire.end_stream(self._stream)
            self._write()
        except (H2Error, OSError):
            # an answer that came before the end says why; else the reading side hears of it
            return

    async def _read(self) -> None:
        assert self._reader is not None
        trouble: Exception | None = OSError("the endpoint closed the connection")
        try:
            while data := await self._reader.read(_READ):
                for event in self._wire.receive_data(data):
                    # what comes after the end only tells us to send no more
                    if trouble is not None and self._heed(event):
                        trouble = None
                self._write()
                self._room.set()
                if trouble is None:
                    break
        except (H2Error, OSError) as error:
            trouble = error
        if not self._head.done():
            self._head.set_exception(trouble or OSError("the endpoint gave no answer"))
        self._body.put_nowait(trouble)

    def _heed(self, event: Event) -> bool:
        """Take what came; tell whether the response is whole."""
        if isinstance(event, ResponseReceived):
            if not self._head.done():
                self._head.set_result({str(name): str(value) for name, value in event.headers})
        elif isinstance(event, DataReceived):
            if event.data:
                self._body.put_nowait(event.data)
            self._wire.acknowledge_received_data(event.flow_controlled_length or 0, self._stream)
        elif isinstance(event, StreamEnded):
            return True
        elif isinstance(event, (StreamReset, ConnectionTerminated)):
            raise OSError("the endpoint broke the stream off")
        return False

    async def _parts(self) -> AsyncIterator[bytes]:
        while isinstance(data := await self._body.get(), bytes):
            yield data
        await self.close()
        if data is not None:
            raise data

    def _write(self) -> None:
        data = self._wire.data_to_send()
        if data and self._writer is not None and not self._writer.is_closing():
            self._writer.write(data)
