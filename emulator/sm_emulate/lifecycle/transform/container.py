"""The containers of a transform job: an endpoint's, with the variables of a batch job."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sm_emulate.lifecycle.hosting.container import container_spec
from sm_emulate.spec import transform_job as spec

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sm_emulate.engine.protocol import ContainerSpec, GpuRequest, Mount
    from sm_emulate.lifecycle.hosting.neighbours import Neighbours
    from sm_emulate.lifecycle.instance_limits import Limits
    from sm_emulate.lifecycle.platform import Platform
    from sm_emulate.request.transform import TransformRequest


def hosts(request: TransformRequest) -> tuple[str, ...]:
    """Name the instances."""
    return tuple(f"instance-{number + 1}" for number in range(request.transform_resources.instance_count))


def container_hosts(request: TransformRequest, instance: str) -> tuple[str, ...]:
    """Name the containers of an instance: like it where there is one, else below it."""
    model = request.model
    return tuple(f"{instance}/{name}" for name in model.container_names) if model.several else (instance,)


def model_folder(request: TransformRequest, opt_ml: Path, number: int) -> Path:
    """Say below which folder the model data of a container is brought."""
    return opt_ml / f"container-{number + 1}" if request.model.several else opt_ml


def transform_container(
    request: TransformRequest,
    number: int,
    *,
    neighbours: Neighbours,
    image: str,
    platform: Platform,
    beside: Mapping[str, str],
    mounts: tuple[Mount, ...],
    limits: Limits,
    network: str | None,
    gpus: GpuRequest | None,
    labels: dict[str, str],
    name: str | None = None,
) -> ContainerSpec:
    """Describe the container of that number; `beside` are the variables of what works beside it."""
    has_environment = not number or platform.settings.text("transform-pipeline-environment") == "all"
    variables = spec.environment(
        max_payload_in_mb=request.max_payload_in_mb,
        batch_strategy=request.batch_strategy,
        max_concurrent_transforms=request.max_concurrent_transforms,
        requested=request.environment if has_environment else {},
    )
    described = container_spec(
        {**request.model.containers[number].environment, **variables},
        image=image,
        platform=platform,
        beside=beside,
        mounts=mounts,
        network=network,
        gpus=gpus,
        labels=labels,
        name=name,
        limits=limits,
        ports=neighbours.own_ports(number),
    )
    return neighbours.placed(described, number)
