"""The instances of an endpoint's variants: started, pinged, replaced, stopped."""

from __future__ import annotations

import queue
import threading
import time
from contextlib import ExitStack, suppress
from functools import partial
from typing import TYPE_CHECKING

from sm_emulate.errors import SmEmulateError
from sm_emulate.events import ContainerExited, ContainerStarted, Warned
from sm_emulate.gateway import Fleet, VariantFront
from sm_emulate.lifecycle.hosting.bidirectional import takes_streams
from sm_emulate.lifecycle.hosting.container import container_host
from sm_emulate.lifecycle.hosting.instance import Instance
from sm_emulate.lifecycle.hosting.serving_container import ServingContainer, StopAskedError
from sm_emulate.lifecycle.hosting.surroundings import FleetSurroundings
from sm_emulate.lifecycle.stop_request import POLL_SECONDS
from sm_emulate.lifecycle.together import together
from sm_emulate.spec import wordings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sm_emulate.engine.protocol import Image
    from sm_emulate.events import Event
    from sm_emulate.gateway import Upstream
    from sm_emulate.lifecycle.hosting.model_shelf import ModelShelf
    from sm_emulate.lifecycle.hosting.surroundings import FleetGround
    from sm_emulate.request.endpoint import EndpointRequest
    from sm_emulate.request.variant import Variant

MOST_REPLACEMENTS = 3
"""For one place of a variant, so that a crash loop ends."""
SETTLED_SECONDS = 600.0
"""An instance that served so long starts its place's count anew."""


class ServingFleet:
    """All instances of one endpoint configuration.

    Args:
        request: the endpoint.
        images: of all models, by the name that the request uses.
        ground: what it stands on.
        generation: 0 for the first, one more for each update.
        changed: called when other instances than before take requests, from any thread.
    """

    word = "instance"
    """What logs call one of them."""

    def __init__(
        self,
        request: EndpointRequest,
        *,
        images: Mapping[str, Image],
        ground: FleetGround,
        generation: int = 0,
        changed: Callable[[], None],
    ) -> None:
        self.request, self.images, self.generation = request, images, generation
        self._ground, self._changed = ground, changed
        self._resources = ExitStack()
        self._around = FleetSurroundings(
            request, images=images, ground=ground, generation=generation, resources=self._resources
        )
        self.shelf: ModelShelf | None = None
        """The models of a multi-model container, which is alone; None before it is healthy."""
        self._news: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._given_up = False
        self._counts: dict[str, int] = {}
        self._replacing: list[threading.Thread] = []
        self._ended: dict[str, int] = {}
        self._lock = threading.Lock()
        settings = ground.platform.settings
        self._interval = settings.number("ping-interval")
        self._bad_pings = settings.number("unhealthy-pings")
        policy = settings.text("replace-instances")
        # the models of a container that is gone are gone with it
        self._replaces = not request.model.multi_model and (
            policy == "always" or (policy == "several" and not request.alone)
        )
        self.weights = {each.variant_name: each.initial_variant_weight for each in request.variants}
        """The weight of each production variant now."""
        self.instances = [
            self._instance(variant)
            for variant in request.all_variants
            for _ in range(self._first_count(variant))
        ]

    # --- the way into service -------------------------------------------------------------------------

    def prepare(self) -> None:
        """Have all models' folders.

        Raises:
            ArchiveError: an archive is one that hosting would refuse.
        """
        self._around.prepare(self._heed_stop)

    def _new_shelf(self, variant: Variant, upstream: Upstream) -> None:
        """Set up what loads the models of a multi-model container."""
        if self._around.files is None:
            return
        from sm_emulate.lifecycle.hosting.model_dialogue import ModelDialogue
        from sm_emulate.lifecycle.hosting.model_shelf import ModelShelf

        settings = self._ground.platform.settings
        disk = settings["model-disk"]
        self.shelf = ModelShelf(
            ModelDialogue(upstream, host_header=container_host(settings)),
            self._around.files,
            publish=self._ground.publish,
            endpoint=self.request.endpoint_name,
            patience_s=settings.number("model-wait"),
            disk_bytes=disk if isinstance(disk, int) else 0,
            keeps=variant.model.primary.model_cache_setting != "Disabled",
        )

    def start(self) -> None:
        """Start all containers.

        Raises:
            EndpointFailedError: a program cannot be run.
        """
        self._around.enter()
        self._resources.callback(self._close_containers)
        specs = [(each, self._around.specs(each)) for each in self.instances]
        self._all([partial(each.start, found) for each, found in specs])

    def healthy(self) -> None:
        """Wait until all of them have passed their first ping.

        Raises:
            EndpointFailedError: one did not come within the window, or ended before.
        """
        self._all([partial(self._welcome, each) for each in self.instances])

    def routes(self) -> Fleet:
        """Say who takes requests now."""

        def front(variant: Variant) -> VariantFront:
            return VariantFront(
                variant_name=variant.variant_name,
                upstreams=tuple(
                    each.door for each in self.instances if each.variant is variant and each.upstreams
                ),
                containers=variant.model.container_names if variant.model.several else (),
                container_ports=tuple(each.bind for each in self._around.neighbours(variant.model).ports),
                direct=variant.model.direct,
                weight=self.weights.get(variant.variant_name, 0.0),
                routing=variant.routing_strategy,
                models=self.shelf,
                bidirectional=takes_streams(self.images[variant.model.image], self._ground.platform.settings),
            )

        shadow = self.request.shadow
        percent = 100.0
        if shadow is not None and self._ground.platform.settings.text("shadow-sampling") == "weights":
            production = self.request.variants[0].initial_variant_weight
            percent = min(100.0, 100.0 * shadow.initial_variant_weight / production)
        return Fleet(
            variants=tuple(front(each) for each in self.request.variants),
            shadow=None if shadow is None else front(shadow),
            shadow_percent=percent,
        )

    # --- in service -----------------------------------------------------------------------------------

    @property
    def began(self) -> bool:
        """Whether a container was ever started."""
        return bool(self._ended) or any(each.began for each in list(self.instances))

    @property
    def lost(self) -> bool:
        """Whether nothing of it serves, or will."""
        return all(each.over_by_itself for each in self.instances) and not any(
            thread.is_alive() for thread in self._replacing
        )

    @property
    def exit_codes(self) -> dict[str, int]:
        """By host, of all instances that have ended so far."""
        codes = dict(self._ended)
        for each in list(self.instances):
            codes |= each.exit_codes
        return codes

    def serving(self, variant_name: str) -> int:
        """Count a variant's instances that take requests."""
        return sum(
            bool(each.upstreams) for each in list(self.instances) if each.variant.variant_name == variant_name
        )

    def wake(self) -> None:
        """Have `watch` return. Signal handlers may call it."""
        self._news.put(None)
        for each in self.instances:
            each.wake()

    def watch(self, timeout: float = POLL_SECONDS) -> None:
        """Wait for news, look after those that ended, and ping one whose time has come."""
        if len(self.instances) == 1 and len(self.instances[0].containers) == 1:
            self.instances[0].containers[0].hear(timeout)
        else:
            with suppress(queue.Empty):
                self._news.get(timeout=timeout)
        self.look()

    def look(self) -> None:
        """Look after those that ended, and ping one whose time has come."""
        for each in list(self.instances):
            each.catch_up()
        if self._given_up:
            return
        for each in list(self.instances):
            if each.upstreams and each.over_by_itself:
                self._bad(each, "its container ended")
        if not self._ground.stopping():
            self._ping_one()

    def check(self) -> None:
        """Raise what kept the engine from following a container, if anything did."""
        for each in self.instances:
            each.check()

    def _ping_one(self) -> None:
        now = time.monotonic()
        for each in list(self.instances):
            if not each.upstreams or now < each.next_ping or each.over_by_itself:
                continue
            healthy = each.ping()
            each.next_ping = time.monotonic() + self._interval
            each.bad_pings = 0 if healthy else each.bad_pings + 1
            if self._replaces and each.bad_pings >= self._bad_pings:
                self._bad(each, f"it failed {each.bad_pings} pings in a row")
            return

    def _bad(self, instance: Instance, why: str) -> None:
        """Send an instance no more requests, and put another in its place while the rule allows it."""
        if not self._replaces:
            if not self.request.alone:
                instance.upstreams = ()
                self._changed()
            return
        instance.upstreams = ()
        self._changed()
        replaced = 0 if time.monotonic() - instance.since > SETTLED_SECONDS else instance.replaced
        if replaced >= MOST_REPLACEMENTS:
            message = f"instance {instance.host} is not replaced: {why}, as {replaced} before it"
            self._ground.publish(Warned(message=message))
            if not instance.all_over:
                instance.stop(0, hurried=lambda: False)
            return
        self._ground.publish(Warned(message=f"instance {instance.host} is replaced: {why}"))
        thread = threading.Thread(
            target=self._replace,
            args=(instance, replaced + 1),
            name=f"replacing {instance.host}",
            daemon=True,
        )
        self._replacing = [each for each in self._replacing if each.is_alive()] + [thread]
        thread.start()

    def _replace(self, old: Instance, replaced: int) -> None:
        """Stop one instance and bring up another in its place, in a thread."""
        if not old.all_over:
            old.stop(30.0, hurried=lambda: self._stopping() > 0)
        old.close()
        with self._lock:
            self._ended |= old.exit_codes
            new = self._instance(old.variant, replaced=replaced)
            self.instances[self.instances.index(old)] = new
        try:
            new.start(self._around.specs(new))
            self._welcome(new)
        except StopAskedError:
            return
        except SmEmulateError as error:
            self._ground.publish(Warned(message=f"instance {new.host}: {error.what}: {error.value}"))
            if self._stopping():
                return
            new.since = time.monotonic()
            self._bad(new, "it did not become healthy")
            return
        self._changed()

    # --- the way out ----------------------------------------------------------------------------------

    def stop(self, grace_s: float, *, hurried: Callable[[], bool]) -> None:
        """Stop all containers (SIGTERM, grace, SIGKILL), and let go of everything."""
        self._given_up = True
        with self._resources:
            for thread in self._replacing:
                thread.join()
            together(
                [partial(each.stop, grace_s, hurried=hurried) for each in self.instances], name="stopping"
            )

    # --- steps ----------------------------------------------------------------------------------------

    def _stopping(self) -> int:
        return self._ground.stopping() or int(self._given_up)

    def _heed_stop(self) -> None:
        if self._stopping():
            raise StopAskedError

    def _first_count(self, variant: Variant) -> int:
        return variant.initial_instance_count

    def _window(self, instance: Instance) -> float:
        return instance.variant.container_startup_health_check_timeout_in_seconds

    def _host(self, variant: Variant, *, replaced: int) -> str:
        """Give a new instance its name."""
        host = variant.variant_name
        if self.request.alone and not self.generation and not replaced:
            return host
        number = self._counts[host] = self._counts.get(host, 0) + 1
        middle = f"update-{self.generation}-" if self.generation else ""
        return f"{host}/{middle}{self.word}-{number}"

    def _instance(self, variant: Variant, *, replaced: int = 0) -> Instance:
        host = self._host(variant, replaced=replaced)
        if variant.model.several:
            return self._instance_of_several(variant, host, replaced)
        container = ServingContainer(
            self._ground.engine,
            host=host,
            variant=variant.variant_name,
            host_header=container_host(self._ground.platform.settings),
            stopping=self._stopping,
            publish=self._heard,
            multi_model=variant.model.multi_model,
        )
        return Instance(variant, host, (container,), replaced=replaced)

    def _instance_of_several(self, variant: Variant, host: str, replaced: int) -> Instance:
        """Make an instance whose containers each have a name, a port and a log of their own."""
        model, abandoned = variant.model, threading.Event()
        settings, neighbours = self._ground.platform.settings, self._around.neighbours(model)
        containers = neighbours.serving(
            host,
            variant=variant.variant_name,
            engine=self._ground.engine,
            host_header=lambda port: container_host(settings, port),
            stopping=lambda: self._stopping() or int(abandoned.is_set()),
            publish=self._heard,
        )
        return Instance(
            variant,
            host,
            containers,
            replaced=replaced,
            abandoned=abandoned,
            shares_network=neighbours.shared,
        )

    def called(self, host: str) -> str:
        """Give what failure messages call the container of that host."""
        names = (each.called(host) for each in self.instances)
        return next((name for name in names if name is not None), wordings.PRIMARY)

    def _welcome(self, instance: Instance) -> None:
        upstreams = instance.healthy(self._window(instance))
        instance.since = time.monotonic()
        instance.next_ping = instance.since + self._interval
        self._new_shelf(instance.variant, upstreams[0])
        instance.upstreams = upstreams

    def _all(self, steps: list[Callable[[], None]]) -> None:
        """Do all of them at once; the first error ends the others and is raised."""

        def failed(error: BaseException) -> None:
            if not isinstance(error, StopAskedError):
                self._given_up = True

        together(steps, name="starting", failed=failed, least=StopAskedError)

    def _close_containers(self) -> None:
        for each in self.instances:
            each.close()

    def _heard(self, event: Event) -> None:
        """Pass on what a container does, from its own thread."""
        self._ground.publish(event)
        if isinstance(event, ContainerExited):
            self._news.put(None)
        if not isinstance(event, ContainerStarted):
            return
        instance = next(each for each in self.instances if each.definition_of(event.host) is not None)
        self._around.started(instance, event.host, event.container)
