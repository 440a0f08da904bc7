"""The probe's own HTTP client sees what a library would hide; servers here are a few lines of sockets."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import contextmanager

import pytest

from sm_contracts.probes.serving_http import Client, Request

ASKED = Request(what="x", body=b"{}", content_type="application/json", timeout_s=60.0)


@contextmanager
def served(handle):
    """Run `handle(connection)` for each connection."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        taken = []

        def accept():
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                taken.append(connection)
                with connection:
                    handle(connection)

        threading.Thread(target=accept, daemon=True).start()
        host, port = listening.getsockname()
        yield Client(host=host, port=port, platform=("model.aws.local:8080", "AHC/2.0"))
        listening.shutdown(socket.SHUT_RDWR)


def read_request(connection):
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        (
            int(line.split(b":")[1])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length")
        ),
        0,
    )
    while len(body) < length:
        body += connection.recv(65536)
    return head, body


def replying(data, *, reset=False):
    def handle(connection):
        read_request(connection)
        connection.sendall(data)
        if reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    return handle


@pytest.mark.parametrize(
    ("data", "status", "failure", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", 200, "", b"{}"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 200, "", b"{}"),
        (b"HTTP/1.0 400 Bad Request\r\n\r\nuntil the end", 400, "", b"until the end"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, "", b""),
        (b"HTTP/1.1 500 Oops\r\nContent-Length: 9\r\n\r\nhalf", 500, "cut-short", b"half"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", 200, "cut-short", b""),
        (b"", None, "closed", b""),
        (b"SSH-2.0-OpenSSH_9.2\r\n", None, "bad-response", b""),
    ],
)
def test_answers_are_told_as_they_are(data, status, failure, body):
    with served(replying(data)) as client:
        seen = client.send(ASKED)
    assert (seen.status, seen.failure) == (status, failure), seen.detail
    if not failure or body:
        assert seen.body == body


def test_a_reset_is_no_close():
    with served(replying(b"", reset=True)) as client:
        assert client.send(ASKED).failure == "reset"


def test_nobody_there():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    client = Client(host="127.0.0.1", port=port, platform=("h", "a"))
    assert client.send(ASKED).failure == "refused"


def test_a_byte_now_and_then_does_not_keep_an_answer_alive():
    enough = threading.Event()

    def drip(connection):
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n")
        for _ in range(10_000):
            if enough.wait(0.02):
                return
            try:
                connection.sendall(b"x")
            except OSError:
                return

    with served(drip) as client:
        seen = client.send(Request(what="x", timeout_s=2.0))
        enough.set()
    assert (seen.status, seen.failure) == (200, "timeout")


def test_an_answer_before_the_body_was_taken_is_read():
    def refuse(connection):
        data = b""
        while b"\r\n\r\n" not in data:
            data += connection.recv(1024)
        connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)

    with served(refuse) as client:
        seen = client.send(Request(what="x", body=b" " * (8 << 20), timeout_s=60.0))
    assert seen.status == 413


def test_what_the_container_sees_is_what_the_platform_sends():
    heads = []

    def keep(connection):
        heads.append(read_request(connection))
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with served(keep) as client:
        client.send(Request(what="x", body=b"1,2", content_type="text/csv", headers={"X-Amzn-Trace-Id": "1"}))
        client.ping()
    (invocation, body), (ping, _) = heads
    assert body == b"1,2"
    assert invocation.decode().split("\r\n") == [
        "POST /invocations HTTP/1.1",
        "Host: model.aws.local:8080",
        "User-Agent: AHC/2.0",
        "Content-Type: text/csv",
        "Content-Length: 3",
        "X-Amzn-Trace-Id: 1",
        "Connection: close",
    ]
    assert ping.decode().split("\r\n")[:4] == [
        "GET /ping HTTP/1.1",
        "Host: model.aws.local:8080",
        "User-Agent: AHC/2.0",
        "Accept: */*",
    ]


def test_a_slow_body_arrives_whole():
    bodies = []

    def keep(connection):
        bodies.append(read_request(connection)[1])
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    asked = Request(what="x", body=b"0123456789", timeout_s=60.0)
    with served(keep) as client:
        seen = client.send_slowly(asked, (0.01, 0.01, 0.01), stopping=lambda: False)
    assert seen.ok
    assert bodies == [b"0123456789"]
