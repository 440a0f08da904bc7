"""The container of one host of a training job."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sm_emulate.engine.protocol import LABEL_HOST, ContainerSpec, Mount
from sm_emulate.lifecycle.instance_limits import Limits
from sm_emulate.spec.credentials import link_local
from sm_emulate.spec.setting import ulimits
from sm_emulate.spec.training_job import (
    LAYOUT,
    WARM_POOL_CACHE_VARIABLE,
    command_for,
    environment,
    hostname,
    private_address,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sm_emulate.engine.protocol import GpuRequest
    from sm_emulate.lifecycle.platform import Platform
    from sm_emulate.request.training import TrainingRequest
    from sm_emulate.staging.cluster import Cluster, Host
    from sm_emulate.staging.tree import StagedTree


def container_spec(
    request: TrainingRequest,
    *,
    cluster: Cluster,
    host: Host,
    tree: StagedTree,
    image: str,
    platform: Platform,
    beside: Mapping[str, str],
    network: str | None,
    gpus: GpuRequest | None,
    labels: Mapping[str, str],
    name: str | None = None,
    limits: Limits = Limits(),  # noqa: B008  # frozen
) -> ContainerSpec:
    """Describe one host's container.

    `beside` are the variables of what works beside it.

    A host that is alone finds itself as algo-1 in /etc/hosts; several find each other on their network.
    """
    algorithm, settings = request.algorithm_specification, platform.settings
    entrypoint, command = command_for(algorithm.container_entrypoint, algorithm.container_arguments)
    address = private_address(request.training_job_name, host.name)
    alone = len(cluster.hosts) == 1
    variables = environment(
        settings,
        job_name=request.training_job_name,
        region=platform.region,
        account=platform.account,
        gpu=gpus is not None,
    )
    if request.resource_config.keep_alive_period_in_seconds or any(
        each.target == LAYOUT.warm_pool_cache for each in tree.placed
    ):
        variables[WARM_POOL_CACHE_VARIABLE] = LAYOUT.warm_pool_cache
    return ContainerSpec(
        image=image,
        name=name,
        entrypoint=entrypoint,
        command=command,
        environment=variables | dict(beside) | dict(request.environment),
        hostname=hostname(address, settings=settings, region=platform.region),
        working_dir="/" if settings.text("working-directory") == "root" else None,
        mounts=tuple(
            Mount(source=str(each.source), target=each.target, read_only=each.read_only)
            for each in tree.placed
        ),
        network=network,
        link_local=link_local(beside),
        # a name that comes late is given by `HostNames`
        aliases=() if alone or settings.number("host-name-delay") else (host.name,),
        extra_hosts=(f"{host.name}:127.0.0.1",) if alone else (),
        gpus=gpus,
        cpus=limits.cpus,
        memory_bytes=limits.memory_bytes,
        shm_bytes=settings.number("shm-size"),
        ulimits=ulimits(settings.text("ulimits")) or {},
        labels={**labels, LABEL_HOST: host.name},
    )
