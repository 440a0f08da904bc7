"""A copy of a request for the shadow variant: sent, counted, and its answer dropped."""

from __future__ import annotations

from time import perf_counter, time
from typing import TYPE_CHECKING

from sm_emulate.gateway.front import Invocation

if TYPE_CHECKING:
    import asyncio

    from sm_emulate.gateway.container import ContainerConnection
    from sm_emulate.gateway.incoming import Incoming
    from sm_emulate.gateway.known import KnownAnswer
    from sm_emulate.gateway.route import Target
    from sm_emulate.gateway.serving import Serving


DRAIN_S = 5.0
"""How long a copy may go on when the endpoint is stopped."""


class ShadowExchange:
    """Asks a shadow's container as `Exchange` asks a production one; no client waits for it, only the gateway's end.

    Args:
        serving: whose request it is.
        target: the shadow's container.
        request: for the record.
        payload: head and body as the production container gets them.
    """

    __slots__ = (
        "_asked_at", "_connection", "_done", "_opening", "_out", "_payload", "_request", "_retried", "_serving",
        "_size", "_status", "_target", "_timer",
    )  # fmt: skip

    def __init__(self, serving: Serving, target: Target, request: Incoming, payload: list[bytes]) -> None:
        self._serving, self._target, self._request, self._payload = serving, target, request, payload
        self._asked_at = perf_counter()
        self._connection: ContainerConnection | None = None
        self._opening: asyncio.Task[None] | None = None
        self._status: int | None = None
        self._out = 0
        self._size = request.size
        self._done = self._retried = False
        self._timer = serving.loop.call_later(serving.front.model_timeout_s, self._expire)
        serving.clients.add(self)
        connection = target.pool.take()
        if connection is None:
            self._opening = target.pool.open(self)
        else:
            self.connected(connection)

    def connected(self, connection: ContainerConnection) -> None:
        self._opening = None
        if self._done:
            connection.drop()
            return
        self._connection = connection
        connection.ask(self, self._payload, whole=True)

    def answer_begins(self, status: int, headers: list[bytes], length: int | None) -> None:  # noqa: ARG002 - dropped
        self._status = status

    def answer_goes_on(self, data: bytes) -> None:
        self._out += len(data)

    def answer_ends(self) -> None:
        self._connection = None
        self._finish()

    def answered(self, known: KnownAnswer, body: bytes) -> None:
        self._status, self._out = known.status, len(body)
        self.answer_ends()

    def asking_failed(self, why: str, *, stale: bool) -> None:
        self._connection = self._opening = None
        if stale and not self._retried and not self._done:
            self._retried = True
            self._opening = self._target.pool.open(self)
            return
        self._status = None
        self._finish(why)

    def pause_sending(self) -> None:
        """Nothing more is sent anyway."""

    def resume_sending(self) -> None:
        """Nothing more is sent anyway."""

    # --- as one of the gateway's clients ------------------------------------------------------------------

    def drain(self) -> None:
        """Come to its end soon: only the endpoint's own end waits for it."""
        self._timer.cancel()
        self._timer = self._serving.loop.call_later(DRAIN_S, self.cut)

    def cut(self) -> None:
        """End now: the endpoint is going."""
        self._give_up("the endpoint was stopped")

    abort = cut

    # --- steps --------------------------------------------------------------------------------------------

    def _expire(self) -> None:
        self._give_up(
            f"the container's answer was not complete within {self._serving.front.model_timeout_s:g} s"
        )

    def _give_up(self, why: str) -> None:
        if self._opening is not None:
            self._opening.cancel()
        if self._connection is not None:
            self._connection.drop()
        self._status = None
        self._finish(why)

    def _finish(self, failure: str | None = None) -> None:
        if self._done:
            return
        self._done = True
        self._timer.cancel()
        self._serving.left(self)
        self._target.left()
        self._serving.tell(
            Invocation(
                at=time(),
                path=self._request.path,
                status=None,
                original_status=self._status,
                model_s=perf_counter() - self._asked_at,
                overhead_s=0.0,
                bytes_in=self._size,
                bytes_out=self._out,
                failure=failure,
                variant=self._target.variant_name,
                shadow=True,
            )
        )
