"""An endpoint with one container, from its request to its stop."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime, timezone
from typing import TYPE_CHECKING
from uuid import uuid4

from sm_emulate.engine.protocol import LABEL_HOST
from sm_emulate.errors import NotFoundError, SmEmulateError
from sm_emulate.events import (
    ContainerStarted,
    Invoked,
    Noted,
    StatusChanged,
    Warned,
    now,
)
from sm_emulate.gateway import Capture, EndpointFront, Fleet, Gateway, VariantFront, warm_up
from sm_emulate.lifecycle.credentials import credentials_for
from sm_emulate.lifecycle.endpoint_container import container_host, container_spec
from sm_emulate.lifecycle.endpoint_result import EndpointResult
from sm_emulate.lifecycle.instance_limits import limits_of
from sm_emulate.lifecycle.labels import labels_of
from sm_emulate.lifecycle.model_folder import model_folder
from sm_emulate.lifecycle.network import private_network
from sm_emulate.lifecycle.platform import Platform
from sm_emulate.lifecycle.publisher import Publisher
from sm_emulate.lifecycle.serving_container import ServingContainer, StopAskedError
from sm_emulate.lifecycle.stop_request import POLL_SECONDS, StopRequest
from sm_emulate.spec import wordings
from sm_emulate.spec.endpoint import STOP_GRACE_SECONDS, EndpointStatus
from sm_emulate.storage.async_queue import AsyncQueue
from sm_emulate.storage.trouble import told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from sm_emulate.engine.protocol import ContainerSpec, Engine, GpuRequest, Image
    from sm_emulate.events import Event, Listener
    from sm_emulate.gateway import Invocation, Upstream
    from sm_emulate.lifecycle.async_work import AsyncWork
    from sm_emulate.lifecycle.credentials import Credentials
    from sm_emulate.lifecycle.data_capture import DataCapturing
    from sm_emulate.request.endpoint import EndpointRequest
    from sm_emulate.storage.run_folder import RunFolder

DRAIN_SECONDS = 60.0
"""How long a stop waits for requests in flight: as long as the model may take for one."""
FAILED_GRACE_SECONDS = 2.0
_OVER = frozenset({EndpointStatus.FAILED, EndpointStatus.OUT_OF_SERVICE})


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
        self._container = ServingContainer(
            engine,
            host=request.variant_name,
            host_header=container_host(self.platform.settings),
            stopping=lambda: self._asked.times,
            publish=self._heard,
        )
        self._credentials: Credentials | None = None
        self._asked = StopRequest(run, wake=self._container.wake)
        self._resources = ExitStack()
        self._gateway: Gateway | None = None
        self._async: AsyncWork | None = None
        self._capturing: DataCapturing | None = None
        self._seconds: dict[str, float] = {}
        self._serving: threading.Thread | None = None
        self._trouble: BaseException | None = None

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
            while not self._container.over:
                self._container.hear()
                if time.monotonic() >= next_ping and not self._container.over:
                    self._container.ping()
                    next_ping = time.monotonic() + interval
            self._container.check()
            self._end()
        except BaseException as error:
            self._fail(error)
            raise
        return self.result()

    @property
    def upstream(self) -> Upstream | None:
        """Where the container itself listens; None before it runs."""
        return self._container.upstream

    @property
    def began(self) -> bool:
        """Whether its container was ever started."""
        return self._container.began

    @property
    def container(self) -> str | None:
        """The engine's id of the container; None when it does not run."""
        return self._container.id

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
        ended = self._container.exit
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

    def _start(self) -> None:
        self._enter(EndpointStatus.CREATING, "Creating the endpoint")
        with self._timed("Model"):
            model = model_folder(
                self.request.model,
                self.run_folder.opt_ml(self._host) / "model",
                publish=self._publish,
                heed_stop=self._container.heed_stop,
            )
        self._container.heed_stop()
        with self._timed("Container"):
            spec = self._spec(model)
            warming = threading.Thread(target=warm_up, name="gateway warm-up", daemon=True)
            warming.start()
            self._container.start(spec)
        with self._timed("Health"):
            window = self.request.container_startup_health_check_timeout_in_seconds
            upstream = self._container.healthy(window)
        warming.join()
        self._open(upstream)
        self._enter(EndpointStatus.IN_SERVICE, f"serving at {self.url}")

    def _spec(self, model: Path | None) -> ContainerSpec:
        """Describe the container, whose end is seen to from now on; its network is made."""
        labels = labels_of(self.run_folder, self.session) | {LABEL_HOST: self._host}
        name = f"sm-emulate-{self.session[:12]}"
        network = None
        if self.request.model.enable_network_isolation:
            # not "none": the gateway has to reach the container
            network = self._resources.enter_context(
                private_network(self._engine, name, internal=True, labels=labels, publish=self._publish)
            )
        credentials = credentials_for(
            self._engine,
            image=self.image,
            platform=self.platform,
            isolated=self.request.model.enable_network_isolation
            or self.platform.settings.text("endpoint-aws-variables") == "unset",
            role_arn=self.request.model.execution_role_arn,
            publish=self._publish,
        )
        if credentials is not None:
            self._credentials = credentials
            self._resources.callback(credentials.close)
        self._resources.callback(self._container.close)
        kind = self.request.instance_type
        limits = limits_of(
            [kind],
            chosen=self.request.instance_chosen,
            engine=self._engine,
            settings=self.platform.settings,
            publish=self._publish,
        )[kind]
        spec = container_spec(
            self.request.model.environment,
            image=self.image.id,
            platform=self.platform,
            beside={} if credentials is None else credentials.environment(self._host),
            model=model,
            network=network,
            gpus=self._gpus,
            limits=limits,
            labels=labels,
            name=name,
        )
        return spec if self._vary is None else self._vary(spec)

    def _open(self, upstream: Upstream) -> None:
        request, platform = self.request, self.platform
        front = EndpointFront(
            endpoint_name=request.endpoint_name,
            fleet=Fleet(variants=(VariantFront(variant_name=request.variant_name, upstreams=(upstream,)),)),
            region=platform.region,
            account=platform.account,
            max_body_bytes=platform.settings.number("payload-limit"),
            long_body_is_invalid=platform.settings.text("payload-refusal") == "validation-error",
            container_host=container_host(platform.settings),
            default_accept="*/*" if platform.settings.text("default-accept") == "any" else None,
            asynchronous=request.async_inference is not None,
        )
        self._async, self._capturing = self._beside()
        capture = None
        if self._capturing is not None and request.data_capture is not None:
            self._capturing.start()
            capture = Capture(request.data_capture.sampling_percentage, self._capturing.take)
        self._gateway = Gateway(
            front,
            port=self._port,
            listener=self._invoked,
            accept=None if self._async is None else self._async.accept,
            capture=capture,
        )
        # a request that is accepted finds somebody who works it off
        left = 0 if self._async is None else self._async.start([upstream])
        if left:
            self._publish(Noted(message=f"{left} async requests that were accepted before are worked off"))
        self.url = f"http://127.0.0.1:{self._gateway.start()}"

    def _beside(self) -> tuple[AsyncWork | None, DataCapturing | None]:
        """Make what works beside the gateway."""
        work = capturing = None
        request, platform = self.request, self.platform
        if request.async_inference is not None:
            from sm_emulate.lifecycle.async_work import AsyncWork

            work = AsyncWork(
                request.async_inference,
                queue=AsyncQueue(self.run_folder.home, request.endpoint_name),
                endpoint_name=request.endpoint_name,
                platform=platform,
                host_header=container_host(platform.settings),
                publish=self._publish,
            )
        if request.data_capture is not None:
            from sm_emulate.lifecycle.data_capture import DataCapturing

            capturing = DataCapturing(
                request.data_capture,
                endpoint_name=request.endpoint_name,
                s3=platform.s3,
                drafts=self.run_folder.path / "captured",
                publish=self._publish,
            )
        return work, capturing

    # --- what happens on the way ----------------------------------------------------------------------

    def _heard(self, event: Event) -> None:
        """Pass on what the container does, from its own thread."""
        self._publish(event)
        if not isinstance(event, ContainerStarted):
            return
        if self._credentials is not None:
            self._credentials.started(event.host, event.container)
        if self.request.model.enable_network_isolation:
            self._confine(event.container)

    def _confine(self, container: str) -> None:
        """Keep an isolated container from the one thing that its network leaves it: this machine."""
        with suppress(NotFoundError):  # it has ended
            if not self._engine.confine(container):
                self._publish(
                    Noted(
                        message="an isolated endpoint still reaches services of this machine, through its network's "
                        "gateway: only root can keep it from that"
                    )
                )

    def _invoked(self, seen: Invocation) -> None:
        self._publish(
            Invoked(
                at=datetime.fromtimestamp(seen.at, timezone.utc),
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

    # --- the way out ----------------------------------------------------------------------------------

    def _end(self) -> None:
        """Drain, stop the container, and say so."""
        self._container.catch_up()
        ended_by_itself = self._container.exit
        if ended_by_itself is None:
            self._enter(EndpointStatus.DELETING, "Stopping the endpoint")
        self._shut(self._grace)
        if ended_by_itself is None:
            self._enter(EndpointStatus.OUT_OF_SERVICE, "Endpoint stopped")
        else:
            self.failure_reason = wordings.ping_failed(self._host)
            self._enter(EndpointStatus.FAILED, f"the container exited with code {ended_by_itself.code}")

    def _shut(self, grace_s: float) -> None:
        """Close the gateway, stop the container (SIGTERM, grace, SIGKILL), and let go of everything."""
        with self._resources:
            asked = self._asked.times
            if self._gateway is not None:
                self._drain(self._gateway.close, asked)
            if self._async is not None:
                self._drain(self._async.stop, asked)
                if waiting := self._async.waiting:
                    name = self.request.endpoint_name
                    self._publish(
                        Warned(
                            message=f"{waiting} accepted async requests wait for the next endpoint of the name "
                            f"{name}; `sm-emulate clean {name}` drops them"
                        )
                    )
            if self._capturing is not None:
                self._capturing.close()
            self._container.stop(grace_s, hurried=lambda: asked > 1 or self._hurried(asked))

    def _hurried(self, asked: int) -> bool:
        """Whether a stop was asked for twice, or again since `asked` times."""
        return self._asked.times > max(1, asked)

    def _drain(self, close: Callable[[float], None], asked: int) -> None:
        """Let requests in flight come to their end, unless somebody is in a hurry."""
        grace = 0.0 if asked > 1 else DRAIN_SECONDS
        closing = threading.Thread(target=close, args=(grace,), name="drain", daemon=True)
        closing.start()
        while closing.is_alive():
            closing.join(POLL_SECONDS)
            if self._hurried(asked):
                close(0)

    def _fail(self, error: BaseException) -> None:
        """Leave nothing on the engine, and a result that says why; nothing here may hide the error itself."""
        if self.status in _OVER:
            return
        with suppress(Exception):
            # one that never came into service has nothing to finish
            self._shut(self._grace if self._gateway else min(self._grace, FAILED_GRACE_SECONDS))
        self.failure_reason = error.what if isinstance(error, SmEmulateError) else type(error).__name__
        with suppress(Exception):
            self._enter(EndpointStatus.FAILED, self.failure_reason)

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
