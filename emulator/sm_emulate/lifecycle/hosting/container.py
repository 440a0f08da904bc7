"""An endpoint's container: what it is, and where it is reached."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from sm_emulate.engine.protocol import ContainerSpec
from sm_emulate.gateway import Upstream
from sm_emulate.gateway.ping import ping
from sm_emulate.lifecycle.instance_limits import Limits
from sm_emulate.spec import multi_model as multi_model_spec
from sm_emulate.spec.credentials import link_local
from sm_emulate.spec.endpoint import COMMAND, CONTAINER_PORT, environment
from sm_emulate.spec.setting import ulimits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sm_emulate.engine.protocol import ContainerState, Engine, GpuRequest, Mount
    from sm_emulate.lifecycle.platform import Platform
    from sm_emulate.spec.containers import Ports
    from sm_emulate.spec.settings import Settings

REACH_SECONDS = 0.25
"""In which a container on this machine's own bridge answers a connection, be it with a refusal."""


def container_spec(
    requested: Mapping[str, str],
    *,
    image: str,
    platform: Platform,
    beside: Mapping[str, str] | None = None,
    mounts: tuple[Mount, ...],
    network: str | None,
    gpus: GpuRequest | None,
    labels: dict[str, str],
    name: str | None = None,
    limits: Limits = Limits(),  # noqa: B008  # frozen
    multi_model: bool = False,
    ports: Ports | None = None,
) -> ContainerSpec:
    """Describe a container that serves.

    `requested` is the environment that was asked for, `beside` are the variables of what works beside it, `ports` are
    those of one of several containers of an instance.
    """
    settings = platform.settings
    added = {multi_model_spec.VARIABLE: "true"} if multi_model else {}
    told = {} if ports is None else ports.environment
    return ContainerSpec(
        image=image,
        name=name,
        command=COMMAND,
        environment=added
        | dict(beside or {})
        | environment(settings, requested, region=platform.region)
        | told,
        hostname=settings.text("endpoint-hostname"),
        mounts=mounts,
        network=network,
        link_local=link_local(beside or {}),
        publish=(CONTAINER_PORT if ports is None else ports.bind,),
        gpus=gpus,
        cpus=limits.cpus,
        memory_bytes=limits.memory_bytes,
        shm_bytes=settings.number("shm-size"),
        ulimits=ulimits(settings.text("ulimits")) or {},
        labels=labels,
    )


def container_host(settings: Settings, port: int = CONTAINER_PORT) -> str:
    """Give the Host header that the container sees."""
    return f"{settings.text('endpoint-hostname')}:{port}"


def reach(
    engine: Engine, state: ContainerState | None, *, host_header: str, port: int = CONTAINER_PORT
) -> Upstream | None:
    """Say where a container is reached: at its own address if that is near, else at its published port.

    Its own address spares the engine's proxy, and is the only way on a network without a way out. One that has ended
    is reached nowhere: at its port of this machine somebody else may answer.
    """
    if state is None or state.exit is not None:
        return None
    published = state.ports.get(port)
    own = Upstream(host=state.address, port=port) if state.address else None
    if published is None:
        return own
    if own is not None and _near(engine):
        answer = ping(own.host, own.port, timeout_s=REACH_SECONDS, host_header=host_header)
        if answer.failure not in {"unreachable", "timeout"}:
            return own
    return Upstream(host="127.0.0.1", port=published)


def _near(engine: Engine) -> bool:
    """Whether containers' addresses are this machine's; a rootless engine's and a virtual machine's are not."""
    if sys.platform != "linux":
        return False
    info = engine.info()
    return info.endpoint.startswith("unix://") and not info.rootless
