"""Which engine is used: what is named, else what answers first, else an error that tells all places."""

import hashlib
import json
import socket
import threading
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from sm_emulate.engine.discover import connect
from sm_emulate.errors import EngineNotFoundError, RequestError

PONG = b"HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Length: 2\r\n\r\nOK"


@pytest.fixture
def home():
    # the paths of unix sockets are short
    with TemporaryDirectory() as made:
        yield Path(made)


@contextmanager
def engine_at(path, answer=PONG):
    path.parent.mkdir(parents=True, exist_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()

    def answer_all():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(10_000)
                connection.sendall(answer)

    thread = threading.Thread(target=answer_all)
    thread.start()
    try:
        yield f"unix://{path}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def found(environ, host=None):
    engine = connect(host, environ=environ)
    engine.close()
    return engine.endpoint


def make_context(home, name, url):
    folder = home / ".docker" / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest()
    folder.mkdir(parents=True)
    (folder / "meta.json").write_text(json.dumps({"Name": name, "Endpoints": {"docker": {"Host": url}}}))


def test_what_is_named_wins(home):
    with engine_at(home / "a") as a, engine_at(home / "b") as b, engine_at(home / "c") as c:
        make_context(home, "colima", c)
        (home / ".docker" / "config.json").write_text('{"currentContext": "colima"}')
        base = {"HOME": str(home)}
        assert found({**base, "DOCKER_HOST": a, "DOCKER_CONTEXT": "colima"}, b) == b
        assert found({**base, "DOCKER_HOST": a, "DOCKER_CONTEXT": "colima"}) == a
        assert found({**base, "DOCKER_CONTEXT": "colima"}) == c
        assert found(base) == c


def test_a_docker_host_that_does_not_answer_is_named_with_the_reason(home):
    with pytest.raises(EngineNotFoundError) as caught:
        connect(environ={"HOME": str(home), "DOCKER_HOST": f"unix://{home}/gone"})
    assert caught.value.value == f"unix://{home}/gone (from DOCKER_HOST)"
    assert caught.value.evidence == ("no such socket",)


@pytest.mark.parametrize(
    "url", ["nonsense", "npipe:////./pipe/docker", "tcp://127.0.0.1:port", "ssh://-oProxyCommand=x"]
)
def test_a_docker_host_that_cannot_be_understood(home, url):
    with pytest.raises(EngineNotFoundError) as caught:
        connect(environ={"HOME": str(home), "DOCKER_HOST": url})
    assert url in caught.value.value
    assert caught.value.evidence[0]


def test_something_else_on_the_socket_is_no_engine(home):
    with (
        engine_at(home / "a", b"220 mail.example.com ESMTP\r\n") as url,
        pytest.raises(EngineNotFoundError) as caught,
    ):
        connect(url, environ={"HOME": str(home)})
    assert "not HTTP" in caught.value.evidence[0]


def test_an_engine_that_is_too_old_says_so(home):
    old = PONG.replace(b"1.41", b"1.24")
    with engine_at(home / "a", old) as url, pytest.raises(Exception, match="too old") as caught:
        connect(url, environ={"HOME": str(home)})
    assert "API 1.24" in caught.value.value


def test_a_context_that_is_not_there(home):
    with pytest.raises(EngineNotFoundError) as caught:
        connect(environ={"HOME": str(home), "DOCKER_CONTEXT": "nowhere"})
    assert caught.value.value == "nowhere (from DOCKER_CONTEXT)"


def test_every_usual_place_is_tried_and_told(home, monkeypatch):
    monkeypatch.setattr("sm_emulate.engine.discover._SYSTEM_SOCKETS", ())
    environ = {"HOME": str(home), "XDG_RUNTIME_DIR": str(home / "run")}
    with pytest.raises(EngineNotFoundError) as caught:
        connect(environ=environ)
    assert [line.rpartition(": ")[0].removeprefix(f"unix://{home}") for line in caught.value.evidence] == [
        "/run/docker.sock (rootless Docker)",
        "/.docker/run/docker.sock (Docker Desktop)",
        "/.colima/default/docker.sock (Colima)",
        "/.colima/docker.sock (Colima)",
        "/run/podman/podman.sock (rootless Podman)",
    ]
    assert "install Docker" in caught.value.hint
    with engine_at(home / "run" / "podman" / "podman.sock") as podman:
        assert found(environ) == podman
        with engine_at(home / ".colima" / "docker.sock") as colima:
            assert found(environ) == colima
    # a current context that does not answer gives way
    make_context(home, "stopped", f"unix://{home}/stopped")
    (home / ".docker" / "config.json").write_text('{"currentContext": "stopped"}')
    with engine_at(home / ".docker" / "run" / "docker.sock") as desktop:
        assert found(environ) == desktop


@pytest.mark.parametrize("address", ["foo", "/var/run/docker.sock", ""])
def test_what_is_no_address_is_refused_as_such(address):
    with pytest.raises(RequestError, match="no address of a container engine") as refused:
        connect(address, environ={})
    assert refused.value.hint == "from --engine"
