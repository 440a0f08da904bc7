"""`sm-emulate invoke`'s client against a gateway."""

from __future__ import annotations

import io
import os
import threading

import pytest

from sm_emulate.errors import MachineError, RequestError
from sm_emulate.gateway.client import invoke
from sm_emulate.gateway.event_stream import Reader, exception, payload_part


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


def test_nothing_there(nobody):
    with pytest.raises(MachineError, match="no endpoint answers") as caught:
        invoke(f"http://127.0.0.1:{nobody.port}", "iris", b"x")
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


def test_a_stream_is_handed_out_part_by_part(containers, gateways):
    first, second = threading.Event(), []

    def talk(wire):
        seen = wire.read_request()
        container.seen.append(seen)
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
        assert first.wait(180)
        wire.send(b"1\r\nb\r\n0\r\n\r\n")

    def take(part):
        second.append(part)
        first.set()

    container = containers(talk)
    answer = invoke(url(gateways(container)), "iris", b"x", accept="text/x", on_part=take)
    assert (second, answer.status, answer.body, answer.error) == ([b"a", b"b"], 200, b"", None)
    assert answer.headers["x-amzn-sagemaker-content-type"] == "text/x"
    assert container.seen[0].header("Accept") == "text/x"


def test_a_stream_that_breaks_off_says_so(containers, gateways):
    def talk(wire):
        wire.read_request()
        wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")

    parts = []
    error = invoke(url(gateways(containers(talk))), "iris", b"x", on_part=parts.append).error
    assert (parts, error.code, error.error_code) == ([b"a"], "ModelStreamError", "StreamBroken")


def test_a_stream_that_never_began_is_a_model_error(serve, gateways, say):
    gateway = gateways(serve(lambda seen: say(b"bad", status=400)))
    error = invoke(url(gateway), "iris", b"x", on_part=print).error
    assert (error.code, error.original_status, error.original_message) == ("ModelError", 400, "bad")


@pytest.mark.parametrize("pieces", [1, 7, 10**6])
def test_a_damaged_or_cut_event_stream_is_noticed(pieces):
    whole = payload_part(b"abc") + payload_part(b"") + exception("ModelStreamError", {"Message": "m"})

    def read(data):
        reader = Reader()
        return [m for at in range(0, len(data), pieces) for m in reader.feed(data[at : at + pieces])], reader

    messages, reader = read(whole)
    assert [message.payload for message in messages] == [b"abc", b"", b'{"Message":"m"}']
    assert messages[2].headers[":exception-type"] == "ModelStreamError"
    assert not reader.unfinished
    assert read(whole[:-1])[1].unfinished
    for at in (3, 9, 60):
        damaged = bytearray(whole)
        damaged[at] ^= 1
        with pytest.raises(ValueError, match="checksum"):
            read(bytes(damaged))
