"""The execution environments of a serverless endpoint: none, or as many as requests want at once."""

from __future__ import annotations

import queue
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from sm_emulate.errors import EndpointFailedError
from sm_emulate.events import Noted, Warned
from sm_emulate.gateway import Fleet, VariantFront
from sm_emulate.lifecycle.hosting.elastic_fleet import ElasticFleet
from sm_emulate.lifecycle.stop_request import POLL_SECONDS
from sm_emulate.spec.serverless import NOT_IN_TIME, PROCESS_EXITED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sm_emulate.engine.protocol import Image
    from sm_emulate.gateway import Upstream
    from sm_emulate.lifecycle.hosting.instance import Instance
    from sm_emulate.lifecycle.hosting.surroundings import FleetGround
    from sm_emulate.request.endpoint import EndpointRequest
    from sm_emulate.request.serverless import Serverless
    from sm_emulate.request.variant import Variant


class ServerlessFleet(ElasticFleet):
    """All environments of one serverless variant; `Environments` of the gateway. Arguments as ServingFleet."""

    word = "environment"

    def __init__(
        self,
        request: EndpointRequest,
        *,
        images: Mapping[str, Image],
        ground: FleetGround,
        generation: int = 0,
        changed: Callable[[], None],
    ) -> None:
        assert request.serverless is not None
        settings = ground.platform.settings
        self.serverless: Serverless = request.serverless
        self.most = settings.number("serverless-environments")
        self.max_concurrency = self.serverless.max_concurrency
        self.kept = min(self.serverless.provisioned_concurrency, self.most)
        self.idle_s = float(settings.number("serverless-idle"))
        self.patience_s = float(settings.number("serverless-wait"))
        self.throttled_status = int(settings.text("serverless-throttling"))
        self._cold = settings.text("serverless-first") == "cold"
        self._prepare_s = 0.0
        super().__init__(request, images=images, ground=ground, generation=generation, changed=changed)

    # --- the way into service -------------------------------------------------------------------------

    def prepare(self) -> None:
        """Have the model's folder, in the time that it may take."""
        began = time.monotonic()
        super().prepare()
        self._prepare_s = time.monotonic() - began
        wanted, most = self.max_concurrency, self.most
        if wanted > most:
            message = (
                f"this machine starts at most {most} of {wanted} containers for this endpoint: further requests wait "
                "for one (--setting serverless-environments)"
            )
            self._ground.publish(Noted(message=message))

    def healthy(self) -> None:
        """Wait until the first have passed their ping, which also checks the image; leave what is provisioned."""
        try:
            super().healthy()
        except EndpointFailedError as error:
            raise self._reason(error) from error
        self._prepare_s = 0.0
        if not self.kept and self._cold:
            (first,) = self.instances
            first.upstreams = ()
            self.retire(first)

    def routes(self) -> Fleet:
        """Say which environments there are."""
        (variant,) = self.request.variants
        front = VariantFront(
            variant_name=variant.variant_name,
            upstreams=tuple(each.upstreams[0] for each in list(self.instances) if each.upstreams),
            environments=self,
        )
        return Fleet(variants=(front,))

    # --- what the gateway asks ------------------------------------------------------------------------

    def start_one(self) -> None:
        """Start an environment and wait until requests may be sent to it.

        Raises:
            EndpointFailedError: it did not become healthy within 3 minutes.
        """
        try:
            self.add(self.request.variants[0])
        except Exception as error:
            if not self._stopping():
                self._ground.publish(
                    Warned(message=f"no new environment: {getattr(error, 'value', None) or error}")
                )
            raise

    def retire_one(self, upstream: Upstream) -> None:
        """End an environment that was idle for too long."""
        for each in list(self.instances):
            if upstream in each.upstreams:
                self.retire(each)

    # --- in service -----------------------------------------------------------------------------------

    @property
    def lost(self) -> bool:
        """Whether nothing serves, or will: the next request starts an environment, so never."""
        return False

    def watch(self, timeout: float = POLL_SECONDS) -> None:
        """Wait for news, and let go of environments that ended. They are not pinged: nothing runs between requests."""
        with suppress(queue.Empty):
            self._news.get(timeout=timeout)
        if self._given_up:
            return
        for each in list(self.instances):
            each.catch_up()
            if each.upstreams and each.over_by_itself:
                codes = ", ".join(str(code) for code in each.exit_codes.values())
                message = f"environment {each.host} ended with code {codes}; the next request starts another"
                self._ground.publish(Warned(message=message))
                self.retire(each)

    def check(self) -> None:
        """Say nothing: an environment that cannot be followed is let go."""

    # --- steps ----------------------------------------------------------------------------------------

    def _reason(self, error: EndpointFailedError) -> EndpointFailedError:
        """Give the failure in the words that a serverless endpoint has for it."""
        exited = any(each.exit_codes for each in self.instances)
        return EndpointFailedError(
            PROCESS_EXITED if exited else NOT_IN_TIME,
            value=error.value,
            hint=error.hint,
            link=error.link,
            evidence=error.evidence,
        )

    def _first_count(self, _variant: Variant) -> int:
        return max(1, self.kept)

    def _window(self, instance: Instance) -> float:
        whole = super()._window(instance)
        return max(1.0, whole - self._prepare_s)
