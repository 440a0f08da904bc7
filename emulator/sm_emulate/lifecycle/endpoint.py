"""An endpoint with one container, from its request to its stop."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING
from uuid import uuid4

from sm_emulate.engine.protocol import LABEL_HOME, LABEL_HOST, LABEL_RUN, LABEL_SESSION
from sm_emulate.errors import EndpointFailedError, SmEmulateError, StartError
from sm_emulate.events import (
    ContainerExited,
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
from sm_emulate.lifecycle.container import Broken, ContainerLife, Ended, Started
from sm_emulate.lifecycle.endpoint_container import container_spec, reach
from sm_emulate.lifecycle.endpoint_result import EndpointResult
from sm_emulate.lifecycle.health import diagnose, wait_until_healthy
from sm_emulate.lifecycle.platform import Platform
from sm_emulate.lifecycle.publisher import Publisher
from sm_emulate.spec import wordings
from sm_emulate.spec.endpoint import STOP_GRACE_SECONDS, EndpointStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from sm_emulate.engine.protocol import ContainerSpec, ContainerState, Engine, GpuRequest, Image
    from sm_emulate.events import Event, Listener
    from sm_emulate.gateway import Invocation, Upstream
    from sm_emulate.gateway.ping import PingOutcome
    from sm_emulate.lifecycle.container import News
    from sm_emulate.request.endpoint import EndpointRequest
    from sm_emulate.storage.runs import RunFolder

POLL_SECONDS = 0.2
"""How often a request to stop that another process left in the run folder is looked for."""
GATHER_SECONDS = 0.02
"""For the log lines of a busy endpoint; nobody reads faster."""
DRAIN_SECONDS = 60.0
"""How long a stop waits for requests in flight: as long as the model may take for one."""
TAIL_LINES = 20
"""Log lines that a failure shows."""


class Endpoint:
    """One endpoint: `start` it, `serve` until it is stopped; or use it as a context manager.

    Args:
        request: what to serve, checked.
        image: the image as the engine knows it.
        engine: runs the container.
        run: a new run folder.
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
        self._publish = Publisher((self._note_standing, *listeners))
        self._news: queue.SimpleQueue[News | None] = queue.SimpleQueue()
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._stop_asked = threading.Event()
        self._kill_asked = threading.Event()
        self._resources = ExitStack()
        self._life: ContainerLife | None = None
        self._gateway: Gateway | None = None
        self._upstream: Upstream | None = None
        self._started: Started | None = None
        self._ended: Ended | None = None
        self._broken: Broken | None = None
        self._seconds: dict[str, float] = {}

    # --- from outside ---------------------------------------------------------------------------------

    def start(self) -> str:
        """Start the container and wait until it is healthy; give the gateway's URL.

        Raises:
            EndpointFailedError: it did not pass the ping health check; the diagnosis is in the error.
            ArchiveError: the model archive is one that hosting would refuse.
            MachineError: this machine cannot run it.
        """
        try:
            self._resources.enter_context(self.run_folder.owned())
            self.run_folder.write(self.run_folder.request, self.request.as_aws())
            self._start()
        except BaseException as error:
            self._fail(error)
            raise
        return self.url

    def serve(self) -> EndpointResult:
        """Serve until `stop` is called, another process asks for it, or the container ends."""
        interval = self.platform.settings.number("ping-interval")
        next_ping = time.monotonic() + interval
        try:
            while not self._over():
                self._hear(timeout=POLL_SECONDS)
                if time.monotonic() >= next_ping and self._upstream is not None and not self._over():
                    self._ping_once(self._upstream)
                    next_ping = time.monotonic() + interval
        except BaseException as error:
            self._fail(error)
            raise
        return self._end()

    @property
    def upstream(self) -> Upstream | None:
        """Where the container itself listens; None before it runs."""
        return self._upstream

    @property
    def container(self) -> str | None:
        """The engine's id of the container; None when it does not run."""
        return self._life.container if self._life else None

    def stop(self) -> None:
        """Ask it to stop as DeleteEndpoint does; a second time, kill at once. Signal handlers may call it."""
        if self._stop_asked.is_set():
            self._kill_asked.set()
        self._stop_asked.set()
        self._news.put(None)

    @property
    def began(self) -> bool:
        """Whether its container was ever started."""
        return self._started is not None

    def result(self) -> EndpointResult:
        """Say how it stands."""
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
            container_exit_code=None if self._ended is None else self._ended.exit.code,
            seconds=dict(self._seconds),
        )

    def __enter__(self) -> Endpoint:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._end()

    # --- the way to InService -------------------------------------------------------------------------

    def _start(self) -> None:
        self._enter(EndpointStatus.CREATING, "Creating the endpoint")
        with self._timed("Model"):
            model = self._model_folder()
        with self._timed("Container"):
            self._begin(model)
            warming = threading.Thread(target=warm_up, name="gateway warm-up", daemon=True)
            warming.start()
            while self._started is None and not self._over():
                self._hear(timeout=POLL_SECONDS)
            if self._broken is not None:
                raise self._could_not_start(self._broken)
        with self._timed("Health"):
            self._upstream = reach(self._engine, self._state())
            window = self.request.container_startup_health_check_timeout_in_seconds
            last = wait_until_healthy(
                self._upstream, window_s=window, give_up=self._give_up, heard=self._heard_ping
            )
            if not self._stop_asked.is_set() and (last is None or last.status != 200):
                raise self._unhealthy(last, window)
        warming.join()
        self._open(self._upstream)
        if not self._stop_asked.is_set():
            self._enter(EndpointStatus.IN_SERVICE, f"serving at {self.url}")

    def _model_folder(self) -> Path | None:
        request = self.request
        if request.model_path is None or not request.model_is_archive:
            return request.model_path
        from sm_emulate.artifacts.unpack import unpack_model

        folder = self.run_folder.opt_ml(request.variant_name) / "model"
        folder.parent.mkdir(parents=True, exist_ok=True)
        unpacked = unpack_model(
            request.model_path,
            folder,
            progress=lambda done: self._publish(
                Progress(task="Unpacking the model", done_bytes=done, total_bytes=0)
            ),
        )
        for note in unpacked.notes:
            self._publish(Warned(message=note))
        return folder

    def _begin(self, model: Path | None) -> None:
        labels = {
            LABEL_SESSION: self.session,
            LABEL_RUN: self.run_folder.id,
            LABEL_HOME: str(self.run_folder.home),
        }
        network = None
        if self.request.enable_network_isolation:
            # not "none": the gateway has to reach the container
            network = f"sm-emulate-{self.session[:12]}"
            made = self._engine.create_network(network, internal=True, labels=labels)
            self._resources.callback(self._engine.remove_network, made)
        spec = container_spec(
            self.request,
            image=self.image.id,
            platform=self.platform,
            model=model,
            network=network,
            gpus=self._gpus,
            labels=labels | {LABEL_HOST: self.request.variant_name},
            name=f"sm-emulate-{self.session[:12]}",
        )
        self._life = ContainerLife(
            self._engine,
            spec if self._vary is None else self._vary(spec),
            host=self.request.variant_name,
            lines=self._lines,
            post=self._news.put,
            warn=self._publish,
            gather_s=GATHER_SECONDS,
        )
        self._resources.callback(self._life.join)
        self._life.begin()

    def _state(self) -> ContainerState | None:
        container = self._life.container if self._life else None
        if container is None:
            return None
        with suppress(SmEmulateError):  # it may end, and be gone, at any moment
            return self._engine.state(container)
        return None

    def _open(self, upstream: Upstream) -> None:
        request, platform = self.request, self.platform
        front = EndpointFront(
            endpoint_name=request.endpoint_name,
            variant_name=request.variant_name,
            upstream=upstream,
            region=platform.region,
            account=platform.account,
            max_body_bytes=platform.settings.number("payload-limit"),
        )
        self._gateway = Gateway(front, port=self._port, listener=self._invoked)
        port = self._gateway.start()
        self.url = f"http://127.0.0.1:{port}"

    # --- what happens on the way ----------------------------------------------------------------------

    def _lines(self, _host: str, data: bytes) -> None:
        self._tail.extend(data[-64 * 1024 :].decode("utf-8", "replace").splitlines()[-TAIL_LINES:])
        self._publish(LogLines(host=self.request.variant_name, data=data))

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
        outcome = ping(upstream.host, upstream.port)
        self._heard_ping(outcome)
        if outcome.status != 200:
            seen = outcome.detail if outcome.status is None else f"status {outcome.status}"
            self._publish(Warned(message=f"GET /ping failed: {seen}; SageMaker would replace the instance"))

    def _hear(self, timeout: float) -> bool:
        """Take one piece of news and remember what it says; true if there was one."""
        try:
            news = self._news.get(timeout=timeout) if timeout else self._news.get_nowait()
        except queue.Empty:
            return False
        if isinstance(news, Started):
            self._started = news
            self._publish(ContainerStarted(host=news.host, container=news.container))
        elif isinstance(news, Ended):
            self._ended = news
            self._publish(
                ContainerExited(
                    host=news.host,
                    container=news.container,
                    code=news.exit.code,
                    oom_killed=news.exit.oom_killed,
                )
            )
        elif isinstance(news, Broken):
            self._broken = news
        return True

    def _over(self) -> bool:
        """Whether there is nothing left to wait for: the container has ended, or a stop was asked for."""
        if not self._stop_asked.is_set() and self.run_folder.stop_request.exists():
            self._stop_asked.set()
        return self._stop_asked.is_set() or self._ended is not None or self._broken is not None

    def _give_up(self) -> bool:
        while self._hear(timeout=0):
            pass
        return self._over()

    # --- the way out ----------------------------------------------------------------------------------

    def _end(self) -> EndpointResult:
        """Drain, stop the container, and write the result."""
        if self.status in {EndpointStatus.FAILED, EndpointStatus.OUT_OF_SERVICE}:
            return self.result()
        if self._broken is not None:
            self._fail(self._broken.error)
            raise self._broken.error
        ended_by_itself = self._ended
        if ended_by_itself is None:
            self._enter(EndpointStatus.DELETING, "Stopping the endpoint")
        self._shut()
        if ended_by_itself is None:
            self._enter(EndpointStatus.OUT_OF_SERVICE, "Endpoint stopped")
        else:
            self.failure_reason = wordings.ping_failed(self.request.variant_name)
            self._enter(EndpointStatus.FAILED, f"the container exited with code {ended_by_itself.exit.code}")
        result = self.result()
        self.run_folder.write(self.run_folder.result, result.describe())
        return result

    def _shut(self) -> None:
        """Close the gateway, stop the container (SIGTERM, grace, SIGKILL), and let go of everything."""
        with self._resources:
            if self._gateway is not None:
                self._gateway.close(0 if self._kill_asked.is_set() else DRAIN_SECONDS)
            if self._life is not None and self._ended is None:
                self._stop_container(self._life)

    def _stop_container(self, life: ContainerLife) -> None:
        with suppress(SmEmulateError):  # an engine that is gone has stopped it, too, or `clean` will
            life.signal("SIGTERM")
        kill_at: float | None = time.monotonic() + self._grace
        while life.alive:
            self._hear(timeout=0.02)
            if kill_at is not None and (time.monotonic() >= kill_at or self._kill_asked.is_set()):
                kill_at = None
                self._publish(
                    Warned(message=f"the container did not end within {self._grace:g} s of SIGTERM: killed")
                )
                with suppress(SmEmulateError):  # likewise
                    life.signal("SIGKILL")
        while self._hear(timeout=0):
            pass

    def _fail(self, error: BaseException) -> None:
        """Leave nothing on the engine, and a result that says why."""
        self._shut()
        if self.failure_reason is None:
            self.failure_reason = error.what if isinstance(error, SmEmulateError) else type(error).__name__
        self._enter(EndpointStatus.FAILED, self.failure_reason)
        self.run_folder.write(self.run_folder.result, self.result().describe())

    def _could_not_start(self, news: Broken) -> BaseException:
        if not isinstance(news.error, StartError):
            return news.error
        self.failure_reason = wordings.ping_failed(self.request.variant_name)
        return EndpointFailedError(
            self.failure_reason,
            value="the program could not be started",
            expected="an ENTRYPOINT that takes the argument `serve`, or an executable `serve` on PATH",
            evidence=news.error.evidence,
        )

    def _unhealthy(self, last: PingOutcome | None, window_s: float) -> EndpointFailedError:
        self.failure_reason = wordings.ping_failed(self.request.variant_name)
        container = self._life.container if self._life else None
        listeners = None
        if container is not None and self._ended is None:
            with suppress(SmEmulateError):  # the diagnosis then does without
                listeners = self._engine.listeners(container)
        diagnosis = diagnose(
            ended=None if self._ended is None else self._ended.exit,
            last=last,
            listeners=listeners,
            window_s=window_s,
        )
        return EndpointFailedError(
            self.failure_reason,
            value=diagnosis.seen,
            hint=diagnosis.hint,
            link="https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html",
            evidence=tuple(self._tail),
        )

    def _enter(self, status: EndpointStatus, message: str) -> None:
        self.status = status
        self._publish(StatusChanged(status=status.value, message=message))

    def _note_standing(self, event: Event) -> None:
        if isinstance(event, StatusChanged):
            self.run_folder.write(self.run_folder.standing, self.result().describe())

    @contextmanager
    def _timed(self, phase: str) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            self._seconds[phase] = round(time.monotonic() - began, 3)
