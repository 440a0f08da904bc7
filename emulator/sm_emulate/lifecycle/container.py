"""One container's life in a thread of its own: made, listened to, started, followed to its end, removed."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sm_emulate.engine.protocol import PAUSE, PAUSE_SECONDS
from sm_emulate.errors import SmEmulateError
from sm_emulate.events import ContainerExited, ContainerStarted, LogLines, LogPart, Warned
from sm_emulate.lifecycle.lines import LineCutter

if TYPE_CHECKING:
    from collections.abc import Callable

    from sm_emulate.engine.protocol import ContainerSpec, Engine, Exit, LogStream
    from sm_emulate.events import Event


@dataclass(frozen=True, kw_only=True)
class Started:
    host: str
    container: str


@dataclass(frozen=True, kw_only=True)
class Ended:
    host: str
    exit: Exit


@dataclass(frozen=True, kw_only=True)
class NeverStarted:
    """It was told to stop before it was started."""

    host: str


@dataclass(frozen=True, kw_only=True)
class Broken:
    """The engine could not start or follow it."""

    host: str
    error: BaseException


News = Started | Ended | NeverStarted | Broken

BUSY = 32
"""So many pieces of output, each close behind the one before, make a container a busy one."""
AT_HAND_S = 0.0005
"""A piece that is there within this time was there already: reading on is what empties the engine's buffers."""


class ContainerLife:
    """Runs one container and tells what happens to it.

    Its output is attached to before it starts and read to the very end before its exit is told, so no line is lost
    or late. Whatever happens, the container is removed.

    Args:
        engine: runs it.
        spec: what to run.
        host: `algo-N`, or the variant of an endpoint.
        publish: hears ContainerStarted, LogLines and ContainerExited, in this order, from this container's thread.
        post: given the news, each after the event of the same thing.
        gather_s: how long to let the lines of a busy container gather before they are passed on; a server that
            logs each request else costs us as much as the request itself.
        ready: waited for between making and starting it.
    """

    def __init__(
        self,
        engine: Engine,
        spec: ContainerSpec,
        *,
        host: str,
        publish: Callable[[Event], None],
        post: Callable[[News], None],
        gather_s: float = 0.0,
        ready: threading.Event | None = None,
    ) -> None:
        self.host = host
        self._ready = ready
        self._engine, self._spec = engine, spec
        self._publish, self._post = publish, post
        self._gather_s = gather_s
        self._lock = threading.Lock()
        self._container: str | None = None
        self._stream: LogStream | None = None
        self._early: list[str] = []
        self._given_up = False
        self._thread = threading.Thread(target=self._live, name=f"container {host}", daemon=True)

    def begin(self) -> None:
        """Start the thread."""
        self._thread.start()

    @property
    def container(self) -> str | None:
        """Its id while it runs."""
        with self._lock:
            return self._container

    @property
    def alive(self) -> bool:
        """Whether its container runs, or is still being removed."""
        return self._thread.is_alive()

    def join(self, timeout: float | None = None) -> None:
        """Wait until it is over and the container removed."""
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def signal(self, name: str) -> None:
        """Send PID 1 a signal; a container that has not been started yet never will be."""
        with self._lock:
            container = self._container
            if container is None:
                self._early.append(name)
        if container is not None:
            self._engine.signal(container, name)

    def give_up(self) -> None:
        """Kill it, and do not wait for an engine that no longer tells of its end."""
        self._given_up = True
        with suppress(SmEmulateError):  # removing it kills it, too
            self.signal("SIGKILL")
        if (stream := self._stream) is not None:
            stream.close()

    def _live(self) -> None:
        container = None
        try:
            if not self._told_to_stop():
                container = self._engine.create(self._spec)
                self._follow(container)
        except BaseException as error:  # noqa: BLE001  # handed to the thread that waits for the news
            self._post(Broken(host=self.host, error=error))
        finally:
            with self._lock:
                self._container = None
            if self._stream is not None:
                self._stream.close()
            if container is not None:
                self._remove(container)

    def _told_to_stop(self) -> bool:
        with self._lock:
            told = bool(self._early)
        if told:
            self._post(NeverStarted(host=self.host))
        return told

    def _follow(self, container: str) -> None:
        stream = self._stream = self._engine.logs(container)
        if self._ready is not None:
            self._ready.wait()
        if self._told_to_stop():
            return
        self._engine.start(container)
        with self._lock:
            self._container = container
            early = tuple(self._early)
        self._publish(ContainerStarted(host=self.host, container=container))
        self._post(Started(host=self.host, container=container))
        for name in early:  # came while the engine started it
            self._engine.signal(container, name)
        self._read(stream)
        if self._given_up:
            self._post(NeverStarted(host=self.host))
            return
        ended = self._engine.wait(container)
        self._publish(
            ContainerExited(host=self.host, container=container, code=ended.code, oom_killed=ended.oom_killed)
        )
        self._post(Ended(host=self.host, exit=ended))

    def _read(self, stream: LogStream) -> None:
        """Publish all that the container writes, in whole lines; of an unfinished one, what has waited for long."""
        cutter = LineCutter()
        passed_on, in_a_row = 0.0, 0
        waits_since: float | None = None
        for chunk in stream:
            waited = time.monotonic() - passed_on
            whole, shown = cutter.feed(chunk)
            if whole:
                self._publish(LogLines(host=self.host, data=whole, shown=shown, stream=chunk.stream))
            if not cutter.waits:
                waits_since = None
            elif waits_since is None and chunk is not PAUSE:
                waits_since = time.monotonic()
            elif chunk is PAUSE or time.monotonic() - (waits_since or 0) >= PAUSE_SECONDS:
                self._publish(LogPart(host=self.host, data=cutter.part()))
                waits_since = None
            if self._gather_s:
                in_a_row = in_a_row + 1 if waited < self._gather_s else 0
                if in_a_row > BUSY and waited > AT_HAND_S:
                    time.sleep(self._gather_s)
                passed_on = time.monotonic()
        for name, whole, shown in cutter.rest():
            self._publish(LogLines(host=self.host, data=whole, shown=shown, stream=name))

    def _remove(self, container: str) -> None:
        try:
            try:
                self._engine.remove(container)
            except SmEmulateError:
                self._engine.remove(container)  # once more: an engine may be busy with it for a moment
        except SmEmulateError as error:
            self._publish(
                Warned(
                    message=f"container {container[:12]} could not be removed: {error.what}; "
                    "`sm-emulate clean` tries again"
                )
            )
