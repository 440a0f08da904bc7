"""SageMaker's rules on a well-behaved container: paths, headers, limits, bodies byte for byte."""

from __future__ import annotations

import concurrent.futures
import hashlib
import http.client
import json
import os
import socket
import sys
import threading

import pytest

from sm_emulate.spec import inference_component
from sm_emulate.spec import invocation as spec

RUNTIME = "/endpoints/iris/invocations"


def post(gateway, path=RUNTIME, body=b"", headers=None, method="POST", **options):
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=180)
    try:
        connection.request(method, path, body=body, headers=headers or {}, **options)
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


@pytest.mark.parametrize("path", ["/invocations", RUNTIME])
def test_the_container_is_asked_at_its_own_path(serve, gateways, say, path):
    container = serve(lambda seen: say(b"setosa\n", headers=[("Content-Type", "text/csv")]))
    status, headers, body = post(gateways(container), path, b"5.1,3.5\n", {"Content-Type": "text/csv"})
    assert (status, headers["Content-Type"], body) == (200, "text/csv", b"setosa\n")
    assert headers["x-Amzn-Invoked-Production-Variant"] == "AllTraffic"
    assert len(headers["x-amzn-RequestId"]) == 36
    (seen,) = container.seen
    assert (seen.method, seen.path, seen.body) == ("POST", "/invocations", b"5.1,3.5\n")


@pytest.mark.parametrize("status", [200, 201, 202, 299])
def test_any_success_is_passed_on_with_its_status_and_body(serve, gateways, say, status):
    container = serve(lambda seen: say(b"made", status=status))
    got, _, body = post(gateways(container))
    assert (got, body) == (status, b"made")


def test_only_headers_of_the_api_reach_the_container(serve, gateways, say):
    container = serve(lambda seen: say())
    supported = {header.name: "v" for header in spec.REQUEST_HEADERS}
    for name in (*spec.NOT_FOR_ONE_MODEL, inference_component.HEADER):
        del supported[name]
    supported["X-Amzn-SageMaker-Target-Variant"] = "AllTraffic"
    stripped = {
        "Authorization": "AWS4-HMAC-SHA256 secret",
        "X-Amz-Date": "20260101T000000Z",
        "X-Amz-Security-Token": "t",
        "Cookie": "a=b",
        "User-Agent": "curl",
        "X-Forwarded-For": "10.0.0.1",
        "Content-Encoding": "gzip",
        "X-Mine": "1",
        "X-Amzn-SageMaker-Unheard-Of": "1",
    }
    assert post(gateways(container), body=b"x", headers={**supported, **stripped})[0] == 200
    (seen,) = container.seen
    own = {"Host": "model.aws.local:8080", "User-Agent": "AHC/2.0", "Content-Length": "1"}
    assert dict(seen.headers) == {**supported, **own}
    assert len(seen.headers) == len(supported) + len(own)


def test_a_header_that_the_caller_does_not_send_is_not_invented(serve, gateways, say):
    container = serve(lambda seen: say())
    gateway = gateways(container)
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=180) as sock:
        sock.sendall(
            b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )
        while sock.recv(65536):
            pass
    assert [name for name, _ in container.seen[0].headers] == ["Host", "User-Agent", "Content-Length"]


def test_only_headers_of_the_api_reach_the_caller(serve, gateways, say):
    passed = {
        "Content-Type": "application/json",
        "X-Amzn-SageMaker-Custom-Attributes": "trace=1",
        "X-Amzn-SageMaker-New-Session-Id": "abc; Expires=2026-01-01T00:00:00Z",
        "X-Amzn-SageMaker-Closed-Session-Id": "abc",
    }
    stripped = {"Server": "gunicorn", "Set-Cookie": "a=b", "X-Mine": "1", "Location": "/x", "ETag": "1"}
    container = serve(lambda seen: say(b"{}", headers=[*passed.items(), *stripped.items()]))
    _, headers, _ = post(gateways(container))
    ours = {"x-amzn-RequestId", "Date", "x-Amzn-Invoked-Production-Variant", "Content-Length"}
    assert set(headers) == ours | set(passed)
    assert {name: headers[name] for name in passed} == passed


@pytest.mark.parametrize(
    ("status", "body"), [(200, b"ok"), (503, b"not yet"), (302, b""), (404, b"x" * 9000)]
)
def test_ping_is_passed_as_it_is(serve, gateways, say, status, body):
    container = serve(lambda seen: say(body, status=status))
    answer = post(gateways(container), "/ping", method="GET", body=None)
    assert (answer[0], answer[2]) == (status, body)
    assert (container.seen[0].method, container.seen[0].path) == ("GET", "/ping")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/invocations"),
        ("POST", "/ping"),
        ("GET", "/"),
        ("POST", "/models"),
        ("POST", "/invocations/"),
        ("PUT", "/endpoints/iris/invocations"),
        ("GET", "/endpoints/iris/invocations-response-stream"),
        ("POST", "/endpoints/iris/openai/v2/models"),
        ("HEAD", "/ping"),
    ],
)
def test_other_paths_are_not_passed(serve, gateways, say, method, path):
    container = serve(lambda seen: say())
    status, headers, body = post(gateways(container), path, b"x", method=method)
    assert (status, headers["x-amzn-ErrorType"]) == (404, "UnknownOperationException")
    assert body == b"" if method == "HEAD" else b"POST /endpoints/iris/invocations" in body
    assert container.seen == []


@pytest.mark.parametrize(
    ("request_line", "message"),
    [
        (("/endpoints/rose/invocations", {}), "Endpoint rose of account 123456789012 not found."),
        (("/endpoints//invocations", {}), "Endpoint  of account 123456789012 not found."),
        (("/endpoints/a%2Fb%22/invocations", {}), 'Endpoint a/b" of account 123456789012 not found.'),
        ((RUNTIME, {"X-Amzn-SageMaker-Target-Variant": "blue"}), "Variant blue of endpoint iris"),
        (
            (RUNTIME, {"X-Amzn-SageMaker-Target-Container-Hostname": "c"}),
            "not a multi-container endpoint with direct invocation",
        ),
        (
            (RUNTIME, {"X-Amzn-SageMaker-Target-Model": "a.tar.gz"}),
            "Endpoint iris is not a multi-model endpoint and does not support target model header.",
        ),
        (
            ("/invocations", {"x-amzn-sagemaker-target-model": "a.tar.gz"}),
            "Endpoint iris is not a multi-model endpoint",
        ),
        (
            (RUNTIME, {"X-Amzn-SageMaker-Inference-Component": "c"}),
            "Inference Component Name header is not allowed for endpoints",
        ),
        ((RUNTIME, {"Content-Type": "a" * 1025}), "at 'contentType' failed to satisfy constraint"),
        (("/invocations", {"X-Amzn-SageMaker-Inference-Id": "a" * 65}), "less than or equal to 64"),
    ],
)
def test_wrong_requests_are_validation_errors(serve, gateways, say, request_line, message):
    path, headers = request_line
    container = serve(lambda seen: say())
    status, got, body = post(gateways(container), path, b"x", headers)
    assert (status, got["x-amzn-ErrorType"]) == (400, "ValidationError")
    assert message in json.loads(body)["Message"]
    assert container.seen == []


@pytest.mark.parametrize(
    ("framing", "hold"),
    [("length", 1024), ("length", 1024 * 1024), ("chunked", 1024), ("chunked", 1024 * 1024)],
)
@pytest.mark.parametrize("size", [0, 1, 1023, 1024, 1025, 70_000, 1024 * 1024, 25 * 1024 * 1024])
def test_bodies_pass_byte_for_byte(serve, gateways, say, size, framing, hold):
    payload = os.urandom(size)
    container = serve(lambda seen: say(seen.body))
    gateway = gateways(container, hold_bytes=hold)
    if framing == "length":
        status, _, body = post(gateway, body=payload)
    else:
        parts = (payload[at : at + 60_000] for at in range(0, size, 60_000))
        status, _, body = post(
            gateway, body=parts, headers={"Transfer-Encoding": "chunked"}, encode_chunked=True
        )
    assert status == 200
    assert hashlib.sha256(container.seen[0].body).digest() == hashlib.sha256(payload).digest()
    assert hashlib.sha256(body).digest() == hashlib.sha256(payload).digest()
    # the container is always told the length, however the caller sent the body
    assert container.seen[0].header("Content-Length") == str(size)


@pytest.mark.parametrize("size", [3, 5_000_000])
def test_a_chunked_answer_passes_byte_for_byte(containers, gateways, size):
    payload = os.urandom(size)

    def talk(wire):
        wire.read_request()
        wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for at in range(0, size, 9999):
            part = payload[at : at + 9999]
            wire.send(b"%x\r\n%b\r\n" % (len(part), part))
        wire.send(b"0\r\n\r\n")

    status, headers, body = post(gateways(containers(talk)))
    assert (status, body) == (200, payload)
    assert ("Transfer-Encoding" in headers) == (size > 1024 * 1024)


def test_a_long_answer_is_streamed_while_the_container_still_writes(containers, gateways):
    first_part_read = threading.Event()

    def talk(wire):
        wire.read_request()
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n" + b"a" * 10_000)
        assert first_part_read.wait(180)
        wire.send(b"b" * 10_000)

    gateway = gateways(containers(talk), hold_bytes=5000)
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=180)
    connection.request("POST", "/invocations", body=b"x")
    response = connection.getresponse()
    assert response.read(10_000) == b"a" * 10_000
    first_part_read.set()
    assert response.read() == b"b" * 10_000
    connection.close()


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_body_above_the_limit_never_reaches_the_container(serve, gateways, say, framing):
    container = serve(lambda seen: say())
    gateway = gateways(container)
    payload = b"x" * (25 * 1024 * 1024 + 1)
    if framing == "length":
        status, headers, body = post(gateway, body=payload)
    else:
        parts = (payload[at : at + 1_000_000] for at in range(0, len(payload), 1_000_000))
        status, headers, body = post(
            gateway, body=parts, headers={"Transfer-Encoding": "chunked"}, encode_chunked=True
        )
    assert (status, "x-amzn-ErrorType" in headers) == (413, False)
    assert json.loads(body)["Message"] == "HTTP content length exceeded 26214400 bytes."
    assert container.seen == []
    assert container.connections == 0


def test_a_body_above_the_limit_can_be_a_validation_error(serve, gateways, say):
    gateway = gateways(serve(lambda seen: say()), max_body_bytes=10, long_body_is_invalid=True)
    status, headers, body = post(gateway, body=b"x" * 11)
    assert (status, headers["x-amzn-ErrorType"]) == (400, "ValidationError")
    assert json.loads(body)["Message"] == "HTTP content length exceeded 10 bytes."


def test_messages_are_cut_where_the_api_cuts_them(serve, gateways, say):
    container = serve(lambda seen: say(b"\xc3\xa9" * 100_000, status=500))
    _, _, body = post(gateways(container))
    members = json.loads(body)
    assert members["OriginalMessage"] == "\u00e9" * 2048
    assert len(members["Message"]) == 2048
    assert members["Message"].endswith("in account 123456789012 for more information.")


def test_a_model_error_is_worded_as_sagemaker_does(serve, gateways, say):
    container = serve(lambda seen: say(b"no such column", status=400))
    status, headers, body = post(gateways(container, region="eu-west-1"))
    assert (status, headers["Content-Type"]) == (424, "application/json")
    assert json.loads(body) == {
        "ErrorCode": "CLIENT_ERROR_FROM_MODEL",
        "LogStreamArn": "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/sagemaker/Endpoints/iris",
        "Message": 'Received client error (400) from primary with message "no such column". See '
        "https://eu-west-1.console.aws.amazon.com/cloudwatch/home?region=eu-west-1#logEventViewer:group="
        "/aws/sagemaker/Endpoints/iris in account 123456789012 for more information.",
        "OriginalMessage": "no such column",
        "OriginalStatusCode": 400,
    }


def test_two_hundred_callers_at_once_each_get_their_own_answer(serve, gateways, say):
    everyone_is_here = threading.Barrier(200, timeout=180)

    def handle(seen):
        everyone_is_here.wait()
        return say(seen.body[::-1])

    gateway = gateways(serve(handle))
    payloads = [os.urandom(100 + n) for n in range(200)]
    with concurrent.futures.ThreadPoolExecutor(200) as pool:
        answers = list(pool.map(lambda payload: post(gateway, body=payload), payloads))
    assert [(status, body) for status, _, body in answers] == [(200, payload[::-1]) for payload in payloads]


def test_the_listener_hears_of_every_request(serve, gateways, say):
    container = serve(lambda seen: say(b"four", status=500 if seen.body == b"bad" else 200))
    told = []
    gateway = gateways(container, told.append)
    for path, body in ((RUNTIME, b"good"), ("/invocations", b"bad"), ("/endpoints/rose/invocations", b"x")):
        post(gateway, path, body)
    gateway.close()
    assert [(one.path, one.status, one.original_status, one.bytes_in) for one in told] == [
        (RUNTIME, 200, 200, 4),
        ("/invocations", 424, 500, 3),
        ("/endpoints/rose/invocations", 400, None, 1),
    ]
    assert told[0].bytes_out == 4
    assert told[0].model_s > 0
    assert told[2].model_s == 0
    assert all(one.overhead_s >= 0 and one.failure is None for one in told)


def test_the_listener_hears_of_a_request_while_the_gateway_serves(serve, gateways, say):
    heard = threading.Event()
    gateway = gateways(serve(lambda seen: say(b"a")), lambda invocation: heard.set())
    post(gateway)
    assert heard.wait(180)


def test_the_listener_hears_of_what_was_answered_before_an_abrupt_end(serve, gateways, say):
    told = []
    gateway = gateways(serve(lambda seen: say(b"a")), told.append)
    for _ in range(5):
        post(gateway)
    gateway.close(grace_s=0)
    assert [one.status for one in told] == [200] * 5


def test_a_listener_that_fails_stops_nobody(serve, gateways, say, caplog):
    def listener(invocation):
        raise ValueError("my own fault")

    gateway = gateways(serve(lambda seen: say(b"a")), listener)
    assert [post(gateway)[2] for _ in range(3)] == [b"a"] * 3
    gateway.close()
    assert "the gateway's listener failed" in caplog.text


def test_importing_the_gateway_starts_nothing_and_needs_no_event_loop():
    import subprocess

    code = "import sys, sm_emulate.gateway, sm_emulate.gateway.ping; print({'asyncio', 'uvloop', 'httptools'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"
