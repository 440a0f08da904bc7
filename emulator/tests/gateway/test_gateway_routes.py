"""Which container a request goes to: variants by weight, instances by strategy, shadows beside, a fleet that changes."""

from __future__ import annotations

import http.client
import threading
from collections import Counter

import pytest

from sm_emulate.gateway import EndpointFront, Fleet, Gateway, Upstream, VariantFront


def variant(name, *containers, **more):
    upstreams = tuple(Upstream(host="127.0.0.1", port=each.port) for each in containers)
    return VariantFront(variant_name=name, upstreams=upstreams, **more)


@pytest.fixture
def named(serve, say):
    """Give a function that starts a container which answers with its name."""
    return lambda name: serve(lambda _: say(name.encode()))


@pytest.fixture
def routed():
    """Give a function that starts a gateway before a fleet."""
    started = []

    def start(*variants, shadow=None, percent=100.0, **limits):
        fleet = Fleet(variants=variants, shadow=shadow, shadow_percent=percent)
        limits = {"connect_timeout_s": 60.0, "seed": 1, **limits}
        gateway = Gateway(EndpointFront(endpoint_name="iris", fleet=fleet, **limits))
        gateway.start()
        started.append(gateway)
        return gateway

    yield start
    for gateway in started:
        gateway.close(grace_s=0)


def ask(gateway, body=b"x", path="/invocations", **headers):
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=180)
    try:
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_traffic_follows_the_weights(routed, named):
    gateway = routed(
        variant("a", named("a"), weight=1.0),
        variant("b", named("b"), weight=3.0),
        variant("c", named("c"), weight=0.0),
    )
    seen = Counter(ask(gateway)[1] for _ in range(400))
    assert sorted(seen) == [b"a", b"b"]
    assert 0.65 < seen[b"b"] / 400 < 0.85
    assert ask(gateway, **{"X-Amzn-SageMaker-Target-Variant": "c"}) == (200, b"c")


def test_a_variant_that_is_not_there_is_a_validation_error(routed, named):
    gateway = routed(variant("a", named("a")), variant("b", named("b")))
    status, body = ask(gateway, **{"X-Amzn-SageMaker-Target-Variant": "d"})
    assert (status, b"Variant d of endpoint iris" in body) == (400, True)


def test_the_same_seed_chooses_the_same_way(routed, named):
    variants = [variant("a", named("a")), variant("b", named("b"))]
    first, second = (routed(*variants, seed=5) for _ in range(2))
    chosen = [ask(first)[1] for _ in range(30)]
    assert chosen == [ask(second)[1] for _ in range(30)]


def test_the_least_busy_instance_is_chosen(routed, serve, say):
    busy, free = threading.Event(), threading.Event()

    def slow(seen):
        if seen.body == b"wait":
            busy.set()
            free.wait(180)
        return say(b"slow" if seen.body == b"wait" else b"first")

    # the same program twice: whichever gets the long request, the other one gets all that follow
    containers = [serve(slow), serve(slow)]
    gateway = routed(variant("a", *containers, routing="LEAST_OUTSTANDING_REQUESTS"))
    waiting = threading.Thread(target=ask, args=(gateway, b"wait"))
    waiting.start()
    assert busy.wait(180)
    for _ in range(20):
        ask(gateway)
    counts = sorted(len(each.seen) for each in containers)
    free.set()
    waiting.join()
    assert counts == [1, 20]


def test_a_shadow_gets_its_percentage(routed, named):
    production, copies = named("a"), named("b")
    gateway = routed(variant("a", production), shadow=variant("b", copies), percent=30.0)
    for _ in range(300):
        assert ask(gateway) == (200, b"a")
    gateway.close()
    assert 50 < len(copies.seen) < 130
    assert gateway.meters.described()["a"]["Invocations"] == 300
    assert [(each.method, each.path, each.body) for each in copies.seen[:1]] == [
        ("POST", "/invocations", b"x")
    ]


def test_a_shadow_that_hangs_or_is_gone_holds_nobody_up(routed, named, containers, nobody):
    hanging = containers(lambda wire: wire.read_request() and wire.more())
    for shadow in (hanging, nobody):
        gateway = routed(variant("a", named("a")), shadow=variant("b", shadow))
        assert [ask(gateway) for _ in range(5)] == [(200, b"a")] * 5


def test_a_change_of_the_fleet_leaves_what_is_under_way_where_it_is(routed, serve, say, named):
    busy, free = threading.Event(), threading.Event()

    def slow(_):
        busy.set()
        free.wait(180)
        return say(b"old")

    old = serve(slow)
    gateway = routed(variant("a", old))
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(ask(gateway)))
    waiting.start()
    assert busy.wait(180)
    gateway.set_fleet(Fleet(variants=(variant("a", named("new")),)))
    assert ask(gateway) == (200, b"new")
    assert gateway.retiring == 1
    free.set()
    waiting.join()
    assert answers == [(200, b"old")]
    gateway.close()
    assert gateway.retiring == 0


def test_a_variant_without_instances_answers_as_one_that_gives_no_answer(routed):
    status, body = ask(routed(variant("a")))
    assert (status, b"could not get a response from the iris endpoint" in body) == (424, True)
