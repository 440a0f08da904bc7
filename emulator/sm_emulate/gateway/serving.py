"""What all connections of one gateway share."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from sm_emulate.gateway.known import KnownRequests
from sm_emulate.gateway.route import Router
from sm_emulate.gateway.wire import Wording

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sm_emulate.gateway.async_call import Accept
    from sm_emulate.gateway.captured import Capture
    from sm_emulate.gateway.container_socket import ContainerSocket
    from sm_emulate.gateway.front import EndpointFront, Fleet, Invocation
    from sm_emulate.gateway.meters import Meters
    from sm_emulate.gateway.own import OwnExchange
    from sm_emulate.gateway.page_source import PageSource


GATHER_S = 0.1
"""How long finished requests wait to be told together: one by one, telling costs more than serving."""

HANDFUL = 64
"""So many are told at once; more would keep those in flight waiting."""


class Client(Protocol):
    """A connection of a client, whatever it speaks, or a copy for the shadow."""

    def drain(self) -> None:
        """Take no more requests, and close once none is in flight."""

    def cut(self) -> None:
        """Close now, with the error that is owed if it can still be given."""

    def abort(self) -> None:
        """Close at once."""


class Serving:
    """The endpoint, the way to its containers and the clients of the moment."""

    def __init__(
        self,
        front: EndpointFront,
        loop: asyncio.AbstractEventLoop,
        listener: Callable[[Sequence[Invocation]], None] | None,
        meters: Meters,
        *,
        accept: Accept | None = None,
        capture: Capture | None = None,
        page: PageSource | None = None,
    ) -> None:
        self.front = front
        self.loop = loop
        self.listener = listener
        self.accept = accept
        self.capture = capture
        self.page = page
        self.streams: set[OwnExchange] = set()
        self.meters = meters
        self.wording = Wording(front)
        self.router = Router(front, loop, meters)
        self.known = self._nothing_known()
        self.clients: set[Client] = set()
        self.sockets: set[ContainerSocket] = set()
        self.draining = False
        self._empty = asyncio.Event()
        self._untold: list[Invocation] = []

    def take_over(self, fleet: Fleet, capture: Capture | None) -> None:
        """Send new requests to this fleet, and capture by this; those on their way end as they began."""
        self.router.set_fleet(fleet)
        self.capture = capture
        # what is captured is not passed on unread
        self.known = self._nothing_known()

    def _nothing_known(self) -> KnownRequests:
        front = self.front
        remarkable = self.capture is not None or front.multi_model or front.asynchronous or front.serverless
        return KnownRequests(self.wording, remembers=not remarkable)

    def left(self, client: Client) -> None:
        """Forget a client whose connection is gone."""
        self.clients.discard(client)
        if self.draining and not self.clients:
            self._empty.set()

    def tell(self, invocation: Invocation) -> None:
        """Count it, and tell the listener in a moment, with what else is finished by then."""
        self.meters.add(invocation)
        if not self._untold:
            self.loop.call_later(GATHER_S, self.tell_all)
        self._untold.append(invocation)
        if len(self._untold) >= HANDFUL:
            self.tell_all()

    def tell_all(self) -> None:
        """Tell the listener now; its faults are reported, and are no reason to stop serving."""
        untold, self._untold = self._untold, []
        self.meters.count()
        if not untold or self.listener is None:
            return
        try:
            self.listener(untold)
        except Exception as error:  # noqa: BLE001 - whatever a caller's function raises
            self.loop.call_exception_handler(
                {"message": "the gateway's listener failed", "exception": error, "invocations": untold}
            )

    def abort(self) -> None:
        """Break off whatever is in flight."""
        for client in list(self.clients):
            client.cut()

    async def drain(self, grace_s: float) -> None:
        """Let requests in flight come to their end, at most for `grace_s`, then close what is left."""
        self.draining = True
        for stream in list(self.streams):
            stream.drain()
        for client in list(self.clients):
            client.drain()
        if self.clients:
            try:
                await asyncio.wait_for(self._empty.wait(), grace_s)
            except (TimeoutError, asyncio.TimeoutError):
                self.abort()
        await self.router.close()
        for socket in list(self.sockets):
            socket.hang_up()
        # transports say goodbye in the loop's next rounds
        for _ in range(3):
            await asyncio.sleep(0)
        for client in list(self.clients):
            client.abort()
        await asyncio.sleep(0)
        self.tell_all()
