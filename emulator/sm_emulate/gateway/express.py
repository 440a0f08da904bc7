"""A request that is known, and an answer that is known: passed on without an `Exchange`."""

from __future__ import annotations

from time import perf_counter, time
from typing import TYPE_CHECKING

from sm_emulate.gateway.answers import ErrorAnswer
from sm_emulate.gateway.exchange import Exchange
from sm_emulate.gateway.front import Invocation

if TYPE_CHECKING:
    from sm_emulate.gateway.connection import ClientConnection
    from sm_emulate.gateway.container import ContainerConnection
    from sm_emulate.gateway.known import KnownAnswer, KnownRequest
    from sm_emulate.gateway.route import Target


class Express:
    """Lasts while nothing happens but the answer; at anything else it gives way to an `Exchange`, which has the rules.

    Args:
        client: who asks.
        known: what.
        target: who is asked.
        data: the request to the byte.
    """

    __slots__ = (
        "_asked_at",
        "_body",
        "_client",
        "_complete_at",
        "_connection",
        "_known",
        "_target",
        "deadline",
    )

    def __init__(self, client: ClientConnection, known: KnownRequest, target: Target, data: bytes) -> None:
        self._complete_at = perf_counter()
        self._client, self._known, self._target = client, known, target
        self._body = data[known.head_size :]
        self._connection: ContainerConnection | None = None
        self.deadline = client.arm(client.serving.front.model_timeout_s)
        self._asked_at = perf_counter()

    def begin(self) -> None:
        """Ask the container."""
        self._connection = self._target.pool.take()
        if self._connection is None:
            self.give_way().ask()
        else:
            self._connection.ask(self, (self._payload,), whole=True)

    def give_way(self) -> Exchange:
        """Have an `Exchange` go on with it from here."""
        request = self._known.incoming()
        exchange = Exchange(self._client, request)
        self._client.express_over(exchange, request)
        exchange.take_over(
            self._target,
            self._connection,
            self._payload,
            complete_at=self._complete_at,
            asked_at=self._asked_at,
            deadline=self.deadline,
        )
        return exchange

    @property
    def _payload(self) -> bytes:
        return self._known.to_container + self._body

    # --- the container's side -----------------------------------------------------------------------------

    def answered(self, known: KnownAnswer, body: bytes) -> None:
        client, target, serving = self._client, self._target, self._client.serving
        if serving.draining:
            self._connection = None
            self.give_way().answered(known, body)
            return
        heard_at = perf_counter()
        client.express_over(None, None)
        client.write(target.wording.known_head(known) + body)
        target.left()
        model_s = heard_at - self._asked_at
        serving.tell(
            # by position: names cost as much again
            Invocation(
                time(),
                self._known.path,
                known.status,
                known.status,
                model_s,
                perf_counter() - self._complete_at - model_s,
                self._known.size,
                known.length,
                None,
                target.variant_name,
            )
        )

    def connected(self, connection: ContainerConnection) -> None:
        self.give_way().connected(connection)

    def answer_begins(self, status: int, headers: list[bytes], length: int | None) -> None:
        self.give_way().answer_begins(status, headers, length)

    def answer_goes_on(self, data: bytes) -> None:
        self.give_way().answer_goes_on(data)

    def answer_ends(self) -> None:
        self.give_way().answer_ends()

    def asking_failed(self, why: str, *, stale: bool) -> None:
        self.give_way().asking_failed(why, stale=stale)

    def pause_sending(self) -> None:
        self.give_way().pause_sending()

    def resume_sending(self) -> None:
        self.give_way().resume_sending()


def express(client: ClientConnection, data: bytes) -> Express | None:
    """Give the express for these bytes, or None if they have to be read, or need more than passing on."""
    serving = client.serving
    known = serving.known.find(data)
    if known is None or serving.draining or not serving.router.plain:
        return None
    target = serving.router.pick(known.request)
    return None if isinstance(target, ErrorAnswer) else Express(client, known, target, data)
