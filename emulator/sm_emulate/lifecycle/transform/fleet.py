"""The containers of a transform job, one for each instance, and what surrounds them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING

from sm_emulate.engine.protocol import LABEL_HOST
from sm_emulate.errors import NotFoundError
from sm_emulate.events import ContainerStarted, Noted
from sm_emulate.lifecycle.credentials import credentials_for
from sm_emulate.lifecycle.hosting.serving_container import ServingContainer
from sm_emulate.lifecycle.instance_limits import limits_of
from sm_emulate.lifecycle.network import private_network
from sm_emulate.lifecycle.transform.container import hosts, transform_container
from sm_emulate.spec.transform_job import HOST_HEADER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import ExitStack

    from sm_emulate.engine.protocol import ContainerSpec, Engine, GpuRequest, Image, Mount
    from sm_emulate.events import Event
    from sm_emulate.gateway.front import Upstream
    from sm_emulate.lifecycle.credentials import Credentials
    from sm_emulate.lifecycle.instance_limits import Limits
    from sm_emulate.lifecycle.platform import Platform
    from sm_emulate.request.transform import TransformRequest


class TransformFleet:
    """The containers of one job.

    Args:
        request: what they are for.
        image: the image as the engine knows it.
        engine: runs them.
        platform: which SageMaker.
        gpus: the GPUs of each.
        labels: of what is made.
        session: tells the job's containers and network from all others.
        publish: hears what happens to them, from their threads and from the caller's.
        stopping: how often a stop was asked for so far.
        vary: changes each before it is made.
    """

    def __init__(
        self,
        request: TransformRequest,
        *,
        image: Image,
        engine: Engine,
        platform: Platform,
        gpus: GpuRequest | None,
        labels: Mapping[str, str],
        session: str,
        publish: Callable[[Event], None],
        stopping: Callable[[], int],
        vary: Callable[[ContainerSpec], ContainerSpec] | None,
    ) -> None:
        self._request, self._image, self._engine, self._platform = request, image, engine, platform
        self._gpus, self._labels, self._session, self._vary = gpus, labels, session, vary
        self._publish, self._stopping = publish, stopping
        self._credentials: Credentials | None = None
        self._network: str | None = None
        self._instances = {
            host: ServingContainer(
                engine, host=host, host_header=HOST_HEADER, stopping=stopping, publish=self._heard
            )
            for host in hosts(request)
        }

    @property
    def began(self) -> bool:
        """Whether a container was ever started."""
        return any(instance.began for instance in self._instances.values())

    @property
    def has_ended(self) -> bool:
        """Whether one of them is over."""
        return any(instance.exit is not None for instance in self._instances.values())

    @property
    def exit_codes(self) -> dict[str, int]:
        """Those of the containers that have ended, by host."""
        return {
            host: instance.exit.code
            for host, instance in self._instances.items()
            if instance.exit is not None
        }

    @property
    def upstreams(self) -> list[Upstream]:
        """Where the healthy ones listen."""
        return [each.upstream for each in self._instances.values() if each.upstream is not None]

    def start(self, mounts: tuple[Mount, ...], resources: ExitStack) -> None:
        """Start them all.

        Args:
            mounts: of each.
            resources: closes what is made.

        Raises:
            EndpointFailedError: a program cannot be run.
            StopAskedError: somebody wants to stop.
            SmEmulateError: the engine cannot make or start one.
        """
        limits = self._surround(resources)
        for host, instance in self._instances.items():
            instance.heed_stop()
            resources.callback(instance.close)
            described = transform_container(
                self._request,
                image=self._image.id,
                platform=self._platform,
                beside={} if self._credentials is None else self._credentials.environment(host),
                mounts=mounts,
                limits=limits,
                network=self._network,
                gpus=self._gpus,
                labels={**self._labels, LABEL_HOST: host},
                name=f"sm-emulate-{host}-{self._session[:12]}",
            )
            instance.start(described if self._vary is None else self._vary(described))

    def healthy(self, window_s: float) -> None:
        """Wait until each has passed its first ping.

        Raises:
            EndpointFailedError: one did not within the window.
            StopAskedError: somebody wants to stop.
        """
        for instance in self._instances.values():
            instance.healthy(window_s)

    def heed_stop(self) -> None:
        """Raise StopAskedError if a stop was asked for."""
        next(iter(self._instances.values())).heed_stop()

    def hear(self, timeout_s: float) -> None:
        """Wait for news of the first one, or until woken, and then hear what is new of all."""
        next(iter(self._instances.values())).hear(timeout_s)
        self.catch_up()

    def catch_up(self) -> None:
        """Hear what has happened up to now."""
        for instance in self._instances.values():
            instance.catch_up()

    def wake(self) -> None:
        """Have `hear` return. Signal handlers may call it."""
        for instance in self._instances.values():
            instance.wake()

    def stop(self, grace_s: float) -> None:
        """Send each SIGTERM, and SIGKILL after the grace period or as soon as waiting is of no use."""
        asked = self._stopping()
        self.catch_up()
        running = [each for each in self._instances.items() if each[1].began]
        with ThreadPoolExecutor(max(1, len(running)), thread_name_prefix="stop") as pool:
            for stopped in [
                pool.submit(self._stop, host, instance, grace_s, asked) for host, instance in running
            ]:
                stopped.result()

    def _stop(self, host: str, instance: ServingContainer, grace_s: float, asked: int) -> None:
        if instance.deaf_to("SIGTERM"):
            self._publish(
                Noted(
                    message=f"{host} has no handler for SIGTERM: killed at once; SageMaker waits {grace_s:g} s"
                )
            )
            instance.kill()
        else:
            instance.stop(grace_s, hurried=lambda: self._stopping() > max(1, asked))

    def _surround(self, resources: ExitStack) -> Limits:
        """Make the network of an isolated model or what gives the others their credentials; give the limits."""
        model, settings = self._request.model, self._platform.settings
        if model.enable_network_isolation:
            self._network = resources.enter_context(  # not "none": the container has to be reached
                private_network(
                    self._engine,
                    f"sm-emulate-{self._session[:12]}",
                    internal=True,
                    labels=dict(self._labels),
                    publish=self._publish,
                )
            )
        self._credentials = credentials_for(
            self._engine,
            image=self._image,
            platform=self._platform,
            isolated=model.enable_network_isolation or settings.text("endpoint-aws-variables") == "unset",
            role_arn=model.execution_role_arn,
            publish=self._publish,
        )
        if self._credentials is not None:
            resources.callback(self._credentials.close)
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
        if self._credentials is not None:
            self._credentials.started(event.host, event.container)
        if self._request.model.enable_network_isolation:
            with suppress(NotFoundError):  # it has ended
                if not self._engine.confine(event.container):
                    self._publish(Noted(message=_NOT_CONFINED))


_NOT_CONFINED = (
    "an isolated container still reaches services of this machine, through its network's gateway: only root can "
    "keep it from that"
)
