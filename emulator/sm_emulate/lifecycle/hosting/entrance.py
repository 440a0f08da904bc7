"""Where requests come in: the gateway of an endpoint, and what works beside it."""

from __future__ import annotations

import threading
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from sm_emulate.events import Invoked, Noted, Warned
from sm_emulate.gateway import EndpointFront, Gateway, PipelineRules
from sm_emulate.gateway.page_source import PAGE_PATH, PageSource
from sm_emulate.lifecycle.hosting.bidirectional import kept
from sm_emulate.lifecycle.hosting.captures import Captures
from sm_emulate.lifecycle.hosting.container import container_host
from sm_emulate.lifecycle.stop_request import POLL_SECONDS
from sm_emulate.spec.serverless import MAX_PAYLOAD_BYTES
from sm_emulate.storage.async_queue import AsyncQueue

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sm_emulate.gateway import Fleet, Invocation, Upstream
    from sm_emulate.lifecycle.hosting.async_work import AsyncWork
    from sm_emulate.lifecycle.hosting.fleets import EndpointFleet
    from sm_emulate.lifecycle.hosting.served import Served
    from sm_emulate.lifecycle.platform import Platform
    from sm_emulate.lifecycle.publisher import Publisher
    from sm_emulate.request.endpoint import EndpointRequest
    from sm_emulate.storage.run_folder import RunFolder

DRAIN_SECONDS = 60.0
"""How long requests in flight are waited for: as long as the model may take for one."""


class Entrance:
    """The gateway of an endpoint, the work on its async requests, and the capture of its data.

    Args:
        served: where requests go.
        platform: which SageMaker.
        run: the endpoint's run folder.
        publish: hears of each invocation.
        port: of the gateway on 127.0.0.1; 0 is the kernel's choice.
        seed: of the gateway's choice between variants and instances.
        describe: gives what the endpoint's page tells.
    """

    def __init__(
        self,
        served: Served,
        *,
        platform: Platform,
        run: RunFolder,
        publish: Publisher,
        port: int,
        seed: int | None,
        describe: Callable[[], dict[str, Any]],
    ) -> None:
        self._served, self._platform, self._run, self._publish = served, platform, run, publish
        self._port, self._seed, self._describe = port, seed, describe
        self._async: AsyncWork | None = None
        self._captures = Captures(
            endpoint_name=served.request.endpoint_name,
            s3=platform.s3,
            drafts=run.path / "captured",
            publish=publish,
        )
        self._routing = threading.Lock()
        self.gateway: Gateway | None = None
        """None before it is open."""
        self.url = ""

    @property
    def where(self) -> str:
        """Where it is, in words."""
        return f"serving at {self.url}; a page to look at: {self.url}{PAGE_PATH}"

    @property
    def answering(self) -> bool:
        """Whether containers that get no more requests have some at hand."""
        return self.gateway is not None and self.gateway.retiring > 0

    @property
    def working_off(self) -> bool:
        """Whether they have accepted ones, whose own time of up to an hour holds and not ours."""
        return self._async is not None and self._async.retiring

    def open(self) -> None:
        """Take requests from now on."""
        request = self._served.request
        self._async = self._async_work(request)
        self.gateway = Gateway(
            front_of(request, self._platform, fleet=self._served.fleet.routes(), seed=self._seed),
            port=self._port,
            listener=self._invoked,
            accept=None if self._async is None else self._async.accept,
            capture=self._captures.turn_to(request.data_capture),
            page=PageSource(run=self._run, describe=self._describe, hidden=lambda: self._served.secrets),
        )
        # a request that is accepted finds somebody who works it off
        left = 0 if self._async is None else self._async.start(self._upstreams())
        if left:
            self._publish(Noted(message=f"{left} async requests that were accepted before are worked off"))
        self.url = f"http://127.0.0.1:{self.gateway.start()}"

    def reroute(self) -> None:
        """Send requests to those that take them now."""
        with self._routing:  # who is late must not bring back a fleet that was replaced
            if self.gateway is not None:
                self.gateway.set_fleet(self._served.fleet.routes())
            if self._async is not None:
                self._async.set_upstreams(self._upstreams())

    def take_over(self, fleet: EndpointFleet, request: EndpointRequest) -> EndpointFleet:
        """Have this fleet take all new requests, by its own configuration; give the one that had them.

        What is captured of requests on their way is captured as before, until `settle`.
        """
        with self._routing:
            old = self._served.replace(fleet, request)
            if self.gateway is not None:
                self.gateway.take_over(fleet.routes(), self._captures.turn_to(request.data_capture))
            if self._async is not None and request.async_inference is not None:
                self._async.take_over(request.async_inference, self._upstreams())
        return old

    def settle(self) -> None:
        """Hear that the fleet that was replaced is gone: nobody captures as before."""
        self._captures.settle()

    def close(self, *, at_once: bool, hurried: Callable[[], bool]) -> None:
        """Take no more requests, and let those in flight come to their end unless somebody is in a hurry.

        Args:
            at_once: wait for none of them.
            hurried: asked now and then; true ends the wait.
        """
        if self.gateway is not None:
            _drain(self.gateway.close, 0.0 if at_once else DRAIN_SECONDS, hurried)
        if self._async is not None:
            _drain(self._async.stop, 0.0 if at_once else DRAIN_SECONDS, hurried)
            if waiting := self._async.waiting:
                name = self._served.request.endpoint_name
                self._publish(
                    Warned(
                        message=f"{waiting} accepted async requests wait for the next endpoint of the name "
                        f"{name}; `sm-emulate clean {name}` drops them"
                    )
                )
        self._captures.close()

    # --- steps ----------------------------------------------------------------------------------------

    def _async_work(self, request: EndpointRequest) -> AsyncWork | None:
        """Make what works off the requests of an asynchronous endpoint."""
        if request.async_inference is None:
            return None
        from sm_emulate.lifecycle.hosting.async_work import AsyncWork

        return AsyncWork(
            request.async_inference,
            queue=AsyncQueue(self._run.home, request.endpoint_name),
            endpoint_name=request.endpoint_name,
            platform=self._platform,
            host_header=container_host(self._platform.settings),
            publish=self._publish,
        )

    def _upstreams(self) -> list[Upstream]:
        """Where async requests go: every instance that takes requests now."""
        routed = [each for each in self._served.fleet.routes().variants if each.weight > 0]
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


def front_of(
    request: EndpointRequest, platform: Platform, *, fleet: Fleet, seed: int | None
) -> EndpointFront:
    """Give the rules by which the gateway of an endpoint answers."""
    settings, serverless = platform.settings, request.serverless is not None
    return EndpointFront(
        endpoint_name=request.endpoint_name,
        fleet=fleet,
        seed=seed,
        multi_model=request.model.multi_model,
        serverless=serverless,
        max_body_bytes=(MAX_PAYLOAD_BYTES if serverless else settings.number("payload-limit")),
        max_answer_bytes=MAX_PAYLOAD_BYTES if serverless else None,
        # an answer that is too long is found before the first of it is passed on
        hold_bytes=MAX_PAYLOAD_BYTES if serverless else EndpointFront.hold_bytes,
        region=platform.region,
        account=platform.account,
        stream_timeout_s=settings.number("stream-timeout"),
        first_part_timeout_s=settings.number("stream-first-part"),
        refuse_unknown_sessions=settings.text("unknown-session") == "validation-error",
        long_body_is_invalid=settings.text("payload-refusal") == "validation-error",
        container_host=container_host(settings),
        default_accept="*/*" if settings.text("default-accept") == "any" else None,
        asynchronous=request.async_inference is not None,
        bidirectional=kept(settings),
        pipeline=PipelineRules(
            payload_limit_bytes=settings.number("pipeline-payload-limit"),
            timeout_each=settings.text("pipeline-timeout") == "each",
            accept_of_caller=settings.text("pipeline-accept") == "caller",
            attributes=settings.text("pipeline-custom-attributes"),
        ),
    )


def _drain(close: Callable[[float], None], grace_s: float, hurried: Callable[[], bool]) -> None:
    """Let what is under way come to its end within `grace_s`, unless somebody is in a hurry."""
    closing = threading.Thread(target=close, args=(grace_s,), name="drain", daemon=True)
    closing.start()
    while closing.is_alive():
        closing.join(POLL_SECONDS)
        if hurried():
            close(0)
