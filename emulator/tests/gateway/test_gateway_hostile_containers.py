"""Whatever a container does, the caller gets the documented error, and the next caller is served."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import struct
import threading

import pytest

OK = b"HTTP/1.1 200 OK\r\n"
NO_RESPONSE = "Amazon SageMaker could not get a response from the iris endpoint."
BROKEN_OFF = "and could not load the entire response body"
TIMED_OUT = "Your invocation timed out while waiting for a response from container primary."

# name, what the container answers, what it does then, original status, words of the message
BROKEN = [
    ("nothing", b"", "close", 0, NO_RESPONSE),
    ("reset at once", b"", "reset", 0, NO_RESPONSE),
    ("words", b"hello\r\n\r\n", "close", 0, NO_RESPONSE),
    ("TLS alert", b"\x15\x03\x01\x00\x02\x02\x0a", "close", 0, NO_RESPONSE),
    ("bare HTML", b"<html>hello</html>", "close", 0, NO_RESPONSE),
    ("SSH", b"SSH-2.0-OpenSSH_9.2\r\n", "hold", 0, NO_RESPONSE),
    ("zeros", b"\0" * 1000, "hold", 0, NO_RESPONSE),
    ("no status", b"HTTP/1.1\r\n\r\n", "hold", 0, NO_RESPONSE),
    ("status in letters", b"HTTP/1.1 abc OK\r\n\r\n", "hold", 0, NO_RESPONSE),
    ("status of two digits", b"HTTP/1.1 99 X\r\n\r\n", "hold", 0, NO_RESPONSE),
    ("status of four digits", b"HTTP/1.1 2000 X\r\n\r\n", "hold", 0, NO_RESPONSE),
    ("status 600", b"HTTP/1.1 600 X\r\nContent-Length: 0\r\n\r\n", "hold", 0, NO_RESPONSE),
    ("status 000", b"HTTP/1.1 000 X\r\nContent-Length: 0\r\n\r\n", "hold", 0, NO_RESPONSE),
    ("HTTP/3.7", b"HTTP/3.7 200 OK\r\nContent-Length: 0\r\n\r\n", "hold", 0, NO_RESPONSE),
    ("a request", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "hold", 0, NO_RESPONSE),
    ("head cut", OK + b"Content-Le", "close", 0, NO_RESPONSE),
    ("head cut by reset", OK + b"Content-Le", "reset", 0, NO_RESPONSE),
    ("status line cut", b"HTT", "close", 0, NO_RESPONSE),
    ("negative length", OK + b"Content-Length: -1\r\n\r\n", "hold", 0, NO_RESPONSE),
    ("length in letters", OK + b"Content-Length: ten\r\n\r\n", "hold", 0, NO_RESPONSE),
    (
        "length beyond 64 bits",
        OK + b"Content-Length: 99999999999999999999999\r\n\r\n",
        "hold",
        0,
        NO_RESPONSE,
    ),
    ("two lengths", OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", "hold", 0, NO_RESPONSE),
    (
        "length and chunks",
        OK + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "hold",
        0,
        NO_RESPONSE,
    ),
    ("no colon", OK + b"Content-Length 3\r\n\r\nabc", "hold", 0, NO_RESPONSE),
    ("space before colon", OK + b"Content-Length : 3\r\n\r\nabc", "hold", 0, NO_RESPONSE),
    ("NUL in a header", OK + b"Content-Type: a\0b\r\nContent-Length: 0\r\n\r\n", "hold", 0, NO_RESPONSE),
    ("bare CR in a header", OK + b"Content-Type: a\rb\r\nContent-Length: 0\r\n\r\n", "hold", 0, NO_RESPONSE),
    (
        "ten thousand headers",
        OK + b"".join(b"X-%d: y\r\n" % n for n in range(10_000)) + b"Content-Length: 0\r\n\r\n",
        "hold",
        0,
        NO_RESPONSE,
    ),
    ("headers without end", OK + b"X-Flood: y\r\n" * 100_000, "hold", 0, NO_RESPONSE),
    ("a header of a megabyte", OK + b"X-Long: " + b"y" * 1_000_000, "hold", 0, NO_RESPONSE),
    ("a reason of a megabyte", b"HTTP/1.1 200 " + b"y" * 1_000_000, "hold", 0, NO_RESPONSE),
    ("endless 100 Continue", b"HTTP/1.1 100 Continue\r\n\r\n" * 100_000, "hold", 0, NO_RESPONSE),
    (
        "another protocol",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        "hold",
        0,
        NO_RESPONSE,
    ),
    ("101 without Upgrade", b"HTTP/1.1 101 X\r\n\r\n", "hold", 0, NO_RESPONSE),
    ("body cut", OK + b"Content-Length: 10\r\n\r\nabc", "close", 0, BROKEN_OFF),
    ("body cut by reset", OK + b"Content-Length: 10\r\n\r\nabc", "reset", 0, BROKEN_OFF),
    ("no body at all", OK + b"Content-Length: 10\r\n\r\n", "close", 0, BROKEN_OFF),
    ("chunk cut", OK + b"Transfer-Encoding: chunked\r\n\r\na\r\nabc", "close", 0, BROKEN_OFF),
    ("no last chunk", OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "close", 0, BROKEN_OFF),
    ("chunk size in letters", OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n", "hold", 0, BROKEN_OFF),
    ("negative chunk", OK + b"Transfer-Encoding: chunked\r\n\r\n-3\r\nabc\r\n", "hold", 0, BROKEN_OFF),
    (
        "chunk beyond 64 bits",
        OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"F" * 17 + b"\r\n",
        "hold",
        0,
        BROKEN_OFF,
    ),
    ("chunk longer than said", OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n", "hold", 0, BROKEN_OFF),
    ("500 with its body cut", b"HTTP/1.1 500 X\r\nContent-Length: 10\r\n\r\nabc", "close", 500, BROKEN_OFF),
    ("400 with its body cut", b"HTTP/1.1 400 X\r\nContent-Length: 10\r\n\r\nabc", "close", 400, BROKEN_OFF),
    (
        "500 without a body",
        b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n",
        "hold",
        500,
        '(500) from primary with message ""',
    ),
    (
        "500 until close",
        b"HTTP/1.1 500 X\r\n\r\nboom",
        "close",
        500,
        '(500) from primary with message "boom"',
    ),
    (
        "503",
        b"HTTP/1.1 503 X\r\nContent-Length: 4\r\n\r\nbusy",
        "hold",
        503,
        'Received server error (503) from primary with message "busy"',
    ),
    (
        "413",
        b"HTTP/1.1 413 X\r\nContent-Length: 3\r\n\r\nbig",
        "close",
        413,
        'Received client error (413) from primary with message "big"',
    ),
    (
        "302",
        b"HTTP/1.1 302 X\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n",
        "hold",
        302,
        "Received client error (302)",
    ),
    ("500 in Latin-1", b"HTTP/1.1 500 X\r\nContent-Length: 3\r\n\r\n\xe9\xff!", "hold", 500, "\ufffd\ufffd!"),
    ("500 with quotes", b'HTTP/1.1 500 X\r\nContent-Length: 8\r\n\r\n{"a":\n1}', "hold", 500, '{"a":\n1}'),
]
HANGING = [
    ("silence", b"", "hold", 0, TIMED_OUT),
    ("head never ends", OK + b"Content-", "hold", 0, TIMED_OUT),
    ("body never ends", OK + b"Content-Length: 10\r\n\r\nabc", "hold", 0, TIMED_OUT),
    ("chunks never end", OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "hold", 0, TIMED_OUT),
    ("until close, which never comes", OK + b"\r\nabc", "hold", 0, TIMED_OUT),
    ("only 100 Continue", b"HTTP/1.1 100 Continue\r\n\r\n", "hold", 0, TIMED_OUT),
    ("error body never ends", b"HTTP/1.1 500 X\r\nContent-Length: 10\r\n\r\nabc", "hold", 0, TIMED_OUT),
]
# name, what the container answers, what it does then, the body that the caller gets
ODD_BUT_WHOLE = [
    ("100 first", b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 3\r\n\r\nabc", "hold", b"abc"),
    (
        "103 first",
        b"HTTP/1.1 103 X\r\nLink: </x>\r\n\r\n" + OK + b"Content-Length: 3\r\n\r\nabc",
        "hold",
        b"abc",
    ),
    ("more than it said", OK + b"Content-Length: 3\r\n\r\nabcdef", "hold", b"abc"),
    ("two answers", (OK + b"Content-Length: 3\r\n\r\nabc") * 2, "hold", b"abc"),
    ("garbage behind", OK + b"Content-Length: 3\r\n\r\nabc\0\0\0", "hold", b"abc"),
    ("until close", OK + b"\r\nabc", "close", b"abc"),
    ("HTTP/1.0", b"HTTP/1.0 200 OK\r\n\r\nabc", "close", b"abc"),
    ("says close, stays open", OK + b"Connection: close\r\nContent-Length: 3\r\n\r\nabc", "hold", b"abc"),
    (
        "says keep-alive, closes",
        OK + b"Connection: keep-alive\r\nContent-Length: 3\r\n\r\nabc",
        "close",
        b"abc",
    ),
    (
        "trailers",
        OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nContent-Type: x\r\n\r\n",
        "hold",
        b"abc",
    ),
    ("chunk extensions", OK + b"Transfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\n\r\n", "hold", b"abc"),
    (
        "one byte chunks",
        OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 500 + b"0\r\n\r\n",
        "hold",
        b"a" * 500,
    ),
    ("204", b"HTTP/1.1 204 X\r\n\r\n", "hold", b""),
    ("204 with a length", b"HTTP/1.1 204 X\r\nContent-Length: 3\r\n\r\nabc", "hold", b""),
    (
        "compressed",
        OK + b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x08",
        "hold",
        b"\x1f\x8b\x08",
    ),
]


@pytest.fixture
def ask_twice(containers, gateways, say):
    """Invoke once a container that answers `data`, then the same container recovered, until it is in time."""

    def ask(data, then, **limits):
        def talk(wire):
            if wire.read_request() is None:
                return
            if wire.number == 1:
                wire.send(data)
                if then == "reset":
                    wire.reset()
                elif then == "hold":
                    while wire.read_request() is not None:
                        wire.send(say(b"well again"))
            else:
                wire.send(say(b"well again"))

        told = []
        gateway = gateways(containers(talk), told.append, **limits)

        def invoke():
            connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=180)
            connection.request("POST", "/endpoints/iris/invocations", body=b"x")
            response = connection.getresponse()
            answer = response.status, dict(response.getheaders()), response.read()
            connection.close()
            return answer

        first, second = invoke(), invoke()
        if limits:  # a short time for an answer is short for a good one, too, where the machine is busy
            for _ in range(300):
                if TIMED_OUT.encode() not in second[2]:
                    break
                second = invoke()
        gateway.close()
        return [first, second], told

    return ask


def check_model_error(answers, original, words):
    (status, headers, body), (next_status, _, next_body) = answers
    members = json.loads(body)
    assert (status, headers["x-amzn-ErrorType"]) == (424, "ModelError")
    assert members["OriginalStatusCode"] == original
    assert words in members["Message"]
    assert members["LogStreamArn"].endswith(":log-group:/aws/sagemaker/Endpoints/iris")
    assert (next_status, next_body) == (200, b"well again")


@pytest.mark.parametrize(
    ("data", "then", "original", "words"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN]
)
def test_a_broken_answer_is_a_model_error(ask_twice, data, then, original, words):
    answers, told = ask_twice(data, then)
    check_model_error(answers, original, words)
    assert [one.status for one in told] == [424, 200]
    assert (told[0].failure is None) == (words not in (NO_RESPONSE, BROKEN_OFF))


@pytest.mark.parametrize(
    ("data", "then", "original", "words"), [row[1:] for row in HANGING], ids=[row[0] for row in HANGING]
)
def test_an_answer_that_does_not_end_is_cut_at_the_limit(ask_twice, data, then, original, words):
    answers, told = ask_twice(data, then, model_timeout_s=0.3)
    check_model_error(answers, original, words)
    assert "was not complete within 0.3 s" in told[0].failure


@pytest.mark.parametrize(
    ("data", "then", "body"), [row[1:] for row in ODD_BUT_WHOLE], ids=[row[0] for row in ODD_BUT_WHOLE]
)
def test_an_odd_answer_that_is_whole_is_passed_on(ask_twice, data, then, body):
    answers, told = ask_twice(data, then)
    assert (answers[0][0] // 100, answers[0][2]) == (2, body)
    assert (answers[1][0], answers[1][2]) == (200, b"well again")
    assert [one.failure for one in told] == [None, None]


def test_there_are_at_least_forty_hostile_answers():
    assert len(BROKEN) + len(HANGING) >= 40
    assert len({row[0] for row in BROKEN + HANGING + ODD_BUT_WHOLE}) == len(BROKEN + HANGING + ODD_BUT_WHOLE)


def test_a_drip_is_cut_at_the_limit_too(containers, gateways):
    def drip(wire):
        wire.read_request()
        wire.send(OK + b"Transfer-Encoding: chunked\r\n\r\n")
        while True:
            wire.send(b"1\r\na\r\n")

    gateway = gateways(containers(drip), model_timeout_s=0.3, hold_bytes=10**9)
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=180)
    connection.request("POST", "/invocations", body=b"x")
    response = connection.getresponse()
    assert response.status == 424
    assert TIMED_OUT in json.loads(response.read())["OriginalMessage"]
    connection.close()


def test_at_the_limit_the_container_sees_its_client_leave_and_may_work_on(containers, gateways):
    seen, over = [], threading.Event()

    def talk(wire):
        while b"\r\n\r\nx" not in wire.buffer:
            if not wire.more():
                return  # on a busy machine the time was up before anything was sent
        seen.append(wire.buffer.partition(b"\r\n")[0])
        try:
            seen.append(wire.more())
        except ConnectionResetError:
            seen.append(False)
        over.set()

    gateway = gateways(containers(talk), model_timeout_s=0.3)
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=180)
    for _ in range(100):
        connection.request("POST", "/invocations", body=b"x")
        response = connection.getresponse()
        assert (response.status, bool(response.read())) == (424, True)
        if seen or over.wait(0.5):
            break
    assert over.wait(180)
    assert seen[:2] == [b"POST /invocations HTTP/1.1", False]
    connection.close()


def queue_is_full(listening):
    """Whether the kernel has more connections that nobody has accepted than it should have."""
    told = listening.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 32)
    waiting, most = struct.unpack_from("II", told, 24)  # tcpi_unacked and tcpi_sacked, of a listening socket
    return waiting > most


def test_a_container_that_accepts_no_connection_is_a_model_error(gateways):
    told = []
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, contextlib.ExitStack() as waiting:
        # nobody accepts: once the kernel's queue is full, it answers no more
        while not queue_is_full(full):
            other = waiting.enter_context(socket.socket())
            other.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                other.connect(full.getsockname())
            threading.Event().wait(0.01)
        gateway = gateways(full.getsockname()[1], told.append, connect_timeout_s=0.25)
        connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=180)
        connection.request("POST", "/invocations", body=b"x")
        response = connection.getresponse()
        assert (response.status, json.loads(response.read())["OriginalStatusCode"]) == (424, 0)
        connection.close()
        gateway.close()
    assert told[0].failure == "the container did not accept a connection within 0.25 s"


def test_a_container_that_is_gone_is_a_model_error(nobody, gateways):
    told = []
    gateway = gateways(nobody, told.append)
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=180)
    connection.request("POST", "/invocations", body=b"x")
    response = connection.getresponse()
    assert (response.status, json.loads(response.read())["OriginalStatusCode"]) == (424, 0)
    connection.close()
    gateway.close()
    assert told[0].failure == f"nothing listens on 127.0.0.1:{nobody.port}"


def test_an_answer_that_breaks_off_after_it_began_to_stream_is_no_whole_answer(containers, gateways):
    def talk(wire):
        wire.read_request()
        wire.send(OK + b"Content-Length: 100000\r\n\r\n" + b"a" * 5000)

    gateway = gateways(containers(talk), hold_bytes=1000)
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=180)

    def read():
        connection.request("POST", "/invocations", body=b"x")
        return connection.getresponse().read()

    with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
        read()
    connection.close()


def test_a_refusal_before_the_body_is_read_reaches_the_caller(containers, gateways):
    """As nginx does with `client_max_body_size 5m`, the usual cause of 413."""

    def talk(wire):
        while b"\r\n\r\n" not in wire.buffer:
            wire.more()
        wire.send(b"HTTP/1.1 413 X\r\nContent-Length: 7\r\nConnection: close\r\n\r\ntoo big")
        while wire.more():
            wire.buffer = b""

    gateway = gateways(containers(talk), hold_bytes=1000)
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=180)
    connection.request("POST", "/invocations", body=b"x" * 20_000_000)
    response = connection.getresponse()
    assert response.status == 424
    assert json.loads(response.read())["OriginalMessage"] == "too big"
    connection.close()
