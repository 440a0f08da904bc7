"""Stateful sessions: opened and closed by the container, kept at the instance that opened them."""

from __future__ import annotations

import http.client

import pytest

from sm_emulate.gateway import EndpointFront, Fleet, Gateway, Upstream, VariantFront

FAR = "2099-01-01T00:00:00Z"
PAST = "2020-01-01T00:00:00Z"


@pytest.fixture
def fleet(serve, say):
    """Give a gateway before three instances that open session `abc-1`, and the instances."""
    gateways = []

    def start(expires=FAR, **limits):
        def handle(seen):
            wanted = seen.header("X-Amzn-SageMaker-Session-Id")
            if wanted == "NEW_SESSION":
                return say(headers=[("X-Amzn-SageMaker-New-Session-Id", f"abc-1; Expires={expires}")])
            if seen.body == b"close":
                return say(headers=[("X-Amzn-SageMaker-Closed-Session-Id", wanted)])
            return say()

        containers = [serve(handle) for _ in range(3)]
        upstreams = tuple(Upstream(host="127.0.0.1", port=each.port) for each in containers)
        front = EndpointFront(
            endpoint_name="iris",
            fleet=Fleet(variants=(VariantFront(upstreams=upstreams),)),
            seed=7,
            connect_timeout_s=60.0,
            **limits,
        )
        gateways.append(Gateway(front))
        gateways[-1].start()
        return gateways[-1], containers

    yield start
    for gateway in gateways:
        gateway.close(grace_s=0)


def ask(gateway, session, body=b"x", path="invocations"):
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=180)
    headers = {} if session is None else {"X-Amzn-SageMaker-Session-Id": session}
    connection.request("POST", f"/endpoints/iris/{path}", body=body, headers=headers)
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return response, content


def counts(containers):
    return sorted(len(each.seen) for each in containers)


def test_requests_of_a_session_go_to_the_instance_that_opened_it(fleet):
    gateway, containers = fleet()
    opened, _ = ask(gateway, "NEW_SESSION")
    assert opened.headers["X-Amzn-SageMaker-New-Session-Id"] == f"abc-1; Expires={FAR}"
    for _ in range(20):
        ask(gateway, "abc-1")
        ask(gateway, "abc-1", path="invocations-response-stream")
    assert counts(containers) == [0, 0, 41]


def test_a_closed_session_is_at_home_nowhere(fleet):
    gateway, containers = fleet()
    ask(gateway, "NEW_SESSION")
    closed, _ = ask(gateway, "abc-1", b"close")
    assert closed.headers["X-Amzn-SageMaker-Closed-Session-Id"] == "abc-1"
    for _ in range(20):
        ask(gateway, "abc-1")
    assert counts(containers)[1] > 0


@pytest.mark.parametrize("opens", [None, PAST, "2099-99-01T00:00:00Z", "tomorrow"])
def test_a_session_that_is_not_open_can_be_refused(fleet, opens):
    gateway, containers = fleet(opens or FAR, refuse_unknown_sessions=True)
    if opens is not None:
        assert ask(gateway, "NEW_SESSION")[0].status == 200
    response, content = ask(gateway, "abc-1")
    assert (response.status, response.headers["x-amzn-ErrorType"]) == (400, "ValidationError")
    assert b"Session abc-1 of endpoint iris not found." in content
    assert sum(counts(containers)) == (opens is not None)


@pytest.mark.parametrize("session", ["a_b", "-a", "a-", "a b", "NEW_SESSION;", "new_session"])
def test_an_id_that_the_api_does_not_know_is_refused(fleet, session):
    gateway, containers = fleet()
    response, content = ask(gateway, session)
    assert response.status == 400
    assert b"at 'sessionId' failed to satisfy constraint" in content
    assert counts(containers) == [0, 0, 0]


def test_a_session_whose_instance_is_gone_goes_elsewhere(fleet):
    gateway, containers = fleet()
    ask(gateway, "NEW_SESSION")
    (opener,) = [each for each in containers if each.seen]
    others = tuple(Upstream(host="127.0.0.1", port=each.port) for each in containers if each is not opener)
    gateway.set_fleet(Fleet(variants=(VariantFront(upstreams=others),)))
    assert ask(gateway, "abc-1")[0].status == 200
    assert len(opener.seen) == 1
