"""`sm-emulate invoke`'s client against a gateway."""

from __future__ import annotations

import io
import os
import threading

import pytest

from sm_emulate.errors import MachineError, RequestError
from sm_emulate.gateway.client import invoke


def url(gateway):
    return f"http://127.0.0.1:{gateway.port}"


def test_an_answer(serve, gateways, say):
    container = serve(lambda seen: say(b"setosa", headers=[("Content-Type", "text/csv")]))
    answer = invoke(
        url(gateways(container)) + "/",
        "iris",
        b"5.1,3.5",
        content_type="text/csv",
        accept="text/csv",
        headers={"X-Amzn-SageMaker-Custom-Attributes": "trace=1"},
    )
    assert (answer.status, answer.body, answer.error) == (200, b"setosa", None)
    assert answer.headers["content-type"] == "text/csv"
    assert answer.headers["x-amzn-invoked-production-variant"] == "AllTraffic"
    (seen,) = container.seen
    assert seen.header("Content-Type") == seen.header("Accept") == "text/csv"
    assert seen.header("X-Amzn-SageMaker-Custom-Attributes") == "trace=1"


@pytest.mark.parametrize("kind", ["bytes", "memory", "file", "pipe"])
def test_bodies_of_every_kind(serve, gateways, say, tmp_path, kind):
    payload = os.urandom(3_000_000)
    gateway = gateways(serve(lambda seen: say(seen.body)))
    if kind == "bytes":
        answer = invoke(url(gateway), "iris", payload)
    elif kind == "memory":
        stream = io.BytesIO(b"skipped" + payload)
        stream.seek(7)
        answer = invoke(url(gateway), "iris", stream)
    elif kind == "file":
        (tmp_path / "payload").write_bytes(b"skipped" + payload)
        with (tmp_path / "payload").open("rb") as stream:
            stream.seek(7)
            answer = invoke(url(gateway), "iris", stream)
    else:
        reading, writing = os.pipe()

        def write():
            with os.fdopen(writing, "wb") as stream:
                stream.write(payload)

        writer = threading.Thread(target=write)
        writer.start()
        with os.fdopen(reading, "rb") as stream:
            answer = invoke(url(gateway), "iris", stream)
        writer.join()
    assert answer.body == payload


def test_a_model_error_is_taken_apart(serve, gateways, say):
    gateway = gateways(serve(lambda seen: say(b"boom", status=500)))
    answer = invoke(url(gateway), "iris", b"x")
    assert answer.status == 424
    assert (answer.error.code, answer.error.original_status, answer.error.original_message) == (
        "ModelError",
        500,
        "boom",
    )
    assert answer.error.message.startswith('Received server error (500) from primary with message "boom".')
    assert answer.error.log_stream_arn.endswith("/aws/sagemaker/Endpoints/iris")


@pytest.mark.parametrize("name", ["rose", "a/b ?"])
def test_a_validation_error_is_taken_apart(serve, gateways, say, name):
    gateway = gateways(serve(lambda seen: say()))
    answer = invoke(url(gateway), name, b"x")
    assert (answer.status, answer.error.code, answer.error.original_status) == (400, "ValidationError", None)
    assert answer.error.message == f"Endpoint {name} of account 123456789012 not found."


def test_an_error_that_the_api_does_not_name_is_called_by_its_status(serve, gateways, say):
    gateway = gateways(serve(lambda seen: say()))
    answer = invoke(url(gateway), "iris", b"x" * (26 * 1024 * 1024))
    assert (answer.status, answer.error.code) == (413, "413")
    assert answer.error.message == "HTTP content length exceeded 26214400 bytes."


@pytest.mark.parametrize(
    ("data", "code", "message"),
    [
        (b"HTTP/1.1 502 X\r\nContent-Length: 4\r\n\r\noops", "502", "oops"),
        (b'HTTP/1.1 400 X\r\nContent-Length: 4\r\n\r\n[""]', "400", '[""]'),
        (
            b"HTTP/1.1 400 X\r\nx-amzn-errortype: aws.x#ThrottlingException:http://y/\r\n"  # noqa: ISC004 - one answer
            b'Content-Length: 17\r\n\r\n{"message":"now"}',
            "ThrottlingException",
            "now",
        ),
    ],
)
def test_errors_that_are_not_ours_are_still_errors(containers, data, code, message):
    def talk(wire):
        wire.read_request()
        wire.send(data)

    answer = invoke(f"http://127.0.0.1:{containers(talk).port}", "iris", b"x")
    assert (answer.error.code, answer.error.message) == (code, message)


def test_nothing_there(containers):
    container = containers(lambda wire: None)
    container.close()
    with pytest.raises(MachineError, match="no endpoint answers") as caught:
        invoke(f"http://127.0.0.1:{container.port}", "iris", b"x")
    assert "sm-emulate ps" in caught.value.hint


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "broke"),
        (b"garbage\r\n\r\n", "broke"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", "broke"),
    ],
)
def test_a_connection_that_breaks(containers, data, what):
    def talk(wire):
        wire.read_request()
        wire.send(data)

    with pytest.raises(MachineError, match=what):
        invoke(f"http://127.0.0.1:{containers(talk).port}", "iris", b"x")


def test_silence(containers):
    def talk(wire):
        wire.read_request()
        wire.more()

    with pytest.raises(MachineError, match=r"sent nothing for 0\.1 s"):
        invoke(f"http://127.0.0.1:{containers(talk).port}", "iris", b"x", timeout_s=0.1)


@pytest.mark.parametrize(
    "wrong", ["https://127.0.0.1:1", "127.0.0.1:1", "", "http://", "http://127.0.0.1:99999"]
)
def test_a_wrong_address(wrong):
    with pytest.raises(RequestError, match="not the address of a gateway"):
        invoke(wrong, "iris", b"x")


def test_a_header_with_a_line_break(serve, gateways, say):
    gateway = gateways(serve(lambda seen: say()))
    with pytest.raises(RequestError, match="a header cannot be sent"):
        invoke(url(gateway), "iris", b"x", content_type="text/csv\r\nX: y")
