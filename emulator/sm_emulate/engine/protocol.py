"""What the rest of the house asks of a container engine, and nothing more.

Two implementations stand behind it: `sm_emulate.engine.docker` for any engine that speaks the Docker API, and
`sm_emulate.engine.memory` for tests that need no engine. One suite runs against both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    import socket
    from datetime import datetime

LABEL_SESSION = "dev.sm-emulate.session"
"""The process that made it (a UUID). Everything we make carries this label, so that `clean` can find it."""
LABEL_RUN = "dev.sm-emulate.run"
"""The job or endpoint it belongs to."""
LABEL_HOST = "dev.sm-emulate.host"
"""`algo-N` for training, the variant for an endpoint."""
LABEL_HOME = "dev.sm-emulate.home"
"""The state folder of the run: two users of one engine leave each other's containers alone."""
LABEL_POOL = "dev.sm-emulate.pool"
"""The warm pool that keeps it from one job to the next."""
LABEL_OWNER = "dev.sm-emulate.owner"
"""The process that looks after it, as `sm_emulate.engine.owner.owner_label` writes it."""


@dataclass(frozen=True, kw_only=True)
class Mount:
    """A file or folder of this machine, shown inside the container. Both paths are absolute."""

    source: str
    target: str
    read_only: bool = False


@dataclass(frozen=True, kw_only=True)
class GpuRequest:
    """What is asked of the NVIDIA runtime: every GPU, the first `count`, or the devices named."""

    count: int | None = None
    """None means all, unless `devices` are named."""
    devices: tuple[str, ...] = ()

    def flag(self) -> str:
        """The value of `docker run --gpus`."""
        if self.devices:
            return '"device=' + ",".join(self.devices) + '"'
        return "all" if self.count is None else str(self.count)


@dataclass(frozen=True, kw_only=True)
class ContainerSpec:
    """One container, in Docker's words. No TTY, no stdin, never restarted, removed by us."""

    image: str
    name: str | None = None
    entrypoint: tuple[str, ...] | None = None
    """None keeps the image's own ENTRYPOINT; with a value the image's CMD is dropped, as Docker does."""
    command: tuple[str, ...] | None = None
    """None keeps the image's own CMD."""
    environment: Mapping[str, str] = field(default_factory=dict)
    hostname: str | None = None
    user: str | None = None
    working_dir: str | None = None
    """None keeps the image's own WORKDIR."""
    mounts: tuple[Mount, ...] = ()
    tmpfs: Mapping[str, str] = field(default_factory=dict)
    volumes: tuple[str, ...] = ()
    """Paths inside that are volumes without a name: they begin as the image's own and are gone with the container."""
    network: str | None = None
    """None is the engine's default bridge, "none" has only a loopback, else the name of a network."""
    aliases: tuple[str, ...] = ()
    """Names that others on the same (user-made) network resolve."""
    link_local: str | None = None
    """One more address of its interface, of 169.254.0.0/16: all of that network is then near it, and never the world's.

    Without meaning in another container's network, in none, and for an engine that cannot give one."""
    extra_hosts: tuple[str, ...] = ()
    """Lines of /etc/hosts as `NAME:ADDRESS`."""
    publish: tuple[int, ...] = ()
    """TCP ports published on 127.0.0.1 at a port that the kernel chooses."""
    gpus: GpuRequest | None = None
    cpus: float | None = None
    memory_bytes: int | None = None
    shm_bytes: int | None = None
    ipc: Literal["none"] | None = None
    """`none` has no /dev/shm, whatever `shm_bytes` says."""
    ulimits: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Soft and hard limit by name, as `nofile`; -1 is unlimited."""
    read_only_root: bool = False
    capabilities: tuple[str, ...] = ()
    """More than the engine's own, such as NET_ADMIN: for helpers of ours, never for jobs."""
    host_user_namespace: bool = False
    """Root inside is root outside even where the engine maps users: to hand files back, never for jobs."""
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def own_link_local(self) -> str | None:
        """`link_local` where there is an interface of its own to give it to."""
        network = self.network or ""
        return None if network == "none" or network.startswith("container:") else self.link_local

    def docker_run(self) -> list[str]:
        """Give the `docker run` command that would start the same container."""
        argv = ["docker", "run", "--rm"]
        for flag, value in (
            ("--name", self.name),
            ("--hostname", self.hostname),
            ("--user", self.user),
            ("--workdir", self.working_dir),
            ("--network", self.network),
            ("--cpus", None if self.cpus is None else f"{self.cpus:g}"),
            ("--memory", self.memory_bytes),
            ("--shm-size", self.shm_bytes),
            ("--ipc", self.ipc),
            ("--gpus", self.gpus.flag() if self.gpus else None),
            ("--userns", "host" if self.host_user_namespace else None),
        ):
            if value is not None:
                argv += [flag, str(value)]
        for name, (soft, hard) in self.ulimits.items():
            argv += ["--ulimit", f"{name}={soft}:{hard}"]
        for alias in self.aliases:
            argv += ["--network-alias", alias]
        if self.own_link_local is not None:
            argv += ["--link-local-ip", self.own_link_local]
        for line in self.extra_hosts:
            argv += ["--add-host", line]
        for port in self.publish:
            argv += ["--publish", f"127.0.0.1::{port}"]
        for mount in self.mounts:
            argv += ["--volume", f"{mount.source}:{mount.target}" + (":ro" if mount.read_only else "")]
        for path in self.volumes:
            argv += ["--volume", path]
        for target, options in self.tmpfs.items():
            argv += ["--tmpfs", f"{target}:{options}" if options else target]
        if self.read_only_root:
            argv.append("--read-only")
        for capability in self.capabilities:
            argv += ["--cap-add", capability]
        for name, value in self.environment.items():
            argv += ["--env", f"{name}={value}"]
        words = list(self.command or ())
        if self.entrypoint:
            argv += ["--entrypoint", self.entrypoint[0]]
            words = [*self.entrypoint[1:], *words]
        return [*argv, self.image, *words]


@dataclass(frozen=True, kw_only=True)
class Image:
    """What an image says of itself."""

    id: str
    os: str
    architecture: str
    entrypoint: tuple[str, ...]
    command: tuple[str, ...]
    environment: Mapping[str, str]
    user: str
    working_dir: str
    labels: Mapping[str, str]
    size_bytes: int
    volumes: tuple[str, ...] = ()
    exposed_ports: tuple[str, ...] = ()
    """As `8080/tcp`."""
    digests: tuple[str, ...] = ()
    """`REPOSITORY@sha256:...` for each registry that it came from or was pushed to."""


@dataclass(frozen=True, kw_only=True)
class HistoryStep:
    """One instruction that made an image."""

    created_by: str
    """In the builder's words: `/bin/sh -c #(nop) ENV ...`, `RUN /bin/sh -c ... # buildkit`."""
    size_bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class FileStat:
    """A file inside a container."""

    path: str
    """Absolute."""
    kind: Literal["file", "directory", "link", "other"]
    mode: int
    """Permission bits, `0o755`."""
    size: int
    target: str = ""
    """Of a link. `stat` gives the absolute path at the end of all links, `files` the text of this one."""


@dataclass(frozen=True, kw_only=True)
class RegistryManifest:
    """What a registry holds under a reference, or would be given."""

    media_type: str
    digest: str
    platforms: tuple[str, ...]
    """`linux/amd64` ..., one for each entry of an index; `unknown/unknown` is an attestation."""


@dataclass(frozen=True, kw_only=True)
class LogChunk:
    """Bytes as the container wrote them; a chunk may end in mid-line."""

    stream: Literal["stdout", "stderr"]
    data: bytes


PAUSE = LogChunk(stream="stdout", data=b"")
"""Comes from a log stream when nothing was written for PAUSE_SECONDS after something was: once, until more comes."""
PAUSE_SECONDS = 0.2


@dataclass(frozen=True, kw_only=True)
class Exit:
    """How a container ended."""

    code: int
    oom_killed: bool
    """The kernel killed a process of it for memory (not always PID 1)."""
    error: str = ""
    """The engine's own complaint, if it has one."""


@dataclass(frozen=True, kw_only=True)
class ContainerState:
    """What the engine knows of a container now."""

    id: str
    status: Literal["created", "running", "paused", "restarting", "removing", "exited", "dead"]
    exit: Exit | None
    """None while it has not ended."""
    pid: int
    """Of PID 1 as the engine's host counts; 0 when it does not run."""
    address: str
    """On its first network; empty with `--network none`."""
    ports: Mapping[int, int]
    """Container port -> port on 127.0.0.1."""
    started_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class EngineInfo:
    """The engine as `doctor` and error messages show it."""

    name: str
    """`Docker Engine`, `Podman Engine` ..."""
    version: str
    api_version: str
    endpoint: str
    """`unix:///...`, `tcp://...`, `ssh://...`."""
    rootless: bool
    runtimes: tuple[str, ...]
    """`nvidia` among them means that a GPU can be asked for."""
    cdi_devices: tuple[str, ...]
    """CDI device names such as `nvidia.com/gpu=0`, where the engine tells them."""
    storage_driver: str
    root_dir: str
    cpus: int
    memory_bytes: int
    cgroup_version: str
    server_time: datetime
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Leftover:
    """Something of ours that is on the engine."""

    kind: Literal["container", "network", "volume"]
    id: str
    name: str
    labels: Mapping[str, str]
    running: bool = False


@dataclass(frozen=True, kw_only=True)
class Listener:
    """A TCP socket that waits for connections inside a container."""

    address: str
    """As bound: `0.0.0.0`, `127.0.0.1`, `::` ..."""
    port: int


@dataclass(frozen=True, kw_only=True)
class Process:
    """A process of a container. Its number means something to `kill_process` only."""

    pid: int
    parent: int
    name: str
    zombie: bool
    """It has ended, and its parent has not waited for it."""


PullProgress = Callable[[str, int, int], None]
"""Called with (layer id or status, bytes so far, bytes in all; 0 when unknown)."""


class LogStream(Protocol):
    """The container's output from its first byte to its last, in the order the engine passes it on.

    Between two chunks there may be a PAUSE, so that a reader can show a line that is not finished yet.
    """

    def __iter__(self) -> Iterator[LogChunk]: ...

    def close(self) -> None:
        """Stop reading; a thread that iterates sees the end of the stream."""


class Engine(Protocol):
    """A container engine. Every method may raise `MachineError`; foreign exceptions never come out."""

    def info(self) -> EngineInfo: ...

    def image(self, reference: str) -> Image:
        """Look up an image of this engine. Raises `ImageNotFoundError`."""

    def pull(self, reference: str, progress: PullProgress | None = None) -> Image:
        """Fetch an image from its registry. Raises `ImageNotFoundError` with the registry's answer."""

    def load(self, archive: str) -> tuple[str, ...]:
        """Take in the images of a `docker save` archive; give their references, or ids where they have none."""

    def history(self, reference: str) -> tuple[HistoryStep, ...]:
        """Tell what made an image, the oldest step first. Raises `ImageNotFoundError`."""

    def registry_manifest(self, reference: str, timeout: float) -> RegistryManifest:
        """Ask the image's registry what it holds. Raises `EngineError` when it does not tell in time."""

    def stored_manifest(self, reference: str) -> RegistryManifest | None:
        """Tell what a push would send, where the engine keeps images as they are pushed (containerd's store).

        None from every other store: there the push decides.
        """

    def create(self, spec: ContainerSpec) -> str:
        """Make a container, not yet running; give its id. Raises `StartError` if there is no program at all."""

    def logs(self, container: str) -> LogStream:
        """Attach to a created container before it is started, so that no byte is lost."""

    def start(self, container: str) -> None:
        """Run it. Raises `StartError` if the program cannot be run, `GpuNotFoundError` without a GPU."""

    def wait(self, container: str) -> Exit:
        """Block until it has ended."""

    def signal(self, container: str, name: str) -> None:
        """Send PID 1 a signal such as `SIGTERM`. A container that has ended is no error."""

    def state(self, container: str) -> ContainerState: ...

    def listeners(self, container: str) -> tuple[Listener, ...] | None:
        """Tell what listens in its network namespace; None when that cannot be seen from here."""

    def catches(self, container: str, name: str) -> bool | None:
        """Tell whether PID 1 handles a signal such as `SIGTERM`; None when that cannot be seen from here.

        The kernel discards what PID 1 of a container does not handle.
        """

    def devices(self, container: str) -> frozenset[str] | None:
        """Name the files under /dev that its processes hold open; None when that cannot be seen from here."""

    def written_bytes(self, container: str) -> int | None:
        """Count what it wrote into its own layer, mounts left out; None where the engine cannot tell."""

    def processes(self, container: str) -> tuple[Process, ...] | None:
        """List its processes, PID 1 first; None when that cannot be seen from here."""

    def kill_process(self, container: str, pid: int) -> bool:
        """Send SIGKILL to one of its processes, not to PID 1; False when that cannot be done from here."""

    @property
    def network_entry(self) -> Literal["thread", "container"] | None:
        """How `listen_inside` is expected to work: in a thread of ours, by a container more, or not at all."""

    def listen_inside(
        self, container: str, address: str, ports: tuple[int, ...]
    ) -> dict[int, socket.socket] | None:
        """Listen at an address of a running container's own loopback, which is given that address; TCP, by port.

        The sockets are the caller's to close. A port that the container's program has taken is left out. None when
        that cannot be done from here, or when it has ended.
        """

    def confine(self, container: str) -> bool:
        """Have it open no connections of its own, and answer those that come; False if that cannot be done here."""

    def memory(self, container: str) -> int | None:
        """Tell its resident memory in bytes, without what is only cached; None when that cannot be seen."""

    def stat(self, container: str, path: str) -> FileStat | None:
        """Look at one file of a container, running or not; a link itself, not what it points to."""

    def read(self, container: str, path: str, limit: int) -> bytes | None:
        """Give the first bytes of a regular file; None if the path names none. Links on the way are followed."""

    def files(self, container: str, under: str = "/") -> Iterator[FileStat]:
        """Walk everything at and below a folder, in no particular order; contents are passed over.

        A path that is not there yields nothing. The caller may stop at any time.
        """

    def remove(self, container: str) -> None:
        """Remove it with its anonymous volumes, killing it if need be. One that is gone is no error."""

    def create_network(
        self, name: str, *, internal: bool, labels: Mapping[str, str], with_host: bool = True
    ) -> str:
        """Make a bridge network of our own; an internal one has no way out. Give its id.

        Without the host its containers reach each other and nothing else, not even this machine's own services.
        """

    def connect_network(self, network: str, container: str, *, aliases: tuple[str, ...] = ()) -> None:
        """Have a running container join one more network, where it has these names."""

    def remove_network(self, network: str) -> None:
        """Remove it. One that is gone is no error."""

    def leftovers(self, labels: Mapping[str, str]) -> list[Leftover]:
        """List what carries every label given; an empty value matches any."""

    def remove_leftover(self, leftover: Leftover) -> None: ...

    def shares(self, folder: str) -> bool | None:
        """Tell whether the engine sees this very folder at the same path, so that it can be mounted.

        None when that cannot be told without running a container.
        """

    def close(self) -> None:
        """Let go of every connection; log streams that are still open end."""
