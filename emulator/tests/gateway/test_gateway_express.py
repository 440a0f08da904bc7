"""Requests that come again and again: passed on without being read, and still by every rule."""

from __future__ import annotations

import http.client
import json
import socket
import struct
import threading
import time
from contextlib import closing, suppress

import pytest

from sm_emulate.gateway import Fleet, Upstream, VariantFront
from sm_emulate.gateway.connection import ClientConnection
from sm_emulate.gateway.express import Express

RUNTIME = "/endpoints/iris/invocations"
REQUEST = f"POST {RUNTIME} HTTP/1.1\r\nContent-Type: text/csv\r\nContent-Length: 4\r\n\r\n".encode()
NO_RESPONSE = "Amazon SageMaker could not get a response"


class Client:
    """One connection to a gateway, to the byte."""

    def __init__(self, gateway):
        self.socket = socket.create_connection(("127.0.0.1", gateway.port), timeout=180)
        self.file = self.socket.makefile("rb")

    def send(self, data):
        self.socket.sendall(data)

    def answer(self):
        status = 100
        while status == 100:
            status = int(self.file.readline().split()[1])
            headers = http.client.parse_headers(self.file)
        return status, dict(headers), self.read(headers)

    def read(self, headers):
        if headers["Transfer-Encoding"] is None:
            return self.file.read(int(headers.get("Content-Length", "0")))
        body = b""
        while size := int(self.file.readline(), 16):
            body += self.file.read(size + 2)[:-2]
        self.file.readline()
        return body

    def ask(self, body):
        self.send(REQUEST + body)
        return self.answer()

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self):
        self.file.close()
        self.socket.close()


@pytest.fixture
def client():
    """Give a function that connects to a gateway."""
    clients = []

    def connect(gateway):
        clients.append(Client(gateway))
        return clients[-1]

    yield connect
    for one in clients:
        one.close()


@pytest.fixture
def express(monkeypatch):
    """The requests that were passed on without an exchange to their end, and those that needed one after all."""
    begun, handed_over = [], []
    begin, give_way = Express.begin, Express.give_way

    def noting_begin(self):
        begun.append(self)
        begin(self)

    def noting_give_way(self):
        handed_over.append(self)
        return give_way(self)

    monkeypatch.setattr(Express, "begin", noting_begin)
    monkeypatch.setattr(Express, "give_way", noting_give_way)
    return begun, handed_over


def echo(say):
    return lambda seen: say(seen.body[::-1], headers=[("Content-Type", "text/csv")])


def test_the_third_request_of_a_kind_is_passed_on_as_the_first_was(serve, gateways, say, client, express):
    told = []
    container = serve(echo(say))
    gateway = gateways(container, told.append)
    one = client(gateway)
    answers = [one.ask(b"%04d" % number) for number in range(6)]
    gateway.close()
    begun, handed_over = express
    assert (len(begun), len(handed_over)) == (4, 0)
    assert [body for _, _, body in answers] == [(b"%04d" % number)[::-1] for number in range(6)]
    assert len({headers.pop("x-amzn-RequestId") for _, headers, _ in answers}) == 6
    for _, headers, _ in answers:
        headers.pop("Date")
    assert all(answer[:2] == answers[0][:2] for answer in answers)
    assert all(seen.headers == container.seen[0].headers for seen in container.seen)
    assert len({seen.path for seen in container.seen}) == container.connections == 1
    assert [(one.path, one.status, one.original_status, one.bytes_in, one.bytes_out) for one in told] == [
        (RUNTIME, 200, 200, 4, 4)
    ] * 6
    assert all(one.model_s > 0 and one.overhead_s > 0 and one.variant == "AllTraffic" for one in told)
    assert gateway.meters.total() == 6


def test_requests_may_come_in_pieces_together_and_with_other_heads_between(serve, gateways, say, client):
    one = client(gateways(serve(echo(say))))
    for _ in range(3):
        assert one.ask(b"abcd")[2] == b"dcba"
    one.send(REQUEST[:30])
    one.send(REQUEST[30:] + b"ab")
    one.send(b"cd")
    assert one.answer()[2] == b"dcba"
    one.send(REQUEST + b"1234" + REQUEST + b"5678")
    assert (one.answer()[2], one.answer()[2]) == (b"4321", b"8765")
    one.send(b"\r\n" + REQUEST + b"abcd")
    assert one.answer()[2] == b"dcba"
    one.send(f"POST {RUNTIME} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n".encode())
    assert one.answer()[2] == b"ba"
    assert one.ask(b"wxyz")[2] == b"zyxw"
    one.send(REQUEST + b"abcd" + b"garbage\r\n\r\n")
    assert one.answer()[2] == b"dcba"
    status, headers, _ = one.answer()
    assert (status, headers["x-amzn-ErrorType"]) == (400, "ValidationError")


def test_a_request_that_comes_before_the_answer_to_the_last_waits_for_it(
    containers, gateways, say, client, express
):
    asked, go = threading.Event(), threading.Event()

    def talk(wire):
        while (seen := wire.read_request()) is not None:
            if seen.body == b"wait":
                asked.set()
                assert go.wait(180)
            wire.send(say(seen.body))

    gateway = gateways(containers(talk))
    one = client(gateway)
    for _ in range(3):
        one.ask(b"warm")
    one.send(REQUEST + b"wait")
    assert asked.wait(180)
    one.send(REQUEST + b"next")
    while not any(each._waiting for each in list(gateway._serving.clients)):
        threading.Event().wait(0.01)
    go.set()
    assert (one.answer()[2], one.answer()[2]) == (b"wait", b"next")
    assert len(express[1]) == 1


@pytest.mark.parametrize(
    ("answer", "status", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n", 200, b"ab"),
        (b"HTTP/1.1 200 OK\r\nX: other\r\nContent-Length: 4\r\n\r\nabcd", 200, b"abcd"),
        (b"HTTP/1.1 204 X\r\n\r\n", 204, b""),
        (b"HTTP/1.1 200 X\r\nContent-Length: 4\r\n\r\nab", 424, b"could not load the entire response body"),
        (b"HTTP/1.1 500 X\r\nContent-Length: 4\r\n\r\nboom", 424, b"boom"),
        (b"", 424, NO_RESPONSE.encode()),
        (b"what", 424, NO_RESPONSE.encode()),
    ],
)
def test_an_answer_of_another_kind_is_read(containers, gateways, say, client, express, answer, status, body):
    def talk(wire):
        while (seen := wire.read_request()) is not None:
            if seen.body == b"odd!":
                wire.send(answer)
                if status != 200:
                    return
            else:
                wire.send(say(seen.body))

    one = client(gateways(containers(talk)))
    for _ in range(3):
        one.ask(b"warm")
    seen = one.ask(b"odd!")
    assert (seen[0], body in seen[2]) == (status, True)
    assert one.ask(b"warm")[2] == b"warm"
    assert len(express[1]) >= 1


def test_what_is_out_of_the_ordinary_is_never_passed_on_unread(serve, gateways, say, client, express):
    gateway = gateways(serve(echo(say)))
    heads = [
        f"POST {RUNTIME} HTTP/1.0\r\nConnection: keep-alive",
        f"POST {RUNTIME} HTTP/1.1\r\nX-Amzn-SageMaker-Target-Variant: AllTraffic",
        f"POST {RUNTIME} HTTP/1.1\r\nX-Amzn-SageMaker-Session-Id: NEW_SESSION",
        f"POST {RUNTIME} HTTP/1.1\r\nX-Amzn-SageMaker-Target-Model: x",
        f"POST {RUNTIME} HTTP/1.1\r\nExpect: 100-continue",
        f"POST {RUNTIME}-response-stream HTTP/1.1\r\nA: b",
        "POST /endpoints/rose/invocations HTTP/1.1\r\nA: b",
        "POST /other HTTP/1.1\r\nA: b",
    ]
    for head in heads:
        one = client(gateway)
        answers = []
        for _ in range(4):
            one.send(f"{head}\r\nContent-Length: 2\r\n\r\nab".encode())
            status, headers, body = one.answer()
            answers.append((status, headers.get("x-amzn-ErrorType"), len(body)))
        assert len(set(answers)) == 1, head
    assert express[0] == []


def test_a_shadow_gets_its_copy_of_every_request(serve, gateways, say, client, express):
    container, shadow = serve(echo(say)), serve(echo(say))
    gateway = gateways(container)
    one = client(gateway)
    for _ in range(4):
        one.ask(b"abcd")
    assert len(express[0]) == 2
    variant = gateway.front.fleet.variants[0]
    gateway.set_fleet(
        Fleet(
            variants=(variant,),
            shadow=VariantFront(
                variant_name="next", upstreams=(Upstream(host="127.0.0.1", port=shadow.port),)
            ),
        )
    )
    for _ in range(4):
        one.ask(b"abcd")
    deadline = time.monotonic() + 180
    while len(shadow.seen) < 4 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert (len(express[0]), len(shadow.seen)) == (2, 4)


def test_a_container_that_hangs_is_cut_and_one_that_left_is_asked_anew(containers, gateways, say, client):
    def talk(wire):
        while (seen := wire.read_request()) is not None:
            if seen.body == b"hang":
                continue
            wire.send(say(seen.body))
            if seen.body == b"bye!":
                return

    container = containers(talk)
    one = client(gateways(container, model_timeout_s=600.0, keep_alive_s=600))
    for body in (b"warm", b"warm", b"warm", b"bye!", b"warm", b"bye!", b"bye!", b"warm"):
        assert one.ask(body)[2] == body
    assert container.connections == 4
    one = client(gateways(container, model_timeout_s=3.0, keep_alive_s=600))

    def asked(body):
        """Ask once more where this machine was too busy for the limit."""
        given = one.ask(body)
        while given[0] == 424:
            given = one.ask(body)
        return given[2]

    assert [asked(b"warm") for _ in range(3)] == [b"warm"] * 3
    status, _, body = one.ask(b"hang")
    assert (status, json.loads(body)["OriginalStatusCode"]) == (424, 0)
    assert "Your invocation timed out" in json.loads(body)["Message"]
    assert asked(b"warm") == b"warm"


def test_a_client_that_leaves_half_or_whole(containers, gateways, say, client):
    asked, left, go = threading.Event(), threading.Event(), threading.Event()

    def talk(wire):
        while (seen := wire.read_request()) is not None:
            if seen.body == b"half":
                asked.set()
                assert go.wait(180)
            elif seen.body == b"left":
                asked.set()
                with suppress(ConnectionResetError):
                    assert not wire.more()
                left.set()
                return
            wire.send(say(seen.body))

    told = []
    gateway = gateways(containers(talk), told.append)
    one, other = client(gateway), client(gateway)
    for _ in range(3):
        one.ask(b"warm")
    one.send(REQUEST + b"half")
    assert asked.wait(180)
    one.socket.shutdown(socket.SHUT_WR)
    go.set()
    assert one.answer()[2] == b"half"
    assert one.file.read() == b""
    asked.clear()
    other.ask(b"warm")
    other.send(REQUEST + b"left")
    assert asked.wait(180)
    other.reset()
    assert left.wait(180)
    gateway.close()
    assert (told[-1].status, told[-1].failure) == (None, "the client left before its answer was complete")


def test_an_end_of_the_gateway_lets_the_answer_come_and_says_that_it_is_the_last(
    containers, gateways, say, client
):
    asked, go = threading.Event(), threading.Event()

    def talk(wire):
        while (seen := wire.read_request()) is not None:
            if seen.body == b"wait":
                asked.set()
                assert go.wait(180)
            wire.send(say(seen.body))

    gateway = gateways(containers(talk))
    one = client(gateway)
    for _ in range(3):
        one.ask(b"warm")
    one.send(REQUEST + b"wait")
    assert asked.wait(180)
    with closing(gateway):
        closing_gateway = threading.Thread(target=gateway.close, args=(60,))
        closing_gateway.start()
        while not gateway._serving.draining:
            threading.Event().wait(0.01)
        go.set()
        status, headers, body = one.answer()
        closing_gateway.join(180)
    assert (status, headers["Connection"], body) == (200, "close", b"wait")


def test_heads_that_never_come_again_are_not_kept_for_ever(serve, gateways, say, client):
    gateway = gateways(serve(echo(say)))
    one = client(gateway)
    for number in range(600):
        for _ in range(2):
            one.send(f"POST {RUNTIME} HTTP/1.1\r\nX-Number: {number}\r\nContent-Length: 1\r\n\r\nx".encode())
            assert one.answer()[0] == 200
    assert 0 < len(gateway._serving.known._heads) <= 256
    assert all(isinstance(each, ClientConnection) for each in gateway._serving.clients)


def test_a_shadow_that_never_answers_does_not_hold_up_the_end(serve, containers, gateways, say, client):
    asked, over = threading.Event(), threading.Event()

    def hangs(wire):
        wire.read_request()
        asked.set()
        over.wait(180)

    container, shadow = serve(echo(say)), containers(hangs)
    gateway = gateways(container)
    upstream = Upstream(host="127.0.0.1", port=shadow.port)
    fleet = gateway.front.fleet
    gateway.set_fleet(
        Fleet(variants=fleet.variants, shadow=VariantFront(variant_name="next", upstreams=(upstream,)))
    )
    try:
        assert client(gateway).ask(b"abcd")[2] == b"dcba"
        assert asked.wait(180)
        gateway.close(grace_s=0.5)
        assert gateway._failure is None
    finally:
        over.set()
