"""The container's half of an exchange: a request's way to the container, and what it has to wait for there."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

from sm_emulate.errors import SmEmulateError
from sm_emulate.gateway import answers
from sm_emulate.gateway.admission import Admission, unavailable
from sm_emulate.gateway.answers import ErrorAnswer
from sm_emulate.gateway.async_call import read_call
from sm_emulate.gateway.reply import ONE_WRITE
from sm_emulate.gateway.shadow import ShadowExchange
from sm_emulate.gateway.stages import Passage
from sm_emulate.spec import invocation as spec

if TYPE_CHECKING:
    import asyncio

    from sm_emulate.gateway.container import ContainerConnection
    from sm_emulate.gateway.exchange import Exchange
    from sm_emulate.gateway.incoming import Incoming
    from sm_emulate.gateway.on_demand import Place
    from sm_emulate.gateway.route import Target
    from sm_emulate.gateway.serving import Serving
    from sm_emulate.gateway.target_models import ModelUnavailableError


class Asking:
    """Takes a request to the container that is to answer it, by the way that its endpoint has.

        plain         a target is picked -> it is asked
        multi-model   a target is picked -> Admission: its model is loaded -> it is asked, perhaps once more
        serverless    Place: an environment is free -> it is asked
        pipeline      a target is picked -> Passage: those before it have answered -> it is asked
        asynchronous  the call is handed over; no container is asked

    Args:
        exchange: hears the answer, or why there is none, until `end`.
        serving: the endpoint.
        request: what is asked.
    """

    __slots__ = (
        "_admission",
        "_connection",
        "_exchange",
        "_opening",
        "_passage",
        "_payload",
        "_place",
        "_request",
        "_retried",
        "_serving",
        "asked_at",
        "target",
    )

    def __init__(self, exchange: Exchange, serving: Serving, request: Incoming) -> None:
        self._exchange: Exchange | None = exchange
        self._serving, self._request = serving, request
        self._admission: Admission | None = None
        self._place: Place | None = None
        self._passage: Passage | None = None
        self._opening: asyncio.Task[None] | None = None
        self._connection: ContainerConnection | None = None
        self._payload: list[bytes] = []
        self._retried = False
        self.target: Target | None = None
        self.asked_at: float | None = None
        """When the first container's turn came."""

    # --- the exchange's calls -----------------------------------------------------------------------------

    def begin(self) -> None:
        """Find the container, and ask it once nothing has to be waited for."""
        exchange, serving, request = self._exchange, self._serving, self._request
        assert exchange is not None
        if request.asynchronous:
            exchange.extend(serving.front.model_timeout_s)
            self._opening = serving.loop.create_task(self._hand_over())
            return
        if serving.router.on_demand is not None:
            self._place = place = serving.router.on_demand.place()
            exchange.extend(place.patience_s)
            place.begin(self._placed)
            return
        target = serving.router.pick(request)
        if isinstance(target, ErrorAnswer):
            exchange.give_error(target, "no instance may take this request")
            return
        self.target = target
        if target.models is None or not request.invokes:
            self._send(exchange, target, request.container_path)
            return
        self._admission = admission = Admission(target.models, request.target_model or b"", serving.loop)
        exchange.extend(admission.patience_s + serving.front.model_timeout_s)
        admission.begin(self._admitted)

    def take_over(
        self, target: Target, connection: ContainerConnection | None, payload: bytes, *, asked_at: float
    ) -> None:
        """Go on with what somebody else has begun."""
        self.target, self._connection, self._payload = target, connection, [payload]
        self.asked_at = asked_at
        if connection is not None:
            assert self._exchange is not None
            connection.hand_over(self._exchange)

    def ask(self) -> None:
        """Send what was prepared, over a connection that is free or a new one."""
        assert self.target is not None
        connection = self.target.pool.take()
        if connection is None:
            self._open()
        else:
            self.connected(connection)

    def connected(self, connection: ContainerConnection) -> None:
        """Send what was prepared over this connection."""
        exchange, request = self._exchange, self._request
        self._opening = None
        if exchange is None:
            connection.drop()
            return
        self._connection = connection
        if not exchange.streams_request:
            connection.ask(exchange, self._payload, whole=True)
            return
        assert self.target is not None
        head = self.target.wording.request_head(
            request.method, request.container_path, request.forward, request.length
        )
        connection.ask(exchange, [head, request.take_body()], whole=request.complete)
        exchange.resume_sending()

    def stream(self, data: bytes) -> bool:
        """Send the next part of a body that is streamed; tell whether it could be sent."""
        if self._connection is None:
            return False
        self._connection.send(data)
        return True

    def streamed_whole(self) -> None:
        """Hear that the last part was the last."""
        if self._connection is not None:
            self._connection.sent_whole = True

    def pause_answer(self) -> None:
        """Hear no more of the answer for now."""
        if self._connection is not None:
            self._connection.pause_reading()

    def resume_answer(self) -> None:
        """Take it back."""
        if self._connection is not None:
            self._connection.resume_reading()

    def answered(self) -> None:
        """Hear that the answer is whole: the connection is the pool's again."""
        self._connection = None

    def broke(self, *, stale: bool) -> bool:
        """Hear that no answer comes over the connection; tell whether another one is tried."""
        self._connection = self._opening = None
        if not stale or self._retried or not self._payload:
            return False
        self._retried = True
        self._open()
        return True

    def mends(self, status: int) -> bool:
        """Tell whether something is done about an error of the container, which then may be asked once more."""
        admission, exchange = self._admission, self._exchange
        if admission is None or exchange is None or not admission.worth_another_try(status):
            return False
        exchange.extend(admission.patience_s + self._serving.front.model_timeout_s)
        admission.try_again(status, self._mended)
        return True

    def not_ready(self) -> ErrorAnswer | None:
        """Give the error for a request that is late since it waits for its environment; None if it does not."""
        return self._place.not_ready() if self._place is not None and self._place.waits else None

    def leave(self) -> None:
        """Let go of the container, whatever it is at."""
        if self._opening is not None:
            self._opening.cancel()
            self._opening = None
        if self._connection is not None:
            self._connection.drop()
            self._connection = None

    def end(self) -> None:
        """Let go of everything: the container, its model, the environment."""
        # they know each other: what they hold would wait for the garbage collector
        self._exchange = None
        if self._connection is not None:
            self.leave()
        if self._admission is not None:
            self._admission.end()
        if self._place is not None:
            self._place.end()
        if self._passage is not None:
            self._passage.end()

    # --- for the record -----------------------------------------------------------------------------------

    @property
    def container_name(self) -> str:
        """What errors call the container that is waited for now."""
        if self._passage is not None:
            return self._passage.container
        return "" if self.target is None else self.target.container_name

    def containers_seen(
        self, status: int | None, heard_at: float, model_s: float
    ) -> tuple[tuple[str, int | None, float], ...]:
        """Give what each container was seen to answer that shares its instance with others."""
        if self.target is None or not self.target.shares:
            return ()
        if self._passage is not None:
            return self._passage.seen(status, heard_at)
        return ((self.container_name, status, model_s),) if self.asked_at is not None else ()

    # --- what was waited for ------------------------------------------------------------------------------

    def _placed(self, target: Target | ErrorAnswer, why: str | None) -> None:
        """Hear which environment a serverless endpoint has for the request, or why none."""
        exchange = self._exchange
        if exchange is None:
            return
        if isinstance(target, ErrorAnswer):
            exchange.give_error(target, why)
            return
        self.target = target
        self._send(exchange, target, self._request.container_path)

    def _admitted(self, refused: ModelUnavailableError | None) -> None:
        """Hear that the model is loaded, or why it is not."""
        exchange, target, admission = self._exchange, self.target, self._admission
        if exchange is None or target is None or admission is None:
            return
        if refused is None:
            self._send(exchange, target, admission.path)
        else:
            exchange.give_error(unavailable(self._serving.front, self.container_name, refused), refused.why)

    def _mended(self, again: ModelUnavailableError | bool) -> None:
        """Hear whether the container, which had no room or had lost the model, is asked once more."""
        exchange = self._exchange
        if exchange is None:
            return
        if again is True:
            self._retried = False
            exchange.begins_anew()
            exchange.extend(self._serving.front.model_timeout_s)
            self.ask()
        elif again is False:
            exchange.give_model_error()
        else:
            exchange.give_error(unavailable(self._serving.front, self.container_name, again), again.why)

    def _passed(self, error: ErrorAnswer | None, why: str | None) -> None:
        """Hear that all containers of a pipeline but the last have answered, or what went wrong."""
        exchange, passage, target, request = self._exchange, self._passage, self.target, self._request
        if exchange is None or passage is None or target is None:
            return
        if error is not None:
            exchange.give_error(error, why, original=passage.status)
            return
        if passage.begun_anew:
            exchange.extend(exchange.container_limit())
        length = len(passage.body) if request.method == b"POST" else None
        head = target.wording.request_head(request.method, request.container_path, passage.lines, length)
        self._payload = [head, passage.body]
        self.ask()

    async def _hand_over(self) -> None:
        """Hand a call of InvokeEndpointAsync over; what is written to disk does not hold up other callers."""
        serving, exchange = self._serving, self._exchange
        call = read_call(self._request.async_headers, self._request.take_body())
        assert serving.accept is not None
        assert exchange is not None
        if isinstance(call, ErrorAnswer):
            self._opening = None
            exchange.give_error(call)
            return
        try:
            accepted = await serving.loop.run_in_executor(None, serving.accept, call)
        except SmEmulateError as error:
            self._opening = None
            exchange.give_error(answers.refusal("InternalFailure", error.what), error.what)
            return
        self._opening = None
        exchange.give_accepted(accepted)

    # --- steps --------------------------------------------------------------------------------------------

    def _send(self, exchange: Exchange, target: Target, path: bytes) -> None:
        request = self._request
        self.asked_at = perf_counter()
        if target.earlier:
            self._enter_pipeline(exchange, target)
            return
        if exchange.streams_request:
            # what is streamed cannot be sent again, so it never goes over a connection that may be stale
            self._open()
            return
        exchange.extend(exchange.container_limit())
        length = request.size if request.size or request.method == b"POST" else None
        head = target.wording.request_head(request.method, path, request.forward, length)
        body = request.take_body()
        self._payload = [head + body] if len(body) <= ONE_WRITE else [head, body]
        router = self._serving.router
        if router.shadow is not None and request.invokes:
            shadow = router.pick_shadow()
            if shadow is not None:
                ShadowExchange(self._serving, shadow, request, self._payload)
        self.ask()

    def _enter_pipeline(self, exchange: Exchange, target: Target) -> None:
        request = self._request
        if not request.invokes and request.container_path != spec.PING_PATH.encode():
            exchange.give_error(answers.refusal("ValidationError", spec.NOT_FOR_PIPELINES))
            return
        exchange.extend(exchange.container_limit())
        self._passage = Passage(
            self._serving.front,
            earlier=target.earlier if request.invokes else (),
            last=target.container_name,
            request=request,
            then=self._passed,
        )
        self._passage.begin(request.take_body())

    def _open(self) -> None:
        assert self.target is not None
        assert self._exchange is not None
        self._opening = self.target.pool.open(self._exchange)
