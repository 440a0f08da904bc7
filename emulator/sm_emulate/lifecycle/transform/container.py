"""A transform job's container: an endpoint's, with the variables of a batch job."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sm_emulate.lifecycle.hosting.container import container_spec
from sm_emulate.spec import transform_job as spec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sm_emulate.engine.protocol import ContainerSpec, GpuRequest, Mount
    from sm_emulate.lifecycle.instance_limits import Limits
    from sm_emulate.lifecycle.platform import Platform
    from sm_emulate.request.transform import TransformRequest


def hosts(request: TransformRequest) -> tuple[str, ...]:
    """Name the instances."""
    return tuple(f"instance-{number + 1}" for number in range(request.transform_resources.instance_count))


def transform_container(
    request: TransformRequest,
    *,
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
    """Describe it; `beside` are the variables of what works beside it."""
    variables = spec.environment(
        max_payload_in_mb=request.max_payload_in_mb,
        batch_strategy=request.batch_strategy,
        max_concurrent_transforms=request.max_concurrent_transforms,
        requested=request.environment,
    )
    return container_spec(
        {**request.model.primary.environment, **variables},
        image=image,
        platform=platform,
        beside=beside,
        mounts=mounts,
        network=network,
        gpus=gpus,
        labels=labels,
        name=name,
        limits=limits,
    )
