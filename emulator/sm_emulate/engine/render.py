"""Our values in the Docker API's JSON, and back."""

from __future__ import annotations

import base64
import json
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from sm_emulate.engine.protocol import (
    ContainerSpec,
    ContainerState,
    EngineInfo,
    Exit,
    FileStat,
    HistoryStep,
    Image,
    Leftover,
    RegistryManifest,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Literal

    from sm_emulate.engine.protocol import GpuRequest


def creation(
    spec: ContainerSpec,
    gpu_devices: list[dict[str, object]],
    *,
    label_disable: bool,
    log_driver: str | None,
) -> dict[str, object]:
    """Give the body of `POST /containers/create`."""
    asked: dict[str, object] = {
        "Tmpfs": dict(spec.tmpfs),
        "NetworkMode": spec.network,
        "ExtraHosts": list(spec.extra_hosts),
        "NanoCpus": None if spec.cpus is None else int(spec.cpus * 1e9),
        "Memory": spec.memory_bytes,
        # without swap, as on the platform's instances
        "MemorySwap": spec.memory_bytes,
        "ShmSize": spec.shm_bytes if spec.ipc is None else None,
        "IpcMode": spec.ipc,
        "Ulimits": [
            {"Name": name, "Soft": soft, "Hard": hard} for name, (soft, hard) in spec.ulimits.items()
        ],
        "ReadonlyRootfs": spec.read_only_root,
        "CapAdd": list(spec.capabilities) or None,
        "UsernsMode": "host" if spec.host_user_namespace else None,
        "SecurityOpt": ["label=disable"] if label_disable else None,
        "DeviceRequests": gpu_devices,
        "LogConfig": {"Type": log_driver} if log_driver else None,
        "PortBindings": {f"{port}/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}] for port in spec.publish},
        "Mounts": [
            {"Type": "bind", "Source": mount.source, "Target": mount.target, "ReadOnly": mount.read_only}
            for mount in spec.mounts
        ],
    }
    # a daemon may be configured to put an init in front; on the platform the program is PID 1
    host: dict[str, object] = {"Init": False, **{key: value for key, value in asked.items() if value}}
    body: dict[str, object] = {
        "Image": spec.image,
        "Env": [f"{name}={value}" for name, value in spec.environment.items()],
        "Labels": dict(spec.labels),
        "AttachStdout": True,
        "AttachStderr": True,
        "HostConfig": host,
    }
    if spec.entrypoint is not None:
        # [""] is Docker's way to say "no entrypoint"; an empty list keeps the image's own
        body["Entrypoint"] = list(spec.entrypoint) or [""]
    if spec.command is not None:
        body["Cmd"] = list(spec.command)
    if spec.hostname is not None:
        body["Hostname"] = spec.hostname
    if spec.user is not None:
        body["User"] = spec.user
    if spec.working_dir is not None:
        body["WorkingDir"] = spec.working_dir
    if spec.volumes:
        body["Volumes"] = {path: {} for path in spec.volumes}
    if spec.publish:
        body["ExposedPorts"] = {f"{port}/tcp": {} for port in spec.publish}
    endpoint: dict[str, object] = {}
    if spec.network is not None and spec.aliases:
        endpoint["Aliases"] = list(spec.aliases)
    if spec.own_link_local is not None:
        endpoint["IPAMConfig"] = {"LinkLocalIPs": [spec.own_link_local]}
    if endpoint:
        body["NetworkingConfig"] = {"EndpointsConfig": {spec.network or "default": endpoint}}
    return body


def device_request(gpus: GpuRequest, *, cdi: bool) -> dict[str, object]:
    """Give the `DeviceRequest` for the NVIDIA runtime, or for an engine that hands out devices by CDI."""
    if cdi:
        names = gpus.devices or (("all",) if gpus.count is None else tuple(str(i) for i in range(gpus.count)))
        return {"Driver": "cdi", "DeviceIDs": [n if "=" in n else f"nvidia.com/gpu={n}" for n in names]}
    request: dict[str, object] = {"Driver": "nvidia", "Capabilities": [["gpu"]]}
    if gpus.devices:
        return {**request, "DeviceIDs": list(gpus.devices)}
    return {**request, "Count": -1 if gpus.count is None else gpus.count}


def moment(text: str | None) -> datetime | None:
    """Read the engine's time stamps (nine decimals); its zero time is None."""
    if not text or text.startswith("0001-"):
        return None
    stem, zone = (text[:-1], "+00:00") if text.endswith("Z") else (text[:-6], text[-6:])
    seconds, _, fraction = stem.partition(".")
    return datetime.fromisoformat(f"{seconds}.{fraction[:6]:0<6}{zone}").astimezone(timezone.utc)


def image(found: Mapping[str, Any]) -> Image:
    config = found.get("Config") or {}
    return Image(
        id=found["Id"],
        os=found.get("Os") or "",
        architecture=found.get("Architecture") or "",
        entrypoint=_words(config.get("Entrypoint")),
        command=_words(config.get("Cmd")),
        environment=dict(entry.partition("=")[::2] for entry in config.get("Env") or ()),
        user=config.get("User") or "",
        working_dir=config.get("WorkingDir") or "",
        labels=config.get("Labels") or {},
        size_bytes=int(found.get("Size") or 0),
        volumes=tuple(sorted(config.get("Volumes") or ())),
        exposed_ports=tuple(sorted(config.get("ExposedPorts") or ())),
        digests=tuple(found.get("RepoDigests") or ()),
    )


def history(found: Iterable[Mapping[str, Any]]) -> tuple[HistoryStep, ...]:
    """Read an image's history, which the engine gives newest first."""
    steps = [
        HistoryStep(created_by=str(step.get("CreatedBy") or ""), size_bytes=int(step.get("Size") or 0))
        for step in found
    ]
    return tuple(reversed(steps))


def registry_manifest(found: Mapping[str, Any]) -> RegistryManifest:
    descriptor = found.get("Descriptor") or {}
    return RegistryManifest(
        media_type=str(descriptor.get("mediaType") or descriptor.get("MediaType") or ""),
        digest=str(descriptor.get("digest") or ""),
        platforms=tuple(
            f"{each.get('os') or 'unknown'}/{each.get('architecture') or 'unknown'}"
            for each in found.get("Platforms") or ()
        ),
    )


ISOLATES_GATEWAYS = (1, 48)
"""Docker Engine 28."""
TELLS_MANIFESTS = (1, 47)
"""The API version (Docker 27) that lists the manifests of images in containerd's store."""


def stored_manifest(found: Mapping[str, Any]) -> RegistryManifest:
    """Read an entry of the image list that has `Manifests`."""
    kinds: list[str] = []
    platforms: list[str] = []
    for each in found["Manifests"]:
        descriptor = each.get("Descriptor") or {}
        platform = descriptor.get("platform") or (each.get("ImageData") or {}).get("Platform") or {}
        kinds.append(str(descriptor.get("mediaType") or ""))
        attests = each.get("Kind") == "attestation"
        name = f"{platform.get('os') or 'unknown'}/{platform.get('architecture') or 'unknown'}"
        platforms.append("unknown/unknown" if attests else name)
    # the whole entry's own descriptor came with API 1.48
    kind = str((found.get("Descriptor") or {}).get("mediaType") or "")
    if not kind and len(kinds) == 1:
        kind = kinds[0]
    elif not kind:
        oci = any("vnd.oci" in each for each in kinds)
        kind = (
            "application/vnd.oci.image.index.v1+json"
            if oci
            else "application/vnd.docker.distribution.manifest.list.v2+json"
        )
    return RegistryManifest(media_type=kind, digest=str(found.get("Id") or ""), platforms=tuple(platforms))


_GO_DIRECTORY, _GO_LINK = 1 << 31, 1 << 27
_GO_OTHER = 1 << 26 | 1 << 25 | 1 << 24 | 1 << 21 | 1 << 19
"""Device, named pipe, socket, character device, irregular: the bits of Go's os.FileMode."""


def file_stat(header: str, path: str) -> FileStat:
    """Read the header that `HEAD /containers/ID/archive` answers with."""
    found = json.loads(base64.b64decode(header))
    mode = int(found.get("mode") or 0)
    kind: Literal["file", "directory", "link", "other"] = "file"
    if mode & _GO_DIRECTORY:
        kind = "directory"
    elif mode & _GO_LINK:
        kind = "link"
    elif mode & _GO_OTHER:
        kind = "other"
    return FileStat(
        path=path,
        kind=kind,
        mode=mode & 0o777,
        size=int(found.get("size") or 0),
        target=str(found.get("linkTarget") or "") if kind == "link" else "",
    )


def _words(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, list) else ()


_STATUS: dict[str, Literal["created", "running", "paused", "restarting", "removing", "exited", "dead"]] = {
    "created": "created",
    "running": "running",
    "paused": "paused",
    "restarting": "restarting",
    "removing": "removing",
    "exited": "exited",
    "dead": "dead",
    # Podman's own words
    "configured": "created",
    "initialized": "created",
    "stopping": "running",
    "stopped": "exited",
}


def state(found: Mapping[str, Any]) -> ContainerState:
    told = found["State"]
    status = _STATUS.get(str(told.get("Status", "")).lower(), "dead")
    # one that lives in the network of another has no address or port of its own, though Podman tells the other's
    shared = str((found.get("HostConfig") or {}).get("NetworkMode") or "").startswith("container:")
    network = {} if shared else found.get("NetworkSettings") or {}
    addresses = [str(n.get("IPAddress") or "") for n in (network.get("Networks") or {}).values()]
    ports: dict[int, int] = {}
    for name, bindings in (network.get("Ports") or {}).items():
        number, _, kind = name.partition("/")
        for binding in bindings or ():
            if kind == "tcp" and str(binding.get("HostPort", "")).isdigit():
                ports.setdefault(int(number), int(binding["HostPort"]))
    ended = status in ("exited", "dead", "removing")
    return ContainerState(
        id=found["Id"],
        status=status,
        exit=exit_of(told) if ended else None,
        pid=int(told.get("Pid") or 0),
        address=next((a for a in addresses if a), str(network.get("IPAddress") or "")),
        ports=ports,
        started_at=moment(told.get("StartedAt")),
    )


def exit_of(told: Mapping[str, Any]) -> Exit:
    return Exit(
        code=int(told.get("ExitCode") or 0),
        oom_killed=bool(told.get("OOMKilled")),
        error=str(told.get("Error") or ""),
    )


def info(
    found: Mapping[str, Any], version: Mapping[str, Any], *, endpoint: str, api_version: str
) -> EngineInfo:
    security = [str(option) for option in found.get("SecurityOptions") or ()]
    components = [str(part.get("Name", "")) for part in version.get("Components") or ()]
    name = next((part for part in components if part.endswith("Engine")), "Engine")
    return EngineInfo(
        name=name if name != "Engine" else "Docker Engine",
        version=str(version.get("Version") or found.get("ServerVersion") or ""),
        api_version=api_version,
        endpoint=endpoint,
        rootless=any("rootless" in option for option in security),
        runtimes=tuple(sorted(found.get("Runtimes") or ())),
        cdi_devices=tuple(
            str(device["ID"])
            for device in found.get("DiscoveredDevices") or ()
            if device.get("Source") == "cdi"
        ),
        storage_driver=str(found.get("Driver") or ""),
        root_dir=str(found.get("DockerRootDir") or ""),
        cpus=int(found.get("NCPU") or 0),
        memory_bytes=int(found.get("MemTotal") or 0),
        cgroup_version=str(found.get("CgroupVersion") or "1"),
        server_time=moment(found.get("SystemTime")) or datetime.now(timezone.utc),
        warnings=tuple(str(warning) for warning in found.get("Warnings") or ()),
    )


def leftover_container(found: Mapping[str, Any]) -> Leftover:
    names = found.get("Names") or [found["Id"][:12]]
    return Leftover(
        kind="container",
        id=found["Id"],
        name=str(names[0]).lstrip("/"),
        labels=found.get("Labels") or {},
        running=found.get("State") in ("running", "paused", "restarting"),
    )


def resident(stats: Mapping[str, Any]) -> int | None:
    """Take resident memory out of the engine's statistics: control groups of version 2 call it `anon`."""
    told = (stats.get("memory_stats") or {}).get("stats") or {}
    found = told.get("total_rss", told.get("anon"))
    return None if found is None else int(found)


def network_without_host(version: tuple[int, int]) -> dict[str, str]:
    """Give the options of a bridge network on which the engine's own machine has no address."""
    if version >= ISOLATES_GATEWAYS:
        return {"com.docker.network.bridge.gateway_mode_ipv4": "isolated"}
    return {"com.docker.network.bridge.inhibit_ipv4": "true"}
