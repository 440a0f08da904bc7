"""(k) The gateway's memory: bodies as long as the limit, many at once, and a thousand open streams."""

from __future__ import annotations

import contextlib
import re
import resource
import socket
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from bench.ground import ROOT
from bench.row import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.ground import Ground

FLAT, STREAMS = 1.25, 1000
LONG, SHORT = 25 * 1024 * 1024, 2 * 1024 * 1024
"""The longest body that is taken, and one that is still not held in memory whole."""
AT_ONCE = 16
_FILES = 8192
_PIECE = bytes(1 << 16)
_PATH = "/endpoints/alone/invocations"
_PATIENCE_S = 120


def gateway_memory(ground: Ground) -> list[Row]:
    """Measure (k)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(_FILES, hard), hard))
    try:
        peaks = {size: _bodies(ground, size) for size in (SHORT, LONG)}
        served, kilobytes = _streams(ground)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return [
        Row(
            part="k",
            what=f"memory, {AT_ONCE} bodies of 25 MB at once / of 2 MB",
            value=peaks[LONG] / peaks[SHORT],
            bar=FLAT,
            note=f"{peaks[LONG]:.0f} MB and {peaks[SHORT]:.0f} MB, the whole process; as much comes back",
        ),
        Row(
            part="k",
            what="streams that are open at once",
            value=served,
            unit="",
            bar=STREAMS,
            better="more",
            note=f"{kilobytes:.1f} kB for each",
        ),
    ]


def _bodies(ground: Ground, size: int) -> float:
    """Send and get so long bodies, many at once; give the most memory that the gateway took, in MB."""
    with _Container() as container, gateway_before(ground, container.port) as (port, pid):

        def ask(_: int) -> None:
            with socket.create_connection(("127.0.0.1", port), _PATIENCE_S) as client:
                client.sendall(f"POST {_PATH} HTTP/1.1\r\nContent-Length: {size}\r\n\r\n".encode())
                for _ in range(size // len(_PIECE)):
                    client.sendall(_PIECE)
                if _read_body(client, b"") != size:
                    raise RuntimeError("an answer was not as long as its request")

        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(ask, range(AT_ONCE * ground.rounds(4, 1))))
        return _memory_kb(pid, "VmHWM") / 1024


def _streams(ground: Ground) -> tuple[int, float]:
    """Open streams, then end them; give how many came to their end, and the memory of each while all were open."""
    with (
        _Container() as container,
        gateway_before(ground, container.port) as (port, pid),
        contextlib.ExitStack() as open_,
    ):
        before = _memory_kb(pid, "VmRSS")
        request = f"POST {_PATH}-response-stream HTTP/1.1\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx"
        clients = []
        for _ in range(STREAMS):
            client = open_.enter_context(socket.create_connection(("127.0.0.1", port), _PATIENCE_S))
            client.sendall(request.encode())
            clients.append(client)
        begun = [client.recv(15, socket.MSG_PEEK) == b"HTTP/1.1 200 OK" for client in clients]
        each = (_memory_kb(pid, "VmRSS") - before) / STREAMS
        container.go.set()
        whole = [_read_all(client).endswith(b"\r\n0\r\n\r\n") for client in clients]
        return sum(first and last for first, last in zip(begun, whole, strict=True)), each


class _Container:
    """Plays a container: gives as many bytes as it got; a body of one byte is a stream that stays open until `go`."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=STREAMS)
        self.port = self._listening.getsockname()[1]
        self.go = threading.Event()
        self._accepting = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> _Container:
        self._accepting.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.go.set()
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._accepting.join()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        with near, contextlib.suppress(OSError):
            while (size := _read_body(near, b"")) is not None:
                if size == 1:
                    near.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
                    self.go.wait()
                    near.sendall(b"1\r\nz\r\n0\r\n\r\n")
                    continue
                near.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
                for _ in range(size // len(_PIECE)):
                    near.sendall(_PIECE)


def _read_body(near: socket.socket, data: bytes) -> int | None:
    """Read a message with a stated length; give that of its body, or None at the end of the connection."""
    while b"\r\n\r\n" not in data:
        more = near.recv(4096)
        if not more:
            return None
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
    if length is None:
        raise RuntimeError(f"a message without a length: {head!r}")
    left = int(length[1]) - len(body)
    while left:
        more = near.recv(min(left, len(_PIECE)))
        if not more:
            return None
        left -= len(more)
    return int(length[1])


def _read_all(near: socket.socket) -> bytes:
    data = b""
    while more := near.recv(4096):
        data += more
    return data


@contextlib.contextmanager
def gateway_before(ground: Ground, *containers: int) -> Iterator[tuple[int, int]]:
    """A gateway in a process of its own before containers at these ports; give its port and its process."""
    alone = subprocess.Popen(
        [str(ground.bin / "python"), "-m", "bench.gateway_alone", *map(str, containers)],
        cwd=ROOT,
        env=ground.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert alone.stdin is not None
    assert alone.stdout is not None
    try:
        yield int(alone.stdout.readline()), alone.pid
    finally:
        alone.stdin.close()
        alone.wait()
        alone.stdout.close()


def _memory_kb(pid: int, which: str) -> int:
    found = re.search(rf"{which}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    if found is None:
        raise RuntimeError(f"no {which} of process {pid}")
    return int(found[1])
