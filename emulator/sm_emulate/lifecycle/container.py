"""One container's life in a thread of its own: made, listened to, started, followed to its end, removed."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from sm_emulate.errors import SmEmulateError
from sm_emulate.events import Warned
from sm_emulate.frozen import frozen
from sm_emulate.lifecycle.lines import LineCutter

if TYPE_CHECKING:
    from collections.abc import Callable

    from sm_emulate.engine.protocol import ContainerSpec, Engine, Exit


@frozen
class Started:
    host: str
    container: str


@frozen
class Ended:
    host: str
    container: str
    exit: Exit


@frozen
class Broken:
    """The engine could not start or follow it."""

    host: str
    error: BaseException


News = Started | Ended | Broken


class ContainerLife:
    """Runs one container and posts what happens to it.

    Its output is attached to before it starts and read to the very end before its exit is told, so no line is lost
    or late. Whatever happens, the container is removed.

    Args:
        engine: runs it.
        spec: what to run.
        host: `algo-N`, or the variant of an endpoint.
        lines: given whole log lines, ended by newlines.
        post: given the news, from this container's thread.
        warn: told what went wrong without stopping anything.
        gather_s: how long to let the lines of a busy container gather before they are passed on; a server that
            logs each request else costs us as much as the request itself.
    """

    def __init__(
        self,
        engine: Engine,
        spec: ContainerSpec,
        *,
        host: str,
        lines: Callable[[str, bytes], None],
        post: Callable[[News], None],
        warn: Callable[[Warned], None],
        gather_s: float = 0.0,
    ) -> None:
        self.host = host
        self._engine, self._spec = engine, spec
        self._lines, self._post, self._warn = lines, post, warn
        self._gather_s = gather_s
        self.container: str | None = None
        self._thread = threading.Thread(target=self._live, name=f"container {host}", daemon=True)

    def begin(self) -> None:
        """Start the thread."""
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether its container runs, or is still being removed."""
        return self._thread.is_alive()

    def join(self) -> None:
        """Wait until it is over and the container removed."""
        self._thread.join()

    def signal(self, name: str) -> None:
        """Send PID 1 a signal, if it runs."""
        if self.container is not None:
            self._engine.signal(self.container, name)

    def _live(self) -> None:
        container = None
        try:
            container = self._engine.create(self._spec)
            stream = self._engine.logs(container)
            self._engine.start(container)
            self.container = container
            self._post(Started(host=self.host, container=container))
            cutter = LineCutter()
            passed_on = 0.0
            for chunk in stream:
                if whole := cutter.feed(chunk):
                    self._lines(self.host, whole)
                if self._gather_s:
                    if time.monotonic() - passed_on < self._gather_s:
                        time.sleep(self._gather_s)
                    passed_on = time.monotonic()
            if rest := cutter.rest():
                self._lines(self.host, rest)
            self._post(Ended(host=self.host, container=container, exit=self._engine.wait(container)))
        except BaseException as error:  # noqa: BLE001  # handed to the thread that waits for the news
            self._post(Broken(host=self.host, error=error))
        finally:
            self.container = None
            if container is not None:
                self._remove(container)

    def _remove(self, container: str) -> None:
        try:
            self._engine.remove(container)
        except SmEmulateError as error:
            self._warn(Warned(message=f"container {container[:12]} could not be removed: {error.what}"))
