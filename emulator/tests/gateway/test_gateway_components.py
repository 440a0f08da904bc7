"""Inference components at the gateway: every request names one, and goes to one of its copies."""

from __future__ import annotations

import http.client
import json
from collections import Counter

import pytest

from sm_emulate.gateway import EndpointFront, Fleet, Gateway, Upstream, VariantFront

HEADER = "X-Amzn-SageMaker-Inference-Component"
RUNTIME = "/endpoints/iris/invocations"


def fleet(**components):
    """Give a fleet whose components have these containers."""
    return Fleet(
        variants=(VariantFront(upstreams=()),),
        components=tuple(
            VariantFront(
                upstreams=tuple(Upstream(host="127.0.0.1", port=each.port) for each in copies),
                component=name,
            )
            for name, copies in components.items()
        ),
    )


@pytest.fixture
def hosting():
    """Give a function that starts a gateway before components."""
    started = []

    def start(**components):
        gateway = Gateway(
            EndpointFront(endpoint_name="iris", fleet=fleet(**components), seed=1, connect_timeout_s=60.0)
        )
        gateway.start()
        started.append(gateway)
        return gateway

    yield start
    for gateway in started:
        gateway.close(grace_s=0)


@pytest.fixture
def named(serve, say):
    """Give a function that starts a container which answers with its name and the path that it was asked for."""
    return lambda name: serve(lambda seen: say(f"{name} {seen.path}".encode()))


def ask(gateway, component=None, path=RUNTIME):
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=180)
    try:
        connection.request("POST", path, b"x", {} if component is None else {HEADER: component})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def refused(gateway, component=None, path=RUNTIME):
    status, headers, body = ask(gateway, component, path)
    assert (status, headers["x-amzn-ErrorType"]) == (400, "ValidationError")
    return json.loads(body)


def test_a_request_goes_to_a_copy_of_the_component_that_it_names(hosting, named):
    gateway = hosting(a=[named("a1"), named("a2")], b=[named("b")])
    seen = Counter(ask(gateway, "a")[2] for _ in range(40))
    assert sorted(seen) == [b"a1 /invocations", b"a2 /invocations"]
    status, headers, body = ask(gateway, "b")
    assert (status, body) == (200, b"b /invocations")
    assert headers["x-Amzn-Invoked-Production-Variant"] == "AllTraffic"


def test_a_request_that_names_none_or_an_unknown_one_is_refused(hosting, named):
    gateway = hosting(a=[named("a")])
    body = refused(gateway)
    assert body["ErrorCode"] == "INFERENCE_COMPONENT_NAME_MISSING"
    assert body["Message"].startswith("Inference Component Name header is required for endpoints")
    assert refused(gateway, "c")["Message"] == (
        "Inference Component c of endpoint iris of account 123456789012 not found."
    )
    assert refused(gateway, path="/invocations")["ErrorCode"] == "INFERENCE_COMPONENT_NAME_MISSING"


def test_a_component_without_copies_has_no_capacity_until_there_is_one(hosting, named):
    gateway = hosting(a=[])
    assert refused(gateway, "a")["Message"].startswith("Inference Component has no capacity to process")
    assert gateway.meters.described_component("a")["NoCapacityInvocationFailures"] == 1
    gateway.set_fleet(fleet(a=[named("a")]))
    assert ask(gateway, "a")[0] == 200
    gateway.set_fleet(fleet(b=[named("b")]))
    assert refused(gateway, "a")["Message"].endswith("not found.")


def test_the_openai_path_names_the_component_in_itself(hosting, named):
    gateway = hosting(a=[named("a")], b=[named("b")])
    openai = "/endpoints/iris/inference-components/b/openai/v1/chat/completions"
    assert ask(gateway, path=openai)[2] == b"b /v1/chat/completions"
    assert "required" in refused(gateway, path="/endpoints/iris/openai/v1/chat/completions")["Message"]
    assert "not allowed" in refused(gateway, "b", openai)["Message"], "the header is for the other paths"
    assert "not found" in refused(gateway, path=openai.replace("/b/", "/c/"))["Message"]


def test_metrics_are_counted_by_component_and_by_variant(hosting, serve, say):
    gateway = hosting(a=[serve(lambda _: say(b"", status=500))], b=[serve(lambda _: say())])
    assert ask(gateway, "a")[0] == 424
    assert ask(gateway, "b")[0] == 200
    assert gateway.meters.described()["AllTraffic"]["Invocations"] == 2
    assert gateway.meters.described_component("a")["Invocation5XXErrors"] == 1
    assert gateway.meters.described_component("b")["Invocations"] == 1
    text = gateway.meters.prometheus()
    assert 'sm_emulate_component_invocation_5xx_errors_total{endpoint="iris",component="a"} 1' in text
    assert 'sm_emulate_invocations_total{endpoint="iris",variant="AllTraffic"} 2' in text
