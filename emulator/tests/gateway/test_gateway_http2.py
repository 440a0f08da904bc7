"""Clients of HTTP/2 that do what they like, and what AWS's SDK sends."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
import zlib
from pathlib import Path

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import ConnectionTerminated, DataReceived, ResponseReceived, StreamEnded, StreamReset
from product import WAIT_SECONDS
from web_sockets import DATA, ServerSocket, echo

from sm_emulate.gateway.bidirectional_parts import Part, part_event
from sm_emulate.gateway.event_stream import Reader

PATH = "/endpoints/iris/invocations-bidirectional-stream"


class Client:
    """One connection of HTTP/2, by hand."""

    def __init__(self, gateway):
        self.sock = socket.create_connection(("127.0.0.1", gateway.port), timeout=WAIT_SECONDS)
        self.wire = H2Connection(H2Configuration(header_encoding="utf-8"))
        self.wire.initiate_connection()
        self.wire.increment_flow_control_window(1 << 24)
        self.status, self.bodies, self.ended, self.resets, self.gone = {}, {}, set(), {}, None
        self.write()

    def write(self):
        self.sock.sendall(self.wire.data_to_send())

    def ask(self, path=PATH, method="POST", headers=(), *, end=False):
        stream = self.wire.get_next_available_stream_id()
        fixed = [(":method", method), (":scheme", "http"), (":authority", "x"), (":path", path)]
        self.wire.send_headers(stream, [*fixed, *headers], end_stream=end)
        self.write()
        return stream

    def send(self, stream, data, *, end=False):
        self.wire.send_data(stream, data, end_stream=end)
        self.write()

    def read(self):
        data = self.sock.recv(65536)
        for event in self.wire.receive_data(data) if data else ():
            if isinstance(event, ResponseReceived):
                self.status[event.stream_id] = int(dict(event.headers)[":status"])
            elif isinstance(event, DataReceived):
                self.bodies[event.stream_id] = self.bodies.get(event.stream_id, b"") + event.data
                self.wire.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, StreamEnded):
                self.ended.add(event.stream_id)
            elif isinstance(event, StreamReset):
                self.resets[event.stream_id] = event.error_code
            elif isinstance(event, ConnectionTerminated):
                self.gone = event.error_code
        self.write()
        return bool(data)

    def until(self, condition):
        while not condition():
            assert self.read()

    def messages(self, stream):
        return Reader().feed(self.bodies.get(stream, b""))


@pytest.fixture
def clients():
    """Give a function that connects to a gateway over HTTP/2."""
    opened = []

    def connect(gateway):
        opened.append(Client(gateway))
        return opened[-1]

    yield connect
    for each in opened:
        each.sock.close()


def signed(payload):
    """Wrap an event as a signing client does: a timestamp and a signature of bytes."""
    headers = b"\x05:date\x08" + struct.pack("!q", 1_700_000_000_000)
    headers += b"\x10:chunk-signature\x06" + struct.pack("!H", 32) + bytes(32)
    head = struct.pack("!II", 16 + len(headers) + len(payload), len(headers))
    head += struct.pack("!I", zlib.crc32(head)) + headers + payload
    return head + struct.pack("!I", zlib.crc32(head))


def test_what_the_sdk_sends_is_understood(gateways, containers, clients):
    """Recorded with aws-sdk-sagemaker-runtime-http2 0.12.0: its events are signed, the last one is empty."""
    recorded = json.loads((Path(__file__).parent / "sdk_stream.json").read_text())
    frames, over = [], threading.Event()

    def talk(wire):
        ours = ServerSocket(wire)
        frames.append(ours.accept())
        while (frame := ours.receive()) is not None:
            frames.append((frame.opcode.name, bytes(frame.data), frame.fin))
        over.set()  # its close frame is answered before it is here

    client = clients(gateways(containers(talk)))
    stream = client.ask(recorded["path"], headers=[tuple(each) for each in recorded["headers"]])
    for part in recorded["body"]:
        client.send(stream, bytes.fromhex(part))
    client.until(lambda: stream in client.ended)
    assert client.status[stream] == 200
    assert client.messages(stream) == []
    assert over.wait(180)
    assert frames == [
        "/v1/talk?a=b",
        ("TEXT", b"hello", True),
        ("BINARY", b"\x00\x01", True),
        ("TEXT", "é".encode()[:1], False),
        ("CONT", "é".encode()[1:], True),
        ("BINARY", b"", True),
        ("CLOSE", b"\x03\xe8", True),
    ]


def test_two_hundred_and_fifty_streams_over_one_connection(gateways, containers, clients):
    client = clients(gateways(containers(echo)))
    streams = [client.ask() for _ in range(250)]
    client.until(lambda: len(client.status) == 250)
    for round_number in range(3):
        for stream in streams:
            client.send(stream, part_event(Part(b"%d of %d" % (round_number, stream), text=True)))
    client.until(lambda: all(len(client.messages(stream)) == 3 for stream in streams))
    for stream in streams:
        assert [each.payload for each in client.messages(stream)] == [
            b"%d of %d" % (number, stream) for number in range(3)
        ]
        client.send(stream, b"", end=True)
    client.until(lambda: len(client.ended) == 250)
    assert set(client.status.values()) == {200}


def test_a_stream_that_is_reset_ends_alone(gateways, containers, clients):
    closed = []

    def talk(wire):
        ours = ServerSocket(wire)
        path = ours.accept()
        while (frame := ours.receive()) is not None:
            if frame.opcode in DATA:
                ours.send(frame)
        goodbye = ours.protocol.close_rcvd  # None where the test has ended meanwhile
        closed.append((path, goodbye and goodbye.code))

    client = clients(gateways(containers(talk)))
    first = client.ask(headers=[("x-amzn-sagemaker-model-invocation-path", "first")])
    second = client.ask()
    client.until(lambda: len(client.status) == 2)
    client.wire.reset_stream(first, ErrorCodes.CANCEL)
    client.write()
    while not closed:
        client.send(second, part_event(Part(b"on")))
        before = len(client.messages(second))
        client.until(lambda before=before: len(client.messages(second)) > before)
    assert closed == [("/first", 1001)]


@pytest.mark.parametrize("path", [PATH, PATH.replace("iris", "nobody"), "/ping"])
def test_a_stream_that_is_given_up_as_it_is_opened(gateways, containers, clients, path):
    client = clients(gateways(containers(echo)))
    write, client.write = client.write, lambda: None
    given_up = client.ask(path)
    client.wire.reset_stream(given_up, ErrorCodes.CANCEL)
    client.write = write
    stream = client.ask()
    client.until(lambda: client.status.get(stream) == 200)
    assert client.status == {stream: 200}


@pytest.mark.parametrize(
    "body",
    [
        b"no event stream at all",
        part_event(Part(b"x"))[:-1] + b"\0",
        struct.pack("!II", 1 << 31, 0) + struct.pack("!I", zlib.crc32(struct.pack("!II", 1 << 31, 0))),
        part_event(Part(b"x", text=True)).replace(b"UTF8", b"UTF9"),
        signed(b"half an event"),
        signed(part_event(Part(b"x")) * 2),
        part_event(Part(b"x", text=True, complete=False)) + part_event(Part(b"x")),
    ],
)
def test_a_body_that_is_no_stream_of_the_operation(gateways, containers, clients, body):
    seen = []
    client = clients(gateways(containers(echo), listener=seen.append))
    stream = client.ask()
    client.until(lambda: client.status.get(stream) == 200)
    client.send(stream, body)
    client.until(lambda: stream in client.ended)
    last = client.messages(stream)[-1].headers
    assert last[":message-type"] == "error"
    assert last[":error-code"] == "InputValidationError"
    # the next stream is served
    stream = client.ask()
    client.until(lambda: client.status.get(stream) == 200)


def test_a_body_that_ends_within_an_event(gateways, containers, clients):
    client = clients(gateways(containers(echo)))
    stream = client.ask()
    client.until(lambda: client.status.get(stream) == 200)
    client.send(stream, part_event(Part(b"x"))[:10], end=True)
    client.until(lambda: stream in client.ended)
    assert client.messages(stream)[-1].headers[":error-code"] == "InputValidationError"


@pytest.mark.parametrize(("method", "path"), [("POST", "/invocations"), ("GET", "/ping"), ("GET", PATH)])
def test_other_operations_are_refused_over_http2(gateways, serve, say, clients, method, path):
    container = serve(lambda _: say(b"ok"))
    client = clients(gateways(container))
    stream = client.ask(path, method, end=True)
    client.until(lambda: stream in client.ended)
    assert client.status[stream] == 404
    assert "HTTP/1.1" in json.loads(client.bodies[stream])["Message"]
    assert container.seen == []


def test_the_operation_is_refused_over_http1(gateways, serve, say, talk_raw):
    gateway = gateways(serve(lambda _: say(b"ok")))
    came = talk_raw(
        gateway, f"POST {PATH} HTTP/1.1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
    )
    assert came.startswith(b"HTTP/1.1 400")
    assert b"HTTP/2" in came


def test_a_preface_may_come_in_pieces_and_http1_may_begin_like_it(gateways, serve, say):
    gateway = gateways(serve(lambda _: say(b"ok")))
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=WAIT_SECONDS) as sock:
        for byte in b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n":
            sock.sendall(bytes([byte]))
        # its settings come first
        assert sock.recv(9)[3] == 4
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=WAIT_SECONDS) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.sendall(b"P")
        sock.sendall(b"OST /invocations HTTP/1.1\r\nContent-Length: 0\r\n\r\n")
        assert sock.recv(100).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "garbage",
    [
        b"\0\0\0\1\5\0\0\0\0",  # headers on stream 0
        b"\0\0\x01\0\0\0\0\0\1a",  # data on a stream that nobody opened
        b"\0\x40\x01\0\0\0\0\0\1" + bytes(16385),  # a frame that is longer than agreed
        b"\0\0\x04\x08\0\0\0\0\0\0\0\0\0",  # a window update of 0
        b"\0\0\x05\1\5\0\0\0\1\xff\xff\xff\xff\xff",  # headers that cannot be unpacked
    ],
)
def test_who_does_not_speak_http2_is_parted_with(gateways, containers, clients, garbage):
    gateway = gateways(containers(echo))
    client = clients(gateway)
    client.sock.sendall(garbage)
    # a client that is still sending may be reset before it has read why
    with contextlib.suppress(ConnectionResetError, BrokenPipeError):
        while client.read():
            pass
        assert client.gone not in (None, ErrorCodes.NO_ERROR)
    client = clients(gateway)
    stream = client.ask()
    client.until(lambda: client.status.get(stream) == 200)
