"""The container of an endpoint: started, waited for until it is healthy, pinged, stopped."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from sm_emulate.errors import NotFoundError, SmEmulateError
from sm_emulate.events import ContainerStarted, LogLines, Noted, Pinged, Warned
from sm_emulate.gateway.ping import ping
from sm_emulate.lifecycle.containers import Containers
from sm_emulate.lifecycle.hosting.container import reach
from sm_emulate.lifecycle.hosting.failure import could_not_start, unhealthy
from sm_emulate.lifecycle.hosting.health import diagnose, wait_until_healthy
from sm_emulate.lifecycle.log_tail import LogTail
from sm_emulate.lifecycle.stop_request import POLL_SECONDS, stopping
from sm_emulate.spec import wordings
from sm_emulate.spec.endpoint import CONTAINER_PORT

if TYPE_CHECKING:
    from collections.abc import Callable

    from sm_emulate.engine.protocol import ContainerSpec, ContainerState, Engine, Exit, Listener
    from sm_emulate.events import Event
    from sm_emulate.gateway import Upstream
    from sm_emulate.gateway.ping import PingOutcome

KILL_SECONDS = 10.0
"""How long an engine may take to end a container that it was told to kill."""
NEWS_SECONDS = 10.0
"""Until an end that the engine knows of has come to us, with the last lines of the log."""

GATHER_SECONDS = 0.1
"""For the log lines of a busy endpoint; nobody reads faster."""


class StopAskedError(Exception):
    """A stop was asked for before the endpoint was in service."""


class ServingContainer:
    """One container that serves.

    Args:
        engine: runs it.
        host: what its events and logs are called.
        variant: the variant that it stands for; `host` if not given.
        host_header: as it sees it in every request.
        stopping: how often a stop was asked for so far.
        publish: hears its events, from its thread and from the caller's.
        multi_model: ask it for its models after each ping, as SageMaker does.
        called: what failure messages call it.
        port: where it listens.
        inside: the container whose network it shares.
        neighbours: the ports of the others in that network.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        host: str,
        variant: str | None = None,
        host_header: str,
        stopping: Callable[[], int],
        publish: Callable[[Event], None],
        multi_model: bool = False,
        called: str = wordings.PRIMARY,
        port: int = CONTAINER_PORT,
        inside: ServingContainer | None = None,
        neighbours: frozenset[int] = frozenset(),
    ) -> None:
        self.called, self._port, self._inside, self._neighbours = called, port, inside, neighbours
        self._multi_model = multi_model
        self._engine, self.host, self._host_header = engine, host, host_header
        self._variant = host if variant is None else variant
        self._stopping, self._publish = stopping, publish
        self._containers = Containers(engine, publish=self._heard, gather_s=GATHER_SECONDS)
        self._tail = LogTail()
        self.upstream: Upstream | None = None
        """Where it listens; None before it runs."""
        self.began = False
        """Whether it was ever started."""

    @property
    def id(self) -> str | None:
        """The engine's id of it while it runs."""
        return self._containers.running(self.host)

    @property
    def exit(self) -> Exit | None:
        """How it ended, as far as was heard."""
        return self._containers.exits.get(self.host)

    @property
    def over(self) -> bool:
        """Whether there is nothing left to wait for: it has ended, or a stop was asked for."""
        return self._containers.over or self._stopping() > 0

    @property
    def over_by_itself(self) -> bool:
        """Whether it has ended, or cannot be followed."""
        return self._containers.over

    def wake(self) -> None:
        """Have `hear` return. Signal handlers may call it."""
        self._containers.wake()

    def hear(self, timeout: float = POLL_SECONDS) -> bool:
        """Wait for news of it; tell whether something came."""
        return self._containers.hear(timeout)

    def catch_up(self) -> None:
        """Hear what has happened up to now."""
        while self._containers.hear(0):
            pass

    def has_ended(self) -> bool:
        """Tell whether it has ended by itself; of what the engine knows already, the news is waited for."""
        self.catch_up()
        if not self.over and self._known_as_ended():
            self._wait_for_end(NEWS_SECONDS)
        return self.over_by_itself

    def check(self) -> None:
        """Raise what kept the engine from following it, if anything did."""
        self._containers.check()

    def heed_stop(self) -> None:
        """Raise StopAskedError if a stop was asked for."""
        if self._stopping():
            raise StopAskedError

    def start(self, spec: ContainerSpec) -> None:
        """Start it.

        Raises:
            EndpointFailedError: its program cannot be run.
            SmEmulateError: the engine could not make or start it.
        """
        self._containers.begin(self.host, spec)
        while self.id is None and not self.over:
            self.hear()
        for error in self._containers.broken.values():
            raise could_not_start(self._variant, error, container=self.called)
        self.heed_stop()

    def healthy(self, window_s: float) -> Upstream:
        """Wait for the first ping that is answered with 200; give where that was.

        Raises:
            EndpointFailedError: it did not come within the window, or the container ended before.
        """
        self.upstream = upstream = reach(
            self._engine, self._network_state(), host_header=self._host_header, port=self._port
        )
        last = None
        if upstream is None:  # it has ended, or is about to
            self._wait_for_end(window_s)
        else:
            last = wait_until_healthy(
                upstream,
                window_s=window_s,
                give_up=self._give_up,
                heard=self._tell,
                still=self._still_waiting,
                host_header=self._host_header,
                also=self._models_too,
            )
        self.heed_stop()
        if last is not None and last.status == 200 and self._known_as_ended():
            # engines give an address to the next container at once: the 200 was somebody else's
            last = None
            self._wait_for_end(window_s)
        if upstream is None or last is None or last.status != 200:
            raise self._unhealthy(last, window_s)
        return upstream

    def ping(self) -> bool:
        """Ask it once whether it is well, and warn if it is not."""
        if self.upstream is None:
            return False
        outcome = ping(self.upstream.host, self.upstream.port, host_header=self._host_header)
        self._tell(outcome)
        if outcome.status != 200:
            seen = outcome.detail if outcome.status is None else f"status {outcome.status}"
            who = "" if self.called == wordings.PRIMARY else f"{self.called}: "
            self._publish(
                Warned(message=f"{who}GET /ping failed: {seen}; SageMaker would replace the instance")
            )
            return False
        listed = self._models_too()
        if listed is not None and listed.status != 200:
            self._publish(Warned(message=f"{listed.detail}; SageMaker would replace the instance"))
            return False
        return True

    def _models_too(self) -> PingOutcome | None:
        """Ask a multi-model container for its models; None for another one."""
        if not self._multi_model or self.upstream is None:
            return None
        from sm_emulate.gateway.model_list import list_models

        return list_models(self.upstream, host_header=self._host_header).outcome

    def deaf_to(self, signal: str) -> bool:
        """Whether it runs, and its PID 1 is known to have no handler for a signal: the kernel then discards it."""
        container = self.id
        if container is None or self._containers.over:
            return False
        with suppress(SmEmulateError):  # it may end, and be gone, at any moment
            return self._engine.catches(container, signal) is False
        return False

    def stop(self, grace_s: float, *, hurried: Callable[[], bool]) -> None:
        """Send SIGTERM, and SIGKILL after the grace period or as soon as somebody is in a hurry."""
        if not self._containers.over:
            self._publish(Noted(message=stopping(round(grace_s, 1))))
        with suppress(SmEmulateError):  # an engine that is gone has stopped it, too, or `clean` will
            self._containers.signal("SIGTERM")
        kill_at = time.monotonic() + grace_s
        while not self._containers.over:
            left = kill_at - time.monotonic()
            if hurried():
                self._publish(Warned(message="a second request to stop: the container is killed"))
                break
            if left <= 0:
                late = f"the container did not end within {grace_s:g} s of SIGTERM: killed"
                self._publish(Warned(message=late))
                break
            self.hear(min(POLL_SECONDS, left))
        self.kill()

    def kill(self) -> None:
        """Send SIGKILL, and wait until it has ended."""
        with suppress(SmEmulateError):  # likewise
            self._containers.signal("SIGKILL")
        while not self._containers.over and self.hear(KILL_SECONDS):
            pass

    def close(self) -> None:
        """Kill it if it still runs, and wait until it is removed."""
        self._containers.close()

    def _heard(self, event: Event) -> None:
        if isinstance(event, LogLines):
            self._tail.add(event.data)
        elif isinstance(event, ContainerStarted):
            self.began = True
        self._publish(event)

    def _tell(self, outcome: PingOutcome) -> None:
        self._publish(
            Pinged(
                status=outcome.status,
                seconds=round(outcome.seconds, 6),
                failure=outcome.failure or "",
                host=self.host,
            )
        )

    def _still_waiting(self, last: PingOutcome | None, seconds: float) -> None:
        seen = diagnose(
            ended=None, last=last, listeners=self._listeners(), window_s=round(seconds), port=self._port
        ).seen
        self._publish(Noted(message=f"not in service after {seconds:.0f} s: {seen}"))

    def _give_up(self) -> bool:
        self.catch_up()
        return self.over

    def _wait_for_end(self, window_s: float) -> None:
        deadline = time.monotonic() + window_s
        while not self.over and (left := deadline - time.monotonic()) > 0:
            self.hear(min(POLL_SECONDS, left))

    def _known_as_ended(self) -> bool:
        """Ask the engine, which may know it before it is heard here."""
        state = self.state()
        return state is None or state.exit is not None

    def state(self) -> ContainerState | None:
        """Give what the engine knows of it now; None when it does not run."""
        container = self.id
        if container is None:
            return None
        with suppress(NotFoundError):  # it may end, and be gone, at any moment
            return self._engine.state(container)
        return None

    def _network_state(self) -> ContainerState | None:
        """Give the state that says where it is reached, while it runs."""
        own = self.state()
        if self._inside is None or own is None or own.exit is not None:
            return own
        return self._inside.state()

    def _listeners(self) -> tuple[Listener, ...] | None:
        if (container := self.id) is not None:
            with suppress(SmEmulateError):  # the diagnosis then does without
                found = self._engine.listeners(container)
                return None if found is None else tuple(x for x in found if x.port not in self._neighbours)
        return None

    def _unhealthy(self, last: PingOutcome | None, window_s: float) -> BaseException:
        for error in self._containers.broken.values():
            return error
        return unhealthy(
            self._variant,
            container=self.called,
            port=self._port,
            ended=self.exit,
            last=last,
            listeners=self._listeners(),
            window_s=window_s,
            tail=self._tail,
        )
