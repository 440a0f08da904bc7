"""A network of a run's own."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from sm_emulate.errors import SmEmulateError
from sm_emulate.events import Warned

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from sm_emulate.engine.protocol import Engine
    from sm_emulate.events import Event


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
