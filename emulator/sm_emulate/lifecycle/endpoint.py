"""An endpoint with one container, from its request to its stop."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING
from uuid import uuid4

from sm_emulate.engine.protocol import LABEL_HOST
from sm_emulate.errors import NotFoundError, SmEmulateError
from sm_emulate.events import (
    ContainerStarted,
    Invoked,
    LogLines,
    Pinged,
    Progress,
    StatusChanged,
    Warned,
    now,
)
from sm_emulate.gateway import EndpointFront, Gateway, warm_up
from sm_emulate.gateway.ping import ping
from sm_emulate.lifecycle.containers import Containers
from sm_emulate.lifecycle.endpoint_container import container_host, container_spec, reach
from sm_emulate.lifecycle.endpoint_failure import could_not_start, unhealthy
from sm_emulate.lifecycle.endpoint_result import EndpointResult
from sm_emulate.lifecycle.health import wait_until_healthy
from sm_emulate.lifecycle.labels import labels_of
from sm_emulate.lifecycle.log_tail import LogTail
from sm_emulate.lifecycle.network import private_network
from sm_emulate.lifecycle.platform import Platform
from sm_emulate.lifecycle.publisher import Publisher
from sm_emulate.lifecycle.stop_request import POLL_SECONDS, StopRequest
from sm_emulate.spec import wordings
from sm_emulate.spec.endpoint import STOP_GRACE_SECONDS, EndpointStatus
from sm_emulate.storage.trouble import told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from sm_emulate.engine.protocol import ContainerSpec, ContainerState, Engine, GpuRequest, Image
    from sm_emulate.events import Event, Listener
    from sm_emulate.gateway import Invocation, Upstream
    from sm_emulate.gateway.ping import PingOutcome
    from sm_emulate.request.endpoint import EndpointRequest
    from sm_emulate.storage.run_folder import RunFolder

DRAIN_SECONDS = 60.0
"""How long a stop waits for requests in flight: as long as the model may take for one."""
KILL_SECONDS = 10.0
"""How long an engine may take to end a container that it was told to kill."""
_OVER = frozenset({EndpointStatus.FAILED, EndpointStatus.OUT_OF_SERVICE})


class StopAskedError(Exception):
    """A stop was asked for before the endpoint was in service."""


class Endpoint:
    """One endpoint: `start` it, `serve` until it is stopped; or use it as a context manager.

    Args:
        request: what to serve, checked.
        image: the image as the engine knows it.
        engine: runs the container.
        run: a new run folder that this process holds.
        platform: which SageMaker.
        port: of the gateway on 127.0.0.1; 0 is the kernel's choice.
        gpus: the GPUs of the container.
        stop_grace_s: between SIGTERM and SIGKILL.
        listeners: hear what happens.
        vary: changes the container before it is made; the contract's probes ask this way what would happen if.
    """

    def __init__(
        self,
        request: EndpointRequest,
        *,
        image: Image,
        engine: Engine,
        run: RunFolder,
        platform: Platform | None = None,
        port: int = 0,
        gpus: GpuRequest | None = None,
        stop_grace_s: float = STOP_GRACE_SECONDS,
        listeners: Sequence[Listener] = (),
        vary: Callable[[ContainerSpec], ContainerSpec] | None = None,
    ) -> None:
        self._vary = vary
        self.request, self.image, self.run_folder = request, image, run
        self.platform = platform or Platform()
        self.created = now()
        self.session = uuid4().hex
        self.status = EndpointStatus.CREATING
        self.failure_reason: str | None = None
        self.url = ""
        self._engine, self._port, self._gpus, self._grace = engine, port, gpus, stop_grace_s
        self._publish = Publisher((self._keep, *listeners))
        self._containers = Containers(engine, publish=self._heard)
        self._asked = StopRequest(run, wake=self._containers.wake)
        self._tail = LogTail()
        self._resources = ExitStack()
        self._gateway: Gateway | None = None
        self._upstream: Upstream | None = None
        self._seconds: dict[str, float] = {}
        self._serving: threading.Thread | None = None
        self._trouble: BaseException | None = None
        self.began = False
        """Whether its container was ever started."""

    # --- from outside ---------------------------------------------------------------------------------

    def start(self) -> str:
        """Start the container and wait until it is healthy; give the gateway's URL.

        The URL is empty if a stop was asked for before that; `serve` then ends at once.

        Raises:
            EndpointFailedError: it did not pass the ping health check; the diagnosis is in the error.
            ArchiveError: the model archive is one that hosting would refuse.
            MachineError: this machine cannot run it.
        """
        folder = self.run_folder
        try:
            with told("the endpoint cannot be written down", folder.path):
                folder.write(folder.request, self.request.as_aws())
            self._start()
        except StopAskedError:
            pass
        except BaseException as error:
            self._fail(error)
            raise
        return self.url

    def serve(self) -> EndpointResult:
        """Serve until `stop` is called, another process asks for it, or the container ends."""
        interval = self.platform.settings.number("ping-interval")
        next_ping = time.monotonic() + interval
        try:
            while not self._over:
                self._containers.hear(POLL_SECONDS)
                if time.monotonic() >= next_ping and self._upstream is not None and not self._over:
                    self._ping_once(self._upstream)
                    next_ping = time.monotonic() + interval
            self._containers.check()
            self._end()
        except BaseException as error:
            self._fail(error)
            raise
        return self.result()

    @property
    def upstream(self) -> Upstream | None:
        """Where the container itself listens; None before it runs."""
        return self._upstream

    @property
    def container(self) -> str | None:
        """The engine's id of the container; None when it does not run."""
        return self._containers.running(self._host)

    def stop(self) -> None:
        """Ask it to stop as DeleteEndpoint does; a second time, kill at once. Signal handlers may call it."""
        self._asked.ask()

    def close(self) -> None:
        """Leave nothing running, whatever was left half done; after an end in good order there is nothing."""
        if self.status in _OVER:
            return
        if self._seconds:
            self.stop()
            self._end()

    def result(self) -> EndpointResult:
        """Say how it stands."""
        ended = self._containers.exits.get(self._host)
        return EndpointResult(
            request=self.request,
            platform=self.platform,
            image=self.image,
            run_folder=self.run_folder.path,
            status=self.status,
            failure_reason=self.failure_reason,
            created=self.created,
            changed=now(),
            url=self.url,
            container_exit_code=None if ended is None else ended.code,
            seconds=dict(self._seconds),
        )

    def __enter__(self) -> Endpoint:
        """Start it, and serve in a thread until the end of the `with`."""
        self.start()
        self._serving = threading.Thread(target=self._serve_aside, name="endpoint", daemon=True)
        self._serving.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.stop()
        if self._serving is not None:
            self._serving.join()
        if self._trouble is not None and kind is None:
            raise self._trouble

    def _serve_aside(self) -> None:
        try:
            self.serve()
        except BaseException as error:  # noqa: BLE001  # raised again at the end of the `with`
            self._trouble = error

    # --- the way to InService -------------------------------------------------------------------------

    @property
    def _host(self) -> str:
        return self.request.variant_name

    @property
    def _over(self) -> bool:
        """Whether there is nothing left to wait for: the container has ended, or a stop was asked for."""
        return self._containers.over or bool(self._asked.times)

    def _start(self) -> None:
        self._enter(EndpointStatus.CREATING, "Creating the endpoint")
        with self._timed("Model"):
            model = self._model_folder()
        self._heed_stop()
        with self._timed("Container"):
            warming = threading.Thread(target=warm_up, name="gateway warm-up", daemon=True)
            self._begin(model)
            warming.start()
            while self._containers.running(self._host) is None and not self._over:
                self._containers.hear(POLL_SECONDS)
            for error in self._containers.broken.values():
                raise self._blamed(could_not_start(self._host, error))
            self._heed_stop()
        with self._timed("Health"):
            upstream = self._healthy()
        warming.join()
        self._open(upstream)
        self._enter(EndpointStatus.IN_SERVICE, f"serving at {self.url}")

    def _healthy(self) -> Upstream:
        """Wait for the first ping that is answered with 200, and say where that was."""
        window = self.request.container_startup_health_check_timeout_in_seconds
        host_header = container_host(self.platform.settings)
        upstream = self._upstream = reach(self._engine, self._state(), host_header=host_header)
        last = None
        if upstream is None:  # it has ended, or is about to
            self._wait_for_end(window)
        else:
            last = wait_until_healthy(
                upstream,
                window_s=window,
                give_up=self._give_up,
                heard=self._heard_ping,
                host_header=host_header,
            )
        self._heed_stop()
        if upstream is None or last is None or last.status != 200:
            raise self._blamed(self._unhealthy(last, window))
        return upstream

    def _wait_for_end(self, window_s: float) -> None:
        deadline = time.monotonic() + window_s
        while not self._over and (left := deadline - time.monotonic()) > 0:
            self._containers.hear(min(POLL_SECONDS, left))

    def _heed_stop(self) -> None:
        if self._asked.times:
            raise StopAskedError

    def _model_folder(self) -> Path | None:
        request = self.request
        if request.model_path is None or not request.model_is_archive:
            return request.model_path
        from sm_emulate.artifacts.unpack import unpack_model

        def tell(done: int) -> None:
            self._heed_stop()
            self._publish(Progress(task="Unpacking the model", done_bytes=done, total_bytes=0))

        folder = self.run_folder.opt_ml(self._host) / "model"
        with told("the model cannot be unpacked", folder):
            folder.parent.mkdir(parents=True, exist_ok=True)
            unpacked = unpack_model(request.model_path, folder, progress=tell)
        for note in unpacked.notes:
            self._publish(Warned(message=note))
        return folder

    def _begin(self, model: Path | None) -> None:
        labels = labels_of(self.run_folder, self.session) | {LABEL_HOST: self._host}
        name = f"sm-emulate-{self.session[:12]}"
        network = None
        if self.request.enable_network_isolation:
            # not "none": the gateway has to reach the container
            network = self._resources.enter_context(
                private_network(self._engine, name, internal=True, labels=labels, publish=self._publish)
            )
        self._resources.callback(self._containers.close)
        spec = container_spec(
            self.request,
            image=self.image.id,
            platform=self.platform,
            model=model,
            network=network,
            gpus=self._gpus,
            labels=labels,
            name=name,
        )
        self._containers.begin(self._host, spec if self._vary is None else self._vary(spec))

    def _state(self) -> ContainerState | None:
        container = self._containers.running(self._host)
        if container is None:
            return None
        with suppress(NotFoundError):  # it may end, and be gone, at any moment
            return self._engine.state(container)
        return None

    def _give_up(self) -> bool:
        while self._containers.hear(0):
            pass
        return self._over

    def _unhealthy(self, last: PingOutcome | None, window_s: float) -> SmEmulateError:
        for error in self._containers.broken.values():
            if isinstance(error, SmEmulateError):
                return error
        container = self._containers.running(self._host)
        listeners = None
        if container is not None:
            with suppress(SmEmulateError):  # the diagnosis then does without
                listeners = self._engine.listeners(container)
        return unhealthy(
            self._host,
            ended=self._containers.exits.get(self._host),
            last=last,
            listeners=listeners,
            window_s=window_s,
            tail=self._tail,
        )

    def _open(self, upstream: Upstream) -> None:
        request, platform = self.request, self.platform
        front = EndpointFront(
            endpoint_name=request.endpoint_name,
            variant_name=request.variant_name,
            upstream=upstream,
            region=platform.region,
            account=platform.account,
            max_body_bytes=platform.settings.number("payload-limit"),
            container_host=container_host(platform.settings),
            default_accept="*/*" if platform.settings.text("default-accept") == "any" else None,
        )
        self._gateway = Gateway(front, port=self._port, listener=self._invoked)
        self.url = f"http://127.0.0.1:{self._gateway.start()}"

    # --- what happens on the way ----------------------------------------------------------------------

    def _heard(self, event: Event) -> None:
        """Pass on what the container does, from its own thread."""
        if isinstance(event, LogLines):
            self._tail.add(event.data)
        elif isinstance(event, ContainerStarted):
            self.began = True
        self._publish(event)

    def _invoked(self, seen: Invocation) -> None:
        self._publish(
            Invoked(
                path=seen.path,
                status=seen.status or 0,
                original_status=seen.original_status,
                model_seconds=round(seen.model_s, 6),
                overhead_seconds=round(seen.overhead_s, 6),
                bytes_in=seen.bytes_in,
                bytes_out=seen.bytes_out,
                failure=seen.failure or "",
            )
        )

    def _heard_ping(self, outcome: PingOutcome) -> None:
        self._publish(
            Pinged(status=outcome.status, seconds=round(outcome.seconds, 6), failure=outcome.failure or "")
        )

    def _ping_once(self, upstream: Upstream) -> None:
        outcome = ping(upstream.host, upstream.port, host_header=container_host(self.platform.settings))
        self._heard_ping(outcome)
        if outcome.status != 200:
            seen = outcome.detail if outcome.status is None else f"status {outcome.status}"
            self._publish(Warned(message=f"GET /ping failed: {seen}; SageMaker would replace the instance"))

    # --- the way out ----------------------------------------------------------------------------------

    def _end(self) -> None:
        """Drain, stop the container, and say so."""
        self._give_up()  # hears what has happened up to now
        ended_by_itself = self._containers.exits.get(self._host)
        if ended_by_itself is None:
            self._enter(EndpointStatus.DELETING, "Stopping the endpoint")
        self._shut()
        if ended_by_itself is None:
            self._enter(EndpointStatus.OUT_OF_SERVICE, "Endpoint stopped")
        else:
            self.failure_reason = wordings.ping_failed(self._host)
            self._enter(EndpointStatus.FAILED, f"the container exited with code {ended_by_itself.code}")

    def _shut(self) -> None:
        """Close the gateway, stop the container (SIGTERM, grace, SIGKILL), and let go of everything."""
        with self._resources:
            asked = self._asked.times
            if self._gateway is not None:
                self._drain(self._gateway, asked)
            self._stop_container(asked)

    def _hurried(self, asked: int) -> bool:
        """Whether a stop was asked for twice, or again since `asked` times."""
        return self._asked.times > max(1, asked)

    def _drain(self, gateway: Gateway, asked: int) -> None:
        """Let requests in flight come to their end, unless somebody is in a hurry."""
        grace = 0.0 if asked > 1 else DRAIN_SECONDS
        closing = threading.Thread(target=gateway.close, args=(grace,), name="gateway drain", daemon=True)
        closing.start()
        while closing.is_alive():
            closing.join(POLL_SECONDS)
            if self._hurried(asked):
                gateway.close(0)

    def _stop_container(self, asked: int) -> None:
        with suppress(SmEmulateError):  # an engine that is gone has stopped it, too, or `clean` will
            self._containers.signal("SIGTERM")
        kill_at = time.monotonic() + self._grace
        while not self._containers.over:
            left = kill_at - time.monotonic()
            if asked > 1 or self._hurried(asked):
                self._publish(Warned(message="a second request to stop: the container is killed"))
                break
            if left <= 0:
                late = f"the container did not end within {self._grace:g} s of SIGTERM: killed"
                self._publish(Warned(message=late))
                break
            self._containers.hear(min(POLL_SECONDS, left))
        with suppress(SmEmulateError):  # likewise
            self._containers.signal("SIGKILL")
        while not self._containers.over and self._containers.hear(KILL_SECONDS):
            pass

    def _blamed(self, error: BaseException) -> BaseException:
        """Take the error's words for the FailureReason."""
        self.failure_reason = error.what if isinstance(error, SmEmulateError) else type(error).__name__
        return error

    def _fail(self, error: BaseException) -> None:
        """Leave nothing on the engine, and a result that says why; nothing here may hide the error itself."""
        if self.status in _OVER:
            return
        with suppress(Exception):
            self._shut()
        if self.failure_reason is None:
            self._blamed(error)
        with suppress(Exception):
            self._enter(EndpointStatus.FAILED, self.failure_reason or "")

    def _enter(self, status: EndpointStatus, message: str) -> None:
        self.status = status
        self._publish(StatusChanged(status=status.value, message=message))

    def _keep(self, event: Event) -> None:
        """Keep run.json true for other processes, and write result.json before anybody hears of the end."""
        if isinstance(event, StatusChanged):
            folder = self.run_folder
            with told("the endpoint's status cannot be written down", folder.path):
                folder.write(
                    folder.result if self.status in _OVER else folder.standing, self.result().describe()
                )

    @contextmanager
    def _timed(self, phase: str) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            self._seconds[phase] = round(time.monotonic() - began, 3)
