"""Any engine that speaks the Docker API: Docker, rootless Docker, Colima, Docker Desktop, Podman."""

from __future__ import annotations

import re
import sys
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sm_emulate.engine import inside, podman, render
from sm_emulate.engine.docker_images import DockerImages, no_image
from sm_emulate.engine.docker_view import DockerView
from sm_emulate.engine.exits import ExitWatch
from sm_emulate.engine.protocol import (
    EngineInfo,
    Exit,
    Leftover,
)
from sm_emulate.engine.streams import AttachedStream, EndedStream
from sm_emulate.engine.wire import RefusedError
from sm_emulate.errors import (
    EngineError,
    GpuNotFoundError,
    MachineError,
    NotFoundError,
    StartError,
)

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping
    from typing import Literal

    from sm_emulate.engine.protocol import (
        ContainerSpec,
        GpuRequest,
        LogStream,
    )
    from sm_emulate.engine.wire import Client

_NO_COMMAND = re.compile(r"no command (or entrypoint )?(specified|provided)", re.IGNORECASE)
"""Docker's words, and Podman's, for an image that has neither ENTRYPOINT nor CMD."""
_NO_GPU = re.compile(
    r"could not select device driver|nvidia-container|nvidia|unresolvable CDI devices", re.IGNORECASE
)
_NO_RLIMIT = re.compile(rf"setting rlimit.*not permitted|{podman.NO_RLIMIT.pattern}")
_NOT_RUNNING = re.compile(r"not running|can only kill running containers")
_SELINUX = Path("/sys/fs/selinux/enforce")


class DockerEngine(DockerImages, DockerView):
    """An `Engine` on the other end of a socket. Any thread may call it."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._streams: dict[str, list[AttachedStream]] = {}
        self._unstarted: set[str] = set()
        self._refused: dict[str, str] = {}
        self._watches: dict[str, ExitWatch] = {}
        self._inside: set[str] = set()
        self._told: EngineInfo | None = None
        self._lock = threading.Lock()

    @property
    def endpoint(self) -> str:
        """Give the URL under which it answers."""
        return self._client.endpoint.url

    def info(self) -> EngineInfo:
        if self._told is not None:
            return self._told
        found = self._client.call("GET", "/info")
        server = self._client.server
        version = podman.version(server) if self._podman else self._client.call("GET", "/version")
        major, minor = self._client.version
        info = render.info(found, version, endpoint=self.endpoint, api_version=f"{major}.{minor}")
        if self._podman:  # takes a second to tell, since it runs conmon and the runtime and asks them
            self._told = info
        return info

    def create(self, spec: ContainerSpec) -> str:
        if self._podman and self._client.endpoint.local and (missing := podman.missing_source(spec.mounts)):
            raise EngineError("what is to be mounted is not there", value=missing, evidence=(missing,))
        if self._podman:
            spec = replace(spec, link_local=None)
        devices = [self._device_request(spec.gpus)] if spec.gpus is not None else []
        # twice as fast as Docker's default for a program that prints much, and it never fills the disk
        log_driver = "local" if self._client.server.startswith("Docker/") else None
        label_disable = self._client.endpoint.local and _SELINUX.exists()
        body = render.creation(spec, devices, label_disable=label_disable, log_driver=log_driver)
        if self._podman:
            body["UnsetEnv"] = podman.added_variables(self.image(spec.image), spec)
        try:
            answer = self._client.call(
                "POST",
                "/containers/create",
                query={"name": spec.name} if spec.name else None,
                body=body,
            )
        except NotFoundError as error:
            raise no_image(spec.image, error) from error
        except RefusedError as error:
            if spec.gpus is not None and _NO_GPU.search(error.words):
                raise _no_gpu(spec.gpus, error.words) from error
            if _NO_COMMAND.search(error.words):
                raise StartError(error.words, value=spec.image, evidence=(error.words,)) from error
            raise
        container = str(answer["Id"])
        with self._lock:
            self._unstarted.add(container)
        return container

    def logs(self, container: str) -> LogStream:
        with self._lock:
            # what has been written before is asked for only where there can be some: log drivers that
            # cannot be read back (`none`, `syslog`) refuse the question
            past = int(container not in self._unstarted)
        query = {"stream": 1, "stdout": 1, "stderr": 1, "logs": past}
        try:
            connection = self._client.hijack(f"/containers/{quote(container)}/attach", query=query)
        except RefusedError as error:
            # Podman has the runtime look for the program already now. There will be no output, and the start is told
            # to have failed; in truth it is not tried: what the first try holds, such as a port, is in its way
            if past or not self._podman or not podman.is_about_the_program(error.words):
                raise
            with self._lock:
                self._refused[container] = error.words
            return EndedStream()
        stream = AttachedStream(connection)
        with self._lock:
            self._streams.setdefault(container, []).append(stream)
        return stream

    def start(self, container: str) -> None:
        with self._lock:
            self._unstarted.discard(container)
            refused = self._refused.pop(container, None)
        if refused is not None:
            raise self._failed_start(container, refused)
        if self._client.endpoint.local:
            # only a shortcut: without it `wait` takes a little longer
            with suppress(EngineError):
                watch = ExitWatch(self._client, container)
                with self._lock:
                    self._watches[container] = watch
        try:
            self._client.call("POST", f"/containers/{quote(container)}/start")
        except (NotFoundError, RefusedError) as error:
            self._let_go(container)
            words = error.evidence[0]
            if "no such container" in words.lower():
                raise
            raise self._failed_start(container, words) from error

    def wait(self, container: str) -> Exit:
        with self._lock:
            watch = self._watches.pop(container, None)
        path = f"/containers/{quote(container)}/wait"
        asked = self._client.begin("POST", path, query={"condition": "not-running"}, timeout=None)
        complaint = ""
        code = None if watch is None else watch.first(asked)
        if code is None:
            answer = asked.answer()
            code = int(answer["StatusCode"])
            complaint = str((answer.get("Error") or {}).get("Message") or "")
        if code == 0 and not complaint:
            return Exit(code=0, oom_killed=False)
        try:
            told = render.exit_of(self._inspect(container)["State"])
        except NotFoundError:
            return Exit(code=code, oom_killed=False, error=complaint)
        return Exit(code=code, oom_killed=told.oom_killed, error=complaint or told.error)

    def signal(self, container: str, name: str) -> None:
        try:
            self._client.call("POST", f"/containers/{quote(container)}/kill", query={"signal": name})
        except NotFoundError:
            return
        except RefusedError as error:
            # 409 is Docker's "is not running"; Podman says it with 500
            if error.status != 409 and not _NOT_RUNNING.search(error.words):
                raise

    @property
    def network_entry(self) -> Literal["thread", "container"] | None:
        if not self._client.endpoint.local or sys.platform != "linux":
            return None
        return "thread" if inside.may_enter() else "container"

    def listen_inside(
        self, container: str, address: str, ports: tuple[int, ...]
    ) -> dict[int, socket.socket] | None:
        entry = self.network_entry
        found = self._inspect(container) if entry else None
        pid = int(found["State"].get("Pid") or 0) if found else 0
        if found is None or not pid:
            return None
        if entry == "thread":
            opened = inside.listen(pid, container, address, ports)
        else:
            from sm_emulate.engine.lent_sockets import borrow

            labels = found["Config"].get("Labels") or {}
            opened = borrow(self, container, address, ports, image=found["Image"], labels=labels)
        if opened:
            with self._lock:
                self._inside.add(address)
        return opened

    def confine(self, container: str) -> bool:
        if not self._client.endpoint.local:
            return False
        pid = self.state(container).pid
        return bool(pid) and inside.confine(pid, container)

    def remove(self, container: str) -> None:
        try:
            self._client.call("DELETE", f"/containers/{quote(container)}", query={"force": 1, "v": 1})
        except NotFoundError:
            pass
        except RefusedError as error:
            if podman.HAS_DEPENDENTS.search(error.words):
                # Docker lets those that live in its network outlive it, without a way in or out
                depending = {"force": "true", "depend": "true", "v": "true", "timeout": 0}
                self._client.call("DELETE", f"/libpod/containers/{quote(container)}", query=depending)
            # somebody else (`docker rm`, `sm-emulate clean`) is at it already
            elif error.status != 409 or "in progress" not in error.words:
                raise
        finally:
            self._let_go(container)

    def create_network(
        self, name: str, *, internal: bool, labels: Mapping[str, str], with_host: bool = True
    ) -> str:
        options: dict[str, str] = {}
        if not with_host and self._client.server.startswith(
            "Docker/"
        ):  # Podman refuses what it does not know
            options = render.network_without_host(self._client.version)
        body = {
            "Options": options,
            "Name": name,
            "Driver": "bridge",
            "Internal": internal,
            "Labels": dict(labels),
            "CheckDuplicate": True,
        }
        return str(self._client.call("POST", "/networks/create", body=body)["Id"])

    def connect_network(self, network: str, container: str, *, aliases: tuple[str, ...] = ()) -> None:
        body = {"Container": container, "EndpointConfig": {"Aliases": list(aliases)}}
        self._client.call("POST", f"/networks/{quote(network)}/connect", body=body)

    def remove_network(self, network: str) -> None:
        if self._podman:
            self._refuse_if_in_use(network)
        self._delete(f"/networks/{quote(network)}")

    def leftovers(self, labels: Mapping[str, str]) -> list[Leftover]:
        import json

        wanted = [f"{name}={value}" if value else name for name, value in labels.items()]
        query: dict[str, object] = {"filters": json.dumps({"label": wanted})}
        containers = self._client.call("GET", "/containers/json", query={"all": 1, **query}) or []
        networks = self._client.call("GET", "/networks", query=query) or []
        volumes = (self._client.call("GET", "/volumes", query=query) or {}).get("Volumes") or []
        return [
            *(render.leftover_container(found) for found in containers),
            *(_leftover("network", found, found["Id"]) for found in networks),
            *(_leftover("volume", found, found["Name"]) for found in volumes),
        ]

    def remove_leftover(self, leftover: Leftover) -> None:
        if leftover.kind == "container":
            self.remove(leftover.id)
        elif leftover.kind == "network":
            self.remove_network(leftover.id)
        else:
            self._delete(f"/volumes/{quote(leftover.id)}")

    def shares(self, folder: str) -> bool | None:
        # A container of an image that cannot exist: Docker looks for the folder before it looks for the
        # image, so nothing is made and no image is needed. Asked about a folder that cannot exist either, an
        # engine that does not look first (Podman) gives itself away.
        if self._finds(folder + "/sm-emulate-no-such-folder") is not False:
            return None
        return self._finds(folder)

    def close(self) -> None:
        for container in [*self._streams, *self._watches]:
            self._let_go(container)
        self._client.close()

    def _finds(self, folder: str) -> bool | None:
        mount = {"Type": "bind", "Source": folder, "Target": "/probe"}
        body = {"Image": "sm-emulate.invalid/no-such-image:never", "HostConfig": {"Mounts": [mount]}}
        try:
            self._client.call("POST", "/containers/create", body=body)
        except NotFoundError:
            return True
        except RefusedError as error:
            return False if "does not exist" in error.words else None
        return None

    def _device_request(self, gpus: GpuRequest) -> dict[str, object]:
        """Choose how GPUs are handed out here. One call more, made for jobs with GPUs only."""
        info = self.info()
        nvidia = "nvidia" in info.runtimes
        cdi = any(name.startswith("nvidia.com/gpu") for name in info.cdi_devices)
        if not nvidia and not cdi and info.name.startswith("Podman"):
            # Podman ignores a request that it cannot meet, and the job would run without a GPU
            raise _no_gpu(gpus, "Podman has no NVIDIA runtime and tells of no CDI device nvidia.com/gpu")
        return render.device_request(gpus, cdi=cdi and not nvidia)

    @property
    def _podman(self) -> bool:
        return podman.answers(self._client.server)

    def _failed_start(self, container: str, words: str) -> MachineError:
        """Tell apart why a container was not started: GPUs and limits are this machine's, the rest is the image's."""
        if _NO_GPU.search(words):
            return _no_gpu(None, words)
        if _NO_RLIMIT.search(words):
            return EngineError(
                "the container engine may not set these ulimits",
                hint="choose lower ones, or let the engine itself have higher ones"
                + (
                    "; default_ulimits in containers.conf are those of every container"
                    if self._podman
                    else ""
                ),
                evidence=(words,),
            )
        if self._podman:
            told = podman.why_not_started(words, str(self._inspect(container).get("Path") or ""))
            if told is None:
                return EngineError(f"the container engine refused: {words}", evidence=(words,))
            words = told
        return StartError(words, value=container, evidence=(words,))

    def _refuse_if_in_use(self, network: str) -> None:
        """Keep a network that containers are on: Podman removes them with it, and Docker keeps both."""
        try:
            found = self._client.call("GET", f"/networks/{quote(network)}")
        except NotFoundError:
            return
        if users := found.get("Containers"):
            words = f"network {found['Name']} has active endpoints: {', '.join(users)}"
            raise EngineError(f"the container engine refused: {words}", evidence=(words,))

    def _delete(self, path: str) -> None:
        try:
            self._client.call("DELETE", path)
        except NotFoundError:
            return

    def _let_go(self, container: str) -> None:
        """Close what is still open about a container."""
        with self._lock:
            self._unstarted.discard(container)
            self._refused.pop(container, None)
            kept = [*self._streams.pop(container, []), self._watches.pop(container, None)]
        for each in kept:
            if each is not None:
                each.close()


def _leftover(kind: Literal["network", "volume"], found: Mapping[str, Any], identity: str) -> Leftover:
    return Leftover(kind=kind, id=identity, name=str(found["Name"]), labels=found.get("Labels") or {})


def _no_gpu(gpus: GpuRequest | None, words: str) -> GpuNotFoundError:
    return GpuNotFoundError(
        "a GPU was asked for, and the container engine has none to give",
        value=None if gpus is None else f"--gpus {gpus.flag()}",
        expected="an NVIDIA GPU, its driver and the NVIDIA Container Toolkit, set up for this engine",
        hint="`sm-emulate doctor` shows what is missing; or run on the CPU without --gpus",
        evidence=(words,),
    )
