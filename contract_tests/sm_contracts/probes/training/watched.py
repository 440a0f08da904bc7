"""An engine that looks at each training container before it is removed, and starts second hosts late."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from sm_emulate.errors import SmEmulateError

if TYPE_CHECKING:
    from sm_emulate.api import ContainerSpec, Engine

LABEL_HOST = "dev.sm-emulate.host"
LARGE = 1 << 30
_FIRST = "algo-1"
_POLL_S = 0.05


class WatchedEngine:
    """Does what the engine behind it does, and keeps what can be seen of a container only before its end.

    Args:
        engine: the real one.
        late_s: at most so long does every host but the first wait before it starts.
        together: how many hosts wait for each other before their programs do anything: by then all names resolve.
        weigh: count what containers wrote into their own layer.
    """

    def __init__(
        self, engine: Engine, *, late_s: float = 0.0, together: int = 1, weigh: bool = False
    ) -> None:
        self._engine, self._late_s, self._together, self._weigh = engine, late_s, together, weigh
        self._lock = threading.Lock()
        self._hosts: dict[str, str] = {}
        self._first_started = threading.Event()
        self.containers: dict[str, str] = {}
        """Running or ended ones, by host."""
        self.written: int | None = None
        """Bytes, outside mounts and /tmp; None where the engine cannot tell."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def create(self, spec: ContainerSpec) -> str:
        container = self._engine.create(spec)
        self._hosts[container] = spec.labels.get(LABEL_HOST, "")
        return container

    def start(self, container: str) -> None:
        host = self._hosts.get(container, "")
        if self._late_s and host not in ("", _FIRST):
            self._wait_for_first()
        self._engine.start(container)
        if host:
            self._note_start(host, container)
        if host == _FIRST:
            self._first_started.set()

    def remove(self, container: str) -> None:
        if self._weigh and self._hosts.get(container):
            try:
                self.written = self._weighed(container)
            except SmEmulateError:
                self.written = None  # never a reason to fail: the rule is then inconclusive
        self._engine.remove(container)

    def _note_start(self, host: str, container: str) -> None:
        with self._lock:
            self.containers[host] = container
            if self._together == 1:
                return
            self._engine.signal(container, "SIGSTOP")
            if len(self.containers) == self._together:
                for each in self.containers.values():
                    self._engine.signal(each, "SIGCONT")

    def _wait_for_first(self) -> None:
        """Wait until the first host has run for a while without this one, or has ended."""
        self._first_started.wait(self._late_s)
        until = time.monotonic() + self._late_s
        while time.monotonic() < until:
            try:
                if self._engine.state(self.containers[_FIRST]).exit is not None:
                    return
            except (SmEmulateError, KeyError):
                return  # removed already
            time.sleep(_POLL_S)

    def _weighed(self, container: str) -> int | None:
        written = self._engine.written_bytes(container)
        if written is None or written <= LARGE:
            return written
        # the platform's large volume holds /tmp, too
        temporary = self._engine.files(container, "/tmp")  # noqa: S108  # a path in the container
        return written - sum(each.size for each in temporary if each.kind == "file")
