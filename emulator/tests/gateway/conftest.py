"""Containers of the tests: real sockets, answers to the byte."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from dataclasses import dataclass, field

import pytest

from sm_emulate.gateway import EndpointFront, Fleet, Gateway, Upstream, VariantFront


@dataclass
class Seen:
    """One request as the container saw it."""

    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes
    connection: int

    def header(self, name):
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


class Wire:
    """One accepted connection, read by hand."""

    def __init__(self, sock, number):
        self.sock = sock
        self.number = number
        self.buffer = b""

    def more(self):
        data = self.sock.recv(65536)
        self.buffer += data
        return bool(data)

    def read_request(self):
        while b"\r\n\r\n" not in self.buffer:
            if not self.more():
                return None
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, path, _ = first.split(" ")
        headers = [tuple(line.split(": ", 1)) for line in lines]
        named = {name.lower(): value for name, value in headers}
        assert "transfer-encoding" not in named
        length = int(named.get("content-length", "0"))
        while len(self.buffer) < length:
            if not self.more():
                return None
        body, self.buffer = self.buffer[:length], self.buffer[length:]
        return Seen(method, path, headers, body, self.number)

    def send(self, data):
        self.sock.sendall(data)

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


def answer(body=b"", status=200, headers=(), reason="X"):
    lines = [
        f"HTTP/1.1 {status} {reason}",
        f"Content-Length: {len(body)}",
        *(f"{k}: {v}" for k, v in headers),
    ]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


@dataclass
class Container:
    """A listener whose every connection is given to `talk(wire)` in a thread of its own."""

    talk: object
    seen: list = field(default_factory=list)
    connections: int = 0

    def __post_init__(self):
        self.listening = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self.listening.getsockname()[1]
        self.open = []
        self.threads = []
        self.accepting = threading.Thread(target=self._accept, daemon=True)
        self.accepting.start()

    def _accept(self):
        while True:
            try:
                sock, _ = self.listening.accept()
            except OSError:
                return
            self.connections += 1
            self.open.append(sock)
            thread = threading.Thread(target=self._run, args=(Wire(sock, self.connections),), daemon=True)
            self.threads.append(thread)
            thread.start()

    def _run(self, wire):
        # the gateway hangs up whenever its rules say so
        with contextlib.suppress(OSError):
            self.talk(wire)
        with contextlib.suppress(OSError):
            wire.sock.close()

    def close(self):
        with contextlib.suppress(OSError):
            self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()
        self.accepting.join(180)
        assert not self.accepting.is_alive()
        for sock in self.open:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join(180)
            assert not thread.is_alive()


@dataclass
class Nobody:
    """A port that is nobody's: bound, so that no other process gets it, and not listened on."""

    bound: socket.socket

    @property
    def port(self):
        return self.bound.getsockname()[1]


@pytest.fixture
def nobody():
    """Give the port of a container that is gone."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield Nobody(bound)


@pytest.fixture
def containers():
    """Give a function that starts a container; all are gone after the test."""
    started = []

    def start(talk):
        started.append(Container(talk))
        return started[-1]

    yield start
    for container in started:
        container.close()


@pytest.fixture
def serve(containers):
    """Give a function that starts a well-behaved container: `handle(seen)` gives the bytes of its answer."""

    def start(handle):
        def talk(wire):
            while (seen := wire.read_request()) is not None:
                container.seen.append(seen)
                wire.send(handle(seen))

        container = containers(talk)
        return container

    return start


def one(port, variant_name="AllTraffic"):
    """Give the fleet of one variant with one instance at this port."""
    upstream = Upstream(host="127.0.0.1", port=port)
    return Fleet(variants=(VariantFront(variant_name=variant_name, upstreams=(upstream,)),))


@pytest.fixture
def gateways():
    """Give a function that starts a gateway before a container, and makes sure that it ends."""
    started = []

    def start(container, listener=None, variant_name="AllTraffic", **limits):
        port = container if isinstance(container, int) else container.port
        front = EndpointFront(
            endpoint_name="iris",
            fleet=one(port, variant_name),
            **{"connect_timeout_s": 60.0, **limits},
        )
        gateway = Gateway(front, listener=listener and (lambda handful: [listener(one) for one in handful]))
        gateway.start()
        started.append(gateway)
        return gateway

    yield start
    for gateway in started:
        gateway.close(grace_s=0)
        assert not gateway._thread.is_alive()
        assert gateway._failure is None


@pytest.fixture
def say():
    """Give the function that words a container's answer."""
    return answer


@pytest.fixture
def talk_raw():
    """Give a function that sends bytes to a gateway and gives all that comes back until it hangs up."""

    def talk(gateway, data, *, half_close=False):
        with socket.create_connection(("127.0.0.1", gateway.port), timeout=180) as sock:
            sock.sendall(data)
            if half_close:
                sock.shutdown(socket.SHUT_WR)
            received = b""
            while part := sock.recv(65536):
                received += part
            return received

    return talk
