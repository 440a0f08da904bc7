"""The container of one host of a processing job."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sm_emulate.engine.protocol import LABEL_HOST, ContainerSpec, Mount
from sm_emulate.spec.credentials import link_local
from sm_emulate.spec.processing_job import command_for, environment
from sm_emulate.spec.setting import ulimits
from sm_emulate.spec.training_job import hostname, private_address

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sm_emulate.engine.protocol import GpuRequest
    from sm_emulate.lifecycle.instance_limits import Limits
    from sm_emulate.lifecycle.platform import Platform
    from sm_emulate.request.processing import ProcessingRequest
    from sm_emulate.staging.tree import StagedTree


def container_spec(
    request: ProcessingRequest,
    *,
    host: str,
    tree: StagedTree,
    image: str,
    platform: Platform,
    beside: Mapping[str, str],
    network: str | None,
    gpus: GpuRequest | None,
    labels: Mapping[str, str],
    name: str | None = None,
    limits: Limits | None = None,
) -> ContainerSpec:
    """Describe one host's container.

    `beside` are the variables of what works beside it.

    A host that is alone finds itself as algo-1 in /etc/hosts; several find each other on their network.
    """
    application, settings = request.app_specification, platform.settings
    entrypoint, command = command_for(application.container_entrypoint, application.container_arguments)
    alone = request.cluster.instance_count == 1
    return ContainerSpec(
        image=image,
        name=name,
        entrypoint=entrypoint,
        command=command,
        environment=environment(region=platform.region) | dict(beside) | dict(request.environment),
        hostname=hostname(
            private_address(request.processing_job_name, host), settings=settings, region=platform.region
        ),
        working_dir="/" if settings.text("working-directory") == "root" else None,
        mounts=tuple(
            Mount(source=str(each.source), target=each.target, read_only=each.read_only)
            for each in sorted(tree.placed, key=lambda each: each.target)
        ),
        network=network,
        link_local=link_local(beside),
        aliases=() if alone else (host,),
        extra_hosts=(f"{host}:127.0.0.1",) if alone else (),
        gpus=gpus,
        cpus=limits.cpus if limits else None,
        memory_bytes=limits.memory_bytes if limits else None,
        shm_bytes=settings.number("shm-size"),
        ulimits=ulimits(settings.text("ulimits")) or {},
        labels={**labels, LABEL_HOST: host},
    )
