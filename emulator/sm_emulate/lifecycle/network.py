"""The networks of a run's containers."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from sm_emulate.errors import SmEmulateError
from sm_emulate.events import Warned

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import ExitStack

    from sm_emulate.engine.protocol import Engine
    from sm_emulate.events import Event


def network_of_hosts(
    resources: ExitStack,
    engine: Engine,
    *,
    session: str,
    hosts: int,
    isolated: bool,
    labels: Mapping[str, str],
    publish: Callable[[Event], None],
) -> str | None:
    """Give the network of a job's containers: one of their own where they have to meet; None is the engine's.

    A single host needs none: it finds itself as algo-1 in /etc/hosts, and making a network costs more than
    starting the container.
    """
    if hosts == 1:
        return "none" if isolated else None
    return resources.enter_context(
        private_network(
            engine, f"sm-emulate-{session[:12]}", internal=isolated, labels=labels, publish=publish
        )
    )


@contextmanager
def private_network(
    engine: Engine,
    name: str,
    *,
    internal: bool,
    with_host: bool = True,
    labels: Mapping[str, str],
    publish: Callable[[Event], None],
) -> Iterator[str]:
    """Make a network and give its name; it is removed at the end, when its containers are gone."""
    network = engine.create_network(name, internal=internal, labels=labels, with_host=with_host)
    try:
        yield name
    finally:
        try:
            try:
                engine.remove_network(network)
            except SmEmulateError:
                engine.remove_network(network)  # once more: an engine may be busy with it for a moment
        except SmEmulateError as error:
            publish(
                Warned(
                    message=f"network {name} could not be removed: {error.what}; `sm-emulate clean` tries again"
                )
            )
