"""One health check against containers of every kind."""

from __future__ import annotations

import pytest

from sm_emulate.gateway.ping import ping

OK = b"HTTP/1.1 200 OK\r\n"


@pytest.fixture
def answering(containers):
    """Give a function that starts a container whose every answer is `data`."""

    def start(data, then="close"):
        def talk(wire):
            wire.read_request()
            wire.send(data)
            if then == "reset":
                wire.reset()
            elif then == "hold":
                wire.more()

        return containers(talk).port

    return start


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (OK + b"Content-Length: 0\r\n\r\n", 200),
        (OK + b"\r\n", 200),
        (OK + b"Content-Length: 1\r\n\r\n\n", 200),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n1;x=y\r\n\n\r\n0\r\nX: y\r\n\r\n", 200),
        (b"HTTP/1.0 200 OK\r\n\r\nUnhealthy", 200),
        (b"HTTP/1.1 200 OK\nContent-Length: 0\n\n", 200),
        (b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", 200),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 0\r\n\r\n", 200),
        (b"HTTP/1.1 204 X\r\n\r\n", 204),
        (b"HTTP/1.1 404 X\r\nContent-Length: 3\r\n\r\nabc", 404),
        (b"HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n", 503),
    ],
)
def test_a_status_is_a_status(answering, data, status):
    then = "hold" if b"Length" in data or b"204" in data else "close"
    outcome = ping("127.0.0.1", answering(data, then=then), timeout_s=180)
    assert (outcome.status, outcome.failure, outcome.detail) == (status, None, "")
    assert outcome.healthy == (status == 200)
    assert outcome.seconds > 0


@pytest.mark.parametrize(
    ("data", "then", "failure"),
    [
        (b"", "close", "reset"),
        (b"", "reset", "reset"),
        (b"HTTP/1.1 20", "close", "reset"),
        (OK + b"Content-Length: 5\r\n\r\nab", "close", "reset"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab", "close", "reset"),
        (b"hello\r\n\r\n", "close", "bad-response"),
        (b"\x15\x03\x01\x00\x02\x02\x0a", "hold", "bad-response"),
        (b"HTTP/1.1 abc OK\r\n\r\n", "close", "bad-response"),
        (b"HTTP/1.1 2000 OK\r\n\r\n", "close", "bad-response"),
        (b"HTTP/1.1 999 OK\r\n\r\n", "close", "bad-response"),
        (b"HTTP/2 200 OK\r\n\r\n", "close", "bad-response"),
        (OK + b"no colon\r\n\r\n", "close", "bad-response"),
        (OK + b"Content-Length: -1\r\n\r\n", "close", "bad-response"),
        (OK + b"Content-Length: 99999999999\r\n\r\n", "hold", "bad-response"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", "close", "bad-response"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n-5\r\n", "close", "bad-response"),
        (OK + b"X-Flood: y\r\n" * 100_000, "hold", "bad-response"),
        (OK + b"\r\n" + b"x" * 2_000_000, "hold", "bad-response"),
    ],
)
def test_every_failure_has_its_name(answering, data, then, failure):
    outcome = ping("127.0.0.1", answering(data, then), timeout_s=180)
    assert (outcome.status, outcome.failure) == (None, failure)
    assert outcome.detail
    assert not outcome.healthy


@pytest.mark.parametrize("data", [b"", b"HTTP/1.1 ", OK + b"Content-Length: 5\r\n\r\nab", OK + b"\r\nab"])
def test_an_answer_that_is_not_whole_in_time_is_a_timeout(answering, data):
    outcome = ping("127.0.0.1", answering(data, "hold"), timeout_s=0.1)
    assert (outcome.status, outcome.failure) == (None, "timeout")
    assert outcome.seconds >= 0.1


def test_a_drip_does_not_keep_a_ping_alive(containers):
    def drip(wire):
        wire.send(OK + b"Transfer-Encoding: chunked\r\n\r\n")
        while True:
            wire.send(b"1\r\na\r\n" * 10)
            wire.sock.settimeout(0.01)
            try:
                wire.more()
            except TimeoutError:
                continue

    assert ping("127.0.0.1", containers(drip).port, timeout_s=0.3).failure == "timeout"


def test_nothing_listening_is_refused(nobody):
    outcome = ping("127.0.0.1", nobody.port, timeout_s=180)
    assert (outcome.failure, outcome.detail) == ("refused", f"nothing listens on 127.0.0.1:{nobody.port}")


def test_a_host_without_an_address_is_unreachable():
    assert ping("host.invalid", 80, timeout_s=180).failure == "unreachable"


def test_the_container_sees_a_ping_of_the_platform(serve, say):
    container = serve(lambda seen: say())
    assert ping("127.0.0.1", container.port, timeout_s=180).healthy
    assert ping("127.0.0.1", container.port, path="/models", timeout_s=180).healthy
    assert [(seen.method, seen.path) for seen in container.seen] == [("GET", "/ping"), ("GET", "/models")]
    assert container.seen[0].header("User-Agent") == "AHC/2.0"
    assert container.seen[0].header("Host") == "model.aws.local:8080"
