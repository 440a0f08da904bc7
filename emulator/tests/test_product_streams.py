"""A container that streams: its parts through boto3 and through `sm-emulate invoke --stream`, as they come."""

from __future__ import annotations

import boto3
import pytest
from product import PYTHON

pytestmark = pytest.mark.engine

STREAMING = (
    PYTHON
    + """\
import os
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

go_on = threading.Event()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self):
        words = self.rfile.read(int(self.headers["Content-Length"]))
        if words == b"go on":
            go_on.set()
            self.do_GET()
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for word in words.split():
            if word == b"die":
                os._exit(3)
            if word == b"hang":
                threading.Event().wait()
            if word == b"wait":
                go_on.wait()
                continue
            self.wfile.write(b"%x\\r\\n%b\\n\\r\\n" % (len(word) + 1, word))
        self.wfile.write(b"0\\r\\n\\r\\n")

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("", 8080), Handler)
server.daemon_threads = True
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
server.serve_forever()
"""
)


@pytest.fixture(scope="module")
def streaming(images):
    return images.make(serve=STREAMING)


def test_boto3_reads_the_stream_of_a_container_as_it_comes(product, streaming):
    url = product.serve(streaming, "--endpoint-name", "demo")["Emulator"]["Url"]
    runtime = boto3.client(
        "sagemaker-runtime", endpoint_url=url, region_name="us-east-1",
        aws_access_key_id="x", aws_secret_access_key="x",
    )  # fmt: skip
    answer = runtime.invoke_endpoint_with_response_stream(EndpointName="demo", Body=b"one wait two three")
    assert answer["ContentType"] == "text/event-stream"
    assert answer["InvokedProductionVariant"] == "AllTraffic"
    events = iter(answer["Body"])
    # the container waits for a second request before it goes on: the first part came by itself
    assert next(events)["PayloadPart"]["Bytes"] == b"one\n"
    runtime.invoke_endpoint(EndpointName="demo", Body=b"go on")
    assert b"".join(event["PayloadPart"]["Bytes"] for event in events) == b"two\nthree\n"
    runtime.close()


def test_invoke_prints_the_parts(product, streaming):
    product.serve(streaming, "--endpoint-name", "demo")
    done = product.run("invoke", "--stream", "--data", "one two three", "--verbose")
    assert (done.code, done.out) == (0, "one\ntwo\nthree\n")
    assert "x-amzn-sagemaker-content-type: text/event-stream" in done.err.lower()


@pytest.mark.parametrize(
    ("words", "code", "setting"),
    [
        ("one hang", "ModelInvocationTimeExceeded", ["--setting", "stream-timeout=5"]),
        ("one die", "StreamBroken", []),
    ],
)
def test_a_stream_that_ends_badly_is_told_on_stderr(product, streaming, words, code, setting):
    product.serve(streaming, "--endpoint-name", "demo", *setting)
    done = product.run("invoke", "--stream", "--data", words)
    assert (done.code, done.out) == (1, "one\n")
    assert "ModelStreamError: " in done.err
    assert f"ErrorCode: {code}" in done.err


def test_a_first_part_that_does_not_come_is_a_model_error(product, streaming):
    product.serve(streaming, "--endpoint-name", "demo", "--setting", "stream-first-part=1")
    done = product.run("invoke", "--stream", "--data", "hang")
    assert (done.code, done.out) == (1, "")
    assert "ModelError: " in done.err
    assert "OriginalMessage: Your invocation timed out" in done.err
