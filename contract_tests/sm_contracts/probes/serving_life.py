"""One container that serves, from its start to its end, watched."""

from __future__ import annotations

import math
import os
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sm_contracts.evidence.serving.end import Stop
from sm_contracts.evidence.serving.lives import Trial
from sm_contracts.evidence.serving.start import Listening, Ping, Start
from sm_contracts.probes.serving_http import Client, Request, ping_request
from sm_emulate.errors import EndpointFailedError, SmEmulateError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sm_contracts.evidence.serving.exchange import Exchange
    from sm_contracts.probes import Workbench
    from sm_emulate.api import ContainerSpec, Endpoint, EndpointRequest

TAIL = 20
DOCKER_DNS = "127.0.0.11"
"""Listens in the namespace of every container on a network that a user made; it is the engine's."""
OTHER_PATHS = ("/health", "/healthz", "/healthcheck", "/ready", "/v1/health", "/health/ready", "/ping/", "/")
PATIENCE_S = 15.0


class InterruptedLifeError(Exception):
    """The user wants to leave."""


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """Under which a container lives.

    Args:
        name: for the progress display.
        window_s: for its first healthy ping.
        model: folder at /opt/ml/model, read-only; None for no model data.
        vary: changes the container before it is made.
        isolated: no way out of its network.
    """

    name: str
    window_s: float
    model: Path | None = None
    vary: Callable[[ContainerSpec], ContainerSpec] | None = None
    isolated: bool = False


class Life:
    """Use as a context manager: begins on entry, leaves nothing behind on exit.

    Args:
        bench: what the probe works with.
        request: the endpoint; `conditions` change it.
        conditions: under which it lives.
    """

    def __init__(self, bench: Workbench, request: EndpointRequest, conditions: Conditions) -> None:
        self.bench, self.conditions = bench, conditions
        self.request = replace(
            request,
            endpoint_name=f"{request.endpoint_name}-{conditions.name.replace(' ', '-')}",
        ).with_first(
            model=replace(
                request.model.with_folder(conditions.model),
                enable_network_isolation=conditions.isolated,
            ),
            container_startup_health_check_timeout_in_seconds=max(1, math.ceil(conditions.window_s)),
        )
        self.pings: deque[Ping] = deque(maxlen=50)
        self.log_bytes = 0
        self.dev_lines: list[str] = []
        self._tail: deque[str] = deque(maxlen=TAIL)
        self._began = time.monotonic()
        self._health_s: float | None = None
        self._healthy, self._exited, self._done = threading.Event(), threading.Event(), threading.Event()
        self._exit: tuple[int, bool] | None = None
        self._container: str | None = None
        self._started_at = self._exited_at = 0.0
        self._endpoint: Endpoint | None = None
        self._error: BaseException | None = None
        self._listeners: tuple[Listening, ...] | None = None
        self._answer: Exchange | None = None
        self._patient: Exchange | None = None
        self._other_paths: tuple[str, ...] = ()
        self._thread = threading.Thread(target=self._live, name=f"serving {conditions.name}", daemon=True)
        self._watcher = threading.Thread(target=self._watch, name=f"watching {conditions.name}", daemon=True)

    # --- from outside ---------------------------------------------------------------------------------

    def __enter__(self) -> Life:
        self.bench.say(f"serving: {self.conditions.name}")
        self._began = time.monotonic()
        self._thread.start()
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def kill(self) -> None:
        """End it at once."""
        while self._thread.is_alive():
            if self._endpoint is not None:
                self._endpoint.stop()
                self._endpoint.stop()
            self._thread.join(0.5)
        self._watcher.join()

    def begin(self) -> Start:
        """Wait until it is healthy or will not be.

        Raises:
            InterruptedLifeError: the user wants to leave.
            SmEmulateError: this machine cannot run it.
        """
        while not self._healthy.wait(0.02):
            if self._done.is_set() and not self._healthy.is_set():
                break
            if self.bench.stopping():
                raise InterruptedLifeError
        if self._healthy.is_set():
            return self._start("healthy")
        self._watcher.join()
        error = self._error
        if self._container is None and isinstance(error, EndpointFailedError):
            return replace(self._start("not-started"), start_error="; ".join(error.evidence) or error.what)
        if self._exit is not None and self._exited_at - self._started_at < self.conditions.window_s:
            return self._start("exited")
        if error is not None and not isinstance(error, EndpointFailedError):
            raise error
        return self._start("unhealthy")

    @property
    def client(self) -> Client:
        """Speak to the container itself."""
        return self._client(8080)

    def client_at(self, port: int) -> Client:
        """Speak to another port of the container."""
        return self._client(port)

    @property
    def container(self) -> str | None:
        """The engine's id of the container; None when it does not run."""
        return None if self._exited.is_set() else self._container

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return None if self._exit is None else self._exit[0]

    @property
    def oom_killed(self) -> bool:
        """Whether the kernel killed a process of it for memory; known when it has ended."""
        return self._exit is not None and self._exit[1]

    @property
    def over(self) -> bool:
        """Whether it has ended, or could not begin."""
        return self._done.is_set() or self._exited.is_set()

    @property
    def reached(self) -> bool:
        """Whether it is known where it listens."""
        return self._endpoint is not None and self._endpoint.upstream is not None

    @property
    def directly_reached(self) -> bool:
        """Whether it is spoken to at its own address rather than through a published port."""
        upstream = self._endpoint.upstream if self._endpoint is not None else None
        return upstream is not None and upstream.host != "127.0.0.1"

    @property
    def log_tail(self) -> tuple[str, ...]:
        return tuple(self._tail)

    def listeners(self) -> tuple[Listening, ...] | None:
        """Tell what listens inside now; None where that cannot be seen."""
        container = self.container
        if container is None:
            return None
        with suppress(SmEmulateError):  # it may end at any moment
            found = self.bench.engine.listeners(container)
            if found is not None:
                return tuple(
                    Listening(address=each.address, port=each.port)
                    for each in found
                    if each.address != DOCKER_DNS
                )
        return None

    def signal(self, name: str) -> None:
        """Send PID 1 a signal."""
        if self._container is not None:
            with suppress(SmEmulateError):  # it has ended
                self.bench.engine.signal(self._container, name)

    def ended_within(self, seconds: float) -> bool:
        """Wait for its end; also true if the user wants to leave."""
        until = time.monotonic() + seconds
        while not self._exited.wait(0.02):
            if time.monotonic() >= until:
                return False
            if self.bench.stopping():
                return True
        return True

    def await_stop(self, since: float, window_s: float) -> Stop:
        """Wait for the end of a container that was sent SIGTERM at `since`."""
        ended = self.ended_within(since + window_s - time.monotonic())
        return Stop(
            window_s=window_s,
            seconds=time.monotonic() - since if ended else None,
            exit_code=self.exit_code,
        )

    def await_log(self) -> None:
        """Wait until every line of an ended container has been read."""
        self._thread.join(10)

    def trial(self, start: Start, answers: tuple[Exchange, ...] = ()) -> Trial:
        """Sum up what it did."""
        return Trial(
            outcome=start.outcome,
            seconds=start.seconds,
            exit_code=start.exit_code,
            status=start.pings[-1].status if start.pings else None,
            said=start.answer.text if start.answer is not None else "",
            answers=answers,
            log_tail=start.log_tail if start.outcome != "healthy" else self.log_tail,
        )

    # --- its own threads ------------------------------------------------------------------------------

    def _live(self) -> None:
        from sm_emulate import api

        bench = self.bench
        try:
            with api.new_endpoint(
                self.request,
                engine=bench.engine,
                home=bench.folder / "home",
                # an image is judged, not a size: the same on every machine, and with nobody's keys
                platform=api.platform(settings={"instance-limits": "none"}, credentials="none"),
                gpus=bench.subject.gpus,
                stop_grace_s=2.0,
                listeners=(self._hear,),
                vary=self.conditions.vary,
            ) as endpoint:
                self._endpoint = endpoint
                # not the ping: an engine gives the address of a container that has ended to the next one at once
                if endpoint.start():
                    self._healthy.set()
                endpoint.serve()
        except BaseException as error:  # noqa: BLE001  # told by `begin`, in the thread that asks
            self._error = error
        finally:
            self._done.set()

    def _hear(self, event: Any) -> None:
        from sm_emulate import events

        if isinstance(event, events.Pinged):
            self.pings.append(Ping(status=event.status, seconds=event.seconds, failure=event.failure))
            if event.status == 200 and not self._healthy.is_set():
                self._health_s = time.monotonic() - self._began
        elif isinstance(event, events.LogLines):
            self.log_bytes += len(event.data)
            lines = event.data[-64 * 1024 :].decode("utf-8", "replace").splitlines()
            self._tail.extend(lines[-TAIL:])
            self.dev_lines += [line for line in lines if "development server" in line.lower()][:5]
        elif isinstance(event, events.ContainerStarted):
            self._container = event.container
            self._started_at = time.monotonic()
        elif isinstance(event, events.ContainerExited):
            self._exit = (event.code, event.oom_killed)
            self._exited_at = time.monotonic()
            self._exited.set()

    def _watch(self) -> None:
        """Look closer at a container that does not become healthy, while it lives."""
        looked = 0.0
        while not self._done.wait(0.2) and not self._healthy.is_set():
            seen = self.listeners()
            if seen:
                self._listeners = seen
            last = self.pings[-1] if self.pings else None
            if last is None or self._endpoint is None or self._endpoint.upstream is None:
                continue
            if last.status is not None and time.monotonic() - looked > 1.0:
                self._answer = self.client.ping()
                if last.status == 404 and not self._other_paths:
                    self._other_paths = tuple(path for path in OTHER_PATHS if self._serves(path))
                looked = time.monotonic()
            if self._patient is None and [ping.failure for ping in self.pings][-2:] == ["timeout"] * 2:
                self._patient = self.client.send(ping_request(timeout_s=PATIENCE_S))

    def _serves(self, path: str) -> bool:
        return self.client.send(Request(what=f"GET {path}", method="GET", path=path, timeout_s=2.0)).ok

    def _client(self, port: int) -> Client:
        from sm_emulate import api

        upstream = self._endpoint.upstream if self._endpoint is not None else None
        hostname = api.Platform().settings.text("endpoint-hostname")
        platform = (f"{hostname}:8080", api.CONTAINER_USER_AGENT)
        if upstream is None or port == 8080:
            host, number = (upstream.host, upstream.port) if upstream else ("127.0.0.1", 9)
            return Client(host=host, port=number, platform=platform, heard=self._heard)
        if self.directly_reached or self._container is None:
            return Client(host=upstream.host, port=port, platform=platform, heard=self._heard)
        published = self.bench.engine.state(self._container).ports.get(port, 9)
        return Client(host="127.0.0.1", port=published, platform=platform, heard=self._heard)

    def _heard(self, request: Request, seen: Exchange) -> None:
        """Put it into the timeline."""
        record = self.bench.record
        if request.path == "/ping":
            record.ping(record.now() - seen.seconds, seen.status, seen.seconds, seen.failure)
        elif request.path == "/invocations" or request.path.endswith("/invoke"):
            record.invocation(
                record.now() - seen.seconds, seen.status, seen.seconds, request.path, seen.failure
            )

    def _start(self, outcome: Any) -> Start:
        # one that was not healthy in time was then stopped: its exit says nothing
        code, killed = (self._exit if outcome == "exited" else None) or (None, False)
        took = self._health_s if outcome == "healthy" else None
        if took is None:
            took = self.conditions.window_s if outcome == "unhealthy" else time.monotonic() - self._began
        return Start(
            outcome=outcome,
            seconds=took,
            window_s=self.conditions.window_s,
            exit_code=code,
            oom_killed=killed,
            pings=tuple(self.pings)[-20:],
            answer=self._answer,
            patient=self._patient,
            other_paths=self._other_paths,
            listeners=self._listeners,
            log_tail=self.log_tail,
            model_given=self.bench.subject.model is not None,
        )


def endpoint_request(bench: Workbench) -> EndpointRequest:
    """Give the request that every container of a check stands on."""
    from sm_emulate import api

    subject = bench.subject
    return api.endpoint_request(
        subject.image,
        endpoint_name=f"check-{os.getpid()}",
        instance_type=subject.instance_type,
        environment=subject.serving_environment or None,
    )
