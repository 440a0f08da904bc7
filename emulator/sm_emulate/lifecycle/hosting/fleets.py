"""Which kind of fleet an endpoint has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from sm_emulate.errors import RequestError
from sm_emulate.lifecycle.hosting.fleet import ServingFleet

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sm_emulate.engine.protocol import Image
    from sm_emulate.gateway import Fleet
    from sm_emulate.lifecycle.hosting.instance import Instance
    from sm_emulate.lifecycle.hosting.model_shelf import ModelShelf
    from sm_emulate.lifecycle.hosting.recomposing import Recomposing
    from sm_emulate.lifecycle.hosting.surroundings import FleetGround
    from sm_emulate.request.endpoint import EndpointRequest


class EndpointFleet(Protocol):
    """All containers of one endpoint configuration, as the endpoint knows them."""

    shelf: ModelShelf | None
    weights: dict[str, float]

    def prepare(self) -> None:
        """Have all models' folders."""

    def start(self) -> None:
        """Start all containers that are there from the beginning."""

    def healthy(self) -> None:
        """Wait until they have passed their first ping."""

    def routes(self) -> Fleet:
        """Say who takes requests now."""

    @property
    def instances(self) -> Sequence[Instance]:
        """Those that there are now."""

    @property
    def began(self) -> bool:
        """Whether a container was ever started."""

    @property
    def lost(self) -> bool:
        """Whether nothing of it serves, or will."""

    @property
    def exit_codes(self) -> dict[str, int]:
        """By host, of all instances that have ended so far."""

    def serving(self, variant_name: str) -> int:
        """Count what takes requests of a variant."""

    def called(self, host: str) -> str:
        """Give what failure messages call the container of that host."""

    def wake(self) -> None:
        """Have `watch` return. Signal handlers may call it."""

    def watch(self) -> None:
        """Wait for news, and look after those that ended."""

    def check(self) -> None:
        """Raise what kept the engine from following a container, if anything did."""

    def stop(self, grace_s: float, *, hurried: Callable[[], bool]) -> None:
        """Stop all containers (SIGTERM, grace, SIGKILL), and let go of everything."""


def fleet_for(
    request: EndpointRequest,
    *,
    images: Mapping[str, Image],
    ground: FleetGround,
    generation: int = 0,
    changed: Callable[[], None],
) -> EndpointFleet:
    """Give the fleet of an endpoint: instances, environments or inference components. Arguments as ServingFleet."""
    if request.components is not None:
        from sm_emulate.lifecycle.hosting.components_fleet import ComponentsFleet

        return ComponentsFleet(request, images=images, ground=ground, generation=generation, changed=changed)
    kind = ServingFleet
    if request.serverless is not None:
        from sm_emulate.lifecycle.hosting.serverless_fleet import ServerlessFleet

        kind = ServerlessFleet
    return kind(request, images=images, ground=ground, generation=generation, changed=changed)


def recomposing_for(fleet: EndpointFleet, request: EndpointRequest) -> Recomposing | None:
    """Give what changes the inference components of a fleet; None for one without."""
    if request.components is None:
        return None
    from sm_emulate.lifecycle.hosting.components_fleet import ComponentsFleet
    from sm_emulate.lifecycle.hosting.recomposing import Recomposing

    assert isinstance(fleet, ComponentsFleet)
    return Recomposing(fleet)


def hosting(recomposing: Recomposing | None, request: EndpointRequest) -> Recomposing:
    """Give what changes inference components.

    Raises:
        RequestError: the endpoint hosts none.
    """
    if recomposing is None:
        raise RequestError(
            "this endpoint does not host inference components",
            value=request.endpoint_name,
            hint="one that does is made with --component, or with CreateInferenceComponent",
        )
    return recomposing
