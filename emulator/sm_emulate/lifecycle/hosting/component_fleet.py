"""The copies of one inference component."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sm_emulate.engine.protocol import LABEL_HOST, GpuRequest
from sm_emulate.errors import RequestError
from sm_emulate.lifecycle.hosting.elastic_fleet import ElasticFleet
from sm_emulate.spec.inference_component import NO_ROOM

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sm_emulate.engine.protocol import ContainerSpec, Image
    from sm_emulate.gateway import Upstream
    from sm_emulate.lifecycle.hosting.component_placement import Placement, Seat
    from sm_emulate.lifecycle.hosting.instance import Instance
    from sm_emulate.lifecycle.hosting.surroundings import FleetGround
    from sm_emulate.request.endpoint import EndpointRequest
    from sm_emulate.request.inference_component import InferenceComponent
    from sm_emulate.request.variant import Variant

_MIB = 1 << 20


class ComponentFleet(ElasticFleet):
    """A fleet whose instances are the copies of a component, on instances that others use, too.

    Args:
        component: whose copies.
        request: the endpoint.
        images: of all models, by the name that the request uses.
        ground: what it stands on.
        generation: counts the components that the endpoint ever had, from 1.
        changed: called when other copies than before take requests, from any thread.
        placement: of the variant's instances.

    Raises:
        RequestError: there is no room for them.
    """

    word = "copy"

    def __init__(
        self,
        component: InferenceComponent,
        request: EndpointRequest,
        *,
        images: Mapping[str, Image],
        ground: FleetGround,
        generation: int,
        changed: Callable[[], None],
        placement: Placement,
    ) -> None:
        self.component = component
        self._placement = placement
        self._seats: dict[str, Seat] = {}
        (variant,) = (each for each in request.variants if each.variant_name == component.variant_name)
        self._pending = reserve(component, component.copies, placement)
        self._then = ground.vary
        self._machine_cpus = ground.engine.info().cpus
        self._memory_of_instance = ground.platform.settings.text("component-memory") == "instance"
        self._as_variant = component.as_variant(variant)
        super().__init__(
            replace(request, variants=(self._as_variant,)),
            images=images,
            ground=replace(ground, gpus=None, vary=self._limited),
            generation=generation,
            changed=changed,
        )

    @property
    def upstreams(self) -> tuple[Upstream, ...]:
        """Where the copies listen that take requests."""
        return tuple(each.upstreams[0] for each in list(self.instances) if each.upstreams)

    def add_copy(self, seat: Seat) -> None:
        """Start one more copy in a seat that was reserved for it.

        Raises:
            EndpointFailedError: it did not become healthy; it is gone.
        """
        with self._lock:
            self._pending.append(seat)
        self.add(self._as_variant)

    def give_up(self) -> None:
        """Give back all seats, once nothing of it runs."""
        for seat in (*self._pending, *self._seats.values()):
            self._placement.leave(seat)
        self._pending.clear()
        self._seats.clear()

    # --- steps ----------------------------------------------------------------------------------------

    def _host(self, variant: Variant, *, replaced: int) -> str:
        del replaced
        number = self._counts[variant.variant_name] = self._counts.get(variant.variant_name, 0) + 1
        host = f"{variant.variant_name}/{self.word}-{number}"
        self._seats[host] = self._pending.pop(0)
        return host

    def _replace(self, old: Instance, replaced: int) -> None:
        with self._lock:
            self._pending.append(self._seats.pop(old.host))
        super()._replace(old, replaced)

    def _forget(self, instance: Instance) -> None:
        super()._forget(instance)
        seat = self._seats.pop(instance.host, None)
        if seat is not None:
            self._placement.leave(seat)

    def _limited(self, spec: ContainerSpec) -> ContainerSpec:
        """Give a copy what its component reserves."""
        component, seat = self.component, self._seats[spec.labels[LABEL_HOST]]
        memory = component.max_memory_mb or component.min_memory_mb
        if component.max_memory_mb is None and self._memory_of_instance:
            memory = self._placement.room.memory_mb
        limited = replace(
            spec,
            memory_bytes=memory * _MIB,
            # Docker refuses more than there are
            cpus=None if component.cpus is None or component.cpus >= self._machine_cpus else component.cpus,
            gpus=GpuRequest(devices=tuple(map(str, seat.accelerators))) if seat.accelerators else None,
        )
        return limited if self._then is None else self._then(limited)


def reserve(component: InferenceComponent, copies: int, placement: Placement) -> list[Seat]:
    """Reserve room for copies, for all of them or for none.

    Raises:
        RequestError: there is not enough.
    """
    seats: list[Seat] = []
    for _ in range(copies):
        seat = placement.place(component)
        if seat is None:
            for taken in seats:
                placement.leave(taken)
            many = "1 copy" if copies == 1 else f"{copies} copies"
            raise RequestError(  # no image is to blame
                NO_ROOM,
                value=f"{component.name}: {many} with {_needs(component)}" + (" each" if copies > 1 else ""),
                expected=f"instances of {_room(placement)}, less what other copies reserve",
                hint="reserve less, or take a larger --instance-type or --instance-count",
            )
        seats.append(seat)
    return seats


def _needs(component: InferenceComponent) -> str:
    parts = [f"{component.min_memory_mb} MB"]
    if component.cpus is not None:
        parts.append(f"{component.cpus:g} CPU cores")
    if component.accelerators:
        parts.append(f"{component.accelerators} accelerators")
    return ", ".join(parts)


def _room(placement: Placement) -> str:
    room = placement.room
    return f"{room.memory_mb} MB, {room.cpus:g} CPU cores and {room.accelerators} accelerators"
