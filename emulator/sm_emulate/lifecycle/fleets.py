"""Which kind of fleet an endpoint has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sm_emulate.lifecycle.endpoint_fleet import ServingFleet

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sm_emulate.engine.protocol import Image
    from sm_emulate.lifecycle.fleet_surroundings import FleetGround
    from sm_emulate.request.endpoint import EndpointRequest


def fleet_for(
    request: EndpointRequest,
    *,
    images: Mapping[str, Image],
    ground: FleetGround,
    generation: int = 0,
    changed: Callable[[], None],
) -> ServingFleet:
    """Give the fleet of an endpoint: instances, or what a serverless one has. Arguments as ServingFleet."""
    kind = ServingFleet
    if request.serverless is not None:
        from sm_emulate.lifecycle.serverless_fleet import ServerlessFleet

        kind = ServerlessFleet
    return kind(request, images=images, ground=ground, generation=generation, changed=changed)
