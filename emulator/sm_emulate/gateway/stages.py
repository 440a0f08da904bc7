"""The containers that share an instance: their connections, and a request's way through those of a pipeline."""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING

from sm_emulate.gateway import answers
from sm_emulate.gateway.container import ContainerPool
from sm_emulate.gateway.wire import Wording
from sm_emulate.spec import invocation as spec

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

    from sm_emulate.gateway.answers import ErrorAnswer
    from sm_emulate.gateway.container import ContainerConnection
    from sm_emulate.gateway.front import EndpointFront, Upstream, VariantFront
    from sm_emulate.gateway.incoming import Incoming
    from sm_emulate.gateway.known import KnownAnswer

_ERROR_BODY_BYTES = 4 * spec.MAX_MESSAGE_CHARS
_CONTENT_TYPE, _ACCEPT = b"Content-Type: ", b"Accept: "
_ATTRIBUTES = f"{spec.CUSTOM_ATTRIBUTES_HEADER}: ".encode()


class Stage:
    """One of several containers of an instance."""

    __slots__ = ("name", "pool", "upstream", "wording")

    def __init__(self, name: str, upstream: Upstream, pool: ContainerPool, wording: Wording) -> None:
        self.name, self.upstream, self.pool, self.wording = name, upstream, pool, wording


def stages_of(
    front: EndpointFront, variant: VariantFront, first: Upstream, loop: asyncio.AbstractEventLoop
) -> list[Stage]:
    """Give the containers of an instance, in their order."""
    host = front.container_host.rpartition(":")[0]
    found = []
    for name, port, upstream in zip(
        variant.containers, variant.container_ports, (first, *first.beside), strict=True
    ):
        own = replace(front, container_host=f"{host}:{port}")
        pool = ContainerPool(front, upstream, loop)
        found.append(Stage(name, upstream, pool, Wording(own, variant.variant_name)))
    return found


class Passage:
    """One request's way through the containers of a pipeline before the last, each answer held whole.

    Args:
        front: the endpoint, and its rules for pipelines.
        earlier: the containers before the last.
        last: what errors call the last.
        request: from the client.
        then: hears that all have answered, or the error for the client and plain words for it; not after `end`.
    """

    __slots__ = (
        "_asked_at", "_at", "_connection", "_earlier", "_front", "_headers", "_held", "_last", "_opening", "_over",
        "_payload", "_request", "_retried", "_seen", "_size", "_then", "body", "lines", "status",
    )  # fmt: skip

    def __init__(
        self,
        front: EndpointFront,
        *,
        earlier: Sequence[Stage],
        last: str,
        request: Incoming,
        then: Callable[[ErrorAnswer | None, str | None], None],
    ) -> None:
        self._front, self._earlier, self._last, self._request = front, earlier, last, request
        self._then = then
        self._at = 0
        self._connection: ContainerConnection | None = None
        self._opening: asyncio.Task[None] | None = None
        self._payload: list[bytes] = []
        self._headers: list[bytes] = []
        self._held: list[bytes] = []
        self._size = 0
        self._retried = False
        self._over = False
        self._seen: list[tuple[str, int | None, float]] = []
        self._asked_at = perf_counter()
        self.status: int | None = None
        """What the container that was asked last answered with; None while it has not."""
        self.body = b""
        """What goes to the next container."""
        self.lines: list[bytes] = []
        """The header lines that go with it."""

    @property
    def container(self) -> str:
        """The container that is waited for now."""
        return self._earlier[self._at].name if self._at < len(self._earlier) else self._last

    @property
    def begun_anew(self) -> bool:
        """Whether the time of a container starts with each."""
        return self._front.pipeline.timeout_each

    def begin(self, body: bytes) -> None:
        """Ask the first."""
        self.body = body
        self.lines = self._lines()
        if self._earlier:
            self._ask()
        else:  # a ping is for the last alone
            self._then(None, None)

    def seen(self, status: int | None, heard_at: float) -> tuple[tuple[str, int | None, float], ...]:
        """Give each container that was asked, what it answered with, and how long that took.

        Args:
            status: what the last answered with; None if it did not.
            heard_at: when it had; 0 if it has not.
        """
        if self._over:
            return tuple(self._seen)
        last = self._at == len(self._earlier)
        seconds = max(0.0, (heard_at or perf_counter()) - self._asked_at)
        return (*self._seen, (self.container, status if last else None, seconds))

    def end(self) -> None:
        """Ask no more."""
        if self._opening is not None:
            self._opening.cancel()
            self._opening = None
        if self._connection is not None:
            self._connection.drop()
            self._connection = None

    # --- a container's answer ---------------------------------------------------------------------------------

    def connected(self, connection: ContainerConnection) -> None:
        self._opening = None
        self._connection = connection
        connection.ask(self, self._payload, whole=True)

    def answer_begins(self, status: int, headers: list[bytes], length: int | None) -> None:
        self.status, self._headers = status, headers
        if status < 300 and length is not None and length > self._front.pipeline.payload_limit_bytes:
            self._size = length
            self._refuse_size()

    def answer_goes_on(self, data: bytes) -> None:
        self._size += len(data)
        assert self.status is not None
        most = _ERROR_BODY_BYTES if self.status >= 300 else self._front.pipeline.payload_limit_bytes
        room = most - self._size + len(data)
        if self._size <= most or (self.status >= 300 and room > 0):
            self._held.append(data[:room])
        elif self.status < 300:
            self._held.clear()  # how long it is in the end goes into the message; nothing else is wanted of it

    def answer_ends(self) -> None:
        self._connection = None
        assert self.status is not None
        if self.status >= 300:
            self._fail(
                answers.model_error(
                    self._front,
                    container=self.container,
                    status=self.status,
                    message=b"".join(self._held).decode("utf-8", "replace"),
                ),
                None,
            )
        elif self._size > self._front.pipeline.payload_limit_bytes:
            self._refuse_size()
        else:
            self._pass_on()

    def answered(self, known: KnownAnswer, body: bytes) -> None:
        self._connection = None
        self.status, self._headers = known.status, known.lines
        self._held, self._size = [body], len(body)
        self.answer_ends()

    def asking_failed(self, why: str, *, stale: bool) -> None:
        self._connection = self._opening = None
        if stale and not self._retried:
            self._retried = True
            self._opening = self._earlier[self._at].pool.open(self)
            return
        if self.status is None:
            error = answers.no_response(self._front, self.container)
        else:
            # a success that broke off is none: it counts as no status at all
            self.status = self.status if self.status >= 300 else None
            status = spec.NO_ORIGINAL_STATUS if self.status is None else self.status
            error = answers.model_error(self._front, container=self.container, status=status, message=None)
        self._fail(error, f"{self.container}: {why}")

    def pause_sending(self) -> None:
        """All of it was handed over at once."""

    def resume_sending(self) -> None:
        """Likewise."""

    # --- steps ------------------------------------------------------------------------------------------------

    def _ask(self) -> None:
        stage, request = self._earlier[self._at], self._request
        head = stage.wording.request_head(request.method, request.container_path, self.lines, len(self.body))
        self._payload = [head, self.body] if self.body else [head]
        self._held, self._size, self._retried, self.status = [], 0, False, None
        connection = stage.pool.take()
        if connection is None:
            self._opening = stage.pool.open(self)
        else:
            self.connected(connection)

    def _fail(self, error: ErrorAnswer, why: str | None) -> None:
        self._count()
        self._over = True
        self._then(error, why)

    def _count(self) -> None:
        """Note how the container that was asked last did."""
        now = perf_counter()
        self._seen.append((self.container, self.status, now - self._asked_at))
        self._asked_at = now

    def _pass_on(self) -> None:
        self._count()
        self._at += 1
        self.body = self._held[0] if len(self._held) == 1 else b"".join(self._held)
        self.lines = self._lines()
        if self._at == len(self._earlier):
            self._held, self._payload = [], []
            self._then(None, None)
            return
        self._ask()

    def _refuse_size(self) -> None:
        giver, status, size = self.container, self.status, self._size
        assert status is not None
        self.end()
        taker = (*(each.name for each in self._earlier), self._last)[self._at + 1]
        self._fail(
            answers.too_long_between(self._front, giver, taker, status=status, size=size),
            f"the answer of {giver} is longer than {taker} is given",
        )

    def _lines(self) -> list[bytes]:
        """Give the header lines for the container that comes next."""
        rules, given = self._front.pipeline, self._request.forward
        first, last = self._at == 0, self._at == len(self._earlier)
        left_out: list[bytes] = []
        if not first:
            left_out.append(_CONTENT_TYPE)
        if not last and not rules.accept_of_caller:
            left_out.append(_ACCEPT)
        if not first and rules.attributes != "caller":
            left_out.append(_ATTRIBUTES)
        lines = [line for line in given if not line.startswith(tuple(left_out))] if left_out else list(given)
        taken = () if first else (_CONTENT_TYPE,)
        if not first and rules.attributes == "answer":
            taken = (*taken, _ATTRIBUTES)
        lines += [line for line in self._headers if taken and line.startswith(taken)]
        if _ACCEPT in left_out and self._front.default_accept is not None:
            lines.append(_ACCEPT + self._front.default_accept.encode("latin-1") + b"\r\n")
        return lines
