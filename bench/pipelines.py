"""(p) What the gateway adds to the way through a pipeline, against a client that asks one after the other."""

from __future__ import annotations

import contextlib
import re
import socket
import statistics
import threading
import time
from typing import TYPE_CHECKING

from bench.gateway_memory import gateway_before
from bench.row import Row

if TYPE_CHECKING:
    from bench.ground import Ground

CONTAINERS, ADDED_MS = 3, 1.0
BODY = b"5.1,3.5,1.4,0.2\n" * 15
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


def pipelines(ground: Ground) -> list[Row]:
    """Measure (p)."""
    with contextlib.ExitStack() as open_:
        containers = [open_.enter_context(_Container()) for _ in range(CONTAINERS)]
        ports = [each.port for each in containers]
        port, _ = open_.enter_context(gateway_before(ground, *ports))
        direct = [open_.enter_context(_Client(each)) for each in ports]
        ours = open_.enter_context(_Client(port))
        seen: dict[str, list[float]] = {"direct": [], "gateway": []}
        for turn in range(ground.rounds(12, 4)):
            for name in sorted(seen, reverse=bool(turn % 2)):
                seen[name] += _asked(direct if name == "direct" else [ours], 1000)
    p50 = {name: 1000 * statistics.median(taken) for name, taken in seen.items()}
    p99 = {name: 1000 * statistics.quantiles(taken, n=100)[-1] for name, taken in seen.items()}
    figures = "; ".join(f"{name} p50 {p50[name]:.2f} p99 {p99[name]:.2f} ms" for name in seen)
    return [
        Row(
            part="p",
            what=f"a pipeline of {CONTAINERS}: added at p50, 1 connection",
            value=p50["gateway"] - p50["direct"],
            unit="ms",
            bar=ADDED_MS,
            note=figures,
        ),
        Row(
            part="p",
            what=f"a pipeline of {CONTAINERS}: added at p99, 1 connection",
            value=p99["gateway"] - p99["direct"],
            unit="ms",
        ),
    ]


def _asked(way: list[_Client], times: int) -> list[float]:
    """Send a body along a way so often; give the seconds of each time."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        body = BODY
        for client in way:
            body = client.ask(body)
        taken.append(time.perf_counter() - began)
    return taken


class _Client:
    """One connection that is kept."""

    def __init__(self, port: int) -> None:
        self._near = socket.create_connection(("127.0.0.1", port), 60)
        self._near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> _Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._near.close()

    def ask(self, body: bytes) -> bytes:
        self._near.sendall(b"POST /invocations HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        answer = _message(self._near)
        if answer is None:
            raise RuntimeError("the connection was closed")
        return answer


class _Container:
    """Plays a container: gives back what it got."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._accepting = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> _Container:
        self._accepting.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._accepting.join()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        with near, contextlib.suppress(OSError):
            while (body := _message(near)) is not None:
                near.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))


def _message(near: socket.socket) -> bytes | None:
    """Read a message with a stated length; give its body, or None at the end of the connection."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = near.recv(1 << 16)
        if not more:
            return None
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = _LENGTH.search(head)
    if length is None or not head.startswith((b"HTTP/1.1 200 ", b"POST ")):
        raise RuntimeError(f"this is no message of ours: {head!r}")
    while len(body) < int(length[1]):
        more = near.recv(1 << 16)
        if not more:
            return None
        body += more
    return body
