"""The containers of a model on one instance: network, ports, names, and whose credentials they have."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sm_emulate.lifecycle.credentials import credentials_for
from sm_emulate.lifecycle.hosting.serving_container import ServingContainer
from sm_emulate.spec.containers import ports_of
from sm_emulate.spec.credentials import PORT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sm_emulate.engine.protocol import ContainerSpec, Engine, Image
    from sm_emulate.events import Event
    from sm_emulate.lifecycle.credentials import Credentials
    from sm_emulate.lifecycle.platform import Platform
    from sm_emulate.request.hosted_model import HostedModel
    from sm_emulate.spec.containers import Ports
    from sm_emulate.spec.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Neighbours:
    """What the containers of a model share on each instance. Made by `neighbours_of`."""

    model: HostedModel
    ports: tuple[Ports, ...]
    """Of each; nothing for a single container."""
    shared: bool
    """Whether the others live in the network of the first."""

    def own_ports(self, number: int) -> Ports | None:
        """Give those of one container; None for a single one, which listens at 8080."""
        return self.ports[number] if self.ports else None

    def asker(self, number: int) -> int:
        """Give the number of the container that asks for credentials where this one does: it has the network."""
        return 0 if self.shared else number

    def placed(self, spec: ContainerSpec, number: int) -> ContainerSpec:
        """Give a container its name, and the first of a shared network the ports and the names of all."""
        hostname = self.model.containers[number].hostname
        if self.shared and not number:
            names = tuple(f"{each}:127.0.0.1" for each in self.model.container_names)
            return replace(spec, publish=tuple(each.bind for each in self.ports), extra_hosts=names)
        if self.ports and hostname is not None:
            return replace(spec, hostname=hostname)
        return spec

    def serving(
        self,
        host: str,
        *,
        variant: str,
        engine: Engine,
        host_header: Callable[[int], str],
        stopping: Callable[[], int],
        publish: Callable[[Event], None],
    ) -> list[ServingContainer]:
        """Make the containers of one instance, each with a name, a port and a log of its own.

        Args:
            host: of the instance.
            variant: whose it is.
            engine: runs them.
            host_header: what the container that listens at a port sees as Host.
            stopping: how often a stop was asked for so far.
            publish: hears their events.
        """
        made: list[ServingContainer] = []
        for name, own in zip(self.model.container_names, self.ports, strict=True):
            made.append(
                ServingContainer(
                    engine,
                    host=f"{host}/{name}",
                    variant=variant,
                    host_header=host_header(own.bind),
                    stopping=stopping,
                    publish=publish,
                    called=name,
                    port=own.bind,
                    inside=made[0] if self.shared and made else None,
                    neighbours=frozenset(each.bind for each in self.ports if each is not own and self.shared),
                )
            )
        return made

    def credentials(
        self,
        images: Mapping[str, Image],
        *,
        engine: Engine,
        platform: Platform,
        publish: Callable[[Event], None],
    ) -> tuple[Credentials | None, ...]:
        """Give what answers each container that asks for credentials: one for all of a shared network."""
        model, asking = self.model, [images[container.image] for container in self.model.containers]
        if self.shared:
            # one address in one network; an image that keeps its port for itself does so for all
            asking = [*[each for each in asking if f"{PORT}/tcp" in each.exposed_ports], asking[0]][:1]
        unset = platform.settings.text("endpoint-aws-variables") == "unset"
        found = [
            credentials_for(
                engine,
                image=image,
                platform=platform,
                isolated=model.enable_network_isolation or unset,
                role_arn=model.execution_role_arn,
                publish=publish,
            )
            for image in asking
        ]
        return tuple(found[self.asker(number)] for number in range(len(model.containers)))


def neighbours_of(model: HostedModel, settings: Settings) -> Neighbours:
    """Say how the containers of a model live together.

    Raises:
        RequestError: the settings leave no ports for them.
    """
    return Neighbours(
        model=model,
        ports=ports_of(settings, len(model.containers)) if model.several else (),
        shared=model.several and settings.text("pipeline-network") == "shared",
    )
