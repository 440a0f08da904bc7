"""Bidirectional streams on a real engine: an image that echoes frames, the sample image, and what SageMaker refuses."""

from __future__ import annotations

import random
import threading

import pytest
from product import PYTHON, WAIT_SECONDS

from sm_emulate.gateway.bidirectional_client import BidirectionalCall
from sm_emulate.gateway.bidirectional_parts import Part

pytestmark = pytest.mark.engine

LABEL = "LABEL com.amazonaws.sagemaker.capabilities.bidirectional-streaming=true"

# frames are read and written by hand: no library joins them
ECHO = (
    PYTHON
    + """\
import base64
import hashlib
import os
import signal
import socketserver
import sys
import threading


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        line = self.rfile.readline().split()
        headers = {}
        while (header := self.rfile.readline().strip()):
            name, _, value = header.decode().partition(": ")
            headers[name.lower()] = value
        if line[1:2] == [b"/ping"]:
            self.wfile.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\nConnection: close\\r\\n\\r\\n")
            return
        if "sec-websocket-key" not in headers:
            self.wfile.write(b"HTTP/1.1 404 No\\r\\nContent-Length: 7\\r\\nConnection: close\\r\\n\\r\\nno path")
            return
        print(line[1].decode(), flush=True)
        secret = headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        key = base64.b64encode(hashlib.sha1(secret.encode()).digest())
        self.wfile.write(b"HTTP/1.1 101 Yes\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n")
        self.wfile.write(b"Sec-WebSocket-Accept: " + key + b"\\r\\n\\r\\n")
        while self.frame():
            pass

    def frame(self):
        head = self.rfile.read(2)
        if len(head) < 2:
            return False
        size = head[1] & 127
        if size == 126:
            size = int.from_bytes(self.rfile.read(2), "big")
        elif size == 127:
            size = int.from_bytes(self.rfile.read(8), "big")
        mask = self.rfile.read(4)
        data = self.rfile.read(size)
        stream = int.from_bytes((mask * (size // 4 + 1))[:size], "big")
        data = (int.from_bytes(data, "big") ^ stream).to_bytes(size, "big")
        if data == b"die":
            os._exit(3)
        kind = head[0] & 15
        if kind == 9:  # a ping is answered with a pong
            head = bytes([0x8A]) + head[1:]
        if kind != 10:
            length = (
                bytes([size]) if size < 126
                else b"\\x7e" + size.to_bytes(2, "big") if size < 65536
                else b"\\x7f" + size.to_bytes(8, "big")
            )
            self.wfile.write(head[:1] + length + data)
        return kind != 8


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
    request_queue_size = 128


signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
Server(("", 8080), Handler).serve_forever()
"""
)


@pytest.fixture(scope="module")
def echoing(images):
    return images.make(LABEL, serve=ECHO)


def mixed(count):
    """Give parts of all sorts: text and binary, whole and in fragments, cut within characters, empty and long."""
    draw = random.Random(7)
    parts = []
    while len(parts) < count:
        text = draw.random() < 0.5
        fragments = draw.choice((1, 1, 2, 4))
        for number in range(fragments):
            size = draw.choice((0, 1, 30, 125, 126, 900, 70_000 if draw.random() < 0.01 else 3))
            data = ("größe €" * (size // 7 + 1)).encode()[:size] if text else draw.randbytes(size)
            parts.append(Part(data, text, number == fragments - 1))
    return [*parts[: count - 1], parts[count - 1]._replace(complete=True)]


def test_ten_thousand_frames_come_back_identical_and_in_order(product, echoing):
    url = product.serve(echoing, "--endpoint-name", "talk")["Emulator"]["Url"]
    sent = mixed(10_000)
    with BidirectionalCall(url, "talk", path="v1/talk", query="a=b") as call:
        assert call.opened().headers["x-amzn-invoked-production-variant"] == "AllTraffic"

        def send():
            for part in sent:
                call.send(part.data, text=part.text, complete=part.complete)

        sending = threading.Thread(target=send)
        sending.start()
        came = [call.receive(WAIT_SECONDS) for _ in sent]
        sending.join(WAIT_SECONDS)
        call.end_input()
        assert list(call) == []
        assert call.error is None
    assert came == sent
    product.run("stop", "talk")
    assert "/v1/talk?a=b" in product.run("logs", "talk").out


def test_many_streams_at_once_and_what_is_counted(product, echoing):
    url = product.serve(echoing, "--endpoint-name", "talk")["Emulator"]["Url"]
    calls = [BidirectionalCall(url, "talk") for _ in range(60)]
    try:
        for number, call in enumerate(calls):
            assert call.opened().status == 200
            call.send(f"{number}")
        assert [call.receive(WAIT_SECONDS).data for call in calls] == [b"%d" % n for n in range(60)]
        calls[0].send("die")
        assert list(calls[0]) == []
        assert (calls[0].error.code, calls[0].error.error_code) == ("ModelStreamError", "StreamBroken")
    finally:
        for call in calls:
            call.close()
    product.run("stop", "talk")
    metrics = product.describe("talk")["Emulator"]["Metrics"]["AllTraffic"]
    assert (metrics["Invocations"], metrics["Invocation4XXErrors"]) == (60, 0)


def test_a_stop_ends_open_streams(product, echoing):
    url = product.serve(echoing, "--endpoint-name", "talk")["Emulator"]["Url"]
    with BidirectionalCall(url, "talk") as call:
        call.opened()
        product.run("stop", "talk")
        assert list(call) == []
        assert (call.error.code, call.error.message) == (
            "InternalStreamFailure",
            "The endpoint talk is being deleted.",
        )


def test_lines_of_stdin_are_parts(product, sample_image):
    product.serve(sample_image("bidirectional"), "--endpoint-name", "talk")
    asked = product.run(
        "invoke", "talk", "--bidirectional", "--linger", "5", stdin="hello\ngröße\nlast".encode()
    )
    assert (asked.code, asked.out, asked.err) == (0, "HELLO\nGRÖSSE\nLAST\n", "")
    data = product.tmp / "sound"
    data.write_bytes(b"abc\n\xff")
    asked = product.run(
        "invoke", "talk", "--bidirectional", "--binary", "--linger", "5", "--data", f"@{data}"
    )
    assert (asked.code, asked.out_bytes) == (0, b"ABC\n\xff")
    asked = product.run("invoke", "talk", "--bidirectional", "--data", "bye")
    assert asked.code == 1
    assert asked.err == "ModelStreamError: bye\n  ErrorCode: 1013\n"
    asked = product.run(
        "invoke", "talk", "--bidirectional", "--path", "other", "--data", "hello", "--verbose"
    )
    assert asked.code == 1
    assert "HTTP 424\n" in asked.err
    assert "  OriginalStatusCode: 403\n" in asked.err  # as uvicorn refuses a WebSocket that no route takes
    asked = product.run("invoke", "talk", "--bidirectional", "--path", "/other", "--data", "hello")
    assert asked.code == 2
    assert asked.err.startswith("InputValidationError: ")
    asked = product.run("invoke", "talk", "--bidirectional", "--stream")
    assert asked.code == 2
    assert "--stream and --bidirectional exclude each other" in asked.err


def test_ctrl_c_leaves_the_stream(product, echoing):
    product.serve(echoing, "--endpoint-name", "talk")
    talking = product.start("invoke", "talk", "--bidirectional", "--data", "hello", "--linger", "1000")
    talking.wait_for("hello").interrupt()
    assert talking.finish().code == 130
    # the container has been told: its side of the WebSocket is over
    product.run("stop", "talk")
    assert product.describe("talk")["Emulator"]["Metrics"]["AllTraffic"]["Invocations"] == 1


def test_an_image_without_the_label_is_refused_unless_that_is_ignored(product, images):
    image = images.make(serve=ECHO)
    product.serve(image, "--endpoint-name", "talk")
    asked = product.run("invoke", "talk", "--bidirectional", "--data", "hello")
    assert asked.code == 2
    assert "com.amazonaws.sagemaker.capabilities.bidirectional-streaming=true" in asked.err
    product.run("stop", "talk")
    product.serve(image, "--endpoint-name", "talk2", "--setting", "bidirectional-label=ignored")
    asked = product.run("invoke", "talk2", "--bidirectional", "--data", "hello", "--linger", "5")
    assert (asked.code, asked.out) == (0, "hello\n")
