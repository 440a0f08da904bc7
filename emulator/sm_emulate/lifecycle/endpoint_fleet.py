"""The instances of an endpoint's variants: one container each, started, pinged, replaced, stopped."""

from __future__ import annotations

import queue
import threading
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sm_emulate.engine.protocol import LABEL_HOST, Mount
from sm_emulate.errors import NotFoundError, SmEmulateError
from sm_emulate.events import ContainerExited, ContainerStarted, Noted, Warned
from sm_emulate.gateway import Fleet, VariantFront
from sm_emulate.lifecycle.bidirectional import takes_streams
from sm_emulate.lifecycle.credentials import credentials_for
from sm_emulate.lifecycle.endpoint_container import container_host, container_spec
from sm_emulate.lifecycle.instance_limits import limits_of
from sm_emulate.lifecycle.model_folder import model_mounts
from sm_emulate.lifecycle.network import private_network
from sm_emulate.lifecycle.serving_container import ServingContainer, StopAskedError
from sm_emulate.lifecycle.stop_request import POLL_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sm_emulate.engine.protocol import ContainerSpec, Engine, GpuRequest, Image
    from sm_emulate.events import Event
    from sm_emulate.gateway import Upstream
    from sm_emulate.lifecycle.credentials import Credentials
    from sm_emulate.lifecycle.model_files import ModelFiles
    from sm_emulate.lifecycle.model_shelf import ModelShelf
    from sm_emulate.lifecycle.platform import Platform
    from sm_emulate.request.endpoint import EndpointRequest
    from sm_emulate.request.variant import Variant
    from sm_emulate.storage.run_folder import RunFolder

MOST_REPLACEMENTS = 3
"""For one place of a variant, so that a crash loop ends."""
SETTLED_SECONDS = 600.0
"""An instance that served so long starts its place's count anew."""


@dataclass(frozen=True, kw_only=True)
class FleetGround:
    """What all fleets of one endpoint stand on."""

    engine: Engine
    platform: Platform
    run_folder: RunFolder
    session: str
    labels: Mapping[str, str]
    gpus: GpuRequest | None
    publish: Callable[[Event], None]
    stopping: Callable[[], int]
    vary: Callable[[ContainerSpec], ContainerSpec] | None = None


class Instance:
    """One container of a variant, and how it does.

    Args:
        variant: whose it is.
        host: what its logs and events are called.
        replaced: how many went before it in its place.
    """

    def __init__(
        self, variant: Variant, host: str, container: ServingContainer, *, replaced: int = 0
    ) -> None:
        self.variant, self.host, self.container, self.replaced = variant, host, container, replaced
        self.upstream: Upstream | None = None
        """Where requests reach it; None while it takes none."""
        self.since = 0.0
        self.next_ping = 0.0
        self.bad_pings = 0


class ServingFleet:
    """All instances of one endpoint configuration.

    Args:
        request: the endpoint.
        images: of all models, by the name that the request uses.
        ground: what it stands on.
        generation: 0 for the first, one more for each update.
        changed: called when other instances than before take requests, from any thread.
    """

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
        self._network: str | None = None
        self._credentials: dict[str, Credentials | None] = {}
        self._models: dict[str, tuple[Mount, ...]] = {}
        self._files: ModelFiles | None = None
        self.shelf: ModelShelf | None = None
        """The models of a multi-model container, which is alone; None before it is healthy."""
        self._news: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._given_up = False
        self._counts: dict[str, int] = {}
        self._made = 0
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
            for _ in range(variant.initial_instance_count)
        ]

    # --- the way into service -------------------------------------------------------------------------

    def prepare(self) -> None:
        """Have all models' folders.

        Raises:
            ArchiveError: an archive is one that hosting would refuse.
        """
        for variant in self.request.all_variants:
            model = variant.model
            if model.multi_model:
                self._models[model.model_name] = self._files_of(variant)
            elif model.model_name not in self._models:
                place = (
                    f"{variant.variant_name}.{self.generation}" if self.generation else variant.variant_name
                )
                self._models[model.model_name] = model_mounts(
                    model,
                    self._ground.run_folder.opt_ml(place),
                    s3=self._ground.platform.s3,
                    publish=self._ground.publish,
                    heed_stop=self._heed_stop,
                )
        self._heed_stop()

    def _files_of(self, variant: Variant) -> tuple[Mount, ...]:
        """Make the folder of a multi-model container's models, which come when they are asked for."""
        from sm_emulate.lifecycle.model_files import ModelFiles
        from sm_emulate.spec.multi_model import DIRECTORY

        self._files = ModelFiles(
            variant.model,
            self._ground.run_folder.opt_ml(variant.variant_name) / "models",
            s3=self._ground.platform.s3,
            publish=self._ground.publish,
        )
        return (Mount(source=str(self._files.folder), target=DIRECTORY, read_only=True),)

    def _new_shelf(self, variant: Variant, upstream: Upstream) -> None:
        """Set up what loads the models of a multi-model container."""
        if self._files is None:
            return
        from sm_emulate.lifecycle.model_dialogue import ModelDialogue
        from sm_emulate.lifecycle.model_shelf import ModelShelf

        settings = self._ground.platform.settings
        disk = settings["model-disk"]
        self.shelf = ModelShelf(
            ModelDialogue(upstream, host_header=container_host(settings)),
            self._files,
            publish=self._ground.publish,
            endpoint=self.request.endpoint_name,
            patience_s=settings.number("model-wait"),
            disk_bytes=disk if isinstance(disk, int) else 0,
            keeps=variant.model.model_cache_setting != "Disabled",
        )

    def start(self) -> None:
        """Start all containers.

        Raises:
            EndpointFailedError: a program cannot be run.
        """
        self._surround()
        specs = [(each, self._spec(each)) for each in self.instances]
        self._all([lambda each=each, spec=spec: each.container.start(spec) for each, spec in specs])  # type: ignore[misc]  # mypy cannot infer a lambda with defaults

    def healthy(self) -> None:
        """Wait until all of them have passed their first ping.

        Raises:
            EndpointFailedError: one did not come within the window, or ended before.
        """
        self._all([lambda each=each: self._welcome(each) for each in self.instances])  # type: ignore[misc]  # likewise

    def routes(self) -> Fleet:
        """Say who takes requests now."""

        def front(variant: Variant) -> VariantFront:
            return VariantFront(
                variant_name=variant.variant_name,
                upstreams=tuple(
                    each.upstream
                    for each in self.instances
                    if each.variant is variant and each.upstream is not None
                ),
                weight=self.weights.get(variant.variant_name, 0.0),
                routing=variant.routing_strategy,
                models=self.shelf,
                bidirectional=takes_streams(
                    self.images[variant.model.image], self._ground.platform.settings
                ),
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
    def lost(self) -> bool:
        """Whether nothing of it serves, or will."""
        return all(each.container.over_by_itself for each in self.instances) and not any(
            thread.is_alive() for thread in self._replacing
        )

    @property
    def exit_codes(self) -> dict[str, int]:
        """By host, of all instances that have ended so far."""
        codes = dict(self._ended)
        for each in list(self.instances):
            if each.container.exit is not None:
                codes[each.host] = each.container.exit.code
        return codes

    def serving(self, variant_name: str) -> int:
        """Count a variant's instances that take requests."""
        return sum(
            each.upstream is not None
            for each in list(self.instances)
            if each.variant.variant_name == variant_name
        )

    def wake(self) -> None:
        """Have `watch` return. Signal handlers may call it."""
        self._news.put(None)
        for each in self.instances:
            each.container.wake()

    def watch(self, timeout: float = POLL_SECONDS) -> None:
        """Wait for news, look after those that ended, and ping one whose time has come."""
        if len(self.instances) == 1:
            self.instances[0].container.hear(timeout)
        else:
            with suppress(queue.Empty):
                self._news.get(timeout=timeout)
            for each in list(self.instances):
                each.container.catch_up()
        if self._given_up:
            return
        for each in list(self.instances):
            if each.upstream is not None and each.container.over_by_itself:
                self._bad(each, "its container ended")
        if not self._ground.stopping():
            self._ping_one()

    def check(self) -> None:
        """Raise what kept the engine from following a container, if anything did."""
        for each in self.instances:
            each.container.check()

    def _ping_one(self) -> None:
        now = time.monotonic()
        for each in list(self.instances):
            if each.upstream is None or now < each.next_ping or each.container.over_by_itself:
                continue
            healthy = each.container.ping()
            each.next_ping = time.monotonic() + self._interval
            each.bad_pings = 0 if healthy else each.bad_pings + 1
            if self._replaces and each.bad_pings >= self._bad_pings:
                self._bad(each, f"it failed {each.bad_pings} pings in a row")
            return

    def _bad(self, instance: Instance, why: str) -> None:
        """Send an instance no more requests, and put another in its place while the rule allows it."""
        if not self._replaces:
            if not self.request.alone:
                instance.upstream = None
                self._changed()
            return
        instance.upstream = None
        self._changed()
        replaced = 0 if time.monotonic() - instance.since > SETTLED_SECONDS else instance.replaced
        if replaced >= MOST_REPLACEMENTS:
            message = f"instance {instance.host} is not replaced: {why}, as {replaced} before it"
            self._ground.publish(Warned(message=message))
            if not instance.container.over_by_itself:
                instance.container.stop(0, hurried=lambda: False)
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
        if not old.container.over_by_itself:
            old.container.stop(30.0, hurried=lambda: self._stopping() > 0)
        old.container.close()
        with self._lock:
            if old.container.exit is not None:
                self._ended[old.host] = old.container.exit.code
            new = self._instance(old.variant, replaced=replaced)
            self.instances[self.instances.index(old)] = new
        try:
            new.container.start(self._spec(new))
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
            live = [each.container for each in self.instances]
            stops = [lambda one=one: one.stop(grace_s, hurried=hurried) for one in live]
            if len(stops) == 1:
                stops[0]()
                return
            threads = [threading.Thread(target=each, name="stopping", daemon=True) for each in stops]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

    # --- steps ----------------------------------------------------------------------------------------

    def _stopping(self) -> int:
        return self._ground.stopping() or int(self._given_up)

    def _heed_stop(self) -> None:
        if self._stopping():
            raise StopAskedError

    def _instance(self, variant: Variant, *, replaced: int = 0) -> Instance:
        host = variant.variant_name
        if not self.request.alone or self.generation or replaced:
            number = self._counts[host] = self._counts.get(host, 0) + 1
            middle = f"update-{self.generation}-" if self.generation else ""
            host = f"{host}/{middle}instance-{number}"
        container = ServingContainer(
            self._ground.engine,
            host=host,
            variant=variant.variant_name,
            host_header=container_host(self._ground.platform.settings),
            stopping=self._stopping,
            publish=self._heard,
            multi_model=variant.model.multi_model,
        )
        return Instance(variant, host, container, replaced=replaced)

    def _welcome(self, instance: Instance) -> None:
        window = instance.variant.container_startup_health_check_timeout_in_seconds
        upstream = instance.container.healthy(window)
        instance.since = time.monotonic()
        instance.next_ping = instance.since + self._interval
        self._new_shelf(instance.variant, upstream)
        instance.upstream = upstream

    def _all(self, steps: list[Callable[[], None]]) -> None:
        """Do all of them at once; the first error ends the others and is raised."""
        if len(steps) == 1:
            steps[0]()
            return
        errors: list[BaseException] = []

        def run(step: Callable[[], None]) -> None:
            try:
                step()
            except BaseException as error:  # noqa: BLE001  # raised again below
                errors.append(error)
                if not isinstance(error, StopAskedError):
                    self._given_up = True

        threads = [threading.Thread(target=run, args=(step,), name="starting", daemon=True) for step in steps]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for error in sorted(errors, key=lambda error: isinstance(error, StopAskedError)):
            raise error

    def _surround(self) -> None:
        """Make the network of isolated models and what gives the others their credentials."""
        ground, publish = self._ground, self._ground.publish
        models = {each.model.model_name: each.model for each in self.request.all_variants}
        if any(model.enable_network_isolation for model in models.values()):
            # not "none": the gateway has to reach the container
            self._network = self._resources.enter_context(
                private_network(
                    ground.engine, self._name, internal=True, labels=dict(ground.labels), publish=publish
                )
            )
        unset = ground.platform.settings.text("endpoint-aws-variables") == "unset"
        for name, model in models.items():
            credentials = self._credentials[name] = credentials_for(
                ground.engine,
                image=self.images[model.image],
                platform=ground.platform,
                isolated=model.enable_network_isolation or unset,
                role_arn=model.execution_role_arn,
                publish=publish,
            )
            if credentials is not None:
                self._resources.callback(credentials.close)
        kinds = {each.instance_type for each in self.request.all_variants}
        self._limits = limits_of(
            sorted(kinds),
            chosen=self.request.instance_chosen,
            engine=ground.engine,
            settings=ground.platform.settings,
            publish=publish,
        )
        self._resources.callback(self._close_containers)

    @property
    def _name(self) -> str:
        name = f"sm-emulate-{self._ground.session[:12]}"
        return f"{name}-{self.generation}" if self.generation else name

    def _spec(self, instance: Instance) -> ContainerSpec:
        ground, model = self._ground, instance.variant.model
        credentials = self._credentials[model.model_name]
        with self._lock:
            self._made += 1
            name = self._name if self.request.alone and self._made == 1 else f"{self._name}-{self._made}"
        spec = container_spec(
            model.environment,
            image=self.images[model.image].id,
            platform=ground.platform,
            beside={} if credentials is None else credentials.environment(instance.host),
            mounts=self._models[model.model_name],
            network=self._network if model.enable_network_isolation else None,
            gpus=ground.gpus,
            limits=self._limits[instance.variant.instance_type],
            labels=dict(ground.labels) | {LABEL_HOST: instance.host},
            name=name,
            multi_model=model.multi_model,
        )
        return spec if ground.vary is None else ground.vary(spec)

    def _close_containers(self) -> None:
        for each in self.instances:
            each.container.close()

    def _heard(self, event: Event) -> None:
        """Pass on what a container does, from its own thread."""
        self._ground.publish(event)
        if isinstance(event, ContainerExited):
            self._news.put(None)
        if not isinstance(event, ContainerStarted):
            return
        model = next(each.variant.model for each in self.instances if each.host == event.host)
        credentials = self._credentials[model.model_name]
        if credentials is not None:
            credentials.started(event.host, event.container)
        if model.enable_network_isolation:
            self._confine(event.container)

    def _confine(self, container: str) -> None:
        """Keep an isolated container from the one thing that its network leaves it: this machine."""
        with suppress(NotFoundError):  # it has ended
            if not self._ground.engine.confine(container):
                self._ground.publish(
                    Noted(
                        message="an isolated endpoint still reaches services of this machine, through its network's "
                        "gateway: only root can keep it from that"
                    )
                )
