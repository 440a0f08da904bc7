"""An endpoint that hosts inference components: they come, go and are scaled while it serves."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from sm_emulate.errors import RequestError, SmEmulateError
from sm_emulate.events import Noted, now
from sm_emulate.gateway import Fleet, VariantFront
from sm_emulate.lifecycle.hosting.component_fleet import ComponentFleet, reserve
from sm_emulate.lifecycle.hosting.component_placement import placement_of
from sm_emulate.lifecycle.hosting.serving_container import StopAskedError
from sm_emulate.lifecycle.stop_request import POLL_SECONDS
from sm_emulate.lifecycle.together import together
from sm_emulate.request.inference_component import MOST_COPIES, too_many_copies
from sm_emulate.request.validate import refuse
from sm_emulate.spec.inference_component import ComponentStatus
from sm_emulate.spec.wordings import PRIMARY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from sm_emulate.engine.protocol import Image
    from sm_emulate.lifecycle.hosting.instance import Instance
    from sm_emulate.lifecycle.hosting.model_shelf import ModelShelf
    from sm_emulate.lifecycle.hosting.surroundings import FleetGround
    from sm_emulate.request.endpoint import EndpointRequest
    from sm_emulate.request.inference_component import InferenceComponent

FAILED_GRACE_S = 2.0


@dataclass(kw_only=True)
class Hosted:
    """A component, and how it stands."""

    component: InferenceComponent
    fleet: ComponentFleet | None = None
    """None where there was no room for it."""
    status: ComponentStatus = ComponentStatus.CREATING
    failure_reason: str | None = None
    created: datetime
    changed: datetime

    def enter(self, status: ComponentStatus, reason: str | None = None) -> None:
        """Note how it stands now."""
        self.status, self.failure_reason, self.changed = status, reason, now()


class ComponentsFleet:
    """All inference components of an endpoint. Arguments as ServingFleet.

    One of `add`, `scale` and `delete` runs at a time.
    """

    shelf: ModelShelf | None = None

    def __init__(
        self,
        request: EndpointRequest,
        *,
        images: Mapping[str, Image],
        ground: FleetGround,
        generation: int = 0,
        changed: Callable[[], None],
    ) -> None:
        self.request, self._images, self._ground, self._changed = request, dict(images), ground, changed
        self._made = generation
        self._woken = threading.Event()
        self._ended: dict[str, int] = {}
        self.weights = {each.variant_name: each.initial_variant_weight for each in request.variants}
        self.hosted: dict[str, Hosted] = {}

    # --- the way into service -------------------------------------------------------------------------

    def prepare(self) -> None:
        """Reserve room for all components, and have their models' folders.

        Raises:
            RequestError: there is not enough room.
        """
        (variant,) = self.request.variants
        chosen = self.request.instance_chosen
        self._placement = placement_of(variant, chosen=chosen, engine=self._ground.engine)
        for component in self.request.components or ():
            self._host(component).prepare()

    def start(self) -> None:
        """Start all copies.

        Raises:
            EndpointFailedError: a program cannot be run.
        """
        for fleet in self._fleets:
            fleet.start()

    def healthy(self) -> None:
        """Wait until all copies have passed their first ping.

        Raises:
            EndpointFailedError: one did not come within its window, or ended before.
        """
        steps = [partial(self._come, each) for each in self.hosted.values()]
        together(steps, name="starting", least=StopAskedError)

    def routes(self) -> Fleet:
        """Say who takes requests now."""
        (variant,) = self.request.variants
        name = variant.variant_name
        return Fleet(
            variants=(VariantFront(variant_name=name, upstreams=()),),
            components=tuple(
                VariantFront(
                    variant_name=name,
                    component=each.component.name,
                    upstreams=() if each.fleet is None else each.fleet.upstreams,
                    routing=variant.routing_strategy,
                )
                for each in list(self.hosted.values())
                if each.status is not ComponentStatus.DELETING
            ),
        )

    # --- what is asked of it --------------------------------------------------------------------------

    def add(self, component: InferenceComponent, images: Mapping[str, Image]) -> None:
        """Start a component beside the others, as CreateInferenceComponent does.

        Raises:
            RequestError: there is one of this name.
            RequestError: there is no room for it.
            EndpointFailedError: a copy did not become healthy.
        """
        there = self.hosted.get(component.name)
        if there is not None and there.status is not ComponentStatus.FAILED:
            raise RequestError("the endpoint has an inference component of this name", value=component.name)
        self._images |= images
        try:
            fleet = self._host(component)
            fleet.prepare()
            fleet.start()
            self._come(self.hosted[component.name])
        except BaseException as error:
            self._let_go(self.hosted[component.name], error)
            raise
        self._changed()

    def scale(self, name: str, copies: int, *, drained: Callable[[], bool]) -> None:
        """Have as many copies as UpdateInferenceComponentRuntimeConfig asks for.

        Args:
            name: of the component.
            copies: how many, 0 among them.
            drained: whether those that are given no more requests have finished theirs.

        Raises:
            RequestError: there is no such component, or it cannot be scaled.
            RequestError: there is no room; the others go on.
            EndpointFailedError: a copy did not become healthy; the others go on.
        """
        hosted = self._named(name)
        if copies > MOST_COPIES:
            refuse([too_many_copies(copies)])
        fleet = hosted.fleet
        if fleet is None or hosted.status is ComponentStatus.FAILED:
            raise RequestError(
                "this inference component has failed", value=name, hint="delete it and add it anew"
            )
        before = hosted.component
        hosted.component = replace(before, copies=copies)
        hosted.enter(ComponentStatus.UPDATING)
        try:
            more = copies - len(fleet.instances)
            if more > 0:
                seats = reserve(before, more, self._placement)
                together([partial(fleet.add_copy, seat) for seat in seats], name="scaling out")
            elif more < 0:
                fleet.dismiss(list(fleet.instances)[more:], drained=drained)
        except SmEmulateError as error:
            hosted.component = replace(before, copies=len(fleet.instances))
            hosted.enter(ComponentStatus.IN_SERVICE, error.what)
            raise
        hosted.enter(ComponentStatus.IN_SERVICE)

    def delete(self, name: str, *, drained: Callable[[], bool]) -> None:
        """Stop all copies of a component, and forget it.

        Raises:
            RequestError: there is no such component.
        """
        hosted = self._named(name)
        hosted.enter(ComponentStatus.DELETING)
        self._changed()
        if hosted.fleet is not None:
            hosted.fleet.dismiss(list(hosted.fleet.instances), drained=drained)
        self._let_go(hosted, None)
        del self.hosted[name]
        self._changed()

    def described(self, metrics: Callable[[str], Mapping[str, Any]]) -> tuple[dict[str, Any], ...]:
        """Give each component in the shape of DescribeInferenceComponent, less what the endpoint says already.

        Args:
            metrics: gives those of a component.
        """
        return tuple(self._described(each, metrics) for each in list(self.hosted.values()))

    # --- in service -----------------------------------------------------------------------------------

    @property
    def instances(self) -> list[Instance]:
        """All copies of all components."""
        return [instance for fleet in self._fleets for instance in list(fleet.instances)]

    @property
    def began(self) -> bool:
        """Whether a container was ever started."""
        return bool(self._ended) or any(fleet.began for fleet in self._fleets)

    @property
    def lost(self) -> bool:
        """Whether nothing serves, or will: components may be added, so never."""
        return False

    @property
    def exit_codes(self) -> dict[str, int]:
        """By host, of all copies that have ended so far."""
        codes = dict(self._ended)
        for fleet in self._fleets:
            codes |= fleet.exit_codes
        return codes

    def serving(self, variant_name: str) -> int:
        """Count the copies on a variant that take requests."""
        return sum(
            len(fleet.upstreams) for fleet in self._fleets if fleet.component.variant_name == variant_name
        )

    def called(self, host: str) -> str:
        """Give what failure messages call the container of that host."""
        del host
        return PRIMARY

    def wake(self) -> None:
        """Have `watch` return. Signal handlers may call it."""
        self._woken.set()
        for fleet in self._fleets:
            fleet.wake()

    def watch(self, timeout: float = POLL_SECONDS) -> None:
        """Wait for news, look after copies that ended, and ping those whose time has come."""
        self._woken.wait(timeout)
        for fleet in self._fleets:
            fleet.look()

    def check(self) -> None:
        """Raise what kept the engine from following a container, if anything did."""
        for fleet in self._fleets:
            fleet.check()

    def stop(self, grace_s: float, *, hurried: Callable[[], bool]) -> None:
        """Stop all containers (SIGTERM, grace, SIGKILL), and let go of everything."""
        together([partial(each.stop, grace_s, hurried=hurried) for each in self._fleets], name="stopping")

    # --- steps ----------------------------------------------------------------------------------------

    @property
    def _fleets(self) -> list[ComponentFleet]:
        return [each.fleet for each in list(self.hosted.values()) if each.fleet is not None]

    def _named(self, name: str) -> Hosted:
        hosted = self.hosted.get(name)
        if hosted is None:
            raise RequestError(
                "the endpoint has no inference component of this name",
                value=name,
                expected=" or ".join(self.hosted) or "one that was added",
            )
        return hosted

    def _host(self, component: InferenceComponent) -> ComponentFleet:
        """Make room for a component, which has none before."""
        self._made += 1
        hosted = self.hosted[component.name] = Hosted(component=component, created=now(), changed=now())
        hosted.fleet = ComponentFleet(
            component,
            self.request,
            images=self._images,
            ground=self._ground,
            generation=self._made,
            changed=self._changed,
            placement=self._placement,
        )
        return hosted.fleet

    def _come(self, hosted: Hosted) -> None:
        assert hosted.fleet is not None
        hosted.fleet.healthy()
        hosted.enter(ComponentStatus.IN_SERVICE)
        copies = hosted.component.copies
        words = "1 copy" if copies == 1 else f"{copies} copies"
        self._ground.publish(
            Noted(message=f"inference component {hosted.component.name}: {words} in service")
        )

    def _let_go(self, hosted: Hosted, error: BaseException | None) -> None:
        """Leave nothing of a component running, and its room to others."""
        fleet, hosted.fleet = hosted.fleet, None
        if fleet is not None:
            self._ended |= fleet.exit_codes
            fleet.stop(FAILED_GRACE_S, hurried=lambda: False)
            self._ended |= fleet.exit_codes
            fleet.give_up()
        if error is not None:
            reason = error.what if isinstance(error, SmEmulateError) else type(error).__name__
            hosted.enter(ComponentStatus.FAILED, reason)

    def _described(self, hosted: Hosted, metrics: Callable[[str], Mapping[str, Any]]) -> dict[str, Any]:
        component = hosted.component
        needs: dict[str, Any] = {"MinMemoryRequiredInMb": component.min_memory_mb}
        if component.max_memory_mb is not None:
            needs["MaxMemoryRequiredInMb"] = component.max_memory_mb
        if component.cpus is not None:
            needs["NumberOfCpuCoresRequired"] = component.cpus
        if component.accelerators:
            needs["NumberOfAcceleratorDevicesRequired"] = component.accelerators
        found: dict[str, Any] = {
            "InferenceComponentName": component.name,
            "VariantName": component.variant_name,
            "InferenceComponentStatus": hosted.status.value,
            "RuntimeConfig": {
                "DesiredCopyCount": component.copies,
                "CurrentCopyCount": 0 if hosted.fleet is None else len(hosted.fleet.upstreams),
            },
            "Image": component.model.image,
            "ComputeResourceRequirements": needs,
            "CreationTime": hosted.created.isoformat(timespec="milliseconds"),
            "LastModifiedTime": hosted.changed.isoformat(timespec="milliseconds"),
            "Metrics": dict(metrics(component.name)),
        }
        if hosted.failure_reason is not None:
            found["FailureReason"] = hosted.failure_reason
        return found
