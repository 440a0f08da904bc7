"""The instances of a transform job, each with all containers of its model, and what surrounds them."""

from __future__ import annotations

import threading
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from sm_emulate.engine.protocol import LABEL_HOST
from sm_emulate.errors import NotFoundError
from sm_emulate.events import ContainerStarted, Noted
from sm_emulate.lifecycle.hosting.instance import Instance
from sm_emulate.lifecycle.hosting.neighbours import neighbours_of
from sm_emulate.lifecycle.hosting.serving_container import ServingContainer
from sm_emulate.lifecycle.instance_limits import limits_of
from sm_emulate.lifecycle.network import private_network
from sm_emulate.lifecycle.together import together
from sm_emulate.lifecycle.transform.container import hosts, transform_container
from sm_emulate.request.variant import Variant
from sm_emulate.spec.endpoint import CONTAINER_PORT
from sm_emulate.spec.transform_job import host_header

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import ExitStack

    from sm_emulate.engine.protocol import ContainerSpec, Engine, GpuRequest, Image, Mount
    from sm_emulate.events import Event
    from sm_emulate.gateway.front import Upstream
    from sm_emulate.lifecycle.credentials import Credentials
    from sm_emulate.lifecycle.instance_limits import Limits
    from sm_emulate.lifecycle.platform import Platform
    from sm_emulate.request.transform import TransformRequest


class TransformFleet:
    """The instances of one job.

    Args:
        request: what they are for.
        images: of its model, by the name that the request uses.
        engine: runs them.
        platform: which SageMaker.
        gpus: the GPUs of each.
        labels: of what is made.
        session: tells the job's containers and network from all others.
        publish: hears what happens to them, from their threads and from the caller's.
        stopping: how often a stop was asked for so far.
        vary: changes each container before it is made.
    """

    def __init__(
        self,
        request: TransformRequest,
        *,
        images: Mapping[str, Image],
        engine: Engine,
        platform: Platform,
        gpus: GpuRequest | None,
        labels: Mapping[str, str],
        session: str,
        publish: Callable[[Event], None],
        stopping: Callable[[], int],
        vary: Callable[[ContainerSpec], ContainerSpec] | None,
    ) -> None:
        self._request, self._images, self._engine, self._platform = request, images, engine, platform
        self._gpus, self._labels, self._session, self._vary = gpus, labels, session, vary
        self._publish, self._stopping = publish, stopping
        self._neighbours = neighbours_of(request.model, platform.settings)
        self._credentials: tuple[Credentials | None, ...] = ()
        self._network: str | None = None
        self._instances = [self._instance(host) for host in hosts(request)]
        self._numbers = {
            container.host: number
            for instance in self._instances
            for number, container in enumerate(instance.containers)
        }

    @property
    def began(self) -> bool:
        """Whether a container was ever started."""
        return any(each.began for each in self._instances)

    @property
    def has_ended(self) -> bool:
        """Whether a container is over."""
        return any(each.exit is not None for each in self._containers)

    @property
    def gone(self) -> str | None:
        """The container of a pipeline that is over; None where none is, and for a single one."""
        over = (each.called for each in self._containers if each.exit is not None)
        return next(over, None) if self._request.model.several else None

    @property
    def exit_codes(self) -> dict[str, int]:
        """Those of the containers that have ended, by host."""
        return {host: code for each in self._instances for host, code in each.exit_codes.items()}

    @property
    def upstreams(self) -> list[Upstream]:
        """Where the healthy instances take requests: at their first container, with the others beside it."""
        return [each.door for each in self._instances if each.upstreams]

    def start(self, mounts: Sequence[tuple[Mount, ...]], resources: ExitStack) -> None:
        """Start them all.

        Args:
            mounts: of each container of an instance.
            resources: closes what is made.

        Raises:
            EndpointFailedError: a program cannot be run.
            StopAskedError: somebody wants to stop.
            SmEmulateError: the engine cannot make or start one.
        """
        limits = self._surround(resources)
        for instance in self._instances:
            self.heed_stop()
            resources.callback(instance.close)
            instance.start(
                [self._spec(instance, number, found, limits) for number, found in enumerate(mounts)]
            )

    def healthy(self, window_s: float) -> None:
        """Wait until each container has passed its first ping.

        Raises:
            EndpointFailedError: one did not within the window.
            StopAskedError: somebody wants to stop.
        """
        for instance in self._instances:
            instance.upstreams = instance.healthy(window_s)

    def heed_stop(self) -> None:
        """Raise StopAskedError if a stop was asked for."""
        self._containers[0].heed_stop()

    def hear(self, timeout_s: float) -> None:
        """Wait for news of the first one, or until woken, and then hear what is new of all."""
        self._containers[0].hear(timeout_s)
        self.catch_up()

    def catch_up(self) -> None:
        """Hear what has happened up to now."""
        for instance in self._instances:
            instance.catch_up()

    def wake(self) -> None:
        """Have `hear` return. Signal handlers may call it."""
        for instance in self._instances:
            instance.wake()

    def stop(self, grace_s: float) -> None:
        """Send each SIGTERM, and SIGKILL after the grace period or as soon as waiting is of no use."""
        asked = self._stopping()
        self.catch_up()
        running = [each for each in self._containers if each.began]
        together([partial(self._stop, each, grace_s, asked) for each in running], name="stop")

    # --- steps ----------------------------------------------------------------------------------------

    @property
    def _containers(self) -> list[ServingContainer]:
        return [container for instance in self._instances for container in instance.containers]

    def _instance(self, host: str) -> Instance:
        model, neighbours = self._request.model, self._neighbours
        variant = Variant(
            variant_name=host, model=model, instance_type=self._request.transform_resources.instance_type
        )
        if not model.several:
            alone = ServingContainer(
                self._engine,
                host=host,
                host_header=host_header(CONTAINER_PORT),
                stopping=self._stopping,
                publish=self._heard,
            )
            return Instance(variant, host, (alone,))
        abandoned = threading.Event()
        containers = neighbours.serving(
            host,
            variant=host,
            engine=self._engine,
            host_header=host_header,
            stopping=lambda: self._stopping() or int(abandoned.is_set()),
            publish=self._heard,
        )
        return Instance(variant, host, containers, abandoned=abandoned, shares_network=neighbours.shared)

    def _spec(
        self, instance: Instance, number: int, mounts: tuple[Mount, ...], limits: Limits
    ) -> ContainerSpec:
        host, credentials = instance.containers[number].host, self._credentials[number]
        asker = instance.containers[self._neighbours.asker(number)].host
        described = transform_container(
            self._request,
            number,
            neighbours=self._neighbours,
            image=self._images[self._request.model.containers[number].image].id,
            platform=self._platform,
            beside={} if credentials is None else credentials.environment(asker),
            mounts=mounts,
            limits=limits,
            network=self._network,
            gpus=self._gpus,
            labels={**self._labels, LABEL_HOST: host},
            name=f"sm-emulate-{host.replace('/', '-')}-{self._session[:12]}",
        )
        return described if self._vary is None else self._vary(described)

    def _stop(self, container: ServingContainer, grace_s: float, asked: int) -> None:
        if container.deaf_to("SIGTERM"):
            message = (
                f"{container.host} has no handler for SIGTERM: killed at once; SageMaker waits {grace_s:g} s"
            )
            self._publish(Noted(message=message))
            container.kill()
        else:
            container.stop(grace_s, hurried=lambda: self._stopping() > max(1, asked))

    def _surround(self, resources: ExitStack) -> Limits:
        """Make the network of an isolated model or what gives the others their credentials; give the limits."""
        settings = self._platform.settings
        if self._request.model.enable_network_isolation:
            self._network = resources.enter_context(  # not "none": the container has to be reached
                private_network(
                    self._engine,
                    f"sm-emulate-{self._session[:12]}",
                    internal=True,
                    labels=dict(self._labels),
                    publish=self._publish,
                )
            )
        self._credentials = self._neighbours.credentials(
            self._images, engine=self._engine, platform=self._platform, publish=self._publish
        )
        for credentials in dict.fromkeys(self._credentials):
            if credentials is not None:
                resources.callback(credentials.close)
        wanted = self._request.transform_resources
        return limits_of(
            [wanted.instance_type],
            chosen=wanted.chosen,
            engine=self._engine,
            settings=settings,
            publish=self._publish,
        )[wanted.instance_type]

    def _heard(self, event: Event) -> None:
        """Pass on what a container does, from its own thread."""
        self._publish(event)
        if not isinstance(event, ContainerStarted):
            return
        number = self._numbers[event.host]
        if self._neighbours.asker(number) != number:
            return  # all of it was done for the first, whose network it is
        credentials = self._credentials[number]
        if credentials is not None:
            credentials.started(event.host, event.container)
        if self._request.model.enable_network_isolation:
            with suppress(NotFoundError):  # it has ended
                if not self._engine.confine(event.container):
                    self._publish(Noted(message=_NOT_CONFINED))


_NOT_CONFINED = (
    "an isolated container still reaches services of this machine, through its network's gateway: only root can "
    "keep it from that"
)
