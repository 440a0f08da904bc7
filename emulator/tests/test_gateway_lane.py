"""Requests over a lane: every way in which an answer can end, and in which none comes."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from sm_emulate.gateway.caller import CallAnswer, NoAnswerError
from sm_emulate.gateway.front import Upstream
from sm_emulate.gateway.lane import Lane, Vigil

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"


class Container:
    """Answers each request by what its body says; counts connections and keeps the bodies."""

    def __init__(self):
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.connections, self.bodies, self.sockets = 0, [], []
        self.threads = [threading.Thread(target=self._accept)]
        self.threads[0].start()

    @property
    def upstream(self):
        return Upstream(host="127.0.0.1", port=self.listening.getsockname()[1])

    def _accept(self):
        while True:
            try:
                near, _ = self.listening.accept()
            except OSError:
                return
            self.connections += 1
            self.sockets.append(near)
            self.threads.append(threading.Thread(target=self._serve, args=(near,)))
            self.threads[-1].start()

    def _serve(self, near):
        with near, near.makefile("rb") as file:
            try:
                while head := file.readline():
                    size = 0
                    while (line := file.readline()).strip():
                        if line.lower().startswith(b"content-length:"):
                            size = int(line.split(b":")[1])
                    body = file.read(size)
                    self.bodies.append(body)
                    assert head == b"POST /invocations HTTP/1.1\r\n"
                    if not self._answer(near, body):
                        return
            except OSError:
                return

    def _answer(self, near, body):
        """Give what a body asks for; false closes the connection."""
        if body == b"chunked":
            near.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n")
            near.sendall(b"1\r\nc\r\n0\r\n\r\n")
        elif body == b"closing":
            near.sendall(b"HTTP/1.1 200 OK\r\nconnection: Close\r\ncontent-length: 2\r\n\r\nok")
            return False
        elif body == b"old":
            near.sendall(b"HTTP/1.0 200 OK\r\n\r\nto the end")
            return False
        elif body == b"empty":
            near.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
        elif body == b"continue":
            near.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"ok")
        elif body == b"refuse":
            near.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\nno")
        elif body == b"pieces":
            for byte in OK + b"ok":
                near.sendall(bytes([byte]))
        elif body == b"drip":
            near.sendall(OK[:-4])
            for _ in range(600):
                near.sendall(b"x")
                time.sleep(0.05)
        elif body == b"broken":
            near.sendall(OK + b"o")
            return False
        elif body == b"gone":
            return False
        elif body == b"nonsense":
            near.sendall(b"what do you want?\r\n\r\n")
        elif body == b"silent":
            pass
        elif body == b"last":
            near.sendall(OK + b"ok")
            return False
        else:
            near.sendall(OK + body[-2:])
        return True

    def close(self):
        self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()
        for each in self.sockets:
            each.close()
        for thread in self.threads:
            thread.join()


@pytest.fixture
def container():
    made = Container()
    yield made
    made.close()


@pytest.fixture(params=[1, 3])
def lane(request, container):
    made = Lane(container.upstream, {"Host": "x"}, connections=request.param, connect_timeout_s=5)
    yield made
    made.close()


def invoke(lane, *bodies, timeout_s=10.0, most_bytes=1 << 20, halted=lambda: False):
    return lane.invoke(bodies, timeout_s=timeout_s, most_bytes=most_bytes, halted=halted)


def test_answers_come_in_the_order_of_the_bodies_over_few_connections(lane, container):
    bodies = [b"%02d" % number for number in range(60)]
    assert invoke(lane, *bodies) == bodies
    assert invoke(lane, *bodies) == bodies
    assert container.connections == lane.count


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        (b"chunked", b"abc"),
        (b"closing", b"ok"),
        (b"old", b"to the end"),
        (b"empty", b""),
        (b"continue", b"ok"),
        (b"pieces", b"ok"),
    ],
)
def test_an_answer_may_end_in_any_way_of_http(lane, body, answer):
    assert invoke(lane, b"01", body, b"02", body, b"03") == [b"01", answer, b"02", answer, b"03"]


def test_an_error_is_an_answer(lane):
    assert invoke(lane, b"01", b"refuse", b"02") == [b"01", CallAnswer(400, b"no"), b"02"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"broken", "the answer broke off"),
        (b"nonsense", "the answer is no HTTP"),
        (b"silent", "no answer within 0.3 s"),
        (b"drip", "no answer within 0.3 s"),
    ],
)
def test_no_answer_is_told_and_ends_the_run(container, body, words):
    lane = Lane(container.upstream, {"Host": "x"}, connections=1, connect_timeout_s=5)
    first, none, *rest = invoke(lane, b"01", body, b"02", b"03", timeout_s=0.3)
    lane.close()
    assert (first, rest) == (b"01", [None, None])
    assert isinstance(none, NoAnswerError)
    assert words in str(none)
    assert container.bodies == [b"01", body]


def test_a_container_that_goes_away_for_a_request_has_seen_it_twice_at_most(container):
    lane = Lane(container.upstream, {"Host": "x"}, connections=1, connect_timeout_s=5)
    outcomes = invoke(lane, b"01", b"gone", b"02")
    lane.close()
    assert isinstance(outcomes[1], NoAnswerError)
    assert outcomes[2] is None
    assert container.bodies == [b"01", b"gone", b"gone"]


def test_a_connection_that_was_closed_while_it_idled_is_replaced(lane, container):
    assert invoke(lane, b"last") == [b"ok"]
    assert invoke(lane, b"01", b"02") == [b"01", b"02"]


def test_nothing_is_sent_after_answers_have_grown_too_long(container):
    lane = Lane(container.upstream, {"Host": "x"}, connections=1, connect_timeout_s=5)
    outcomes = invoke(lane, *[b"ab"] * 10, most_bytes=5)
    lane.close()
    assert outcomes == [b"ab"] * 3 + [None] * 7


def test_who_wants_to_stop_is_heard_while_an_answer_is_waited_for(lane):
    asked = []
    outcomes = invoke(lane, b"silent", halted=lambda: len(asked) > 2 or asked.append(1))
    assert outcomes == [None]


def test_a_container_that_does_not_listen_is_told():
    with socket.create_server(("127.0.0.1", 0)) as gone:
        where = Upstream(host="127.0.0.1", port=gone.getsockname()[1])
    first, second = invoke(Lane(where, {"Host": "x"}, connections=1, connect_timeout_s=1), b"01", b"02")
    assert "cannot be connected to" in str(first)
    assert second is None


class Waits:
    """What is waited for comes at the look of that number, or only to who sleeps."""

    def __init__(self, comes_at=None):
        self.comes_at, self.looks, self.sleeps = comes_at, 0, 0

    def wait(self, vigil):
        self.looked = 0
        return vigil.wait(self._look, self._sleep)

    def _look(self):
        self.looks += 1
        self.looked += 1
        return b"" if self.looked == self.comes_at else None  # an end of file is found like any other bytes

    def _sleep(self):
        self.sleeps += 1
        return b"woken"


def test_nobody_sleeps_while_answers_come_at_once():
    waits, vigil = Waits(comes_at=3), Vigil()
    assert {waits.wait(vigil) for _ in range(1000)} == {b""}
    assert (waits.looks, waits.sleeps) == (3000, 0)


def test_who_looks_in_vain_looks_ever_less():
    waits, vigil = Waits(), Vigil()
    assert {waits.wait(vigil) for _ in range(100_000)} == {b"woken"}
    assert waits.sleeps == 100_000
    assert waits.looks < 20_000


def test_one_who_was_slow_is_looked_after_again_when_it_is_fast():
    vigil, slow, fast = Vigil(), Waits(), Waits(comes_at=1)
    for _ in range(10_000):
        slow.wait(vigil)
    for _ in range(1000):
        fast.wait(vigil)
    assert fast.sleeps <= 512  # and from then on
    slept = fast.sleeps
    for _ in range(1000):
        fast.wait(vigil)
    assert fast.sleeps == slept
