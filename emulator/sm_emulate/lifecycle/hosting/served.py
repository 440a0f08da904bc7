"""What an endpoint serves at the moment: a configuration, the fleet that was made for it, and its images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sm_emulate.lifecycle.hosting.fleets import EndpointFleet, fleet_for, recomposing_for
from sm_emulate.lifecycle.hosting.image_labels import check_labels
from sm_emulate.request.secrets import secret_values
from sm_emulate.spec import bidirectional

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sm_emulate.engine.protocol import Image
    from sm_emulate.lifecycle.hosting.surroundings import FleetGround
    from sm_emulate.request.endpoint import EndpointRequest

FAILED_GRACE_SECONDS = 2.0
"""Between SIGTERM and SIGKILL for what never served, and so has nothing to finish."""


class Served:
    """The request that an endpoint follows and the fleet that follows it; an update puts others in their place.

    Args:
        request: what to serve, checked.
        images: by the names that the request uses.
        ground: what all fleets of the endpoint stand on.
        changed: called when other containers take requests.
        find_image: gives an image by its name, for updates.
    """

    def __init__(
        self,
        request: EndpointRequest,
        *,
        images: Mapping[str, Image],
        ground: FleetGround,
        changed: Callable[[], None],
        find_image: Callable[[str], Image] | None,
    ) -> None:
        self.request = request
        self.images = dict(images)
        self.find_image = find_image
        self._ground, self._changed = ground, changed
        self.fleet = fleet_for(request, images=self.images, ground=ground, changed=changed)
        self.recomposing = recomposing_for(self.fleet, request)
        self.generation = 0
        """How many fleets were asked for after the first: their containers are told apart by it."""
        self.secrets = secret_values(request.as_aws())
        """What the page does not show, of all requests so far."""
        self._ended: dict[str, int] = {}

    @property
    def exit_codes(self) -> dict[str, int]:
        """By host, of all containers that have ended so far, those of earlier fleets among them."""
        return self._ended | self.fleet.exit_codes

    @property
    def converses(self) -> bool:
        """Whether an image says that it takes bidirectional streams."""
        return any(each.labels.get(bidirectional.LABEL) == "true" for each in self.images.values())

    @property
    def taking(self) -> dict[str, int]:
        """By variant, how many of its containers take requests."""
        return {
            each.variant_name: self.fleet.serving(each.variant_name) for each in self.request.all_variants
        }

    def successor(self, request: EndpointRequest) -> EndpointFleet:
        """Make the fleet for another request; nothing of it runs yet.

        Raises:
            SmEmulateError: one of its images is not there, or does not do for it.
        """
        self.secrets = self.secrets | secret_values(request.as_aws())
        for name in dict.fromkeys(name for each in request.all_variants for name in each.model.images):
            if self.find_image is not None:
                self.images[name] = self.find_image(name)
        for model in request.models:
            check_labels(model, self.images)
        return fleet_for(
            request,
            images=dict(self.images),
            ground=self._ground,
            generation=self.generation,
            changed=self._changed,
        )

    def replace(self, fleet: EndpointFleet, request: EndpointRequest) -> EndpointFleet:
        """Have another fleet follow another request; give the one that has to go."""
        old, self.fleet, self.request = self.fleet, fleet, request
        return old

    def note_end(self, fleet: EndpointFleet) -> None:
        """Keep the exit codes of a fleet that is gone."""
        self._ended |= fleet.exit_codes
