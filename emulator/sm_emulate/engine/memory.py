"""An engine without containers, for tests: an image is a Python function."""

from __future__ import annotations

import itertools
import random
import shutil
import socket
import sys
import tempfile
import threading
import weakref
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sm_emulate.engine.borrowed import KIT
from sm_emulate.engine.box import Box, OutputStream
from sm_emulate.engine.files import Files
from sm_emulate.engine.protocol import (
    ContainerState,
    EngineInfo,
    Exit,
    Image,
    Leftover,
    Listener,
    Process,
)
from sm_emulate.errors import EngineError, GpuNotFoundError, ImageNotFoundError, NotFoundError, StartError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sm_emulate.engine.box import Program
    from sm_emulate.engine.files import MemoryFile
    from sm_emulate.engine.protocol import (
        ContainerSpec,
        FileStat,
        HistoryStep,
        PullProgress,
        RegistryManifest,
    )
    from sm_emulate.errors import MachineError


@dataclass(frozen=True, kw_only=True)
class _Kept:
    image: Image
    program: Program
    executables: frozenset[str] | None
    files: Files
    history: tuple[HistoryStep, ...] = ()
    manifest: RegistryManifest | None = None
    stored: RegistryManifest | None = None


@dataclass(kw_only=True)
class _Container:
    box: Box
    kept: _Kept
    joined: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Networks that it joined later, and its names there."""
    status: Literal["created", "running"] = "created"
    started_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class _Network:
    id: str
    name: str
    labels: Mapping[str, str]


class MemoryEngine:
    """An `Engine` whose containers are threads.

    Args:
        gpus: how many GPUs it pretends to have.
        enters_networks: whether something of ours can listen inside its containers.
    """

    def __init__(self, *, gpus: int = 0, enters_networks: bool = False) -> None:
        self._gpus = gpus
        self.network_entry: Literal["thread", "container"] | None = "thread" if enters_networks else None
        self.inside: dict[tuple[str, str, int], int] = {}
        """By container, address and port there: at which port of 127.0.0.1 it is instead."""
        self._images: dict[str, _Kept] = {}
        self._registry: dict[str, _Kept] = {}
        self._containers: dict[str, _Container] = {}
        self._networks: dict[str, _Network] = {}
        self._troubles: dict[str, list[MachineError]] = {}
        self._lock = threading.RLock()
        self._numbers = itertools.count(2)
        self._subnet = f"127.{random.randint(64, 250)}.{random.randint(1, 250)}"  # noqa: S311 - no secret
        self._scratch = Path(tempfile.mkdtemp(prefix="sm-emulate-memory-"))
        # for whoever forgets to close it
        weakref.finalize(self, shutil.rmtree, self._scratch, ignore_errors=True)

    # what a test sets up

    def add_image(
        self,
        reference: str,
        program: Program,
        *,
        image: Image | None = None,
        executables: frozenset[str] | None = None,
        only_in_registry: bool = False,
        files: Mapping[str, MemoryFile] | None = None,
        history: tuple[HistoryStep, ...] = (),
        manifest: RegistryManifest | None = None,
        stored: RegistryManifest | None = None,
    ) -> Image:
        """Put an image on the engine, or only in the registry from which it can be pulled.

        Args:
            reference: its name and tag.
            program: what runs in place of whatever the command line says.
            image: what it says of itself; by default nothing, on linux/amd64.
            executables: the first words of a command line that can be run; None means any.
            only_in_registry: it is found by `pull` alone.
            files: what lies in it, by absolute path.
            history: what made it.
            manifest: what its registry holds under the reference.
            stored: what a push would send, as if the engine kept images in containerd's store.
        """
        identity = f"sha256:{next(self._numbers):064x}"
        if image is None:
            image = Image(
                id=identity,
                os="linux",
                architecture="amd64",
                entrypoint=(),
                command=(),
                environment={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
                user="",
                working_dir="",
                labels={},
                size_bytes=0,
            )
        kept = _Kept(
            image=replace(image, id=image.id or identity),
            program=program,
            executables=executables,
            files=Files(files or {}),
            history=history,
            manifest=manifest,
            stored=stored,
        )
        (self._registry if only_in_registry else self._images)[reference] = kept
        return kept.image

    def fail_next(self, call: str, error: MachineError) -> None:
        """Have the next call of that name (`create`, `start`, `remove` ...) raise an error."""
        self._troubles.setdefault(call, []).append(error)

    # what every engine does

    def info(self) -> EngineInfo:
        self._trouble("info")
        return EngineInfo(
            name="Memory Engine",
            version="1",
            api_version="1.41",
            endpoint="memory://",
            rootless=False,
            runtimes=("nvidia", "runc") if self._gpus else ("runc",),
            cdi_devices=(),
            storage_driver="memory",
            root_dir=str(self._scratch),
            cpus=2,
            memory_bytes=8 << 30,
            cgroup_version="2",
            server_time=datetime.now(timezone.utc),
        )

    def image(self, reference: str) -> Image:
        self._trouble("image")
        return self._kept(reference).image

    def pull(self, reference: str, progress: PullProgress | None = None) -> Image:
        self._trouble("pull")
        kept = self._registry.get(reference)
        if kept is None:
            words = (
                f"pull access denied for {reference}, repository does not exist or may require 'docker login'"
            )
            raise ImageNotFoundError(
                "the image is neither on this machine nor could it be pulled",
                value=reference,
                evidence=(words,),
            )
        if progress is not None:
            progress("layer", 1, 1)
        self._images[reference] = kept
        return kept.image

    def load(self, archive: str) -> tuple[str, ...]:
        self._trouble("load")
        raise EngineError("this engine loads no archives", value=archive)

    def history(self, reference: str) -> tuple[HistoryStep, ...]:
        self._trouble("history")
        return self._kept(reference).history

    def registry_manifest(self, reference: str, timeout: float) -> RegistryManifest:  # noqa: ARG002 - no network here
        self._trouble("registry_manifest")
        found = self._images.get(reference) or self._registry.get(reference)
        if found is None or found.manifest is None:
            raise EngineError("no such manifest", value=reference, evidence=("no such manifest",))
        return found.manifest

    def stored_manifest(self, reference: str) -> RegistryManifest | None:
        self._trouble("stored_manifest")
        return self._kept(reference).stored

    def create(self, spec: ContainerSpec) -> str:
        self._trouble("create")
        kept = self._kept(spec.image)
        for mount in spec.mounts:
            if not Path(mount.source).exists():
                words = (
                    f'invalid mount config for type "bind": bind source path does not exist: {mount.source}'
                )
                raise EngineError(f"the container engine refused: {words}", evidence=(words,))
        with self._lock:
            if spec.name and any(other.box.spec.name == spec.name for other in self._containers.values()):
                words = f'Conflict. The container name "/{spec.name}" is already in use'
                raise EngineError(f"the container engine refused: {words}", evidence=(words,))
            number = next(self._numbers)
            identity = f"{number:064x}"[::-1]
            lends = self._lends_network(spec.network)
            box = Box(
                identity=identity,
                spec=spec,
                image=kept.image,
                address=lends.address if lends else self._address(number, spec.network),
                scratch=self._scratch / identity[:12],
                resolver=self._resolve,
            )
            if lends is not None:
                box.shared = lends.published
            self._containers[identity] = _Container(box=box, kept=kept)
        return identity

    def logs(self, container: str) -> OutputStream:
        self._trouble("logs")
        return OutputStream(self._container(container).box.output)

    def start(self, container: str) -> None:
        found = self._container(container)
        box, spec = found.box, found.box.spec
        try:
            self._trouble("start")
            if spec.gpus is not None and not self._gpus:
                words = 'could not select device driver "nvidia" with capabilities: [[gpu]]'
                raise GpuNotFoundError(
                    "a GPU was asked for, and the container engine has none", evidence=(words,)
                )
            lends = self._running_lender(spec.network)
            if (
                lends is None
                and spec.network not in (None, "none", "host", "bridge")
                and self._network(spec.network or "") is None
            ):
                raise StartError(
                    f"network {spec.network} not found", evidence=(f"network {spec.network} not found",)
                )
            program, runs = box.argv[0] if box.argv else "", found.kept.program
            if program.startswith(
                f"{KIT}/"
            ):  # a program of this machine: what is borrowed and lasts is `sleep`
                runs = _sleep
            elif not program or (
                found.kept.executables is not None and program not in found.kept.executables
            ):
                words = (
                    "OCI runtime create failed: runc create failed: unable to start container process: exec: "
                    f'"{program}": executable file not found in $PATH: unknown'
                )
                raise StartError(words, value=container, evidence=(words,))
        except EngineError:
            box.output.end()
            raise
        for port in spec.publish:
            reserved = socket.socket()
            reserved.bind(("127.0.0.1", 0))
            box.published[port] = reserved
        found.status = "running"
        found.started_at = datetime.now(timezone.utc)
        threading.Thread(target=box.run, args=(runs,), name=f"box-{container[:6]}", daemon=True).start()

    def wait(self, container: str) -> Exit:
        self._trouble("wait")
        found = self._container(container)
        return Exit(code=0, oom_killed=False) if found.status == "created" else found.box.wait()

    def signal(self, container: str, name: str) -> None:
        self._trouble("signal")
        found = self._containers.get(container)
        if found is not None and found.status == "running" and found.box.exit is None:
            found.box.deliver(name)

    def state(self, container: str) -> ContainerState:
        self._trouble("state")
        found = self._container(container)
        box = found.box
        running = found.status == "running" and box.exit is None
        return ContainerState(
            id=container,
            status="exited" if box.exit is not None else found.status,
            exit=box.exit,
            pid=4_000_000 + int(container[::-1], 16) if running else 0,
            address=box.address if running else "",
            ports={port: reserved.getsockname()[1] for port, reserved in box.published.items()}
            if running
            else {},
            started_at=found.started_at,
        )

    def listeners(self, container: str) -> tuple[Listener, ...] | None:
        self._trouble("listeners")
        box = self._container(container).box
        if box.exit is not None:
            return None
        return tuple(Listener(address=a, port=port) for a, port, s in box.listening if s.fileno() >= 0)

    def catches(self, container: str, name: str) -> bool | None:
        self._trouble("catches")
        box = self._container(container).box
        return None if box.exit is not None else name in box.handled

    def devices(self, container: str) -> frozenset[str] | None:
        self._trouble("devices")
        box = self._container(container).box
        return None if box.exit is not None else frozenset(box.opened)

    def written_bytes(self, container: str) -> int | None:
        self._trouble("written_bytes")
        return _bytes_in(self._container(container).box.path("/"))

    def processes(self, container: str) -> tuple[Process, ...] | None:
        self._trouble("processes")
        box = self._container(container).box
        if box.exit is not None:
            return None
        pid = self.state(container).pid
        return (Process(pid=pid, parent=1, name=box.argv[0] if box.argv else "program", zombie=False),)

    def kill_process(self, container: str, pid: int) -> bool:  # noqa: ARG002 - PID 1 is the only one here
        self._trouble("kill_process")
        return False

    def listen_inside(
        self, container: str, address: str, ports: tuple[int, ...]
    ) -> dict[int, socket.socket] | None:
        self._trouble("listen_inside")
        if self.network_entry is None or self._container(container).box.exit is not None:
            return None
        opened = {port: socket.create_server(("127.0.0.1", 0)) for port in ports}
        for port, listener in opened.items():
            self.inside[container, address, port] = listener.getsockname()[1]
        return opened

    def confine(self, container: str) -> bool:
        self._trouble("confine")
        return self.network_entry is not None and self._container(container).box.exit is None

    def memory(self, container: str) -> int | None:
        self._trouble("memory")
        return None if self._container(container).box.exit is not None else 1 << 20

    def stat(self, container: str, path: str) -> FileStat | None:
        self._trouble("stat")
        return self._container(container).kept.files.stat(path)

    def read(self, container: str, path: str, limit: int) -> bytes | None:
        self._trouble("read")
        return self._container(container).kept.files.read(path, limit)

    def files(self, container: str, under: str = "/") -> Iterator[FileStat]:
        self._trouble("files")
        return self._container(container).kept.files.walk(under)

    def remove(self, container: str) -> None:
        self._trouble("remove")
        with self._lock:
            found = self._containers.pop(container, None)
        if found is not None:
            found.box.end(Exit(code=137, oom_killed=False))
            shutil.rmtree(self._scratch / container[:12], ignore_errors=True)

    def create_network(
        self,
        name: str,
        *,
        internal: bool,  # noqa: ARG002 - no packets here
        labels: Mapping[str, str],
        with_host: bool = True,  # noqa: ARG002 - likewise
    ) -> str:
        self._trouble("create_network")
        with self._lock:
            if self._network(name) is not None:
                words = f"network with name {name} already exists"
                raise EngineError(f"the container engine refused: {words}", evidence=(words,))
            network = _Network(id=f"{next(self._numbers):064x}", name=name, labels=dict(labels))
            self._networks[network.id] = network
        return network.id

    def connect_network(self, network: str, container: str, *, aliases: tuple[str, ...] = ()) -> None:
        self._trouble("connect_network")
        found = self._network(network)
        if found is None:
            raise NotFoundError(f"network {network} not found", evidence=(f"network {network} not found",))
        self._container(container).joined[found.name] = aliases

    def remove_network(self, network: str) -> None:
        self._trouble("remove_network")
        found = self._network(network)
        if found is None:
            return
        users = [
            each
            for each in self._containers.values()
            if each.box.spec.network in (found.id, found.name) or found.name in each.joined
        ]
        if any(user.status == "running" and user.box.exit is None for user in users):
            words = f"error while removing network: network {found.name} has active endpoints"
            raise EngineError(f"the container engine refused: {words}", evidence=(words,))
        with self._lock:
            self._networks.pop(found.id, None)

    def leftovers(self, labels: Mapping[str, str]) -> list[Leftover]:
        self._trouble("leftovers")

        def carries(found: Mapping[str, str]) -> bool:
            return all(name in found and value in ("", found[name]) for name, value in labels.items())

        with self._lock:
            containers = [
                Leftover(
                    kind="container",
                    id=identity,
                    name=found.box.spec.name or identity[:12],
                    labels=found.box.spec.labels,
                    running=found.status == "running" and found.box.exit is None,
                )
                for identity, found in self._containers.items()
                if carries(found.box.spec.labels)
            ]
            networks = [
                Leftover(kind="network", id=found.id, name=found.name, labels=found.labels)
                for found in self._networks.values()
                if carries(found.labels)
            ]
        return containers + networks

    def remove_leftover(self, leftover: Leftover) -> None:
        if leftover.kind == "container":
            self.remove(leftover.id)
        else:
            self.remove_network(leftover.id)

    def shares(self, folder: str) -> bool | None:
        self._trouble("shares")
        return Path(folder).is_dir()

    def close(self) -> None:
        """End whatever still runs; unlike a real engine's, its containers do not outlive it."""
        for container in list(self._containers):
            self.remove(container)
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _trouble(self, call: str) -> None:
        waiting = self._troubles.get(call)
        if waiting:
            raise waiting.pop(0)

    def _kept(self, reference: str) -> _Kept:
        kept = self._images.get(reference) or next(
            (one for one in self._images.values() if one.image.id == reference), None
        )
        if kept is None:
            words = f"No such image: {reference}"
            raise ImageNotFoundError(
                "the container engine has no such image", value=reference, evidence=(words,)
            )
        return kept

    def _container(self, container: str) -> _Container:
        found = self._containers.get(container)
        if found is None:
            words = f"No such container: {container}"
            raise NotFoundError(words, evidence=(words,))
        return found

    def _lends_network(self, network: str | None) -> Box | None:
        """Give the container whose network another one is to live in."""
        kind, colon, container = (network or "").partition(":")
        return self._container(container).box if kind == "container" and colon else None

    def _running_lender(self, network: str | None) -> Box | None:
        lends = self._lends_network(network)
        if lends is not None and lends.exit is not None:
            words = f"cannot join network of a non running container: {lends.id}"
            raise EngineError(f"the container engine refused: {words}", evidence=(words,))
        return lends

    def _network(self, name: str) -> _Network | None:
        return self._networks.get(name) or next((n for n in self._networks.values() if n.name == name), None)

    def _address(self, number: int, network: str | None) -> str:
        if network == "none":
            return ""
        # every address below 127 is this machine's own on Linux; elsewhere only the first
        return f"{self._subnet}.{number % 254 + 1}" if sys.platform == "linux" else "127.0.0.1"

    def _resolve(self, asking: Box, name: str) -> str:
        for line in asking.spec.extra_hosts:
            host, _, address = line.partition(":")
            if host == name:
                return address
        with self._lock:
            others = list(self._containers.values())
        near = {asking.spec.network, *self._containers[asking.id].joined}
        for other in others:
            spec = other.box.spec
            own = (*spec.aliases, spec.name, other.box.id[:12])
            if other.status != "running" or other.box.exit is not None:
                continue
            for network, names in ((spec.network, own), *other.joined.items()):
                if network is not None and network in near and name in names:
                    return other.box.address
        raise socket.gaierror(socket.EAI_NONAME, f"{name}: Name or service not known")


def _sleep(box: Box) -> None:
    box.sleep(1 << 20)


def _bytes_in(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())
