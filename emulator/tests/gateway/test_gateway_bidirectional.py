"""Bidirectional streams between the gateway and containers that do what they like."""

from __future__ import annotations

import json
import random
import struct
import threading
import time
import urllib.request

import pytest
from product import WAIT_SECONDS
from web_sockets import DATA, ServerSocket, echo, speaking
from websockets.frames import Frame, Opcode

from sm_emulate.gateway.bidirectional_client import BidirectionalCall
from sm_emulate.gateway.bidirectional_parts import Part
from sm_emulate.gateway.front import Bidirectional


@pytest.fixture
def calls():
    """Give a function that opens a stream at a gateway; all are closed after the test."""
    opened = []

    def call(gateway, endpoint="iris", **asked):
        opened.append(BidirectionalCall(f"http://127.0.0.1:{gateway.port}", endpoint, **asked))
        return opened[-1]

    yield call
    for each in opened:
        each.close()


def until(condition):
    """Wait until something is so."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def mixed(count, seed=1):
    """Give parts of all sorts: text and binary, whole and in fragments, empty, long, cut within characters."""
    draw = random.Random(seed)
    parts = []
    while len(parts) < count:
        text = draw.random() < 0.5
        for number in range(fragments := draw.choice((1, 1, 2, 5))):
            size = draw.choice((0, 1, 20, 125, 126, 700))
            data = ("größe €" * 120).encode()[:size] if text else draw.randbytes(size)
            parts.append(Part(data, text, number == fragments - 1))
    last = parts[count - 1]
    return [*parts[: count - 1], last._replace(complete=True)]


def send_all(call, parts):
    for part in parts:
        assert call.send(part.data, text=part.text, complete=part.complete)


def test_every_part_is_one_frame_and_every_frame_one_part(gateways, containers, calls):
    frames = []

    def talk(ours):
        while (frame := ours.receive()) is not None:
            if frame.opcode in DATA:
                frames.append((frame.opcode, bytes(frame.data), frame.fin))
                ours.send(Frame(frame.opcode, frame.data, frame.fin))

    call = calls(gateways(containers(speaking(talk))))
    answer = call.opened()
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/vnd.amazon.eventstream"
    assert answer.headers["x-amzn-invoked-production-variant"] == "AllTraffic"
    half = "é".encode()
    sent = [
        Part(b"hello", True),
        Part(b"\x00\xff"),
        Part(half[:1], True, False),
        Part(half[1:], True, False),
        Part(b"", True, True),
        Part(b"a", False, False),
        Part(b"b", False, True),
        Part(b""),
    ]
    send_all(call, sent)
    assert [call.receive(WAIT_SECONDS) for _ in sent] == sent
    assert frames == [
        (Opcode.TEXT, b"hello", True),
        (Opcode.BINARY, b"\x00\xff", True),
        (Opcode.TEXT, half[:1], False),
        (Opcode.CONT, half[1:], False),
        (Opcode.CONT, b"", True),
        (Opcode.BINARY, b"a", False),
        (Opcode.CONT, b"b", True),
        (Opcode.BINARY, b"", True),
    ]
    call.end_input()
    assert call.receive(WAIT_SECONDS) is None
    assert call.error is None


def test_ten_thousand_parts_come_back_identical_and_in_order(gateways, containers, calls):
    call = calls(gateways(containers(echo)))
    sent = mixed(10_000)
    sender = threading.Thread(target=send_all, args=(call, sent))
    sender.start()
    came = [call.receive(WAIT_SECONDS) for _ in sent]
    sender.join(WAIT_SECONDS)
    assert came == sent


def test_long_parts_pass_whole(gateways, containers, calls):
    call = calls(gateways(containers(echo)))
    part = Part(random.Random(2).randbytes(5_000_000))
    sender = threading.Thread(target=send_all, args=(call, [part, part]))
    sender.start()
    assert call.receive(WAIT_SECONDS) == part
    assert call.receive(WAIT_SECONDS) == part
    sender.join(WAIT_SECONDS)


def test_the_handshake_that_a_container_sees(gateways, containers, calls):
    seen = []

    def talk(ours):
        seen.append(ours.request)
        ours.close(1000)

    gateway = gateways(containers(speaking(talk)))
    for asked in ({}, {"path": "v1/realtime", "query": "rate=16000&b=%20"}):
        list(calls(gateway, **asked))
    assert [request.path for request in seen] == [
        "/invocations-bidirectional-stream",
        "/v1/realtime?rate=16000&b=%20",
    ]
    assert seen[0].headers["Host"] == "model.aws.local:8080"
    assert "Sec-WebSocket-Extensions" not in seen[0].headers


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"path": "/v1"}, "slash"),
        ({"path": "a b"}, "modelInvocationPath"),
        ({"query": "a b"}, "modelQueryString"),
        ({"target_variant": "other"}, "Variant other of endpoint iris"),
        ({"endpoint": "nobody"}, "Endpoint nobody"),
    ],
)
def test_wrong_requests_are_refused_before_the_container_is_asked(gateways, containers, calls, asked, words):
    container = containers(echo)
    answer = calls(gateways(container), **asked).opened()
    assert answer.status == 400
    assert answer.error.code == "InputValidationError"
    assert words in answer.error.message
    assert container.connections == 0


@pytest.mark.parametrize(
    ("answered", "status", "message"),
    [
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 7\r\n\r\nno path", 404, "no path"),
        (b"HTTP/1.1 500 X\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nbad\r\n0\r\n\r\n", 500, "bad"),
        (b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", 302, ""),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", 200, "until the end"),
        # hostile ones
        (b"SSH-2.0-OpenSSH_9\r\n", 0, None),
        (b"", 0, None),
        (b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", 0, None),
        (
            b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: wrong\r\n\r\n",
            0,
            None,
        ),
        (b"HTTP/1.1 101 X\r\n" + b"A: b\r\n" * 1000 + b"\r\n", 0, None),
        (b"HTTP/1.1 101 X\r\nA: " + b"b" * 100_000, 0, None),
    ],
)
def test_what_is_no_websocket_is_a_model_error(gateways, containers, calls, answered, status, message):
    def talk(wire):
        wire.read_request()
        wire.send(answered)

    gateway = gateways(containers(talk))
    answer = calls(gateway).opened()
    assert answer.status == 424
    assert answer.error.code == "ModelError"
    assert answer.error.original_status == status
    if message is not None:
        assert answer.error.original_message == message
    assert "LogStreamArn" in json.loads(answer.body)


def test_nobody_listens(gateways, calls, nobody):
    answer = calls(gateways(nobody)).opened()
    assert (answer.status, answer.error.code, answer.error.original_status) == (424, "ModelError", 0)


def test_a_container_that_does_not_answer_the_handshake(gateways, containers, calls):
    gateway = gateways(containers(lambda wire: wire.sock.recv(1) and wire.sock.recv(1 << 20) and wire.more()),
                       model_timeout_s=0.3)  # fmt: skip
    answer = calls(gateway).opened()
    assert (answer.status, answer.error.code) == (424, "ModelError")
    assert "timed out" in answer.error.message


@pytest.mark.parametrize(
    ("code", "reason", "error_code", "message"),
    [
        (1011, "out of memory", "1011", "out of memory"),
        (4001, "", "4001", "Your model primary closed the WebSocket with code 4001."),
        (1000, "done", "1000", "done"),
    ],
)
def test_a_close_frame_becomes_model_stream_error(
    gateways, containers, calls, code, reason, error_code, message
):
    seen = []
    gateway = gateways(containers(speaking(lambda ours: ours.close(code, reason))), listener=seen.append)
    call = calls(gateway)
    assert list(call) == []
    assert (call.error.code, call.error.error_code, call.error.message) == (
        "ModelStreamError",
        error_code,
        message,
    )
    until(lambda: seen)
    assert (seen[0].status, seen[0].original_status) == (200, 101)
    assert str(code) in seen[0].failure


def test_a_normal_close_may_be_the_end(gateways, containers, calls):
    gateway = gateways(
        containers(speaking(lambda ours: ours.close(1000))),
        bidirectional=Bidirectional(normal_close_is_end=True),
    )
    call = calls(gateway)
    assert list(call) == []
    assert call.error is None


def test_a_container_that_dies_breaks_the_stream(gateways, containers, calls):
    def talk(ours):
        ours.receive()
        ours.wire.reset()

    call = calls(gateways(containers(speaking(talk))))
    call.send("go")
    assert list(call) == []
    assert (call.error.code, call.error.error_code) == ("ModelStreamError", "StreamBroken")


FRAMES = {
    "reserved bits": b"\xf1\x01a",
    "unknown opcode": b"\x83\x01a",
    "masked": b"\x81\x81aaaab",
    "continuation of nothing": b"\x80\x01a",
    "text within a message": b"\x01\x01a\x81\x01b",
    "long ping": b"\x89\x7e\x00\x7e" + b"a" * 126,
    "fragmented ping": b"\x09\x01a",
    "oversized": b"\x82\x7f" + struct.pack("!Q", 1 << 40),
    "close with one byte": b"\x88\x01\x03",
    "close with a code that nobody may send": b"\x88\x02" + struct.pack("!H", 1005),
}


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
def test_frames_that_are_none_end_the_stream(gateways, containers, calls, frame):
    def talk(ours):
        ours.wire.send(frame)
        while ours.wire.more():
            pass

    gateway = gateways(containers(speaking(talk)))
    call = calls(gateway)
    for _ in call:
        pass
    assert (call.error.code, call.error.error_code) == ("ModelStreamError", "StreamBroken")
    assert "no WebSocket frame" in call.error.message


def test_a_ping_is_answered_and_a_pong_is_waited_for(gateways, containers, calls):
    heard = []

    def talk(ours):
        ours.send(Frame(Opcode.PING, b"there?"))
        while (frame := ours.receive()) is not None:
            heard.append((frame.opcode, bytes(frame.data)))

    def deaf(wire):
        ours = ServerSocket(wire)
        ours.accept()
        ours.protocol.send_frame = lambda _frame: None
        while ours.more():
            heard.extend(frame.opcode for frame in ours.frames if frame.opcode is Opcode.PING)
            ours.frames.clear()

    often = Bidirectional(ping_interval_s=0.05, unanswered_pings=3)
    patient = Bidirectional(ping_interval_s=0.05, unanswered_pings=1000)
    call = calls(gateways(containers(speaking(talk)), bidirectional=patient))
    call.opened()
    until(lambda: (Opcode.PONG, b"there?") in heard)
    until(lambda: sum(each[0] is Opcode.PING for each in heard) > 6)
    assert call.send("still there")
    heard.clear()
    call = calls(gateways(containers(deaf), bidirectional=often))
    assert list(call) == []
    assert (call.error.code, call.error.error_code) == ("ModelStreamError", "StreamBroken")
    assert "3 WebSocket pings" in call.error.message
    until(lambda: heard.count(Opcode.PING) >= 3)


def test_a_stream_past_its_time(gateways, containers, calls):
    codes = []

    def talk(ours):
        while (frame := ours.receive()) is not None:
            if frame.opcode is Opcode.CLOSE:
                codes.append(ours.protocol.close_rcvd.code)

    call = calls(gateways(containers(speaking(talk)), bidirectional=Bidirectional(timeout_s=0.3)))
    assert list(call) == []
    assert (call.error.code, call.error.error_code) == ("ModelStreamError", "ModelInvocationTimeExceeded")
    until(lambda: codes == [1001])


def test_a_caller_that_leaves_closes_the_socket(gateways, containers, calls):
    codes, seen = [], []

    def talk(ours):
        while (frame := ours.receive()) is not None:
            if frame.opcode is Opcode.CLOSE:
                codes.append(ours.protocol.close_rcvd.code)

    call = calls(gateways(containers(speaking(talk)), listener=seen.append))
    call.opened()
    call.close()
    until(lambda: codes == [1001] and seen)
    assert (seen[0].status, seen[0].failure) == (None, "the caller left")


def test_the_end_of_the_callers_stream_may_leave_the_socket_open(gateways, containers, calls):
    go_on = threading.Event()

    def talk(ours):
        go_on.wait(WAIT_SECONDS)
        ours.send(Frame(Opcode.TEXT, b"late"))
        ours.close(1000)

    patient = Bidirectional(input_end_closes=False, normal_close_is_end=True)
    call = calls(gateways(containers(speaking(talk)), bidirectional=patient))
    call.opened()
    call.end_input()
    go_on.set()
    assert list(call) == [Part(b"late", True)]
    assert call.error is None


def test_a_container_that_hangs_up_when_it_is_told_to_close_has_done_nothing_wrong(
    gateways, containers, calls
):
    def talk(ours):
        ours.protocol.send_frame = lambda _frame: None
        ours.receive()

    call = calls(gateways(containers(speaking(talk))))
    call.opened()
    call.end_input()
    assert list(call) == []
    assert call.error is None


def test_a_stop_ends_all_streams_at_once(gateways, containers, calls):
    gateway = gateways(containers(echo))
    opened = [calls(gateway) for _ in range(3)]
    for call in opened:
        call.opened()
    began = time.monotonic()
    gateway.close(grace_s=WAIT_SECONDS * 10)
    # the grace is for requests that come to an end; these would not
    assert time.monotonic() - began < WAIT_SECONDS * 5
    for call in opened:
        assert list(call) == []
        assert call.error.code == "InternalStreamFailure"


def test_a_slow_caller_holds_the_container_back(gateways, containers, calls):
    sent = []
    frame = Frame(Opcode.BINARY, bytes(100_000))

    def talk(ours):
        for _ in range(400):
            ours.send(frame)
            sent.append(1)
        ours.receive()

    call = calls(gateways(containers(speaking(talk))))
    call.opened()
    until(lambda: len(sent) > 2)
    before = -1
    while before != len(sent):
        before = len(sent)
        time.sleep(0.5)
    # windows and socket buffers hold some of the 40 MB; the gateway holds next to none
    assert before < 300
    assert sum(len(call.receive(WAIT_SECONDS).data) for _ in range(400)) == 40_000_000


def test_a_slow_container_holds_its_caller_back_and_nobody_else(gateways, containers, calls):
    go_on = threading.Event()

    def talk(wire):
        ours = ServerSocket(wire)
        if ours.accept() == "/slow":
            go_on.wait(WAIT_SECONDS)
        while (frame := ours.receive()) is not None:
            if frame.opcode in DATA:
                ours.send(frame)

    gateway = gateways(containers(talk))
    slow, quick = calls(gateway, path="slow"), calls(gateway)
    slow.opened()
    given = []
    part = bytes(100_000)

    def fill():
        for _ in range(400):
            slow.send(part)
            given.append(1)

    filling = threading.Thread(target=fill)
    filling.start()
    until(lambda: len(given) > 2)
    before = -1
    while before != len(given):
        before = len(given)
        time.sleep(0.5)
    assert before < 300
    assert quick.send("hello")
    assert quick.receive(WAIT_SECONDS).data == b"hello"
    go_on.set()
    assert sum(len(slow.receive(WAIT_SECONDS).data) for _ in range(400)) == 40_000_000
    filling.join(WAIT_SECONDS)


def test_an_image_without_the_label_is_refused(containers, calls):
    from dataclasses import replace

    from sm_emulate.gateway import EndpointFront, Fleet, Gateway, Upstream, VariantFront

    container = containers(echo)
    variant = VariantFront(upstreams=(Upstream(host="127.0.0.1", port=container.port),), bidirectional=False)
    front = EndpointFront(endpoint_name="iris", fleet=Fleet(variants=(variant,)), connect_timeout_s=60.0)
    with Gateway(front) as gateway:
        answer = calls(gateway).opened()
        assert answer.error.code == "InputValidationError"
        assert "com.amazonaws.sagemaker.capabilities.bidirectional-streaming=true" in answer.error.message
        gateway.set_fleet(Fleet(variants=(replace(variant, variant_name="New", bidirectional=True),)))
        assert calls(gateway).opened().status == 200


@pytest.mark.parametrize("direct", [False, True])
def test_an_instance_of_several_containers_is_refused(containers, calls, direct):
    from sm_emulate.gateway import EndpointFront, Fleet, Gateway, Upstream, VariantFront

    container = containers(echo)
    second = Upstream(host="127.0.0.1", port=container.port)
    variant = VariantFront(
        upstreams=(Upstream(host="127.0.0.1", port=container.port, beside=(second,)),),
        containers=("first", "second"),
        container_ports=(8080, 8081),
        direct=direct,
    )
    front = EndpointFront(endpoint_name="iris", fleet=Fleet(variants=(variant,)), connect_timeout_s=60.0)
    with Gateway(front) as gateway:
        answer = calls(gateway).opened()
        assert (answer.status, answer.error.code) == (400, "InputValidationError")
    assert container.connections == 0


def test_streams_are_counted(gateways, containers, calls):
    seen = []
    gateway = gateways(containers(echo), listener=seen.append)
    call = calls(gateway)
    call.send("hello")
    assert call.receive(WAIT_SECONDS).data == b"hello"
    call.end_input()
    assert list(call) == []
    until(lambda: seen)
    assert (seen[0].path, seen[0].status, seen[0].original_status, seen[0].bytes_out, seen[0].failure) == (
        "/endpoints/iris/invocations-bidirectional-stream", 200, 101, 5, None,
    )  # fmt: skip
    metrics = urllib.request.urlopen(f"http://127.0.0.1:{gateway.port}/-/metrics").read().decode()
    assert 'sm_emulate_invocations_total{endpoint="iris",variant="AllTraffic"} 1' in metrics
