"""The OpenAI-compatible path: handed to the container under its own path, and back as it comes."""

from __future__ import annotations

import http.client
import threading

import pytest

CHAT = "/endpoints/iris/openai/v1/chat/completions"


def ask(gateway, method="POST", path=CHAT, body=b"{}", headers=()):
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=180)
    connection.request(method, path, body=body, headers=dict(headers))
    return connection, connection.getresponse()


def test_the_container_sees_its_own_path_and_no_token(serve, gateways, say):
    container = serve(lambda seen: say(b'{"id":1}', headers=[("Content-Type", "application/json")]))
    headers = {"Content-Type": "application/json", "Authorization": "Bearer sagemaker-api-key-x"}
    connection, response = ask(gateways(container), body=b'{"model":"m"}', headers=headers)
    assert (response.status, response.read()) == (200, b'{"id":1}')
    assert response.headers["Content-Type"] == "application/json"
    connection.close()
    (seen,) = container.seen
    assert (seen.method, seen.path, seen.body) == ("POST", "/v1/chat/completions", b'{"model":"m"}')
    assert seen.header("Content-Type") == "application/json"
    assert seen.header("Authorization") is None


def test_models_are_listed_with_get_and_a_query(serve, gateways, say):
    container = serve(lambda seen: say(b"[]"))
    connection, response = ask(gateways(container), "GET", "/endpoints/iris/openai/v1/models?limit=1", None)
    assert response.read() == b"[]"
    connection.close()
    assert (container.seen[0].method, container.seen[0].path) == ("GET", "/v1/models?limit=1")


@pytest.mark.parametrize("status", [400, 404, 429, 500])
def test_an_error_of_the_container_comes_as_it_is(serve, gateways, say, status):
    container = serve(lambda seen: say(b'{"error":{}}', status=status))
    connection, response = ask(gateways(container))
    assert (response.status, response.read()) == (status, b'{"error":{}}')
    assert response.headers["x-amzn-ErrorType"] is None
    connection.close()


def test_events_are_flushed_one_by_one(containers, gateways):
    go = threading.Event()

    def talk(wire):
        wire.read_request()
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        wire.send(b"9\r\ndata: a\n\n\r\n")
        assert go.wait(180)
        wire.send(b"9\r\ndata: b\n\n\r\n0\r\n\r\n")

    connection, response = ask(gateways(containers(talk)))
    assert response.headers["Content-Type"] == "text/event-stream"
    assert response.read(9) == b"data: a\n\n"
    go.set()
    assert response.read() == b"data: b\n\n"
    connection.close()


def test_a_stream_that_breaks_off_cannot_be_taken_for_whole(containers, gateways):
    def talk(wire):
        wire.read_request()
        wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: a\n\n\r\n")

    connection, response = ask(gateways(containers(talk)))
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        response.read()
    connection.close()


@pytest.mark.parametrize(
    ("path", "status"),
    [("/endpoints/rose/openai/v1/models", 400), ("/endpoints/iris/openai/models", 404), ("/v1/models", 404)],
)
def test_other_endpoints_and_paths_are_refused(serve, gateways, say, path, status):
    container = serve(lambda seen: say())
    connection, response = ask(gateways(container), "GET", path, None)
    assert response.status == status
    connection.close()
    assert container.seen == []


def test_a_container_that_is_gone_is_a_model_error(nobody, gateways):
    connection, response = ask(gateways(nobody))
    assert (response.status, response.headers["x-amzn-ErrorType"]) == (424, "ModelError")
    connection.close()
