"""The containers of one run, and what has become of each."""

from __future__ import annotations

import queue
from typing import TYPE_CHECKING

from sm_emulate.errors import StartError
from sm_emulate.lifecycle.container import Broken, ContainerLife, Ended, NeverStarted, Started

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from sm_emulate.engine.protocol import ContainerSpec, Engine, Exit
    from sm_emulate.events import Event
    from sm_emulate.lifecycle.container import News


class Containers:
    """Starts containers, and hears in one thread what happens to them in theirs.

    Args:
        engine: runs them.
        publish: hears their events, from their threads.
        gather_s: how long to let a busy container's log lines gather.
    """

    def __init__(self, engine: Engine, *, publish: Callable[[Event], None], gather_s: float = 0.0) -> None:
        self._engine, self._publish, self._gather_s = engine, publish, gather_s
        self._news: queue.SimpleQueue[News | None] = queue.SimpleQueue()
        self._lives: dict[str, ContainerLife] = {}
        self._heard: set[str] = set()
        self._started: set[str] = set()
        self.exits: dict[str, Exit] = {}
        """By host, in the order in which they ended."""
        self.broken: dict[str, BaseException] = {}
        """By host: why the engine could not start or follow its container."""

    def begin(self, host: str, spec: ContainerSpec, *, ready: threading.Event | None = None) -> None:
        """Make one and start it when it is `ready`, in a thread of its own."""
        life = ContainerLife(
            self._engine,
            spec,
            host=host,
            publish=self._publish,
            post=self._news.put,
            gather_s=self._gather_s,
            ready=ready,
        )
        self._lives[host] = life
        life.begin()

    def running(self, host: str) -> str | None:
        """Give the id of a host's container while it runs."""
        life = self._lives.get(host)
        return None if life is None else life.container

    @property
    def over(self) -> bool:
        """Whether all that were begun have ended, as far as was heard."""
        return len(self._heard) == len(self._lives)

    @property
    def all_started(self) -> bool:
        """Whether all that were begun run, or have run."""
        return len(self._started) == len(self._lives) > 0

    @property
    def failed(self) -> bool:
        """Whether one could not be started, or exited non-zero."""
        return bool(self.broken) or any(end.code for end in self.exits.values())

    @property
    def refused(self) -> str | None:
        """The engine's words if a program could not be started.

        Raises:
            SmEmulateError: the engine could not start or follow a container for any other reason.
        """
        refused = None
        for error in self.broken.values():
            if not isinstance(error, StartError):
                raise error
            refused = refused or str(error)
        return refused

    def check(self) -> None:
        """Raise what kept the engine from starting or following one of them, if anything did."""
        for error in self.broken.values():
            raise error

    def hear(self, timeout: float) -> bool:
        """Wait for the next piece of news, or until woken; tell whether something came."""
        try:
            news = self._news.get(timeout=timeout) if timeout else self._news.get_nowait()
        except queue.Empty:
            return False
        if isinstance(news, Started):
            self._started.add(news.host)
        elif isinstance(news, Ended):
            self.exits[news.host] = news.exit
        elif isinstance(news, Broken):
            self.broken[news.host] = news.error
        if isinstance(news, (Ended, Broken, NeverStarted)):
            self._heard.add(news.host)
        return True

    def wake(self) -> None:
        """Have `hear` return. Signal handlers may call it."""
        self._news.put(None)

    def signal(self, name: str) -> None:
        """Send it to every container that has not ended."""
        for host, life in self._lives.items():
            if host not in self._heard:
                life.signal(name)

    def join(self) -> None:
        """Wait until all have ended and are removed."""
        for life in self._lives.values():
            life.join()

    def close(self) -> None:
        """Kill what still runs, and wait until all are removed. After an end in good order nothing runs."""
        for host, life in self._lives.items():
            if host not in self._heard:
                life.give_up()
        self.join()
