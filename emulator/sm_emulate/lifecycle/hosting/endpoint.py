"""An endpoint, from its request to its stop."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING
from uuid import uuid4

from sm_emulate.errors import SmEmulateError
from sm_emulate.events import now
from sm_emulate.gateway import warm_up
from sm_emulate.lifecycle.hosting.entrance import Entrance
from sm_emulate.lifecycle.hosting.result import EndpointResult
from sm_emulate.lifecycle.hosting.served import FAILED_GRACE_SECONDS, Served
from sm_emulate.lifecycle.hosting.serving_container import StopAskedError
from sm_emulate.lifecycle.hosting.standing import Standing
from sm_emulate.lifecycle.hosting.surroundings import FleetGround
from sm_emulate.lifecycle.hosting.updating import Updating
from sm_emulate.lifecycle.labels import labels_of
from sm_emulate.lifecycle.platform import Platform
from sm_emulate.lifecycle.stop_request import StopRequest
from sm_emulate.spec import wordings
from sm_emulate.spec.endpoint import STOP_GRACE_SECONDS, EndpointStatus
from sm_emulate.storage.trouble import told

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sm_emulate.engine.protocol import ContainerSpec, Engine, GpuRequest, Image
    from sm_emulate.events import Listener
    from sm_emulate.gateway import Upstream
    from sm_emulate.lifecycle.hosting.serving_container import ServingContainer
    from sm_emulate.request.endpoint import EndpointRequest
    from sm_emulate.storage.run_folder import RunFolder


class Endpoint:
    """One endpoint: `start` it, `serve` until it is stopped; or use it as a context manager.

    `Served` has the containers, `Entrance` the gateway before them, `Updating` what changes them; `Standing` tells
    of it all. Here is the order in which they come and go.

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
        self.image, self.run_folder = image, run
        self.platform = platform or Platform()
        self.created = now()
        self.session = uuid4().hex
        self._grace = stop_grace_s
        self._asked = StopRequest(run, wake=self._wake)
        self._standing = Standing(run, describe=lambda: self.result().describe(), listeners=listeners)
        self._served = Served(
            request,
            images={**({} if image is None else {request.model.image: image}), **(images or {})},
            ground=FleetGround(
                engine=engine,
                platform=self.platform,
                run_folder=run,
                session=self.session,
                labels=labels_of(run, self.session),
                gpus=gpus,
                publish=self._standing.publish,
                stopping=lambda: self._asked.times,
                vary=vary,
            ),
            changed=self._reroute,
            find_image=find_image,
        )
        self._entrance = Entrance(
            self._served,
            platform=self.platform,
            run=run,
            publish=self._standing.publish,
            port=port,
            seed=seed,
            describe=lambda: self.result().describe(),
        )
        self._updating = Updating(
            self._served,
            entrance=self._entrance,
            standing=self._standing,
            run=run,
            s3=self.platform.s3,
            asked=self._asked,
            stop_grace_s=stop_grace_s,
        )
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
        """Serve until `stop` is called, another process asks for it, or no container is left."""
        served = self._served
        try:
            while not self._asked.times and (not served.fleet.lost or self._updating.under_way):
                served.fleet.watch()
                self._note_metrics()
                self._updating.heed()
            served.fleet.check()
            self._end()
        except BaseException as error:
            self._fail(error)
            raise
        return self.result()

    def stop(self) -> None:
        """Ask it to stop as DeleteEndpoint does; a second time, kill at once. Signal handlers may call it."""
        self._asked.ask()

    def close(self) -> None:
        """Leave nothing running, whatever was left half done; after an end in good order there is nothing."""
        if self._standing.over:
            return
        if self._standing.seconds:
            self.stop()
            self._end()

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

    # --- how it is ------------------------------------------------------------------------------------

    @property
    def request(self) -> EndpointRequest:
        """What it serves: what it was made for, and what updates have made of that."""
        return self._served.request

    @property
    def status(self) -> EndpointStatus:
        """As DescribeEndpoint has it."""
        return self._standing.status

    @property
    def failure_reason(self) -> str | None:
        """Why it, or its last update, failed."""
        return self._standing.failure_reason

    @property
    def url(self) -> str:
        """Where its gateway is; empty before it takes requests."""
        return self._entrance.url

    @property
    def upstream(self) -> Upstream | None:
        """Where the first container itself listens; None before it runs."""
        first = self._first
        return None if first is None else first.upstream

    @property
    def began(self) -> bool:
        """Whether a container was ever started."""
        return self._served.fleet.began

    @property
    def container(self) -> str | None:
        """The engine's id of the first container; None when it does not run."""
        first = self._first
        return None if first is None else first.id

    @property
    def _first(self) -> ServingContainer | None:
        return next((each.containers[0] for each in list(self._served.fleet.instances)), None)

    def result(self) -> EndpointResult:
        """Say how it stands."""
        served, standing, gateway = self._served, self._standing, self._entrance.gateway
        return EndpointResult(
            request=served.request,
            platform=self.platform,
            images=served.images,
            run_folder=self.run_folder.path,
            status=standing.status,
            failure_reason=standing.failure_reason,
            created=self.created,
            changed=now(),
            url=self.url,
            container_exit_codes=served.exit_codes,
            last_update=self._updating.last,
            instances=served.taking,
            weights=served.fleet.weights,
            metrics={} if gateway is None else gateway.meters.described(),
            models=None if served.fleet.shelf is None else served.fleet.shelf.counts(),
            seconds=dict(standing.seconds),
            components=None if served.recomposing is None else served.recomposing.described(gateway),
        )

    # --- the way to InService -------------------------------------------------------------------------

    def _start(self) -> None:
        served, standing = self._served, self._standing
        standing.enter(EndpointStatus.CREATING, "Creating the endpoint")
        with standing.timed("Model"):
            served.fleet.prepare()
        with standing.timed("Container"):
            warming = threading.Thread(
                target=warm_up,
                kwargs={"bidirectional": served.converses},
                name="gateway warm-up",
                daemon=True,
            )
            warming.start()
            served.fleet.start()
        with standing.timed("Health"):
            served.fleet.healthy()
        warming.join()
        self._entrance.open()
        standing.enter(EndpointStatus.IN_SERVICE, self._entrance.where)

    def _note_metrics(self) -> None:
        """Keep the numbers in run.json fresh, for other processes."""
        served, gateway = self._served, self._entrance.gateway
        if gateway is not None:
            self._standing.keep_fresh(lambda: (gateway.meters.total(), sum(served.taking.values())))

    def _wake(self) -> None:
        self._served.fleet.wake()

    def _reroute(self) -> None:
        self._entrance.reroute()

    # --- the way out ----------------------------------------------------------------------------------

    def _end(self) -> None:
        """Drain, stop the container, and say so."""
        self._updating.join()
        standing, fleet = self._standing, self._served.fleet
        ended_by_itself = fleet.lost and fleet.exit_codes
        if not ended_by_itself:
            standing.enter(EndpointStatus.DELETING, "Stopping the endpoint")
        self._shut(self._grace)
        if not ended_by_itself:
            standing.enter(EndpointStatus.OUT_OF_SERVICE, "Endpoint stopped")
        else:
            host, code = list(ended_by_itself.items())[-1]
            called = fleet.called(host)
            standing.failure_reason = wordings.ping_failed(host.partition("/")[0], called)
            named = "the container" if called == wordings.PRIMARY else called
            standing.enter(EndpointStatus.FAILED, f"{named} exited with code {code}")

    def _shut(self, grace_s: float) -> None:
        """Close the gateway, stop the containers (SIGTERM, grace, SIGKILL), and let go of everything."""
        self._updating.join()
        asked = self._asked.times

        def hurried() -> bool:
            """Say whether a stop was asked for twice, or again since."""
            return self._asked.times > max(1, asked)

        try:
            self._entrance.close(at_once=asked > 1, hurried=hurried)
        finally:
            self._served.fleet.stop(grace_s, hurried=lambda: asked > 1 or hurried())

    def _fail(self, error: BaseException) -> None:
        """Leave nothing on the engine, and a result that says why; nothing here may hide the error itself."""
        standing = self._standing
        if standing.over:
            return
        with suppress(Exception):
            # one that never came into service has nothing to finish
            opened = self._entrance.gateway is not None
            self._shut(self._grace if opened else min(self._grace, FAILED_GRACE_SECONDS))
        standing.failure_reason = error.what if isinstance(error, SmEmulateError) else type(error).__name__
        with suppress(Exception):
            standing.enter(EndpointStatus.FAILED, standing.failure_reason)
