"""What network the containers of a training job are on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sm_emulate.lifecycle.network import network_of_hosts

if TYPE_CHECKING:
    from contextlib import ExitStack

    from sm_emulate.lifecycle.training.life import JobParts
    from sm_emulate.lifecycle.training.warm_pool import WarmPool


class TrainingNetwork:
    """Made when it is needed first, one for all lives of the job; then removed, or left in its warm pool."""

    def __init__(self, parts: JobParts, resources: ExitStack, pool: WarmPool | None) -> None:
        self._parts, self._resources, self._pool = parts, resources, pool
        self._made: str | None = None if pool is None else pool.network

    def name(self) -> str | None:
        """Give it; None is the engine's default network."""
        parts = self._parts
        isolated = parts.request.enable_network_isolation
        hosts = len(parts.cluster.hosts)
        if hosts > 1 and self._made is None and self._pool is not None:
            name = f"sm-emulate-pool-{self._pool.folder.id}"
            made = parts.engine.create_network(
                name, internal=isolated, labels=self._pool.labels, with_host=not isolated
            )
            self._pool.keep(made)
            self._made = made
        if self._made is None:
            self._made = network_of_hosts(
                self._resources,
                parts.engine,
                session=parts.session,
                hosts=hosts,
                isolated=isolated,
                labels=parts.labels,
                publish=parts.publish,
            )
        return self._made
