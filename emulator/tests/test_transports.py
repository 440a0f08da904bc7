"""Engines are reached over TCP, TLS and ssh as over a unix socket, and odd answers do not upset the client."""

import os
import shutil
import socket
import ssl
import subprocess
import threading
from contextlib import contextmanager
from struct import pack

import pytest

from sm_emulate.engine.discover import connect
from sm_emulate.engine.listening import parse
from sm_emulate.engine.protocol import ContainerSpec, Listener
from sm_emulate.engine.streams import decode
from sm_emulate.errors import EngineError, EngineNotFoundError


def frame(number, data):
    return pack(">BxxxL", number, len(data)) + data


def test_output_is_put_together_however_it_is_cut():
    sent = frame(1, b"a\n") + frame(1, b"b\n") + frame(2, b"oh") + frame(1, b"") + frame(1, b"c" * 1000)
    for size in (1, 3, 7, 8, 9, 10_000):
        chunks = list(decode(sent[i : i + size] for i in range(0, len(sent), size)))
        assert b"".join(c.data for c in chunks if c.stream == "stdout") == b"a\nb\n" + b"c" * 1000
        assert b"".join(c.data for c in chunks if c.stream == "stderr") == b"oh"
    assert [c.data for c in decode([sent])] == [b"a\nb\n", b"oh", b"c" * 1000]
    assert [c.data for c in decode([sent[:-1]])][-1] == b"c" * 999
    with pytest.raises(EngineError) as caught:
        list(decode([frame(3, b"log driver broke")]))
    assert caught.value.evidence == ("log driver broke",)


def test_listening_sockets_are_read_from_the_kernels_table():
    table = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1
   1: 0100007F:1F91 0100007F:1F92 01 00000000:00000000 00:00000000 00000000     0        0 1 1
   0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000
"""
    assert parse(table) == [Listener(address="127.0.0.1", port=8080), Listener(address="::", port=80)]


@contextmanager
def scripted(*answers):
    """An engine that gives one prepared answer a connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer_all():
            for answer in answers:
                connection, _ = listener.accept()
                with connection:
                    for part in answer:
                        connection.recv(100_000)
                        connection.sendall(part)

        thread = threading.Thread(target=answer_all)
        thread.start()
        yield f"tcp://127.0.0.1:{listener.getsockname()[1]}"
        thread.join()


PONG = b"HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Length: 2\r\n\r\nOK"


def test_answers_in_chunks_and_errors_that_are_not_json():
    chunked = (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        b'8\r\n{"Id":"s\r\n1b\r\nha256:1","Os":"linux","x":"\r\n3\r\n1"}\r\n0\r\n\r\n'
    )
    proxy = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 15\r\n\r\nupstream is out"
    with scripted([PONG, chunked, proxy]) as url:
        engine = connect(url, environ={})
        assert engine.image("x").id == "sha256:1"
        with pytest.raises(EngineError) as caught:
            engine.image("x")
        assert caught.value.evidence == ("upstream is out",)
        engine.close()


def test_an_engine_that_goes_away_is_told():
    with scripted([PONG, b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"]) as url:
        engine = connect(url, environ={})
        with pytest.raises(EngineError, match="broke") as caught:
            engine.image("x")
        assert "closed the connection" in caught.value.evidence[0]
        engine.close()


@contextmanager
def proxied(wrap=lambda connection: connection):
    """The machine's engine on a TCP port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def pump(source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def serve(raw):
        try:
            client = wrap(raw)
        except OSError:
            return
        with client, socket.socket(socket.AF_UNIX) as engine:
            engine.connect("/var/run/docker.sock")
            back = threading.Thread(target=pump, args=(engine, client), daemon=True)
            back.start()
            pump(client, engine)
            back.join(5)

    def accept():
        while True:
            try:
                raw, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(raw,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"tcp://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def hello_through(engine, stage):
    container = engine.create(
        ContainerSpec(
            image=stage.image, command=("sh", "-c", "echo hello; exit 5"), labels=stage.labels, network="none"
        )
    )
    reader = threading.Thread(target=lambda: got.extend(stream))
    got, stream = [], engine.logs(container)
    reader.start()
    engine.start(container)
    code = engine.wait(container).code
    reader.join(10)
    engine.remove(container)
    engine.close()
    return b"".join(chunk.data for chunk in got), code


@pytest.mark.engine
def test_over_tcp(docker_stage):
    with proxied() as url:
        assert hello_through(connect(url, environ={}), docker_stage) == (b"hello\n", 5)


@pytest.mark.engine
def test_over_tls(docker_stage, tmp_path):
    if shutil.which("openssl") is None:
        pytest.skip("certificates for the test are made with openssl, which is not here")
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-keyout",
            "key.pem",
            "-out",
            "cert.pem",
            "-days",
            "2",
            "-subj",
            "/CN=127.0.0.1",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
        ],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    shutil.copy(tmp_path / "cert.pem", tmp_path / "ca.pem")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    with proxied(lambda raw: server.wrap_socket(raw, server_side=True)) as url:
        named = {"DOCKER_HOST": url, "DOCKER_TLS_VERIFY": "1"}
        engine = connect(environ={**named, "DOCKER_CERT_PATH": str(tmp_path)})
        assert hello_through(engine, docker_stage) == (b"hello\n", 5)
        with pytest.raises(EngineNotFoundError) as caught:
            connect(environ={**named, "DOCKER_CERT_PATH": str(tmp_path / "none"), "HOME": str(tmp_path)})
        assert "CERTIFICATE_VERIFY_FAILED" in caught.value.evidence[0].upper()


@pytest.mark.engine
def test_over_ssh(docker_stage, tmp_path, monkeypatch):
    # an `ssh` that goes nowhere and runs the far command here
    stand_in = tmp_path / "ssh"
    stand_in.write_text('#!/bin/sh\nwhile [ "$1" != user@far ]; do shift; done\nshift\nexec "$@"\n')
    stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    engine = connect("ssh://user@far:2222", environ={})
    assert hello_through(engine, docker_stage) == (b"hello\n", 5)
