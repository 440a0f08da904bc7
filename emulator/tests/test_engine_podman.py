"""Podman's answers to the Docker API, as they were recorded from Podman 4.3.1 with crun, mean what Docker's mean."""

import http.server
import json
import socketserver
import threading

import pytest

from sm_emulate.engine import podman, render
from sm_emulate.engine.discover import connect
from sm_emulate.engine.protocol import ContainerSpec, Mount
from sm_emulate.errors import EngineError, ImageNotFoundError, StartError
from sm_emulate.lifecycle.training.advice import words_about_the_start

ID = "c0ffee" * 10 + "c0ff"
NOT_FOUND = (
    f"preparing container {ID} for attach: crun: executable file `train` not found in $PATH: No such file or "
    "directory: OCI runtime attempted to invoke a command that was not found"
)
DOCKERS = "OCI runtime create failed: runc create failed: unable to start container process: exec: "


class Scripted(http.server.BaseHTTPRequestHandler):
    """Answers as Podman does, from a table of `METHOD path` without version and query."""

    protocol_version = "HTTP/1.1"

    def answer(self):
        length = int(self.headers.get("Content-Length") or 0)
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            while size := int(self.rfile.readline(), 16):
                self.rfile.read(size + 2)
            self.rfile.readline()
        self.rfile.read(length)
        path = self.path.partition("?")[0]
        asked = f"{self.command} {path if path == '/_ping' else '/' + path.split('/', 2)[2]}"
        self.server.asked.append(asked)
        status, said = self.server.script.get(asked, (200, {}))
        body = b"" if status == 204 else json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Api-Version", "1.41")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_DELETE = answer  # noqa: N815  # the names that http.server calls

    def version_string(self):
        return "Libpod/4.3.1 (linux)"

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True


@pytest.fixture
def asked_podman():
    """Make an engine that is answered from a script; it and the list of what it was asked."""
    made = []

    def make(script):
        server = Server(("127.0.0.1", 0), Scripted)
        server.asked, server.script = [], script
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        engine = connect(f"tcp://127.0.0.1:{server.server_port}", environ={})
        made.append((server, thread, engine))
        return engine, server.asked

    yield make
    for server, thread, engine in made:
        engine.close()
        server.shutdown()
        thread.join()
        server.server_close()


def refusal(words, status=500):
    return status, {"cause": "x", "message": words, "response": status}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (NOT_FOUND, '"train": executable file not found in $PATH: unknown'),
        (
            "crun: executable file `/no/where` not found in $PATH: No such file or directory: OCI runtime attempted",
            '"/no/where": stat /no/where: no such file or directory: unknown',
        ),
        (
            'runc: runc create failed: exec: "serve": executable file "serve" not found in $PATH: OCI runtime x',
            '"serve": executable file not found in $PATH: unknown',
        ),
        (
            "crun: open executable: Permission denied: OCI permission denied",
            '"train": permission denied: unknown',
        ),
        (
            "crun: open executable: Operation not permitted: OCI permission denied",
            '"train": permission denied: unknown',
        ),
    ],
)
def test_a_program_that_cannot_be_started_is_told_in_dockers_words(words, told):
    assert podman.why_not_started(words, "train") == DOCKERS + told


def test_what_else_the_runtime_says_is_told_as_it_is():
    assert podman.why_not_started("crun: cannot set memory: OCI runtime error", "train") == (
        "crun: cannot set memory: OCI runtime error"
    )
    assert podman.why_not_started("no space left on device", "train") is None


def test_a_missing_program_is_no_matter_of_attaching_but_of_the_start(asked_podman):
    script = {
        f"POST /containers/{ID}/attach": refusal(NOT_FOUND),
        f"POST /containers/{ID}/start": refusal(NOT_FOUND, 404),
        f"GET /containers/{ID}/json": (200, {"Path": "train"}),
        "POST /containers/create": (201, {"Id": ID}),
    }
    engine, _ = asked_podman(script=script)
    container = engine.create(ContainerSpec(image="x"))
    assert list(engine.logs(container)) == []
    with pytest.raises(StartError) as caught:
        engine.start(container)
    assert caught.value.what == DOCKERS + '"train": executable file not found in $PATH: unknown'


def test_any_other_trouble_with_attaching_is_told_at_once(asked_podman):
    engine, _ = asked_podman(
        script={
            f"POST /containers/{ID}/attach": refusal("no space left on device"),
            "POST /containers/create": (201, {"Id": ID}),
        }
    )
    with pytest.raises(EngineError, match="no space left"):
        engine.logs(engine.create(ContainerSpec(image="x")))


def test_limits_that_podman_may_not_set_are_no_fault_of_the_image(asked_podman):
    words = "crun: setrlimit `RLIMIT_NOFILE`: Operation not permitted: OCI permission denied"
    engine, _ = asked_podman(script={f"POST /containers/{ID}/start": refusal(words)})
    with pytest.raises(EngineError) as caught:
        engine.start(ID)
    assert not isinstance(caught.value, StartError)
    assert "default_ulimits in containers.conf" in caught.value.hint


def test_a_signal_that_comes_too_late_is_no_error(asked_podman):
    words = f"can only kill running containers. {ID} is in state exited: container state improper"
    engine, asked = asked_podman(script={f"POST /containers/{ID}/kill": refusal(words)})
    engine.signal(ID, "SIGTERM")
    assert asked[-1] == f"POST /containers/{ID}/kill"


def test_a_name_that_is_none_is_an_image_that_is_not_there(asked_podman):
    words = "normalizing image: normalizing name for compat API: invalid reference format"
    engine, _ = asked_podman(script={"GET /images/No%20Such:Name/json": refusal(words)})
    with pytest.raises(ImageNotFoundError):
        engine.image("No Such:Name")


def test_a_container_that_others_depend_on_is_removed_with_them(asked_podman):
    words = f"container {ID} has dependent containers which must be removed before it: x: container already exists"
    engine, asked = asked_podman(script={f"DELETE /containers/{ID}": refusal(words)})
    engine.remove(ID)
    assert asked[-1] == f"DELETE /libpod/containers/{ID}"


def test_a_network_that_is_in_use_is_kept(asked_podman):
    engine, asked = asked_podman(
        script={
            "GET /networks/mine": (200, {"Name": "mine", "Containers": {ID: {}}}),
            "GET /networks/idle": (200, {"Name": "idle", "Containers": {}}),
        }
    )
    with pytest.raises(EngineError, match="active endpoints"):
        engine.remove_network("mine")
    assert "DELETE /networks/mine" not in asked
    engine.remove_network("idle")
    assert asked[-1] == "DELETE /networks/idle"


def test_all_images_of_an_archive_are_named(asked_podman, tmp_path):
    archive = tmp_path / "images.tar"
    archive.write_bytes(b"\0" * 10240)
    said = {"stream": "Loaded image: localhost/a:1,localhost/b:1"}
    engine, _ = asked_podman(script={"POST /images/load": (200, said)})
    assert engine.load(str(archive)) == ("localhost/a:1", "localhost/b:1")
    engine, _ = asked_podman(
        script={"POST /images/load": refusal("payload does not match any of the formats")}
    )
    with pytest.raises(EngineError) as caught:
        engine.load(str(archive))
    assert caught.value.value == str(archive)


def test_podman_is_asked_about_itself_once(asked_podman):
    engine, asked = asked_podman(script={"GET /info": (200, {"SystemTime": "2026-11-21T18:00:00Z"})})
    assert {(engine.info().name, engine.info().version) for _ in range(3)} == {("Podman Engine", "4.3.1")}
    assert [each for each in asked if each in ("GET /info", "GET /version")] == ["GET /info"]


def test_what_is_to_be_mounted_is_looked_for_before_anything_is_made():
    missing = Mount(source="/no/such/folder", target="/data")
    assert podman.missing_source((Mount(source="/", target="/x"), missing)) == "/no/such/folder"
    assert podman.missing_source((Mount(source="/", target="/x"),)) is None


def test_a_container_in_the_network_of_another_has_no_ports_of_its_own():
    told = {
        "Id": ID,
        "State": {"Status": "running", "Pid": 7},
        "HostConfig": {"NetworkMode": f"container:{ID}"},
        "NetworkSettings": {"Ports": {"8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": "40001"}]}},
    }
    assert render.state(told).ports == {}
    assert render.state({**told, "HostConfig": {"NetworkMode": "bridge"}}).ports == {8080: 40001}


def test_cruns_last_words_are_explained():
    said = b'{"msg":"exec container process `/usr/local/bin/train`: Exec format error","level":"error"}\n'
    assert ["#!/bin/sh" in words for words in words_about_the_start([said])] == [True]
