"""An instance of a variant: the containers of its model, started, pinged and stopped as one."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from sm_emulate.errors import EndpointFailedError, SmEmulateError
from sm_emulate.lifecycle.hosting.failure import together_unhealthy
from sm_emulate.lifecycle.hosting.serving_container import StopAskedError
from sm_emulate.lifecycle.together import together

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sm_emulate.engine.protocol import ContainerSpec
    from sm_emulate.gateway import Upstream
    from sm_emulate.lifecycle.hosting.serving_container import ServingContainer
    from sm_emulate.request.hosted_model import ContainerDefinition
    from sm_emulate.request.variant import Variant


def in_network_of(container: str, spec: ContainerSpec) -> ContainerSpec:
    """Give a container that lives in the network of another, whose host name and ports are its own, too."""
    return replace(spec, network=f"container:{container}", hostname=None, publish=(), extra_hosts=())


class Instance:
    """The containers of one instance, and how they do.

    Args:
        variant: whose it is.
        host: what its events are called; a single container's logs, too.
        containers: one for each container of the variant's model, in their order.
        replaced: how many instances went before it in its place.
        abandoned: set when one of several containers has ended before all were healthy.
        shares_network: whether the others live in the network of the first.
    """

    def __init__(
        self,
        variant: Variant,
        host: str,
        containers: Sequence[ServingContainer],
        *,
        replaced: int = 0,
        abandoned: threading.Event | None = None,
        shares_network: bool = False,
    ) -> None:
        self.variant, self.host, self.replaced = variant, host, replaced
        self._abandoned = abandoned or threading.Event()
        self._shares_network = shares_network
        self.containers = tuple(containers)
        self.upstreams: tuple[Upstream, ...] = ()
        """Where requests reach each container; empty while it takes none."""
        self.since = 0.0
        self.next_ping = 0.0
        self.bad_pings = 0

    # --- the way into service -------------------------------------------------------------------------

    def start(self, specs: Sequence[ContainerSpec]) -> None:
        """Start its containers.

        Raises:
            EndpointFailedError: a program cannot be run.
        """
        pairs = list(zip(self.containers, specs, strict=True))
        if self._shares_network:
            self._start_in_one_network(pairs)
            return
        together([partial(each.start, spec) for each, spec in pairs], name="starting", least=StopAskedError)

    def _start_in_one_network(self, pairs: Sequence[tuple[ServingContainer, ContainerSpec]]) -> None:
        """Start the first, whose network it is, and then the others."""
        (first, spec), *others = pairs
        first.start(spec)
        network = first.id
        if network is None:
            first.healthy(0.0)  # raises: it has ended
            return
        try:
            together(
                [partial(each.start, in_network_of(network, spec)) for each, spec in others],
                name="starting",
                least=StopAskedError,
            )
        except SmEmulateError:
            if first.has_ended():  # nobody can join a network that is gone
                first.healthy(0.0)
            raise

    def healthy(self, window_s: float) -> tuple[Upstream, ...]:
        """Wait until all of them have passed their first ping; give where they are reached.

        Raises:
            EndpointFailedError: one did not come within the window, or ended before.
        """
        failed: dict[str, EndpointFailedError] = {}

        def one(container: ServingContainer) -> None:
            try:
                container.healthy(window_s)
            except EndpointFailedError as error:
                failed[container.called] = error
                if container.over_by_itself:
                    self._abandoned.set()  # the others need not go on
                raise

        try:
            together(
                [partial(one, each) for each in self.containers],
                name="waiting for health",
                least=StopAskedError,
            )
        except EndpointFailedError:
            if len(failed) < 2:
                raise
            named = [(each.called, failed[each.called]) for each in self.containers if each.called in failed]
            raise together_unhealthy(self.variant.variant_name, named) from None
        return tuple(each.upstream for each in self.containers if each.upstream is not None)

    # --- in service -----------------------------------------------------------------------------------

    @property
    def door(self) -> Upstream:
        """Where requests come in: at the first container, with the others beside it."""
        first, *others = self.upstreams
        return replace(first, beside=tuple(others)) if others else first

    def called(self, host: str) -> str | None:
        """Give what failure messages call the container of that host; None for none of this instance."""
        return next((each.called for each in self.containers if each.host == host), None)

    @property
    def began(self) -> bool:
        """Whether a container of it was ever started."""
        return any(each.began for each in self.containers)

    @property
    def over_by_itself(self) -> bool:
        """Whether a container has ended, or cannot be followed: without it the instance is none."""
        return any(each.over_by_itself for each in self.containers)

    @property
    def all_over(self) -> bool:
        """Whether nothing of it runs."""
        return all(each.over_by_itself for each in self.containers)

    @property
    def exit_codes(self) -> dict[str, int]:
        """By host, of the containers that have ended."""
        return {each.host: each.exit.code for each in self.containers if each.exit is not None}

    def definition_of(self, host: str) -> ContainerDefinition | None:
        """Give the definition of the container that is called so; None for none of this instance."""
        pairs = zip(self.containers, self.variant.model.containers, strict=True)
        return next((definition for each, definition in pairs if each.host == host), None)

    def wake(self) -> None:
        """Have those that wait for news of it look up. Signal handlers may call it."""
        for each in self.containers:
            each.wake()

    def catch_up(self) -> None:
        """Hear what has happened up to now."""
        for each in self.containers:
            each.catch_up()

    def check(self) -> None:
        """Raise what kept the engine from following a container, if anything did."""
        for each in self.containers:
            each.check()

    def ping(self) -> bool:
        """Ask each container once whether it is well; the first that is not is warned of."""
        return all(each.ping() for each in self.containers)

    # --- the way out ----------------------------------------------------------------------------------

    def stop(self, grace_s: float, *, hurried: Callable[[], bool]) -> None:
        """Stop what still runs: SIGTERM, the grace period, SIGKILL."""
        deadline = time.monotonic() + grace_s

        def one(container: ServingContainer) -> None:
            container.stop(max(0.0, deadline - time.monotonic()), hurried=hurried)

        together([partial(one, each) for each in self.containers], name="stopping")

    def close(self) -> None:
        """Kill what still runs, and wait until it is removed."""
        for each in self.containers:
            each.close()
