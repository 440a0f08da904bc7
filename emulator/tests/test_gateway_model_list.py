"""`GET /models` after each ping: its pages, and what an answer other than 200 does to the health check."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from scenes import Endpoints

from sm_emulate import api
from sm_emulate.errors import EndpointFailedError
from sm_emulate.events import Warned
from sm_emulate.gateway import Upstream
from sm_emulate.gateway.model_list import list_models


@contextmanager
def container(answers):
    """Answers GET requests by path with (status, body); tells what it was asked for."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            status, body = answers(self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield Upstream(host="127.0.0.1", port=server.server_port), asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def page(*names, token=None):
    listed = {"models": [{"modelName": name, "modelUrl": f"/{name}"} for name in names]}
    return json.dumps(listed | ({"nextPageToken": token} if token else {})).encode()


def test_a_list_is_read_page_by_page():
    pages = {
        "/models": page("a", "b", token="2 &"),
        "/models?next_page_token=2%20%26": page("c", token="3"),
        "/models?next_page_token=3": page(),
    }
    with container(lambda path: (200, pages[path])) as (upstream, asked):
        listed = list_models(upstream, host_header="h:8080")
    assert (listed.outcome.status, listed.names) == (200, ("a", "b", "c"))
    assert asked == list(pages)


def test_a_list_without_end_is_given_up(monkeypatch):
    monkeypatch.setattr("sm_emulate.gateway.model_list.MAX_PAGES", 3)
    with container(lambda _: (200, page(token="again"))) as (upstream, asked):
        listed = list_models(upstream, host_header="h")
    assert listed.outcome.detail == "GET /models has no last page"
    assert len(asked) == 3


@pytest.mark.parametrize("body", [b"", b"[]", b'{"models": [1]}', b'{"models": 1}', b"null"])
def test_an_answer_that_is_no_list_says_so_and_is_healthy(body):
    with container(lambda _: (200, body)) as (upstream, _):
        listed = list_models(upstream, host_header="h")
    assert (listed.outcome.status, listed.names) == (200, ())
    assert listed.outcome.detail == f"GET /models was answered with {body!r}"


def test_nobody_and_a_404_are_told_apart():
    with container(lambda _: (404, b"")) as (upstream, _):
        listed = list_models(upstream, host_header="h")
    assert (listed.outcome.status, listed.outcome.detail) == (404, "GET /models was answered with status 404")
    listed = list_models(upstream, host_header="h")
    assert listed.outcome.status is None
    assert "was not answered" in listed.outcome.detail


class MultiModelEndpoints(Endpoints):
    """On the in-memory engine, with images that have the label."""

    def request(self, program, **more):
        request = super().request(program, multi_model=True, **more)
        image = self.engine.image(request.model.image)
        labels = {"com.amazonaws.sagemaker.capabilities.multi-models": "true"}
        self.engine.add_image(request.model.image, program, image=replace(image, labels=labels))
        return request


@pytest.fixture
def multi(engine, home, heard):
    return MultiModelEndpoints(engine, home, heard)


def test_a_container_without_models_path_does_not_come_into_service(multi, model, tmp_path):
    program = model(models=404)
    with (
        pytest.raises(EndpointFailedError) as caught,
        multi.new(program, model=tmp_path, window=1) as endpoint,
    ):
        endpoint.start()
    assert "did not pass the ping health check" in caught.value.what
    assert caught.value.value == "GET /models was answered with status 404"
    asked = [path for method, path, _ in program.requests if method == "GET"]
    assert asked[:2] == ["/ping", "/models"]


def test_a_container_that_loses_its_models_path_is_warned_about(multi, model, tmp_path):
    program = model()
    platform = api.platform(settings={"ping-interval": "1"})
    warned = threading.Event()
    with multi.new(program, model=tmp_path, platform=platform) as endpoint:
        multi.heard.react(
            Warned,
            warned.set,
            message="GET /models was answered with status 404; SageMaker would replace the instance",
        )
        with endpoint:
            program.models = 404
            assert warned.wait(20)
