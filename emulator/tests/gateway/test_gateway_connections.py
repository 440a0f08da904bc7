"""Connections on both sides: kept alive, pipelined, broken off, stale, drained."""

from __future__ import annotations

import http.client
import json
import socket
import threading

import pytest

from sm_emulate.errors import ExitCode, MachineError
from sm_emulate.gateway import EndpointFront, Fleet, Gateway, Upstream, VariantFront

REQUEST = b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n%b"
LAST = b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nConnection: close\r\n\r\n%b"


def bodies(received):
    """Split what came back into (status, body) of each answer."""
    answers = []
    while received:
        head, _, rest = received.partition(b"\r\n\r\n")
        status = int(head.split(b" ")[1])
        named = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        length = int(named.get(b"content-length", b"0"))
        answers.append((status, rest[:length]))
        received = rest[length:]
    return answers


def wait_until(reached):
    for _ in range(18_000):
        if reached():
            return True
        threading.Event().wait(0.01)
    return False


def test_both_sides_are_kept_alive(serve, gateways, say):
    container = serve(lambda seen: say(seen.body))
    gateway = gateways(container, keep_alive_s=30)
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=180)
    for n in range(50):
        connection.request("POST", "/invocations", body=b"%d" % n)
        assert connection.getresponse().read() == b"%d" % n
    connection.close()
    assert container.connections == 1


def test_an_unused_connection_to_the_container_is_closed(containers, gateways, say):
    closed = threading.Event()

    def talk(wire):
        while wire.read_request() is not None:
            wire.send(say())
        closed.set()

    gateway = gateways(containers(talk), keep_alive_s=0.05)
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=180)
    connection.request("POST", "/invocations", body=b"x")
    connection.getresponse().read()
    assert closed.wait(180)
    connection.close()


def test_pipelined_requests_are_answered_in_order(serve, gateways, say, talk_raw):
    container = serve(lambda seen: say(seen.body))
    letters = b"abcdefghijklmnopqrstuvwxy"
    sent = b"".join(REQUEST % letters[n : n + 1] for n in range(25)) + LAST % b"z"
    received = bodies(talk_raw(gateways(container), sent))
    assert received == [(200, bytes([letter])) for letter in letters + b"z"]
    assert len({seen.connection for seen in container.seen}) == 1


def test_thousands_of_pipelined_refusals_are_answered(serve, gateways, say, talk_raw):
    gateway = gateways(serve(lambda seen: say()))
    sent = b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n" * 5000
    assert [status for status, _ in bodies(talk_raw(gateway, sent, half_close=True))] == [404] * 5000


def test_an_error_does_not_disturb_the_request_behind_it(serve, gateways, say, talk_raw):
    container = serve(lambda seen: say(seen.body))
    wrong = b"POST /endpoints/rose/invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx"
    received = bodies(talk_raw(gateways(container), REQUEST % b"a" + wrong + LAST % b"b"))
    assert [status for status, _ in received] == [200, 400, 200]
    assert [received[0][1], received[2][1]] == [b"a", b"b"]


def test_a_half_closed_caller_gets_all_its_pipelined_answers(serve, gateways, say, talk_raw):
    gateway = gateways(serve(lambda seen: say(seen.body)))
    sent = b"".join(REQUEST % letter for letter in (b"a", b"b", b"c"))
    assert bodies(talk_raw(gateway, sent, half_close=True)) == [(200, b"a"), (200, b"b"), (200, b"c")]


def test_a_half_closed_caller_still_gets_its_answer(serve, gateways, say, talk_raw):
    gateway = gateways(serve(lambda seen: say(seen.body)))
    assert bodies(talk_raw(gateway, REQUEST % b"a", half_close=True)) == [(200, b"a")]


@pytest.mark.parametrize(
    "sent",
    [
        b"hello\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /invocations HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /invocations HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n",
        b"POST /invocations HTTP/1.1\r\nHost : x\r\n\r\n",
        b"POST /invocations HTTP/1.1\r\n" + b"X-Flood: y\r\n" * 100_000,
        b"POST /invocations HTTP/1.1\r\nX-Long: " + b"y" * 1_000_000,
        b"POST /" + b"y" * 1_000_000,
    ],
    ids=lambda sent: repr(sent[:60]),
)
def test_a_request_that_is_not_http_is_refused(serve, gateways, say, talk_raw, sent):
    container = serve(lambda seen: say(b"well"))
    gateway = gateways(container)
    received = talk_raw(gateway, sent)
    assert received.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"x-amzn-ErrorType: ValidationError" in received
    assert container.seen == []
    assert bodies(talk_raw(gateway, LAST % b"a")) == [(200, b"well")]


def test_garbage_behind_a_request_does_not_cost_it_its_answer(serve, gateways, say, talk_raw):
    received = bodies(
        talk_raw(gateways(serve(lambda seen: say(seen.body))), REQUEST % b"a" + b"\0garbage\r\n\r\n")
    )
    assert received[0] == (200, b"a")
    assert [status for status, _ in received] == [200, 400]


def test_continue_is_said_before_the_body_and_only_when_it_is_wanted(serve, gateways, say):
    gateway = gateways(serve(lambda seen: say(seen.body)))
    head = b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=180) as sock:
        sock.sendall(head % b"/invocations")
        assert sock.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"hello")
        answer = b""
        while not answer.endswith(b"\r\n\r\nhello"):
            part = sock.recv(1000)
            assert part
            answer += part
        assert bodies(answer) == [(200, b"hello")]
        sock.sendall(head % b"/endpoints/rose/invocations")
        refused = b""
        while part := sock.recv(1000):
            refused += part
        assert [status for status, _ in bodies(refused)] == [400]


def test_http_10_callers_are_served(serve, gateways, say, talk_raw):
    gateway = gateways(serve(lambda seen: say(b"y" * 5000)), hold_bytes=1000)
    received = talk_raw(gateway, b"POST /invocations HTTP/1.0\r\nContent-Length: 1\r\n\r\nx")
    assert b"\r\nConnection: close\r\n" in received
    assert received.endswith(b"\r\n\r\n" + b"y" * 5000)


def test_an_answer_that_breaks_off_resets_an_http_10_caller(containers, gateways, talk_raw):
    """Its body ends where the connection ends, so a plain end would make half an answer a whole one."""

    def talk(wire):
        wire.read_request()
        wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1388\r\n" + b"y" * 5000 + b"\r\n")

    gateway = gateways(containers(talk), hold_bytes=1000)
    with pytest.raises(ConnectionResetError):
        talk_raw(gateway, b"POST /invocations HTTP/1.0\r\nContent-Length: 1\r\n\r\nx")


def test_a_caller_that_leaves_within_its_body_takes_nobody_along(serve, gateways, say, talk_raw):
    container = serve(lambda seen: say(seen.body))
    told = []
    gateway = gateways(container, told.append, hold_bytes=1000)
    for length in (900, 1_000_000):
        with socket.create_connection(("127.0.0.1", gateway.port), timeout=180) as sock:
            sock.sendall(
                b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % length + b"x" * 500
            )
    assert wait_until(lambda: len(told) == 2)
    assert {one.failure for one in told} == {"the client left before its answer was complete"}
    assert [one.status for one in told] == [None, None]
    assert container.seen == []
    assert bodies(talk_raw(gateway, LAST % b"a")) == [(200, b"a")]


def test_a_caller_that_leaves_before_its_answer_frees_the_container(containers, gateways):
    asked, left = threading.Event(), threading.Event()

    def talk(wire):
        wire.read_request()
        asked.set()
        while wire.more():
            pass
        left.set()

    gateway = gateways(containers(talk))
    sock = socket.create_connection(("127.0.0.1", gateway.port), timeout=180)
    sock.sendall(REQUEST % b"a")
    assert asked.wait(180)
    # a reset, as of a process that was killed; after a mere end of file the caller may still be reading
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    sock.close()
    assert left.wait(180)


def test_a_caller_that_stops_within_its_body_is_told_so(serve, gateways, say, talk_raw):
    container = serve(lambda seen: say())
    received = talk_raw(
        gateways(container, client_timeout_s=0.2),
        b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nab",
    )
    assert received.startswith(b"HTTP/1.1 400 ")
    assert b"The request body stopped coming for 0.2 seconds." in received
    assert container.seen == []


def test_a_connection_that_the_container_closed_meanwhile_is_replaced(containers, gateways, say):
    """The container closes each connection when the second request on it arrives."""
    served = []

    def talk(wire):
        seen = wire.read_request()
        served.append(seen.body)
        wire.send(say(seen.body))
        while b"\r\n\r\n" not in wire.buffer and wire.more():
            pass

    container = containers(talk)
    gateway = gateways(container, keep_alive_s=30)
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=180)
    for n in range(10):
        connection.request("POST", "/invocations", body=b"%d" % n)
        response = connection.getresponse()
        assert (response.status, response.read()) == (200, b"%d" % n)
    connection.close()
    assert served == [b"%d" % n for n in range(10)]
    assert container.connections == 10


def test_a_request_is_asked_again_once_and_not_for_ever(containers, gateways, say):
    def talk(wire):
        if wire.number == 1:
            wire.read_request()
            wire.send(say())
        wire.read_request()

    container = containers(talk)
    gateway = gateways(container, keep_alive_s=30)
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=180)
    statuses = []
    for _ in range(2):
        connection.request("POST", "/invocations", body=b"x")
        response = connection.getresponse()
        response.read()
        statuses.append(response.status)
    connection.close()
    assert statuses == [200, 424]
    assert container.connections == 2


def test_an_answer_that_began_is_not_asked_for_again(containers, gateways, say):
    def talk(wire):
        wire.read_request()
        wire.send(say())
        wire.read_request()
        wire.send(b"HTTP/1.1 2")

    container = containers(talk)
    gateway = gateways(container, keep_alive_s=30)
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=180)
    statuses = []
    for _ in range(2):
        connection.request("POST", "/invocations", body=b"x")
        response = connection.getresponse()
        response.read()
        statuses.append(response.status)
    connection.close()
    assert statuses == [200, 424]
    assert container.connections == 1


def test_a_slow_reader_holds_the_container_back(containers, gateways):
    """Back-pressure: the container cannot push 200 MB into a gateway whose caller reads nothing."""
    pushed = 0
    stuck = threading.Event()

    def talk(wire):
        nonlocal pushed
        wire.read_request()
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 200000000\r\n\r\n")
        wire.sock.settimeout(1)
        try:
            for _ in range(200):
                wire.send(b"x" * 1_000_000)
                pushed += 1_000_000
        except TimeoutError:
            stuck.set()

    gateway = gateways(containers(talk))
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=180) as sock:
        sock.sendall(REQUEST % b"a")
        assert stuck.wait(180)
    assert pushed < 100_000_000


def test_a_slow_container_holds_the_caller_back(containers, gateways):
    listening = threading.Event()

    def talk(wire):
        listening.wait(180)

    gateway = gateways(containers(talk), max_body_bytes=10**9, model_timeout_s=60)
    pushed = 0

    def push(sock):
        nonlocal pushed
        for _ in range(200):
            sock.sendall(b"x" * 1_000_000)
            pushed += 1_000_000

    with socket.create_connection(("127.0.0.1", gateway.port), timeout=1) as sock:
        sock.sendall(b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 200000000\r\n\r\n")
        with pytest.raises(TimeoutError):
            push(sock)
    listening.set()
    assert pushed < 100_000_000


def test_closing_lets_requests_in_flight_end(containers, gateways, say):
    asked, go_on = threading.Event(), threading.Event()

    def talk(wire):
        wire.read_request()
        asked.set()
        go_on.wait(180)
        wire.send(say(b"done"))

    gateway = gateways(containers(talk))
    busy = socket.create_connection(("127.0.0.1", gateway.port), timeout=180)
    idle = socket.create_connection(("127.0.0.1", gateway.port), timeout=180)
    busy.sendall(REQUEST % b"a")
    assert asked.wait(180)
    closing = threading.Thread(target=gateway.close, args=(30,))
    closing.start()
    assert idle.recv(10) == b""
    go_on.set()
    received = b""
    while part := busy.recv(65536):
        received += part
    closing.join(180)
    assert not closing.is_alive()
    assert bodies(received) == [(200, b"done")]
    assert b"Connection: close" in received
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", gateway.port), timeout=180)
    busy.close()
    idle.close()


def test_closing_does_not_wait_longer_than_its_grace(containers, gateways):
    asked = threading.Event()

    def talk(wire):
        wire.read_request()
        asked.set()
        wire.more()

    gateway = gateways(containers(talk))
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=180) as sock:
        sock.sendall(REQUEST % b"a")
        assert asked.wait(180)
        gateway.close(grace_s=0.1)
        assert not gateway._thread.is_alive()
        with pytest.raises(ConnectionResetError):
            sock.recv(1)
    gateway.close()


def test_a_taken_port_is_named(gateways, serve, say):
    gateway = gateways(serve(lambda seen: say()))
    second = Gateway(gateway.front, port=gateway.port)
    with pytest.raises(MachineError) as caught:
        second.start()
    assert caught.value.exit_code == ExitCode.MACHINE
    assert caught.value.what == f"port {gateway.port} is taken"
    assert "kernel" in caught.value.hint
    second.close()


@pytest.mark.parametrize(
    ("host", "port", "what"),
    [("127.0.0.1", 70000, "there is no such port"), ("192.0.2.1", 0, "cannot listen on")],
)
def test_an_address_that_is_not_ours_is_named(host, port, what):
    front = EndpointFront(
        endpoint_name="iris",
        fleet=Fleet(variants=(VariantFront(upstreams=(Upstream(host="127.0.0.1", port=1),)),)),
    )
    with pytest.raises(MachineError, match=what):
        Gateway(front, host=host, port=port).start()


def test_a_port_may_be_taken_again_at_once(serve, say):
    container = serve(lambda seen: say(b"again"))
    front = EndpointFront(
        endpoint_name="iris",
        fleet=Fleet(variants=(VariantFront(upstreams=(Upstream(host="127.0.0.1", port=container.port),)),)),
    )
    port = 0
    for _ in range(3):
        with Gateway(front, port=port) as gateway:
            port = gateway.port
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=180)
            connection.request("POST", "/invocations", body=b"x")
            assert connection.getresponse().read() == b"again"
            connection.close()


def test_plain_asyncio_serves_where_there_is_no_uvloop(serve, gateways, say, monkeypatch, talk_raw):
    import sys

    monkeypatch.setitem(sys.modules, "uvloop", None)
    gateway = gateways(serve(lambda seen: say(seen.body)))
    assert type(gateway._loop).__module__.startswith("asyncio.")
    assert bodies(talk_raw(gateway, REQUEST % b"a" + LAST % b"b")) == [(200, b"a"), (200, b"b")]
    big = b"x" * 5_000_000
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=180)
    connection.request("POST", "/invocations", body=big)
    assert connection.getresponse().read() == big
    connection.request("POST", "/endpoints/rose/invocations", body=b"x")
    assert "rose" in json.loads(connection.getresponse().read())["Message"]
    connection.close()
