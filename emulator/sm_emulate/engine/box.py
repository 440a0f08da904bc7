"""A container of the in-memory engine, as the Python function that stands for its program sees it."""

from __future__ import annotations

import errno
import os
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal, NoReturn

from sm_emulate.engine.protocol import PAUSE, PAUSE_SECONDS, Exit, LogChunk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sm_emulate.engine.protocol import ContainerSpec, Image

    Program = Callable[["Box"], int | None]
    """What runs in place of an image's program. Gives the exit code; None is 0."""


class KilledError(BaseException):
    """Raised inside a program when its container is gone. No `Exception`: a program must not swallow it."""


class OutOfMemoryError(BaseException):
    """Raised inside a program when the kernel would kill it for memory."""


class Output:
    """All that a container has written, for any number of readers."""

    def __init__(self) -> None:
        self._chunks: list[LogChunk] = []
        self._ended = False
        self._changed = threading.Condition()

    def write(self, chunk: LogChunk) -> None:
        with self._changed:
            if not self._ended:
                self._chunks.append(chunk)
                self._changed.notify_all()

    def end(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def read(self, position: int, closed: threading.Event, timeout: float | None) -> LogChunk | None:
        """Give the chunk at a position as soon as it is there, PAUSE if it takes longer; None at the end."""
        with self._changed:
            came = self._changed.wait_for(
                lambda: position < len(self._chunks) or self._ended or closed.is_set(), timeout
            )
            if not came:
                return PAUSE
            return None if closed.is_set() or position >= len(self._chunks) else self._chunks[position]

    def wake(self) -> None:
        with self._changed:
            self._changed.notify_all()


class OutputStream:
    """A `LogStream` of the in-memory engine."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._closed = threading.Event()

    def __iter__(self) -> Iterator[LogChunk]:
        position, timeout = 0, None
        while (chunk := self._output.read(position, self._closed, timeout)) is not None:
            yield chunk
            position += chunk is not PAUSE
            timeout = None if chunk is PAUSE else PAUSE_SECONDS

    def close(self) -> None:
        self._closed.set()
        self._output.wake()


class Box:
    """What a program finds inside its container."""

    def __init__(
        self,
        *,
        identity: str,
        spec: ContainerSpec,
        image: Image,
        address: str,
        scratch: Path,
        resolver: Callable[[Box, str], str],
    ) -> None:
        self.id = identity
        self.spec = spec
        self.argv = _argv(spec, image)
        self.environment = {**image.environment, **spec.environment}
        self.hostname = spec.hostname or identity[:12]
        self.user = spec.user or image.user
        self.working_dir = image.working_dir or "/"
        self.address = address
        self.output = Output()
        self.exit: Exit | None = None
        self.published: dict[int, socket.socket] = {}
        self.shared: dict[int, socket.socket] = {}
        """What the container has published whose network this one lives in."""
        self.listening: list[tuple[str, int, socket.socket]] = []
        self.handled: set[str] = set()
        """Signals that the program says it handles."""
        self.opened: set[str] = set()
        """Devices that it says it holds open."""
        self._scratch = scratch
        self._resolver = resolver
        self._signals: list[str] = []
        self._changed = threading.Condition()

    # what a program may do

    def path(self, inside: str, *, write: bool = False) -> Path:
        """Give the path on this machine behind a path in the container.

        Raises:
            OSError: `write` was asked for below a read-only mount, as a write there would.
        """
        wanted = PurePosixPath(inside)
        covering = [mount for mount in self.spec.mounts if wanted.is_relative_to(mount.target)]
        if not covering:
            found = self._scratch / str(wanted).lstrip("/")
            found.parent.mkdir(parents=True, exist_ok=True)
            return found
        mount = max(covering, key=lambda mount: len(mount.target))
        if write and mount.read_only:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), inside)
        return Path(mount.source) / wanted.relative_to(mount.target)

    def print(self, *values: object, end: str = "\n", error: bool = False) -> None:
        """Write a line to stdout, or to stderr as an `error`."""
        text = " ".join(str(value) for value in values) + end
        self.write(text.encode(), stream="stderr" if error else "stdout")

    def write(self, data: bytes, *, stream: Literal["stdout", "stderr"] = "stdout") -> None:
        self._check()
        self.output.write(LogChunk(stream=stream, data=data))

    def next_signal(self, timeout: float | None = None) -> str | None:
        """Wait for a signal such as `SIGTERM`; None when the time is over. One not asked for is ignored."""
        with self._changed:
            self._changed.wait_for(lambda: self._signals or self.exit is not None, timeout)
            self._check()
            return self._signals.pop(0) if self._signals else None

    def sleep(self, seconds: float) -> None:
        """Wait, until killed if that comes first."""
        until = time.monotonic() + seconds
        with self._changed:
            self._changed.wait_for(lambda: self.exit is not None, until - time.monotonic())
        self._check()

    def listen(self, port: int, address: str = "0.0.0.0") -> socket.socket:  # noqa: S104 - of the container
        """Give a listening socket: at the published port of 127.0.0.1, else at the container's own address.

        An `address` that is the container's loopback is not reachable from outside, as in a real container.
        """
        loopback = address.startswith("127.") or address == "::1"
        if loopback or (port not in self.published and port not in self.shared):
            listener = socket.create_server((self.address or "127.0.0.1", 0 if loopback else port))
        else:
            # what another has published outlives this one
            listener = self.published[port] if port in self.published else self.shared[port].dup()
            listener.listen()
        self.listening.append((address, port, listener))
        return listener

    def resolve(self, name: str) -> str:
        """Look a host name up, as the container would. Raises `socket.gaierror`."""
        return self._resolver(self, name)

    def run_out_of_memory(self) -> NoReturn:
        raise OutOfMemoryError

    # what the engine does to it

    def deliver(self, signal: str) -> None:
        if signal in ("SIGKILL", "KILL", "9"):
            self.end(Exit(code=137, oom_killed=False))
            return
        if signal in ("SIGSTOP", "SIGCONT"):
            return  # a thread cannot be held
        with self._changed:
            self._signals.append(signal)
            self._changed.notify_all()

    def run(self, program: Program) -> None:
        """Run the program to its end, in a thread of its own."""
        try:
            code = program(self) or 0
            ended = Exit(code=code & 0xFF, oom_killed=False)
        except SystemExit as leaving:
            ended = Exit(code=leaving.code if isinstance(leaving.code, int) else 1, oom_killed=False)
        except OutOfMemoryError:
            ended = Exit(code=137, oom_killed=True)
        except KilledError:
            ended = Exit(code=137, oom_killed=False)
        except Exception:  # noqa: BLE001 - it plays a foreign program, which ends like this
            import traceback

            self.output.write(LogChunk(stream="stderr", data=traceback.format_exc().encode()))
            ended = Exit(code=1, oom_killed=False)
        self.end(ended)

    def end(self, ended: Exit) -> None:
        with self._changed:
            if self.exit is None:
                self.exit = ended
            self._changed.notify_all()
        self.output.end()
        for bound in (*(listener for _, _, listener in self.listening), *self.published.values()):
            # closing alone would leave the port open for as long as the program stands in accept()
            with suppress(OSError):
                bound.shutdown(socket.SHUT_RDWR)
            bound.close()

    def wait(self) -> Exit:
        with self._changed:
            self._changed.wait_for(lambda: self.exit is not None)
        assert self.exit is not None
        return self.exit

    def _check(self) -> None:
        if self.exit is not None:
            raise KilledError


def _argv(spec: ContainerSpec, image: Image) -> tuple[str, ...]:
    if spec.entrypoint is None:
        return image.entrypoint + (spec.command or image.command)
    return spec.entrypoint + (spec.command or ())
