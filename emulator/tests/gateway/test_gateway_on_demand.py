"""A serverless endpoint's door: an environment for each request at a time, and what is said when there is none."""

from __future__ import annotations

import http.client
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from sm_emulate.gateway import EndpointFront, Fleet, Gateway, Upstream, VariantFront

WAIT_SECONDS = 180
MAX = 4 * 1024 * 1024


class Environments:
    """Starts containers of the test when the gateway wants one."""

    def __init__(self, make, *, max_concurrency=3, most=8, kept=0, idle_s=3600.0, patience_s=60.0):
        self.make, self.max_concurrency, self.most, self.kept = make, max_concurrency, most, kept
        self.idle_s, self.patience_s, self.throttled_status = idle_s, patience_s, 429
        self.up, self.ended, self.failures = [], [], []
        self.may_start = threading.Event()
        self.may_start.set()
        self.gateway = None
        self.wanted = threading.Event()

    def start_one(self):
        self.wanted.set()
        assert self.may_start.wait(WAIT_SECONDS)
        if self.failures:
            raise RuntimeError(self.failures.pop())
        self.up.append(Upstream(host="127.0.0.1", port=self.make().port))
        self.gateway.set_fleet(self.fleet())

    def retire_one(self, upstream):
        self.up.remove(upstream)
        self.ended.append(upstream)

    def fleet(self):
        return Fleet(variants=(VariantFront(upstreams=tuple(self.up), environments=self),))


@pytest.fixture
def serverless():
    """Give a function that starts a gateway before environments."""
    started = []

    def start(environments, **limits):
        limits = {
            "connect_timeout_s": 60.0,
            "max_body_bytes": MAX,
            "max_answer_bytes": MAX,
            "hold_bytes": MAX,
        } | limits
        front = EndpointFront(endpoint_name="iris", fleet=environments.fleet(), serverless=True, **limits)
        environments.gateway = gateway = Gateway(front)
        gateway.start()
        started.append(gateway)
        return gateway

    yield start
    for gateway in started:
        gateway.close(grace_s=0)
        assert not gateway._thread.is_alive()
        assert gateway._failure is None


@pytest.fixture
def busy(containers, say):
    """Give containers that answer when they are told to; each notes how many requests it has at once."""

    class Busy:
        def __init__(self):
            self.go, self.asked = threading.Event(), threading.Semaphore(0)
            self.started, self.at_once = 0, []

        def make(self):
            self.started += 1
            here = [0]

            def talk(wire):
                while wire.read_request() is not None:
                    here[0] += 1
                    self.at_once.append(here[0])
                    self.asked.release()
                    assert self.go.wait(WAIT_SECONDS)
                    here[0] -= 1
                    wire.send(say(b"done"))

            return containers(talk)

        def wait_for(self, number):
            for _ in range(number):
                assert self.asked.acquire(timeout=WAIT_SECONDS)

    return Busy()


def ask(gateway, body=b"x", path="/endpoints/iris/invocations"):
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=WAIT_SECONDS)
    try:
        connection.request("POST", path, body)
        answer = connection.getresponse()
        return answer.status, answer.headers.get("x-amzn-ErrorType", ""), answer.read()
    finally:
        connection.close()


def metrics(gateway):
    return gateway.meters.described().get("AllTraffic", {})


def test_requests_at_once_have_an_environment_each_and_one_too_many_is_throttled(serverless, busy):
    environments = Environments(busy.make, max_concurrency=3)
    gateway = serverless(environments)
    with ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(ask, gateway) for _ in range(3)]
        busy.wait_for(3)
        status, error, body = ask(gateway)
        assert (status, error) == (429, "ThrottlingException")
        assert json.loads(body) == {"Message": "Rate exceeded"}
        busy.go.set()
        assert {each.result() for each in asked} == {(200, "", b"done")}
    assert busy.at_once == [1, 1, 1]
    assert ask(gateway)[0] == 200
    assert busy.started == 3, "an idle environment takes the next request"
    assert metrics(gateway)["Throttles"] == 1
    assert metrics(gateway)["ModelSetupTime"]["SampleCount"] == 3
    assert 'sm_emulate_throttles_total{endpoint="iris",variant="AllTraffic"} 1' in gateway.meters.prometheus()


def test_requests_beyond_what_the_machine_starts_wait_for_one_another(serverless, busy):
    environments = Environments(busy.make, max_concurrency=5, most=1)
    gateway = serverless(environments)
    busy.go.set()
    with ThreadPoolExecutor(5) as pool:
        assert {each.result()[0] for each in [pool.submit(ask, gateway) for _ in range(5)]} == {200}
    assert (busy.started, set(busy.at_once)) == (1, {1})


def test_a_request_that_waits_for_too_long_is_told_that_the_model_is_not_ready(serverless, busy):
    environments = Environments(busy.make, patience_s=0.2)
    environments.may_start.clear()
    gateway = serverless(environments)
    status, error, body = ask(gateway)
    assert (status, error) == (429, "ModelNotReadyException")
    assert "still being provisioned" in json.loads(body)["Message"]
    environments.patience_s = WAIT_SECONDS
    environments.may_start.set()
    busy.go.set()
    assert ask(gateway)[0] == 200
    assert busy.started == 1, "what was started for the first request serves the second"


def test_the_time_of_a_cold_start_is_overhead(serverless, busy):
    environments = Environments(busy.make)
    environments.may_start.clear()
    gateway = serverless(environments)
    busy.go.set()
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(ask, gateway)
        assert environments.wanted.wait(WAIT_SECONDS)
        threading.Event().wait(0.3)
        environments.may_start.set()
        assert asked.result()[0] == 200
    for _ in range(WAIT_SECONDS * 100):  # it is counted a moment after its last byte is out
        if metrics(gateway).get("Invocations"):
            break
        threading.Event().wait(0.01)
    assert metrics(gateway)["OverheadLatency"]["Maximum"] >= 0.25e6
    assert metrics(gateway)["ModelSetupTime"]["Maximum"] >= 0.25e6


def test_an_environment_that_does_not_start_fails_one_request(serverless, busy):
    environments = Environments(busy.make)
    environments.failures = ["it exited with code 3"]
    gateway = serverless(environments)
    busy.go.set()
    status, error, body = ask(gateway)
    assert (status, error) == (424, "ModelError")
    assert json.loads(body)["OriginalMessage"] == (
        "An error occurred while handling request as the model process exited."
    )
    assert ask(gateway)[0] == 200


def test_a_caller_that_left_does_not_keep_its_place(serverless, busy):
    environments = Environments(busy.make, max_concurrency=1)
    environments.may_start.clear()
    gateway = serverless(environments)
    left = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=WAIT_SECONDS)
    left.request("POST", "/invocations", b"x")
    while ask(gateway)[0] != 429:
        pass
    left.close()
    environments.may_start.set()
    busy.go.set()
    while (status := ask(gateway)[0]) == 429:
        pass
    assert status == 200


def test_idle_environments_end_and_provisioned_ones_stay(serverless, busy):
    environments = Environments(busy.make, kept=1, idle_s=0.2)
    gateway = serverless(environments)
    with ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(ask, gateway) for _ in range(3)]
        busy.wait_for(3)
        busy.go.set()
        assert {each.result()[0] for each in asked} == {200}
    for _ in range(WAIT_SECONDS * 20):
        if len(environments.ended) == 2:
            break
        threading.Event().wait(0.05)
    assert (len(environments.up), len(environments.ended)) == (1, 2)
    assert ask(gateway)[0] == 200
    assert busy.started == 3


def test_no_more_than_4_mb_each_way(serverless, serve, say):
    container = serve(lambda seen: say(b"x" * int(seen.body) if seen.body.isdigit() else b"short"))
    environments = Environments(lambda: container)
    gateway = serverless(environments)
    assert ask(gateway, b"y" * MAX)[2] == b"short"
    status, error, body = ask(gateway, b"y" * (MAX + 1))
    assert (status, error) == (400, "ValidationError")
    assert json.loads(body)["Message"].endswith("has oversize body.")
    assert ask(gateway, str(MAX).encode())[2] == b"x" * MAX
    status, error, body = ask(gateway, str(MAX + 1).encode())
    assert (status, error) == (424, "ModelError")
    assert f"{MAX + 1} bytes exceeds the {MAX} bytes" in json.loads(body)["OriginalMessage"]


def test_a_stream_ends_where_the_limit_is(serverless, serve, say):
    container = serve(lambda seen: say(b"x" * int(seen.body)))
    gateway = serverless(Environments(lambda: container))
    path = "/endpoints/iris/invocations-response-stream"
    status, _, body = ask(gateway, str(MAX).encode(), path)
    assert (status, b"ModelStreamError" in body) == (200, False)
    assert body.count(b"x") >= MAX
    status, error, body = ask(gateway, str(2 * MAX).encode(), path)
    assert error == "ModelError" or b"StreamBroken" in body
