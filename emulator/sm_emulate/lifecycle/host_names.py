"""The names of a job's hosts: from when they resolve, and that they do so until the job is over."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING

from sm_emulate.engine.protocol import ContainerSpec
from sm_emulate.errors import SmEmulateError
from sm_emulate.events import Noted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from sm_emulate.engine.protocol import Engine
    from sm_emulate.events import Event

TOGETHER_S = 0.3
"""Hosts that end within so short a time of each other need no names kept, as a rule: all of them end then."""


class HostNames:
    """Keeps the names of hosts that have ended, and gives them late where that is asked for.

    On the platform an instance is there until the whole job is over, and so is its name. A container engine forgets
    a name when its container ends, and a slower host that looks it up again and again would do so for ever. So a
    container that does nothing takes over the names: whoever connects finds a machine on which nobody listens.
    It runs this machine's `sleep` in the job's own image, which is surely there.

    Args:
        engine: runs the hosts.
        network: on which they are.
        image: the job's.
        hosts: the names of all.
        delay_s: from the start of the last host until names resolve. With 0 they do so by themselves.
        labels: of what is made.
        publish: hears what goes wrong; the job goes on.
    """

    def __init__(
        self,
        engine: Engine,
        network: str,
        *,
        image: str,
        hosts: Iterable[str],
        delay_s: float,
        labels: Mapping[str, str],
        publish: Callable[[Event], None],
    ) -> None:
        self._engine, self._network, self._image = engine, network, image
        self._hosts, self._delay_s = frozenset(hosts), delay_s
        self._labels, self._publish = labels, publish
        self._news = threading.Condition()
        self._closed = False
        self._running: dict[str, str] = {}
        self._ended: set[str] = set()
        self._kept: set[str] = set()
        self._keepers: list[str] = []
        self._late_network: str | None = None
        self._thread = threading.Thread(target=self._live, name="host names", daemon=True)
        self._thread.start()

    def started(self, host: str, container: str) -> None:
        """Hear that a host runs. Returns at once, as `ended` does."""
        with self._news:
            self._running[host] = container
            self._news.notify_all()

    def ended(self, host: str) -> None:
        """Hear that a host has ended."""
        with self._news:
            self._ended.add(host)
            self._news.notify_all()

    def close(self) -> None:
        """Let go of all names, after the hosts' containers are gone."""
        with self._news:
            self._closed = True
            self._news.notify_all()
        self._thread.join()
        for container in self._keepers:
            self._tried("a container that keeps names", partial(self._engine.remove, container))
        if self._late_network is not None:
            self._tried("the network of late names", partial(self._engine.remove_network, self._late_network))

    def _live(self) -> None:
        if self._delay_s:
            self._until(lambda: self._hosts <= self._running.keys())
            self._until(lambda: False, self._delay_s)
            if not self._over:
                self._tried("the network of late names", self._give)
        while not self._over:
            if not self._until(lambda: bool(self._ended - self._kept)):
                return
            self._until(lambda: self._ended >= self._hosts, TOGETHER_S)
            if not self._over:
                self._tried("the names of hosts that have ended", self._keep)

    def _until(self, reached: Callable[[], bool], timeout: float | None = None) -> bool:
        """Wait for something, or until closed; tell whether it is so."""
        with self._news:
            self._news.wait_for(lambda: self._closed or reached(), timeout)
            return reached()

    @property
    def _over(self) -> bool:
        with self._news:
            return self._closed or self._ended >= self._hosts

    def _give(self) -> None:
        """Have those that run join a second network, on which they have their names."""
        network = f"{self._network}-names"
        self._engine.create_network(network, internal=True, labels=self._labels)
        self._late_network = network
        for host, container in self._running.items():
            if host not in self._ended:
                join = partial(self._engine.connect_network, network, container, aliases=(host,))
                self._tried(f"the name of {host}", join)

    def _keep(self) -> None:
        from sm_emulate.engine.borrowed import borrowed

        with self._news:
            names = sorted(self._ended - self._kept)
            self._kept |= self._ended
        program, tools = borrowed("sleep")
        container = self._engine.create(
            ContainerSpec(
                image=self._image,
                name=f"{self._network}-names-{len(self._keepers)}",
                entrypoint=tuple(program),
                command=(str(1 << 30),),
                environment={"LD_PRELOAD": ""},
                user="0:0",
                mounts=tuple(tools),
                network=self._late_network or self._network,
                aliases=tuple(names),
                labels=self._labels,
            )
        )
        self._keepers.append(container)
        self._engine.start(container)

    def _tried(self, what: str, attempt: Callable[[], None]) -> None:
        try:
            attempt()
        except SmEmulateError as error:
            self._publish(Noted(message=f"{what}: {error.what}"))
