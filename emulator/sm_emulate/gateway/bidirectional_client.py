"""InvokeEndpointWithBidirectionalStream for `sm-emulate invoke --bidirectional`: HTTP/2, no AWS SDK."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections import deque
from typing import TYPE_CHECKING
from urllib.parse import quote

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
)
from h2.exceptions import H2Error
from h2.settings import SettingCodes, Settings

from sm_emulate.errors import MachineError, RequestError
from sm_emulate.gateway.bidirectional_parts import Part, part_event
from sm_emulate.gateway.client import Answer, InvokeError, address_of, error_in, nobody_there, parse_error
from sm_emulate.gateway.event_stream import CONTENT_TYPE, Reader
from sm_emulate.spec import bidirectional as spec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from h2.events import Event

_WINDOW = 1024 * 1024
_ENOUGH_BYTES = _WINDOW // 2
"""What waits to be read before the endpoint is told to wait."""
_LEAVE_S = 5.0
_OPEN_S = 75.0
"""A little more than the container has for its handshake."""


class BidirectionalCall:
    """One bidirectional stream to an endpoint: send parts, and iterate over those that come back.

    One thread may send while another iterates. `error` says what ended the stream, once the iteration is over.

    Args:
        url: where the gateway is, such as http://127.0.0.1:8080.
        endpoint_name: the endpoint.
        target_variant: X-Amzn-SageMaker-Target-Variant.
        path: X-Amzn-SageMaker-Model-Invocation-Path, without a leading slash.
        query: X-Amzn-SageMaker-Model-Query-String.

    Raises:
        RequestError: `url` is not one, or a header has a line break.
        MachineError: nothing answers there.
    """

    def __init__(
        self,
        url: str,
        endpoint_name: str,
        *,
        target_variant: str | None = None,
        path: str | None = None,
        query: str | None = None,
    ) -> None:
        host, port, prefix = address_of(url)
        headers = {spec.VARIANT_HEADER: target_variant, spec.PATH_HEADER: path, spec.QUERY_HEADER: query}
        given = [(name.lower(), value) for name, value in headers.items() if value is not None]
        for name, value in given:
            if not (value.isascii() and value.isprintable()):
                raise RequestError(
                    "a header cannot be sent", value=f"{name}: {value}", expected="ASCII on one line"
                )
        self._url = url
        self.answer: Answer | None = None
        """Status and headers; None until the endpoint has answered."""
        self.error: InvokeError | None = None
        """What ended the stream, or kept it from beginning; None for a stream that ended well."""
        self._wire = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self._changed = threading.Condition()
        self._parts: deque[Part] = deque()
        self._held = self._unacknowledged = 0
        self._events = Reader()
        self._content = b""
        self._over = False
        self._input_over = False
        self._trouble: str | None = None
        try:
            self._socket = socket.create_connection((host, port or 80), timeout=_OPEN_S)
        except ConnectionRefusedError as error:
            raise nobody_there(url) from error
        except OSError as error:
            raise self._broke(str(error)) from error
        self._socket.settimeout(None)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._wire.local_settings = Settings(
            client=True,
            initial_values={SettingCodes.INITIAL_WINDOW_SIZE: _WINDOW, SettingCodes.ENABLE_PUSH: 0},
        )
        self._wire.initiate_connection()
        self._wire.increment_flow_control_window(_WINDOW)
        self._stream = self._wire.get_next_available_stream_id()
        place = prefix + spec.PATH.format(endpoint_name=quote(endpoint_name, safe=""))
        self._wire.send_headers(
            self._stream,
            [
                (":method", "POST"),
                (":scheme", "http"),
                (":authority", f"{host}:{port}"),
                (":path", place),
                ("content-type", CONTENT_TYPE),
                *given,
            ],
        )
        with self._changed:
            self._write()
        self._reading = threading.Thread(target=self._read, name="bidirectional call", daemon=True)
        self._reading.start()

    def send(self, data: bytes | str, *, text: bool | None = None, complete: bool = True) -> bool:
        """Send one part, which the container gets as one frame; wait while the endpoint does not keep up.

        Args:
            data: a string is a text frame, bytes are a binary one unless `text` says otherwise.
            text: of bytes: they are UTF-8.
            complete: the last part of its message.

        Returns:
            Whether it was sent; false once the stream is over.
        """
        is_text = isinstance(data, str) if text is None else text
        content = data.encode() if isinstance(data, str) else data
        event = part_event(Part(content, is_text, complete))
        at = 0
        with self._changed:
            while at < len(event):
                room = 0
                while not self._over and not self._input_over:
                    room = min(
                        self._wire.local_flow_control_window(self._stream), self._wire.max_outbound_frame_size
                    )
                    if room > 0:
                        break
                    self._changed.wait()
                if self._over or self._input_over:
                    return False
                self._wire.send_data(self._stream, event[at : at + room])
                at += room
                self._write()
        return True

    def end_input(self) -> None:
        """Say that nothing more is sent; the platform then closes the container's WebSocket."""
        with self._changed:
            if not self._input_over and not self._over:
                self._input_over = True
                self._wire.end_stream(self._stream)
                self._write()

    def receive(self, timeout_s: float | None = None) -> Part | None:
        """Give the next part; None once the stream is over.

        Raises:
            TimeoutError: none came within `timeout_s`.
            MachineError: the connection broke.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._parts or self._over, timeout_s):
                raise TimeoutError
            if self._parts:
                part = self._parts.popleft()
                self._held -= len(part.data)
                self._acknowledge()
                return part
            if self._trouble is not None:
                raise self._broke(self._trouble)
            return None

    def opened(self) -> Answer:
        """Wait until the container has taken the stream, or the endpoint has refused it: its `error` then says why.

        Raises:
            MachineError: the endpoint did not answer.
        """
        with self._changed:
            waited = self._changed.wait_for(
                lambda: self._over or (self.answer is not None and self.answer.status < 300), _OPEN_S
            )
            if self._trouble is not None or not waited or self.answer is None:
                raise self._broke(self._trouble or f"no answer within {_OPEN_S:g} s")
            return self.answer

    def close(self) -> None:
        """Leave: the platform closes the container's WebSocket."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._reading.join(
            _LEAVE_S
        )  # no longer: who was interrupted in the middle of something may have its lock
        self._socket.close()

    def __iter__(self) -> Iterator[Part]:
        while (part := self.receive()) is not None:
            yield part

    def __enter__(self) -> BidirectionalCall:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- the reading thread -------------------------------------------------------------------------------

    def _read(self) -> None:
        trouble = None
        while trouble is None and not self._over:
            try:
                data = self._socket.recv(256 * 1024)
            except OSError as error:
                data, trouble = b"", str(error)
            with self._changed:
                try:
                    if data:
                        for event in self._wire.receive_data(data):
                            self._heed(event)
                        self._write()
                    else:
                        trouble = trouble or "the endpoint closed the connection"
                except (H2Error, ValueError) as error:
                    trouble = f"{type(error).__name__}: {error}"
                except OSError as error:
                    trouble = str(error)
                self._changed.notify_all()
        with self._changed:
            if not self._over:
                self._trouble, self._over = trouble, True
            self._changed.notify_all()

    def _heed(self, event: Event) -> None:
        if isinstance(event, ResponseReceived):
            headers = {str(name): str(value) for name, value in event.headers}
            self.answer = Answer(status=int(headers.pop(":status")), headers=headers)
        elif isinstance(event, DataReceived):
            self._unacknowledged += event.flow_controlled_length or 0
            self._take(event.data or b"")
            self._acknowledge()
        elif isinstance(event, StreamEnded):
            if self.answer is not None and self.answer.status >= 300:
                self.error = parse_error(self.answer.status, self.answer.headers, self._content)
                self.answer = Answer(
                    status=self.answer.status,
                    headers=self.answer.headers,
                    body=self._content,
                    error=self.error,
                )
            elif self._events.unfinished:
                self._trouble = "the event stream ended within a message"
            self._over = True
        elif isinstance(event, (StreamReset, ConnectionTerminated)) and not self._over:
            self._trouble, self._over = "the endpoint broke the stream off", True

    def _take(self, data: bytes) -> None:
        if self.answer is None or self.answer.status >= 300:
            self._content += data
            return
        for message in self._events.feed(data):
            error = error_in(message)
            if error is not None:
                self.error = error
                continue
            headers = message.headers
            part = Part(
                message.payload,
                headers.get("DataType") == spec.UTF8,
                headers.get("CompletionState", spec.COMPLETE) == spec.COMPLETE,
            )
            self._parts.append(part)
            self._held += len(part.data)

    # --- under the lock -----------------------------------------------------------------------------------

    def _acknowledge(self) -> None:
        """Let the endpoint send more, unless enough waits to be read."""
        if self._unacknowledged and not self._over and self._held < _ENOUGH_BYTES:
            self._wire.acknowledge_received_data(self._unacknowledged, self._stream)
            self._unacknowledged = 0
            with contextlib.suppress(OSError):  # the reading thread hears of it
                self._write()

    def _write(self) -> None:
        data = self._wire.data_to_send()
        if data:
            self._socket.sendall(data)

    def _broke(self, why: str) -> MachineError:
        return MachineError(
            "the connection to the endpoint broke", value=why, expected="an answer", hint=self._url
        )
