"""The engine as probes see it: it notes every container's life, and leaves nothing behind."""

from __future__ import annotations

import re
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from sm_emulate.errors import SmEmulateError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sm_contracts.recorder import Life, Recorder
    from sm_emulate.api import ContainerSpec, Engine, Exit


RUN_LABEL = "dev.sm-emulate.run"
"""Which run a container belongs to, as `endpoints/check-123-second-start`."""
HOST_LABEL = "dev.sm-emulate.host"


class RecordedEngine:
    """An `Engine` for one probe: all calls go to the real one; what they say of lives is recorded.

    A probe that breaks or is interrupted may leave containers and networks; `sweep` removes them.
    """

    def __init__(self, engine: Engine, record: Recorder) -> None:
        self._engine, self._record = engine, record
        self._names: dict[str, str] = {}
        self._lives: dict[str, Life] = {}
        self._networks: set[str] = set()
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        """Whatever is not recorded is the engine's own."""
        return getattr(self._engine, name)

    def create(self, spec: ContainerSpec) -> str:
        container = self._engine.create(spec)
        with self._lock:
            self._names[container] = _name(spec, self._record.names)
        return container

    def logs(self, container: str) -> _HeardLog:
        return _HeardLog(self._engine.logs(container), self, container)

    def start(self, container: str) -> None:
        life = self._record.life(self._names.get(container, ""), self._record.now())
        with self._lock:
            self._lives[container] = life  # before it starts: its first line may come at once
        try:
            self._engine.start(container)
        except BaseException:
            self._record.over(life)
            raise

    def wait(self, container: str) -> Exit:
        ended = self._engine.wait(container)
        if container in self._lives:
            self._record.over(self._lives[container], ended.code)
        return ended

    def signal(self, container: str, name: str) -> None:
        if container in self._lives:
            self._record.signal(self._lives[container], name)
        self._engine.signal(container, name)

    def remove(self, container: str) -> None:
        self._engine.remove(container)
        with self._lock:
            self._names.pop(container, None)
        if container in self._lives:
            self._record.over(self._lives[container])

    def create_network(
        self, name: str, *, internal: bool, labels: Mapping[str, str], with_host: bool = True
    ) -> str:
        network = self._engine.create_network(name, internal=internal, labels=labels, with_host=with_host)
        with self._lock:
            self._networks.add(network)
        return network

    def remove_network(self, network: str) -> None:
        self._engine.remove_network(network)
        with self._lock:
            self._networks.discard(network)

    def kill(self) -> None:
        """End every container that is still there, whoever waits for it."""
        for container in list(self._names):
            with suppress(
                SmEmulateError
            ):  # the engine may be gone, and the others are to be tried all the same
                self.remove(container)

    def sweep(self) -> None:
        """Remove whatever the probe has left."""
        self.kill()
        for network in list(self._networks):
            with suppress(SmEmulateError):  # as above
                self.remove_network(network)

    def _hear(self, container: str, data: bytes) -> None:
        life = self._lives.get(container)
        if life is not None:
            self._record.hear(life, data)


class _HeardLog:
    """A log stream that passes on what it gives. It is read until the container ends."""

    def __init__(self, stream: Any, engine: RecordedEngine, container: str) -> None:
        self._stream, self._engine, self._container = stream, engine, container

    def __iter__(self) -> Iterator[Any]:
        for chunk in self._stream:
            self._engine._hear(self._container, chunk.data)  # noqa: SLF001  # its own engine, one module
            yield chunk

    def close(self) -> None:
        self._stream.close()


def _name(spec: ContainerSpec, names: Mapping[str, str]) -> str:
    """Name a container after its run, as probes name theirs, or its host; of several hosts after both."""
    job = spec.labels.get(RUN_LABEL, "").rpartition("/")[2]
    run = names.get(job) or re.sub(r"^check(-[0-9]+)*-?", "", job).replace("-", " ")
    host = spec.hostname or spec.name or ""
    several = "algo-" in spec.labels.get(HOST_LABEL, "") and spec.network not in (None, "none", "bridge")
    return f"{run} {spec.labels[HOST_LABEL]}" if run and several else run or host
