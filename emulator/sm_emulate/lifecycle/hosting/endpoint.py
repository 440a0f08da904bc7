"""An endpoint, from its request to its stop."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from typing import TYPE_CHECKING
from uuid import uuid4

from sm_emulate.errors import ExitCode, RequestError, SmEmulateError
from sm_emulate.events import (
    Invoked,
    ModelLoaded,
    ModelUnloaded,
    Noted,
    StatusChanged,
    Warned,
    now,
)
from sm_emulate.gateway import EndpointFront, Gateway, PipelineRules, warm_up
from sm_emulate.gateway.page_source import PAGE_PATH, PageSource
from sm_emulate.lifecycle.hosting.bidirectional import kept
from sm_emulate.lifecycle.hosting.container import container_host
from sm_emulate.lifecycle.hosting.fleets import EndpointFleet, fleet_for, hosting, recomposing_for
from sm_emulate.lifecycle.hosting.image_labels import check_labels
from sm_emulate.lifecycle.hosting.result import EndpointResult
from sm_emulate.lifecycle.hosting.serving_container import StopAskedError
from sm_emulate.lifecycle.hosting.surroundings import FleetGround
from sm_emulate.lifecycle.hosting.update import new_weights, requested, take
from sm_emulate.lifecycle.labels import labels_of
from sm_emulate.lifecycle.platform import Platform
from sm_emulate.lifecycle.publisher import Publisher
from sm_emulate.lifecycle.stop_request import POLL_SECONDS, StopRequest
from sm_emulate.request.secrets import secret_values
from sm_emulate.spec import bidirectional, wordings
from sm_emulate.spec.endpoint import STOP_GRACE_SECONDS, EndpointStatus
from sm_emulate.spec.serverless import MAX_PAYLOAD_BYTES
from sm_emulate.storage.async_queue import AsyncQueue
from sm_emulate.storage.trouble import told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sm_emulate.engine.protocol import ContainerSpec, Engine, GpuRequest, Image
    from sm_emulate.events import Event, Listener
    from sm_emulate.gateway import Invocation, Upstream
    from sm_emulate.lifecycle.hosting.async_work import AsyncWork
    from sm_emulate.lifecycle.hosting.data_capture import DataCapturing
    from sm_emulate.lifecycle.hosting.serving_container import ServingContainer
    from sm_emulate.lifecycle.hosting.update import Update
    from sm_emulate.request.endpoint import EndpointRequest
    from sm_emulate.storage.run_folder import RunFolder

DRAIN_SECONDS = 60.0
"""How long a stop waits for requests in flight: as long as the model may take for one."""
FAILED_GRACE_SECONDS = 2.0
NOTE_SECONDS = 1.0
"""How old the metrics in run.json may be."""
_OVER = frozenset({EndpointStatus.FAILED, EndpointStatus.OUT_OF_SERVICE})


class Endpoint:
    """One endpoint: `start` it, `serve` until it is stopped; or use it as a context manager.

    Args:
        request: what to serve, checked.
        image: the first variant's image as the engine knows it; None where inference components have theirs.
        images: those of the others, by the names that the request uses.
        engine: runs the containers.
        run: a new run folder that this process holds.
        platform: which SageMaker.
        port: of the gateway on 127.0.0.1; 0 is the kernel's choice.
        gpus: the GPUs of the container.
        stop_grace_s: between SIGTERM and SIGKILL.
        seed: of the gateway's choice between variants and instances.
        listeners: hear what happens.
        find_image: gives an image by its name, for updates.
        vary: changes the container before it is made; the contract's probes ask this way what would happen if.
    """

    def __init__(
        self,
        request: EndpointRequest,
        *,
        image: Image | None,
        images: Mapping[str, Image] | None = None,
        engine: Engine,
        run: RunFolder,
        platform: Platform | None = None,
        port: int = 0,
        gpus: GpuRequest | None = None,
        stop_grace_s: float = STOP_GRACE_SECONDS,
        seed: int | None = None,
        listeners: Sequence[Listener] = (),
        find_image: Callable[[str], Image] | None = None,
        vary: Callable[[ContainerSpec], ContainerSpec] | None = None,
    ) -> None:
        self.request, self.image, self.run_folder = request, image, run
        self.platform = platform or Platform()
        self.created = now()
        self.session = uuid4().hex
        self.status = EndpointStatus.CREATING
        self.failure_reason: str | None = None
        self.url = ""
        self._port, self._grace, self._seed = port, stop_grace_s, seed
        self._publish = Publisher((self._keep, *listeners))
        self._asked = StopRequest(run, wake=self._wake)
        self._ground = FleetGround(
            engine=engine,
            platform=self.platform,
            run_folder=run,
            session=self.session,
            labels=labels_of(run, self.session),
            gpus=gpus,
            publish=self._publish,
            stopping=lambda: self._asked.times,
            vary=vary,
        )
        self._images = {**({} if image is None else {request.model.image: image}), **(images or {})}
        self._fleet = fleet_for(request, images=self._images, ground=self._ground, changed=self._reroute)
        self._recomposing = recomposing_for(self._fleet, request)
        self._gateway: Gateway | None = None
        self._async: AsyncWork | None = None
        self._capturing: DataCapturing | None = None
        self._seconds: dict[str, float] = {}
        self._serving: threading.Thread | None = None
        self._trouble: BaseException | None = None
        self._find_image = find_image
        self._updating: threading.Thread | None = None
        self._generation = 0
        self._last_update: dict[str, object] = {}
        self._ended: dict[str, int] = {}
        self._noted, self._next_note = (0, 0), 0.0
        self._secrets = secret_values(request.as_aws())

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
        """Serve until `stop` is called, another process asks for it, or no container is left."""
        try:
            while not self._asked.times and (not self._fleet.lost or self._being_updated):
                self._fleet.watch()
                self._note_metrics()
                self._heed_update()
            self._fleet.check()
            self._end()
        except BaseException as error:
            self._fail(error)
            raise
        return self.result()

    @property
    def upstream(self) -> Upstream | None:
        """Where the first container itself listens; None before it runs."""
        first = self._first
        return None if first is None else first.upstream

    @property
    def began(self) -> bool:
        """Whether a container was ever started."""
        return self._fleet.began

    @property
    def container(self) -> str | None:
        """The engine's id of the first container; None when it does not run."""
        first = self._first
        return None if first is None else first.id

    @property
    def _first(self) -> ServingContainer | None:
        return next((each.containers[0] for each in list(self._fleet.instances)), None)

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
        return EndpointResult(
            request=self.request,
            platform=self.platform,
            images=self._images,
            run_folder=self.run_folder.path,
            status=self.status,
            failure_reason=self.failure_reason,
            created=self.created,
            changed=now(),
            url=self.url,
            container_exit_codes=self._ended | self._fleet.exit_codes,
            last_update=self._last_update,
            instances={
                each.variant_name: self._fleet.serving(each.variant_name)
                for each in self.request.all_variants
            },
            weights=self._fleet.weights,
            metrics={} if self._gateway is None else self._gateway.meters.described(),
            models=None if self._fleet.shelf is None else self._fleet.shelf.counts(),
            seconds=dict(self._seconds),
            components=None if self._recomposing is None else self._recomposing.described(self._gateway),
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

    def _start(self) -> None:
        self._enter(EndpointStatus.CREATING, "Creating the endpoint")
        with self._timed("Model"):
            self._fleet.prepare()
        with self._timed("Container"):
            warming = threading.Thread(
                target=warm_up, kwargs={"bidirectional": self._converses}, name="gateway warm-up", daemon=True
            )
            warming.start()
            self._fleet.start()
        with self._timed("Health"):
            self._fleet.healthy()
        warming.join()
        self._open()
        self._enter(EndpointStatus.IN_SERVICE, self._where())

    @property
    def _converses(self) -> bool:
        """Whether an image says that it takes bidirectional streams."""
        return any(each.labels.get(bidirectional.LABEL) == "true" for each in self._images.values())

    def _open(self) -> None:
        request, platform = self.request, self.platform
        serverless = request.serverless is not None
        front = EndpointFront(
            endpoint_name=request.endpoint_name,
            fleet=self._fleet.routes(),
            seed=self._seed,
            multi_model=request.model.multi_model,
            serverless=serverless,
            max_body_bytes=(MAX_PAYLOAD_BYTES if serverless else platform.settings.number("payload-limit")),
            max_answer_bytes=MAX_PAYLOAD_BYTES if serverless else None,
            # an answer that is too long is found before the first of it is passed on
            hold_bytes=MAX_PAYLOAD_BYTES if serverless else EndpointFront.hold_bytes,
            region=platform.region,
            account=platform.account,
            stream_timeout_s=platform.settings.number("stream-timeout"),
            first_part_timeout_s=platform.settings.number("stream-first-part"),
            refuse_unknown_sessions=platform.settings.text("unknown-session") == "validation-error",
            long_body_is_invalid=platform.settings.text("payload-refusal") == "validation-error",
            container_host=container_host(platform.settings),
            default_accept="*/*" if platform.settings.text("default-accept") == "any" else None,
            asynchronous=request.async_inference is not None,
            bidirectional=kept(platform.settings),
            pipeline=PipelineRules(
                payload_limit_bytes=platform.settings.number("pipeline-payload-limit"),
                timeout_each=platform.settings.text("pipeline-timeout") == "each",
                accept_of_caller=platform.settings.text("pipeline-accept") == "caller",
                attributes=platform.settings.text("pipeline-custom-attributes"),
            ),
        )
        self._async, self._capturing = self._beside()
        capture = None
        if self._capturing is not None and request.data_capture is not None:
            from sm_emulate.gateway.captured import Capture

            self._capturing.start()
            capture = Capture(request.data_capture.sampling_percentage, self._capturing.take)
        self._gateway = Gateway(
            front,
            port=self._port,
            listener=self._invoked,
            accept=None if self._async is None else self._async.accept,
            capture=capture,
            page=PageSource(
                run=self.run_folder, describe=lambda: self.result().describe(), hidden=lambda: self._secrets
            ),
        )
        # a request that is accepted finds somebody who works it off
        left = 0 if self._async is None else self._async.start(self._upstreams())
        if left:
            self._publish(Noted(message=f"{left} async requests that were accepted before are worked off"))
        self.url = f"http://127.0.0.1:{self._gateway.start()}"

    def _beside(self) -> tuple[AsyncWork | None, DataCapturing | None]:
        """Make what works beside the gateway."""
        work = capturing = None
        request, platform = self.request, self.platform
        if request.async_inference is not None:
            from sm_emulate.lifecycle.hosting.async_work import AsyncWork

            work = AsyncWork(
                request.async_inference,
                queue=AsyncQueue(self.run_folder.home, request.endpoint_name),
                endpoint_name=request.endpoint_name,
                platform=platform,
                host_header=container_host(platform.settings),
                publish=self._publish,
            )
        if request.data_capture is not None:
            from sm_emulate.lifecycle.hosting.data_capture import DataCapturing

            capturing = DataCapturing(
                request.data_capture,
                endpoint_name=request.endpoint_name,
                s3=platform.s3,
                drafts=self.run_folder.path / "captured",
                publish=self._publish,
            )
        return work, capturing

    def _where(self) -> str:
        return f"serving at {self.url}; a page to look at: {self.url}{PAGE_PATH}"

    # --- what happens on the way ----------------------------------------------------------------------

    def _note_metrics(self) -> None:
        """Keep the numbers in run.json fresh, for other processes."""
        if self._gateway is None or time.monotonic() < self._next_note:
            return
        self._next_note = time.monotonic() + NOTE_SECONDS
        serving = sum(self._fleet.serving(each.variant_name) for each in self.request.all_variants)
        seen = (self._gateway.meters.total(), serving)
        if seen != self._noted:
            self._noted = seen
            self._write_down()

    def _wake(self) -> None:
        self._fleet.wake()

    @property
    def _being_updated(self) -> bool:
        return self._updating is not None and self._updating.is_alive()

    def _heed_update(self) -> None:
        """Begin the update that was asked for, if one was and none is on its way."""
        if self._being_updated or (update := take(self.run_folder)) is None:
            return
        if update.weights:
            self._reweigh(update)
            return
        if update.component:
            self._updating = threading.Thread(
                target=self._recompose, args=(update,), name="recomposing", daemon=True
            )
            self._updating.start()
            return
        self._generation += 1
        self._updating = threading.Thread(target=self._update, args=(update,), name="updating", daemon=True)
        self._updating.start()

    def _reweigh(self, update: Update) -> None:
        try:
            self._fleet.weights = new_weights(self.request, self._fleet.weights, update.weights)
        except RequestError as error:
            self._updated(update, error)
        else:
            self._reroute()
            self._updated(update)
        self._enter(EndpointStatus.IN_SERVICE, "the variants' weights are as asked for")

    def _recompose(self, update: Update) -> None:
        """Add, scale or delete an inference component; the endpoint stays in service."""
        error: BaseException | None = None
        try:
            self.request = hosting(self._recomposing, self.request).follow(
                update, self.request, find_image=self._find_image, drained=self._drained
            )
            with suppress(OSError):
                self.run_folder.write(self.run_folder.request, self.request.as_aws())
        except StopAskedError:
            return
        except BaseException as caught:  # noqa: BLE001  # whatever it is, the other components go on
            error = caught
        self._reroute()
        self._updated(update, error)
        if not self._asked.times:
            self._enter(EndpointStatus.IN_SERVICE, f"inference component {update.component}: {update.words}")

    def _drained(self) -> bool:
        return self._gateway is None or not self._gateway.retiring

    def _update(self, update: Update) -> None:
        """Start the new fleet beside the old one; have it take over, or go back."""
        self._enter(EndpointStatus.UPDATING, "Updating the endpoint")
        fleet: EndpointFleet | None = None
        try:
            request = requested(update, self.request)
            self._secrets = self._secrets | secret_values(request.as_aws())
            fleet = self._new_fleet(request)
            fleet.prepare()
            fleet.start()
            fleet.healthy()
        except BaseException as error:  # noqa: BLE001  # whatever it is, the old fleet goes on
            if not isinstance(error, StopAskedError):
                self._updated(update, error)
                self._enter(EndpointStatus.ROLLING_BACK, "the update failed; the endpoint goes on as it was")
            if fleet is not None:
                with suppress(Exception):
                    fleet.stop(FAILED_GRACE_SECONDS, hurried=lambda: False)
                self._ended |= fleet.exit_codes
        else:
            old, self._fleet, self.request = self._fleet, fleet, request
            self._reroute()
            self._retire(old)
            with suppress(OSError):
                self.run_folder.write(self.run_folder.request, request.as_aws())
            self._updated(update)
        if not self._asked.times:
            self._enter(EndpointStatus.IN_SERVICE, self._where())

    def _new_fleet(self, request: EndpointRequest) -> EndpointFleet:
        for name in dict.fromkeys(name for each in request.all_variants for name in each.model.images):
            if self._find_image is not None:
                self._images[name] = self._find_image(name)
        for model in request.models:
            check_labels(model, self._images)
        return fleet_for(
            request,
            images=dict(self._images),
            ground=self._ground,
            generation=self._generation,
            changed=self._reroute,
        )

    def _retire(self, old: EndpointFleet) -> None:
        """Let the old fleet finish what it has at hand, and stop it."""
        deadline = time.monotonic() + DRAIN_SECONDS
        while time.monotonic() < deadline and (
            (self._gateway is not None and self._gateway.retiring)
            or (self._async is not None and self._async.retiring)
        ):
            if self._asked.times:
                break
            time.sleep(POLL_SECONDS / 4)
        old.stop(self._grace, hurried=lambda: self._asked.times > 1)
        self._ended |= old.exit_codes

    def _updated(self, update: Update, error: BaseException | None = None) -> None:
        """Note how an update ended."""
        self._last_update = {"Id": update.id, "Status": "Succeeded"}
        self.failure_reason = None
        if error is not None:
            known = isinstance(error, SmEmulateError)
            self.failure_reason = error.what if isinstance(error, SmEmulateError) else type(error).__name__
            self._last_update |= {
                "Status": "RolledBack",
                "FailureReason": self.failure_reason,
                "Seen": str(getattr(error, "value", None) or "") if known else str(error),
                "Evidence": [str(each) for each in getattr(error, "evidence", ())],
                "ExitCode": int(error.exit_code) if isinstance(error, SmEmulateError) else int(ExitCode.BUG),
            }

    def _reroute(self) -> None:
        """Have the gateway send requests to those that take them now."""
        if self._gateway is not None:
            self._gateway.set_fleet(self._fleet.routes())
        if self._async is not None:
            self._async.set_upstreams(self._upstreams())

    def _upstreams(self) -> list[Upstream]:
        """Where async requests go: every instance that takes requests now."""
        routed = [each for each in self._fleet.routes().variants if each.weight > 0]
        return [upstream for variant in routed for upstream in variant.upstreams]

    def _invoked(self, handful: Sequence[Invocation]) -> None:
        self._publish.all(
            [
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
                    variant=seen.variant,
                )
                for seen in handful
            ]
        )

    # --- the way out ----------------------------------------------------------------------------------

    def _end(self) -> None:
        """Drain, stop the container, and say so."""
        if self._updating is not None:
            self._updating.join()
        ended_by_itself = self._fleet.lost and self._fleet.exit_codes
        if not ended_by_itself:
            self._enter(EndpointStatus.DELETING, "Stopping the endpoint")
        self._shut(self._grace)
        if not ended_by_itself:
            self._enter(EndpointStatus.OUT_OF_SERVICE, "Endpoint stopped")
        else:
            host, code = list(ended_by_itself.items())[-1]
            self.failure_reason = wordings.ping_failed(host.partition("/")[0], self._fleet.called(host))
            called = self._fleet.called(host)
            named = "the container" if called == wordings.PRIMARY else called
            self._enter(EndpointStatus.FAILED, f"{named} exited with code {code}")

    def _shut(self, grace_s: float) -> None:
        """Close the gateway, stop the containers (SIGTERM, grace, SIGKILL), and let go of everything."""
        if self._updating is not None:
            self._updating.join()
        asked = self._asked.times
        try:
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
        finally:
            self._fleet.stop(grace_s, hurried=lambda: asked > 1 or self._hurried(asked))

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
        if isinstance(event, (StatusChanged, ModelLoaded, ModelUnloaded)):
            self._write_down()

    def _write_down(self) -> None:
        folder = self.run_folder
        with told("the endpoint's status cannot be written down", folder.path):
            folder.write(folder.result if self.status in _OVER else folder.standing, self.result().describe())

    @contextmanager
    def _timed(self, phase: str) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            self._seconds[phase] = round(time.monotonic() - began, 3)
