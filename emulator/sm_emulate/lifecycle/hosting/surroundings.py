"""What the containers of an endpoint find around them: models, network, credentials, limits."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sm_emulate.engine.protocol import LABEL_HOST, Mount
from sm_emulate.errors import NotFoundError
from sm_emulate.events import Noted
from sm_emulate.lifecycle.hosting.container import container_spec
from sm_emulate.lifecycle.hosting.model_folder import model_mounts
from sm_emulate.lifecycle.hosting.neighbours import neighbours_of
from sm_emulate.lifecycle.instance_limits import Limits, limits_of
from sm_emulate.lifecycle.network import private_network

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import ExitStack

    from sm_emulate.engine.protocol import ContainerSpec, Engine, GpuRequest, Image
    from sm_emulate.events import Event
    from sm_emulate.lifecycle.credentials import Credentials
    from sm_emulate.lifecycle.hosting.instance import Instance
    from sm_emulate.lifecycle.hosting.model_files import ModelFiles
    from sm_emulate.lifecycle.hosting.neighbours import Neighbours
    from sm_emulate.lifecycle.platform import Platform
    from sm_emulate.request.endpoint import EndpointRequest
    from sm_emulate.request.hosted_model import ContainerDefinition, HostedModel
    from sm_emulate.request.variant import Variant
    from sm_emulate.storage.run_folder import RunFolder


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


class FleetSurroundings:
    """Made once for each fleet: `prepare`, then `enter`, then ask for the `specs` of each instance.

    Args:
        request: the endpoint.
        images: of all models, by the name that the request uses.
        ground: what the fleet stands on.
        generation: of the fleet.
        resources: closes what is opened here.
    """

    def __init__(
        self,
        request: EndpointRequest,
        *,
        images: Mapping[str, Image],
        ground: FleetGround,
        generation: int,
        resources: ExitStack,
    ) -> None:
        self._request, self._images, self._ground = request, images, ground
        self._generation, self._resources = generation, resources
        self._network: str | None = None
        self._credentials: dict[tuple[str, int], Credentials | None] = {}
        self._mounts: dict[tuple[str, int], tuple[Mount, ...]] = {}
        self.files: ModelFiles | None = None
        """The models of a multi-model container; None where there is none."""
        self._lock = threading.Lock()
        self._made = 0

    def prepare(self, heed_stop: Callable[[], None]) -> None:
        """Have all models' folders.

        Raises:
            ArchiveError: an archive is one that hosting would refuse.
        """
        for variant in self._request.all_variants:
            for number, container in enumerate(variant.model.containers):
                key = (variant.model.model_name, number)
                if container.multi_model:
                    self._mounts[key] = self._files_of(container, variant)
                elif key not in self._mounts:
                    self._mounts[key] = model_mounts(
                        container,
                        self._ground.run_folder.opt_ml(self._place(variant, number)),
                        s3=self._ground.platform.s3,
                        publish=self._ground.publish,
                        heed_stop=heed_stop,
                    )
        heed_stop()

    def enter(self) -> None:
        """Make the network of isolated models and what gives the others their credentials."""
        ground, publish = self._ground, self._ground.publish
        models = {each.model.model_name: each.model for each in self._request.all_variants}
        if any(model.enable_network_isolation for model in models.values()):
            # not "none": the gateway has to reach the container
            self._network = self._resources.enter_context(
                private_network(
                    ground.engine, self._name, internal=True, labels=dict(ground.labels), publish=publish
                )
            )
        for model in models.values():
            self._give_credentials(model)
        kinds = {each.instance_type for each in self._request.all_variants if each.serverless is None}
        self._limits = limits_of(
            sorted(kinds),
            chosen=self._request.instance_chosen,
            engine=ground.engine,
            settings=ground.platform.settings,
            publish=publish,
        )

    def specs(self, instance: Instance) -> tuple[ContainerSpec, ...]:
        """Describe the containers of an instance, in their order."""
        numbers = range(len(instance.containers))
        return tuple(self._spec(instance, number) for number in numbers)

    def neighbours(self, model: HostedModel) -> Neighbours:
        """Say how the containers of an instance live together."""
        return neighbours_of(model, self._ground.platform.settings)

    def started(self, instance: Instance, host: str, container: str) -> None:
        """Open to a container that has just started what is its, and close what is not."""
        model = instance.variant.model
        number = [each.host for each in instance.containers].index(host)
        if number and self.neighbours(model).shared:
            return  # all of it was done for the first, whose network it is
        credentials = self._credentials[model.model_name, number]
        if credentials is not None:
            credentials.started(host, container)
        if model.enable_network_isolation:
            self._confine(container)

    # --- steps ----------------------------------------------------------------------------------------

    def _place(self, variant: Variant, number: int) -> str:
        place = variant.variant_name if not number else f"{variant.variant_name}.container-{number + 1}"
        return f"{place}.{self._generation}" if self._generation else place

    def _files_of(self, container: ContainerDefinition, variant: Variant) -> tuple[Mount, ...]:
        """Make the folder of a multi-model container's models, which come when they are asked for."""
        from sm_emulate.lifecycle.hosting.model_files import ModelFiles
        from sm_emulate.spec.multi_model import DIRECTORY

        assert container.data is not None
        self.files = ModelFiles(
            container.data,
            self._ground.run_folder.opt_ml(variant.variant_name) / "models",
            s3=self._ground.platform.s3,
            publish=self._ground.publish,
        )
        return (Mount(source=str(self.files.folder), target=DIRECTORY, read_only=True),)

    def _give_credentials(self, model: HostedModel) -> None:
        ground = self._ground
        found = self.neighbours(model).credentials(
            self._images, engine=ground.engine, platform=ground.platform, publish=ground.publish
        )
        for number, credentials in enumerate(found):
            self._credentials[model.model_name, number] = credentials
        for credentials in dict.fromkeys(found):
            if credentials is not None:
                self._resources.callback(credentials.close)

    @property
    def _name(self) -> str:
        name = f"sm-emulate-{self._ground.session[:12]}"
        # a number alone would be the name of one of the containers that an update is to take the place of
        return f"{name}-update-{self._generation}" if self._generation else name

    def _spec(self, instance: Instance, number: int) -> ContainerSpec:
        ground, model = self._ground, instance.variant.model
        container, host = model.containers[number], instance.containers[number].host
        neighbours = self.neighbours(model)
        credentials = self._credentials[model.model_name, number]
        asker = instance.containers[neighbours.asker(number)].host
        with self._lock:
            self._made += 1
            name = self._name if self._request.alone and self._made == 1 else f"{self._name}-{self._made}"
        spec = container_spec(
            container.environment,
            image=self._images[container.image].id,
            platform=ground.platform,
            beside={} if credentials is None else credentials.environment(asker),
            mounts=self._mounts[model.model_name, number],
            network=self._network if model.enable_network_isolation else None,
            gpus=ground.gpus,
            limits=self._limits.get(instance.variant.instance_type, Limits()),
            labels=dict(ground.labels) | {LABEL_HOST: host},
            name=name,
            multi_model=container.multi_model,
            ports=neighbours.own_ports(number),
        )
        spec = neighbours.placed(spec, number)
        if (serverless := instance.variant.serverless) is not None:
            from sm_emulate.lifecycle.hosting.serverless_container import serverless_spec

            settings = ground.platform.settings
            spec = serverless_spec(spec, serverless, settings=settings, engine=ground.engine)
        return spec if ground.vary is None else ground.vary(spec)

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
