"""InvokeEndpointWithResponseStream: boto3's own client, and containers that stream well, badly or never."""

from __future__ import annotations

import http.client
import json
import os
import resource
import socket
import threading
import time

import boto3
import pytest
from botocore.config import Config
from botocore.eventstream import EventStreamBuffer
from botocore.exceptions import ClientError, EventStreamError

CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
PATH = "/endpoints/iris/invocations-response-stream"


def chunk(data):
    return b"%x\r\n%b\r\n" % (len(data), data)


@pytest.fixture
def stream():
    """Give a function that invokes with boto3 and gives its answer."""
    clients, bodies = [], []

    def invoke(gateway, body=b"x", **parameters):
        client = boto3.session.Session(
            aws_access_key_id="AKIAEXAMPLE", aws_secret_access_key="secret", region_name="us-east-1"
        ).client(
            "sagemaker-runtime",
            endpoint_url=f"http://127.0.0.1:{gateway.port}",
            config=Config(retries={"max_attempts": 0}),
        )
        clients.append(client)
        answer = client.invoke_endpoint_with_response_stream(EndpointName="iris", Body=body, **parameters)
        bodies.append(answer["Body"])
        return answer

    yield invoke
    for body in bodies:
        body.close()
    for client in clients:
        client.close()


@pytest.fixture
def answering(containers):
    """Give a function that starts a container which answers any request with the given bytes and then `then`s."""

    def start(*pieces, then="hold"):
        def talk(wire):
            while (seen := wire.read_request()) is not None:
                container.seen.append(seen)
                for piece in pieces:
                    if isinstance(piece, threading.Event):
                        assert piece.wait(180)
                    else:
                        wire.send(piece)
                if then == "close":
                    return
                if then == "reset":
                    wire.reset()
                    return

        container = containers(talk)
        return container

    return start


class TooSlowError(Exception):
    """What the container sent at once did not come within the limit of the test."""


def with_more_time(ask, *, unless):
    """Give what `ask(limit)` gives with a limit that is not over before the container has said anything."""
    for limit in (0.5, 5.0):
        try:
            return ask(limit)
        except unless:  # noqa: PERF203  # this machine was busy elsewhere: once more, with more time
            continue
    return ask(50.0)


def parts_of(answer):
    return [event["PayloadPart"]["Bytes"] for event in answer["Body"]]


def test_each_part_comes_before_the_next_is_made(answering, gateways, stream):
    steps = [threading.Event() for _ in range(3)]
    container = answering(
        CHUNKED, chunk(b"a\n"), steps[0], chunk(b"b\n"), steps[1], chunk(b"c\n"), steps[2], b"0\r\n\r\n"
    )
    events = iter(stream(gateways(container))["Body"])
    got = []
    for step in steps:
        got.append(next(events)["PayloadPart"]["Bytes"])
        step.set()
    assert got == [b"a\n", b"b\n", b"c\n"]
    assert list(events) == []


def test_what_the_container_and_the_caller_see(answering, gateways, stream):
    head = CHUNKED[:-2] + b"X-Amzn-SageMaker-Custom-Attributes: trace=7\r\nX-Mine: no\r\n\r\n"
    container = answering(head, chunk(b"hello"), b"0\r\n\r\n")
    answer = stream(
        gateways(container, variant_name="blue"),
        b"5.1",
        ContentType="text/csv",
        Accept="text/event-stream",
        CustomAttributes="trace=6",
        TargetVariant="blue",
        InferenceId="id-1",
        SessionId="abc-1",
    )
    assert answer["ContentType"] == "text/event-stream"
    assert answer["CustomAttributes"] == "trace=7"
    assert answer["InvokedProductionVariant"] == "blue"
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    assert headers["content-type"] == "application/vnd.amazon.eventstream"
    assert headers["transfer-encoding"] == "chunked"
    assert "x-mine" not in headers
    assert parts_of(answer) == [b"hello"]
    (seen,) = container.seen
    assert (seen.method, seen.path, seen.body) == ("POST", "/invocations", b"5.1")
    assert dict(seen.headers) == {
        "Host": "model.aws.local:8080",
        "User-Agent": "AHC/2.0",
        "Content-Length": "3",
        "Content-Type": "text/csv",
        "Accept": "text/event-stream",
        "X-Amzn-SageMaker-Custom-Attributes": "trace=6",
        "X-Amzn-SageMaker-Target-Variant": "blue",
        "X-Amzn-SageMaker-Inference-Id": "id-1",
        "X-Amzn-SageMaker-Session-Id": "abc-1",
    }


def test_headers_of_the_other_operation_are_stripped(answering, gateways):
    container = answering(CHUNKED, b"0\r\n\r\n")
    connection = http.client.HTTPConnection("127.0.0.1", gateways(container).port, timeout=180)
    headers = {
        "Accept": "text/csv",
        "X-Amzn-SageMaker-Target-Model": "a.tar.gz",
        "X-Amzn-SageMaker-Enable-Explanations": "`true`",
    }
    connection.request("POST", PATH, body=b"x", headers=headers)
    response = connection.getresponse()
    assert (response.status, response.read()) == (200, b"")
    connection.close()
    (seen,) = container.seen
    assert [name for name, _ in seen.headers] == ["Host", "User-Agent", "Content-Length"]


@pytest.mark.parametrize(
    ("answer", "then"),
    [
        (CHUNKED + b"0\r\n\r\n", "hold"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "hold"),
        (b"HTTP/1.1 204 X\r\n\r\n", "hold"),
        (b"HTTP/1.1 200 OK\r\n\r\n", "close"),
    ],
)
def test_an_empty_answer_is_a_stream_without_parts(answering, gateways, stream, answer, then):
    assert parts_of(stream(gateways(answering(answer, then=then)))) == []


def test_an_answer_that_is_no_stream_comes_as_one(answering, gateways, stream):
    body = os.urandom(3_000_000)
    container = answering(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    parts = parts_of(stream(gateways(container)))
    assert b"".join(parts) == body
    assert len(parts) > 1


def test_http_1_0_ends_with_its_connection(answering, gateways, talk_raw):
    request = f"POST {PATH} HTTP/1.0\r\nContent-Length: 1\r\n\r\nx".encode()
    head, _, body = talk_raw(gateways(answering(CHUNKED, chunk(b"abc"), b"0\r\n\r\n")), request).partition(
        b"\r\n\r\n"
    )
    assert b"Transfer-Encoding" not in head
    buffer = EventStreamBuffer()
    buffer.add_data(body)
    assert [event.payload for event in buffer] == [b"abc"]


@pytest.mark.parametrize("then", ["close", "reset"])
@pytest.mark.parametrize(
    "rest",
    [b"", b"zz\r\nabc\r\n", b"10\r\nabc", b"-3\r\nabc\r\n"],
    ids=["cut", "letters", "within", "negative"],
)
def test_a_stream_that_breaks_off(answering, gateways, stream, then, rest):
    told = []
    arrived = threading.Event()
    gateway = gateways(answering(CHUNKED, chunk(b"first"), arrived, rest, then=then), told.append)
    events = iter(stream(gateway)["Body"])
    assert next(events)["PayloadPart"]["Bytes"] == b"first"
    arrived.set()
    with pytest.raises(EventStreamError) as caught:
        list(events)
    error = caught.value.response["Error"]
    assert error["Code"] == "ModelStreamError"
    assert "was closed before its response was complete" in error["Message"]
    gateway.close()
    assert [(one.status, one.original_status) for one in told] == [(200, 200)]
    assert "the container" in told[0].failure


@pytest.mark.parametrize("drips", [False, True])
def test_a_stream_past_its_time(containers, gateways, stream, drips):
    def talk(wire):
        wire.read_request()
        wire.send(CHUNKED + chunk(b"first"))
        while drips:
            wire.send(chunk(b"drip"))
            time.sleep(0.001)
        wire.more()

    def ask(limit):
        with pytest.raises(EventStreamError) as caught:
            parts_of(stream(gateways(containers(talk), stream_timeout_s=limit)))
        return caught

    caught = with_more_time(ask, unless=ClientError)
    assert caught.value.response["Error"]["Message"] == (
        "Your model primary did not complete sending the inference response in the allotted time."
    )


@pytest.mark.parametrize(
    ("then", "code"), [("close", "StreamBroken"), ("hold", "ModelInvocationTimeExceeded")]
)
def test_the_error_code_is_in_the_event_though_boto3_drops_it(answering, gateways, then, code):
    def ask(limit):
        gateway = gateways(answering(CHUNKED, chunk(b"first"), then=then), stream_timeout_s=limit)
        connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=180)
        connection.request("POST", PATH, body=b"x")
        response = connection.getresponse()
        data = response.read()
        connection.close()
        if response.status == 424:
            raise TooSlowError(data)
        return data

    buffer = EventStreamBuffer()
    buffer.add_data(with_more_time(ask, unless=TooSlowError))
    part, error = buffer
    assert part.payload == b"first"
    assert error.headers[":exception-type"] == "ModelStreamError"
    assert json.loads(error.payload)["ErrorCode"] == code


@pytest.mark.parametrize(
    ("answer", "then", "original", "words"),
    [
        (b"HTTP/1.1 400 X\r\nContent-Length: 3\r\n\r\nbad", "hold", 400, "bad"),
        (b"HTTP/1.1 500 X\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nboom\r\n0\r\n\r\n", "hold", 500, "boom"),
        (b"", "close", 0, "Amazon SageMaker could not get a response"),
        (b"", "reset", 0, "Amazon SageMaker could not get a response"),
        (b"hello", "close", 0, "Amazon SageMaker could not get a response"),
        (b"HTTP/1.1 200 OK\r\n" + b"X-Flood: y\r\n" * 100_000, "hold", 0, "could not get a response"),
        (CHUNKED, "close", 0, "could not load the entire response body"),
        (b"", "hold", 0, "Your invocation timed out while waiting for a response"),
        (CHUNKED, "hold", 0, "Your invocation timed out while waiting for a response"),
    ],
)
def test_errors_before_the_first_byte_are_model_errors(
    answering, gateways, stream, answer, then, original, words
):
    # only an answer that never comes may be out of time, however busy this machine is
    limit = 0.5 if "timed out" in words else 180.0
    gateway = gateways(answering(answer, then=then), first_part_timeout_s=limit)
    for _ in range(2):  # the gateway lives on
        with pytest.raises(Exception, match="ModelError") as caught:
            stream(gateway)
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 424
        assert caught.value.response["OriginalStatusCode"] == original
        assert words in caught.value.response["Error"]["Message"]


def test_a_stream_cannot_open_a_session(answering, gateways, stream):
    container = answering(CHUNKED, b"0\r\n\r\n")
    with pytest.raises(Exception, match=r"ValidationError.*'NEW_SESSION' at 'sessionId'"):
        stream(gateways(container), SessionId="NEW_SESSION")
    assert container.seen == []


def test_a_client_that_leaves_ends_the_containers_request(containers, gateways):
    left = threading.Event()

    def talk(wire):
        wire.read_request()
        wire.send(CHUNKED + chunk(b"first"))
        try:
            while wire.more():
                pass
        finally:
            left.set()

    connection = http.client.HTTPConnection("127.0.0.1", gateways(containers(talk)).port, timeout=180)
    connection.request("POST", PATH, body=b"x")
    response = connection.getresponse()
    assert response.read(1)
    response.close()
    connection.close()
    assert left.wait(180)


def test_a_slow_client_holds_the_container_back_and_memory_stays_flat(containers, gateways):
    total = 256 * 1024 * 1024
    sent = [0]
    block = chunk(b"y" * 65536)

    def talk(wire):
        wire.read_request()
        wire.send(CHUNKED)
        while sent[0] < total:
            wire.send(block)
            sent[0] += 65536
        wire.send(b"0\r\n\r\n")

    with socket.create_connection(("127.0.0.1", gateways(containers(talk)).port), timeout=180) as client:
        client.sendall(f"POST {PATH} HTTP/1.1\r\nContent-Length: 1\r\n\r\nx".encode())
        client.recv(1000)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        while not sent[0]:
            threading.Event().wait(0.01)
        stuck = -1
        while stuck != sent[0]:
            stuck = sent[0]
            threading.Event().wait(0.5)
        assert 0 < stuck < total / 4
        received = 0
        while received < total:
            received += len(client.recv(1 << 20))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024


def test_the_end_of_the_gateway_ends_a_stream_with_a_word(answering, gateways, stream):
    gateway = gateways(answering(CHUNKED, chunk(b"first")))
    events = iter(stream(gateway)["Body"])
    assert next(events)["PayloadPart"]["Bytes"] == b"first"
    closing = threading.Thread(target=gateway.close, kwargs={"grace_s": 0.1})
    closing.start()
    with pytest.raises(EventStreamError, match="InternalStreamFailure"):
        list(events)
    closing.join(180)


@pytest.fixture
def many_files():
    """Let this process have the files of a thousand streams: three sides of each are in it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 8192 if hard == resource.RLIM_INFINITY else min(8192, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("many_files")
def test_a_thousand_streams_at_once(containers, gateways):
    count = 1000
    go = threading.Event()

    def talk(wire):
        seen = wire.read_request()
        wire.send(CHUNKED + chunk(b"<" + seen.body))
        assert go.wait(180)
        wire.send(chunk(seen.body + b">") + b"0\r\n\r\n")

    gateway = gateways(containers(talk), first_part_timeout_s=600.0)
    clients = []
    for number in range(count):
        client = socket.create_connection(("127.0.0.1", gateway.port), timeout=180)
        body = b"%04d" % number
        client.sendall(
            f"POST {PATH} HTTP/1.1\r\nContent-Length: 4\r\nConnection: close\r\n\r\n".encode() + body
        )
        clients.append(client)
    for client in clients:
        assert client.recv(15, socket.MSG_PEEK) == b"HTTP/1.1 200 OK"
    go.set()
    for number, client in enumerate(clients):
        response = http.client.HTTPResponse(client)
        response.begin()
        buffer = EventStreamBuffer()
        buffer.add_data(response.read())
        assert b"".join(event.payload for event in buffer) == b"<%04d%04d>" % (number, number)
        response.close()
        client.close()


def test_refusals_name_the_paths(answering, gateways):
    connection = http.client.HTTPConnection("127.0.0.1", gateways(answering(b"")).port, timeout=180)
    connection.request("GET", PATH)
    response = connection.getresponse()
    assert (response.status, response.headers["x-amzn-ErrorType"]) == (404, "UnknownOperationException")
    assert f"POST {PATH}" in json.loads(response.read())["Message"]
    connection.close()
