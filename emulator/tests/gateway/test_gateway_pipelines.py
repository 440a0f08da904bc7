"""Several containers of one instance: one after the other, or the one that a request names."""

from __future__ import annotations

import http.client
import json
import socket
import struct
import threading

import boto3
import botocore.config
import botocore.exceptions
import pytest

from sm_emulate.gateway import EndpointFront, Fleet, Gateway, PipelineRules, Upstream, VariantFront
from sm_emulate.gateway.captured import Capture

ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
TARGET = "X-Amzn-SageMaker-Target-Container-Hostname"
MEGABYTE = 1 << 20


@pytest.fixture
def endpoint():
    """Give a function that starts a gateway before an instance of these containers."""
    started = []

    def start(*containers, names=None, direct=False, listener=None, capture=None, rules=None, **limits):
        first, *others = (Upstream(host="127.0.0.1", port=each.port) for each in containers)
        variant = VariantFront(
            upstreams=(Upstream(host=first.host, port=first.port, beside=tuple(others)),),
            containers=names or tuple(f"container-{at}" for at, _ in enumerate(containers, 1)),
            container_ports=tuple(14001 + at for at, _ in enumerate(containers)),
            direct=direct,
        )
        front = EndpointFront(
            endpoint_name="iris",
            fleet=Fleet(variants=(variant,)),
            pipeline=rules or PipelineRules(),
            **{"connect_timeout_s": 60.0, **limits},
        )
        gateway = Gateway(front, listener=listener, capture=capture)
        gateway.start()
        started.append(gateway)
        return gateway

    yield start
    for gateway in started:
        gateway.close(grace_s=0)


@pytest.fixture
def adds(serve, say):
    """Give a function that starts a container which puts its word behind what it is sent."""

    def start(word, **headers):
        named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
        return serve(lambda seen: say(seen.body + word, headers=named))

    return start


def ask(gateway, body=b"x", path="/invocations", **headers):
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=180)
    try:
        connection.request("POST", path, body, {name.replace("_", "-"): v for name, v in headers.items()})
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def message(body):
    return json.loads(body)["Message"]


def runtime(gateway):
    return boto3.client(
        "sagemaker-runtime",
        region_name="us-east-1",
        endpoint_url=f"http://127.0.0.1:{gateway.port}",
        aws_access_key_id="x",
        aws_secret_access_key="x",
        config=botocore.config.Config(retries={"max_attempts": 0}, read_timeout=180),
    )


# --- one after the other ----------------------------------------------------------------------------------


def test_the_answer_of_one_is_the_request_of_the_next(endpoint, adds):
    gateway = endpoint(adds(b"1"), adds(b"2"), adds(b"3"))
    assert ask(gateway)[::2] == (200, b"x123")
    assert ask(gateway, b"y", path="/endpoints/iris/invocations")[2] == b"y123"


def test_each_containers_content_type_is_passed_along_and_the_caller_gets_the_last(endpoint, adds):
    first = adds(b"1", Content_Type="text/csv; charset=utf-8")
    second, third = adds(b"2"), adds(b"3", Content_Type="application/json")
    _, headers, _ = ask(endpoint(first, second, third), Content_Type="image/png")
    told = [each.seen[0].header("Content-Type") for each in (first, second, third)]
    assert told == ["image/png", "text/csv; charset=utf-8", None]
    assert headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("rules", "default", "seen"),
    [
        (PipelineRules(), None, [None, None, "a/b"]),
        (PipelineRules(accept_of_caller=True), None, ["a/b", "a/b", "a/b"]),
        (PipelineRules(), "*/*", ["*/*", "*/*", "a/b"]),
    ],
)
def test_which_accept_the_containers_see_is_a_rule(endpoint, adds, rules, default, seen):
    containers = [adds(b"1"), adds(b"2"), adds(b"3")]
    ask(endpoint(*containers, rules=rules, default_accept=default), Accept="a/b")
    assert [each.seen[0].header("Accept") for each in containers] == seen


@pytest.mark.parametrize(
    ("attributes", "seen"),
    [
        ("caller", ["mine", "mine", "mine"]),
        ("answer", ["mine", "ones", None]),
        ("first", ["mine", None, None]),
    ],
)
def test_which_custom_attributes_they_see_is_a_rule_and_the_caller_gets_the_lasts(
    endpoint, adds, attributes, seen
):
    containers = [adds(b"1", **{ATTRIBUTES: "ones"}), adds(b"2"), adds(b"3", **{ATTRIBUTES: "threes"})]
    gateway = endpoint(*containers, rules=PipelineRules(attributes=attributes))
    _, headers, _ = ask(gateway, **{ATTRIBUTES: "mine"})
    assert [each.seen[0].header(ATTRIBUTES) for each in containers] == seen
    assert headers[ATTRIBUTES] == "threes"


def test_each_sees_its_own_port_in_the_host_header(endpoint, adds):
    containers = [adds(b"1"), adds(b"2")]
    ask(endpoint(*containers, container_host="model.local:8080"))
    assert [each.seen[0].header("Host") for each in containers] == ["model.local:14001", "model.local:14002"]


@pytest.mark.parametrize("failing", [1, 2, 3])
@pytest.mark.parametrize(("status", "side"), [(500, "server"), (400, "client"), (302, "client")])
def test_an_error_names_its_container_and_ends_the_way(endpoint, serve, say, failing, status, side):
    def answer(number):
        return lambda _: say(b"no" if number == failing else b"yes", status if number == failing else 200)

    containers = [serve(answer(number)) for number in (1, 2, 3)]
    code, _, body = ask(endpoint(*containers))
    told = json.loads(body)
    assert code == 424
    assert told["Message"].startswith(
        f'Received {side} error ({status}) from container-{failing} with message "no". See https://'
    )
    assert (told["OriginalStatusCode"], told["OriginalMessage"]) == (status, "no")
    assert [len(each.seen) for each in containers] == [1] * failing + [0] * (3 - failing)


@pytest.mark.parametrize("gone", [0, 1])
def test_a_container_that_is_gone_is_named(endpoint, adds, nobody, gone):
    containers = [adds(b"1"), adds(b"2")]
    containers[gone] = nobody
    heard = []
    gateway = endpoint(*containers, listener=heard.extend)
    code, _, body = ask(gateway)
    assert code == 424
    assert message(body).startswith(
        f'Received server error (0) from container-{gone + 1} with message "Amazon SageMaker could not get'
    )
    gateway.close()
    assert "nothing listens" in heard[0].failure


def test_a_container_that_breaks_off_is_named(endpoint, containers, adds):
    def breaks_off(wire):
        wire.read_request()
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")

    last = adds(b"2")
    _, _, body = ask(endpoint(containers(breaks_off), last))
    assert message(body).startswith(
        "Received server error (0) from container-1 and could not load the entire response body."
    )
    assert last.seen == []


@pytest.mark.parametrize("slow", [0, 1])
def test_the_time_is_for_the_whole_way_and_the_late_one_is_named(endpoint, containers, adds, slow):
    asked, left = threading.Event(), threading.Event()

    def hangs(wire):
        if wire.read_request() is not None:
            asked.set()
            if not wire.more():
                left.set()

    pair = [adds(b"1"), adds(b"2")]
    pair[slow] = containers(hangs)
    for limit in (1.0, 10.0, 100.0):
        _, _, body = ask(endpoint(*pair, model_timeout_s=limit))
        if asked.is_set():  # else this machine was too busy for the first of them to answer in time
            break
    assert f"waiting for a response from container container-{slow + 1}." in message(body)
    assert left.wait(180), "the gateway lets go of the container"


@pytest.mark.parametrize(("each", "status"), [(True, 200), (False, 424)])
def test_whether_the_time_begins_anew_with_each_container_is_a_rule(endpoint, serve, say, each, status):
    def given(limit):
        def slowly(seen):
            threading.Event().wait(limit * 0.4)
            return say(seen.body)

        gateway = endpoint(
            *(serve(slowly) for _ in range(3)),
            rules=PipelineRules(timeout_each=each),
            model_timeout_s=limit,
        )
        return ask(gateway)[0]

    # three times 0.4 is more than one; a single one is less, but for a machine that is busy elsewhere
    assert given(1.0) == status or (each and (given(10.0) == status or given(100.0) == status))


@pytest.mark.parametrize("chunked", [False, True])
def test_a_long_answer_between_two_names_both_and_its_bytes(endpoint, containers, adds, chunked):
    size = 5 * MEGABYTE + 1

    def long(wire):
        wire.read_request()
        if chunked:
            wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % size)
            wire.send(b"a" * size + b"\r\n0\r\n\r\n")
        else:
            wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"a" * size)

    last = adds(b"2")
    gateway = endpoint(containers(long), last, names=("first", "second"))
    code, _, body = ask(gateway)
    told = json.loads(body)
    assert (code, told["OriginalStatusCode"]) == (424, 200)
    assert told["Message"].startswith(
        "Received response from first with status code 200. However, the request payload from first to second is "
        f"{size} bytes, which has exceeded the maximum limit of 5 MB. See https://us-east-1.console.aws.amazon.com/"
    )
    assert last.seen == []


def test_the_limit_between_two_is_no_limit_of_the_callers_body_or_of_the_last_answer(endpoint, serve, say):
    shrinks, grows = serve(lambda seen: say(b"s")), serve(lambda seen: say(b"g" * 25 * MEGABYTE))
    code, _, body = ask(endpoint(shrinks, grows), b"x" * 25 * MEGABYTE)
    assert (code, len(body)) == (200, 25 * MEGABYTE)
    assert len(shrinks.seen[0].body) == 25 * MEGABYTE


def test_an_empty_answer_is_an_empty_request(endpoint, serve, say, adds):
    last = adds(b"2")
    gateway = endpoint(serve(lambda _: b"HTTP/1.1 204 No Content\r\n\r\n"), last)
    assert ask(gateway)[::2] == (200, b"2")
    assert last.seen[0].header("Content-Length") == "0"


def test_a_connection_that_was_closed_meanwhile_is_opened_anew(endpoint, containers, adds, say):
    def once(wire):
        seen = wire.read_request()
        wire.send(say(seen.body + b"1"))  # and hangs up without a word

    gateway = endpoint(containers(once), adds(b"2"), keep_alive_s=30.0)
    assert [ask(gateway)[2] for _ in range(5)] == [b"x12"] * 5


def test_a_client_that_leaves_ends_the_way(endpoint, containers, adds):
    asked, left = threading.Event(), threading.Event()

    def hangs(wire):
        wire.read_request()
        asked.set()
        if not wire.more():
            left.set()

    gateway = endpoint(containers(hangs), adds(b"2"))
    with socket.create_connection(("127.0.0.1", gateway.port)) as client:
        client.sendall(b"POST /invocations HTTP/1.1\r\nContent-Length: 1\r\n\r\nx")
        assert asked.wait(180)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert left.wait(180)


def test_the_same_request_again_and_again_over_one_connection(endpoint, adds):
    """What the gateway remembers of heads that it has read serves pipelines, too."""
    containers = [adds(b"1"), adds(b"2"), adds(b"3")]
    gateway = endpoint(*containers)
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=180)
    for _ in range(6):
        connection.request("POST", "/invocations", b"x")
        assert connection.getresponse().read() == b"x123"
    connection.close()
    assert [len(each.seen) for each in containers] == [6, 6, 6]


def test_many_requests_at_once_stay_apart(endpoint, adds):
    gateway = endpoint(adds(b"1"), adds(b"2"))
    got = {}

    def one(number):
        got[number] = ask(gateway, b"%d-" % number)[2]

    threads = [threading.Thread(target=one, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(180)
    assert got == {number: b"%d-12" % number for number in range(40)}


def test_the_stream_comes_from_the_last_container(endpoint, containers, adds):
    """boto3 reads its parts as they are sent."""
    go_on = threading.Event()

    def streams(wire):
        body = wire.read_request().body
        wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for part in (body, b"second"):
            wire.send(b"%x\r\n%b\r\n" % (len(part), part))
            assert go_on.wait(180)
        wire.send(b"0\r\n\r\n")

    gateway = endpoint(adds(b"1"), containers(streams))
    events = iter(
        runtime(gateway).invoke_endpoint_with_response_stream(EndpointName="iris", Body=b"x")["Body"]
    )
    assert next(events)["PayloadPart"]["Bytes"] == b"x1"
    go_on.set()
    assert [each["PayloadPart"]["Bytes"] for each in events] == [b"second"]


def test_a_stream_that_fails_before_the_last_container_is_a_model_error(endpoint, serve, say, adds):
    gateway = endpoint(serve(lambda _: say(b"no", 500)), adds(b"2"))
    with pytest.raises(botocore.exceptions.ClientError, match=r"error \(500\) from container-1"):
        runtime(gateway).invoke_endpoint_with_response_stream(EndpointName="iris", Body=b"x")


def test_captured_are_the_first_request_and_the_last_answer(endpoint, adds):
    kept = []
    gateway = endpoint(
        adds(b"1", Content_Type="text/one"),
        adds(b"2", Content_Type="text/two"),
        capture=Capture(100, kept.append),
    )
    ask(gateway, Content_Type="text/zero")
    gateway.close()
    (seen,) = kept
    assert (seen.request, seen.request_type) == (b"x", "text/zero")
    assert (seen.answer, seen.answer_type) == (b"x12", "text/two")


def test_metrics_count_each_container(endpoint, serve, say):
    def fails(seen):
        return say(b"no", int(seen.body)) if seen.body in (b"500", b"404") else say(seen.body)

    gateway = endpoint(serve(lambda seen: say(seen.body)), serve(fails), serve(lambda seen: say(seen.body)))
    for body in (b"x", b"500", b"404", b"x"):
        ask(gateway, body)
    gateway.close()
    described = gateway.meters.described()["AllTraffic"]
    counted = {
        name: [each[f"Invocation{which}"] for which in ("s", "4XXErrors", "5XXErrors")]
        for name, each in described["Containers"].items()
    }
    assert counted == {"container-1": [4, 0, 0], "container-2": [4, 1, 1], "container-3": [2, 0, 0]}
    latencies = [each["ContainerLatency"]["Average"] for each in described["Containers"].values()]
    assert all(each > 0 for each in latencies)
    assert described["Invocations"] == 4
    text = gateway.meters.prometheus()
    labels = 'endpoint="iris",variant="AllTraffic",container="container-2"'
    assert f"sm_emulate_container_invocations_total{{{labels}}} 4\n" in text
    assert f"sm_emulate_container_latency_microseconds_count{{{labels}}} 4\n" in text


def test_metrics_of_a_late_container_and_of_a_direct_one(endpoint, containers, adds):
    asked = threading.Event()

    def hangs(wire):
        if wire.read_request() is not None:
            asked.set()
            wire.more()

    for limit in (1.0, 10.0, 100.0):
        late = endpoint(adds(b"1"), containers(hangs), model_timeout_s=limit)
        ask(late)
        late.close()
        if asked.is_set():  # else this machine was too busy for the first of them to answer in time
            break
    counted = late.meters.described()["AllTraffic"]["Containers"]
    assert [each["Invocation5XXErrors"] for each in counted.values()] == [0, 1]
    direct = endpoint(adds(b"1"), adds(b"2"), names=("a", "b"), direct=True)
    ask(direct, **{TARGET: "b"})
    direct.close()
    counted = direct.meters.described()["AllTraffic"]["Containers"]
    assert {name: each["Invocations"] for name, each in counted.items()} == {"b": 1}


def test_a_fleet_may_become_a_pipeline_and_be_one_no_more(endpoint, adds):
    gateway = endpoint(adds(b"1"), adds(b"2"))
    before = gateway.front.fleet
    alone = Upstream(host="127.0.0.1", port=adds(b"3").port)
    assert ask(gateway)[2] == b"x12"
    gateway.set_fleet(Fleet(variants=(VariantFront(upstreams=(alone,)),)))
    assert ask(gateway)[2] == b"x3"
    gateway.set_fleet(before)
    assert ask(gateway)[2] == b"x12"


def test_the_openai_path_of_a_pipeline_is_refused(endpoint, adds):
    code, headers, _ = ask(endpoint(adds(b"1"), adds(b"2")), path="/endpoints/iris/openai/v1/completions")
    assert (code, headers["x-amzn-ErrorType"]) == (400, "ValidationError")


# --- the one that is named --------------------------------------------------------------------------------


def test_a_request_goes_to_the_container_that_it_names_and_to_no_other(endpoint, adds):
    first, second = adds(b"1"), adds(b"2")
    client = runtime(endpoint(first, second, names=("a", "b"), direct=True))
    answer = client.invoke_endpoint(EndpointName="iris", Body=b"x", TargetContainerHostname="b")
    assert answer["Body"].read() == b"x2"
    assert (len(first.seen), len(second.seen)) == (0, 1)
    assert second.seen[0].header("Host").endswith(":14002")


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({}, "requires target container hostname header"),
        ({TARGET: ""}, "requires target container hostname header"),
        ({TARGET: "c"}, "Container c of endpoint iris not found."),
        ({TARGET: "A"}, "Container A of endpoint iris not found."),
    ],
)
def test_a_request_that_names_none_or_an_unknown_one_is_a_validation_error(endpoint, adds, headers, words):
    containers = [adds(b"1"), adds(b"2")]
    code, got, body = ask(endpoint(*containers, names=("a", "b"), direct=True), **headers)
    assert (code, got["x-amzn-ErrorType"]) == (400, "ValidationError")
    assert words in message(body)
    assert [each.seen for each in containers] == [[], []]


def test_a_pipeline_takes_no_name_of_a_container(endpoint, adds):
    code, _, body = ask(endpoint(adds(b"1"), adds(b"2")), **{TARGET: "container-1"})
    assert code == 400
    assert "is not a multi-container endpoint with direct invocation" in message(body)


def test_the_same_direct_request_again_and_again_over_one_connection(endpoint, adds):
    first, second = adds(b"1"), adds(b"2")
    gateway = endpoint(first, second, names=("a", "b"), direct=True)
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=180)
    for _ in range(5):
        connection.request("POST", "/invocations", b"x", {TARGET: "b"})
        assert connection.getresponse().read() == b"x2"
    connection.request("POST", "/invocations", b"x")
    assert connection.getresponse().status == 400
    connection.close()
    assert (len(first.seen), len(second.seen)) == (0, 5)


def test_an_error_names_the_container_that_was_called(endpoint, serve, say, adds):
    gateway = endpoint(adds(b"1"), serve(lambda _: say(b"no", 500)), names=("a", "b"), direct=True)
    assert message(ask(gateway, **{TARGET: "b"})[2]).startswith("Received server error (500) from b with")
    assert ask(gateway, **{TARGET: "a"})[0] == 200


def test_a_direct_container_streams_long_bodies_both_ways(endpoint, serve, say):
    gateway = endpoint(
        serve(lambda _: say()), serve(lambda seen: say(seen.body)), names=("a", "b"), direct=True
    )
    body = b"z" * 10 * MEGABYTE
    assert ask(gateway, body, **{TARGET: "b"})[2] == body


def test_a_session_is_bound_to_the_instance_and_the_container_is_named_each_time(endpoint, serve, say, adds):
    opened = ("X-Amzn-SageMaker-New-Session-Id", "s1; Expires=2999-01-01T00:00:00Z")
    gateway = endpoint(serve(lambda _: say(headers=[opened])), adds(b"2"), names=("a", "b"), direct=True)
    ask(gateway, **{TARGET: "a", "X-Amzn-SageMaker-Session-Id": "NEW_SESSION"})
    assert ask(gateway, **{TARGET: "b", "X-Amzn-SageMaker-Session-Id": "s1"})[2] == b"x2"
    assert ask(gateway, **{"X-Amzn-SageMaker-Session-Id": "s1"})[0] == 400


def test_a_ping_of_the_gateway_needs_no_name(endpoint, serve, say):
    gateway = endpoint(serve(lambda _: say(b"pong")), serve(lambda _: say()), names=("a", "b"), direct=True)
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=180)
    connection.request("GET", "/ping")
    assert connection.getresponse().read() == b"pong"
    connection.close()
