"""One request and its answer: from a client to the container and back, by SageMaker's rules."""

from __future__ import annotations

from time import perf_counter, time
from typing import TYPE_CHECKING

from sm_emulate.errors import SmEmulateError
from sm_emulate.gateway import answers, wire
from sm_emulate.gateway.admission import Admission, unavailable
from sm_emulate.gateway.answers import ErrorAnswer
from sm_emulate.gateway.async_call import read_call
from sm_emulate.gateway.captured import Captured, header_of
from sm_emulate.gateway.event_stream import payload_part
from sm_emulate.gateway.front import Invocation
from sm_emulate.gateway.on_demand import Place
from sm_emulate.gateway.shadow import ShadowExchange
from sm_emulate.gateway.stages import Passage
from sm_emulate.spec import async_inference as async_spec
from sm_emulate.spec import invocation as spec

if TYPE_CHECKING:
    import asyncio

    from sm_emulate.gateway.async_call import Accepted
    from sm_emulate.gateway.captured import Capture
    from sm_emulate.gateway.connection import ClientConnection
    from sm_emulate.gateway.container import ContainerConnection
    from sm_emulate.gateway.incoming import Incoming
    from sm_emulate.gateway.known import KnownAnswer
    from sm_emulate.gateway.route import Target
    from sm_emulate.gateway.target_models import ModelUnavailableError

_ONE_WRITE = 64 * 1024
"""Up to here joining head and body is cheaper than a second system call."""

_ERROR_BODY_BYTES = 4 * spec.MAX_MESSAGE_CHARS
"""What is kept of an error's body: a character of UTF-8 has at most four bytes."""


class Exchange:
    """What happens between a request's head and the last byte of its answer."""

    __slots__ = (
        "_admission",
        "_answer_length",
        "_answer_lines",
        "_asked_at",
        "_began",
        "_captured_answer",
        "_captured_request",
        "_capturing",
        "_chunks",
        "_client",
        "_complete_at",
        "_connection",
        "_done",
        "_front",
        "_heard_at",
        "_held",
        "_held_size",
        "_is_error",
        "_opening",
        "_original",
        "_out",
        "_out_at_expiry",
        "_passage",
        "_payload",
        "_request",
        "_retried",
        "_serving",
        "_streams_answer",
        "_target",
        "_will_close",
        "deadline",
        "sending_paused",
        "streams_request",
    )

    def __init__(self, client: ClientConnection, request: Incoming) -> None:
        self._client = client
        self._serving = client.serving
        self._front = client.serving.front
        self._request = request
        self._began = self._complete_at = perf_counter()
        self._asked_at: float | None = None
        self._heard_at = 0.0
        self._connection: ContainerConnection | None = None
        self._opening: asyncio.Task[None] | None = None
        self._capturing: Capture | None = None
        self._captured_request: list[bytes] | None = None
        self._captured_answer: list[bytes] = []
        self._target: Target | None = None
        self._admission: Admission | Place | None = None
        self._passage: Passage | None = None
        self._payload: list[bytes] = []
        self._original: int | None = None
        self._answer_lines: list[bytes] = []
        self._answer_length: int | None = None
        self._held: list[bytes] = []
        self._held_size = 0
        self._out = 0
        self._out_at_expiry = 0
        self._is_error = False
        self._streams_answer = False
        self._will_close = False
        self._retried = False
        self._done = False
        self._chunks = False
        self.streams_request = False
        self.sending_paused = False
        self.deadline = 0.0

    # --- the client's side --------------------------------------------------------------------------------

    def begin(self) -> None:
        """Refuse, wait for the body, or go to the container."""
        request = self._request
        long = request.length is None or request.length > self._front.hold_bytes
        if request.refused is not None and (request.complete or request.expects or request.broken or long):
            self._give_error(request.refused)
            return
        if request.complete:
            self._dispatch()
            return
        self._extend(self._front.client_timeout_s)
        if request.refused is not None:
            # a short body is worth waiting for: the connection can be kept
            return
        if request.expects and not request.version_10:
            self._client.write(wire.CONTINUE)
        # a request that is copied for a shadow, waits for its model, or is sent to it again, is held whole
        router = self._serving.router
        whole = (
            self._front.multi_model or self._front.serverless or router.shadow is not None or router.pipelines
        )
        if long and not request.chunked and not whole:
            self.streams_request = True
            self._dispatch()

    def body_arrived(self, data: bytes) -> None:
        """Take the next part of a body that is streamed."""
        if self._done:
            return
        self._extend(self._front.client_timeout_s)
        if self._captured_request is not None:
            self._captured_request.append(data)
        if self._connection is not None:
            self._connection.send(data)
        else:
            self._request.body.append(data)
            self.pause_sending()

    def body_grew(self) -> None:
        """Hear that a held body grew: the client is alive."""
        self._extend(self._front.client_timeout_s)

    def request_complete(self) -> None:
        """Hear that the last byte of the request has come; the container's time starts now."""
        if self._done:
            return
        self._complete_at = perf_counter()
        if self._request.refused is not None:
            self._give_error(self._request.refused)
            return
        if not self.streams_request:
            self._dispatch()
            return
        self._extend(self._container_limit())
        if self._connection is not None:
            self._connection.sent_whole = True

    def refuse(self, error: ErrorAnswer) -> None:
        """Give up a request that turned out wrong after its head."""
        if self._done:
            return
        self._leave_container()
        if self._streams_answer:
            self._break_off("the request broke off", None)
        else:
            self._give_error(error)

    def client_left(self) -> None:
        """Let the container go: nobody waits for its answer."""
        if not self._done:
            self._leave_container()
            self._finish(status=None, failure="the client left before its answer was complete")

    def client_is_slow(self) -> None:
        if self._connection is not None:
            self._connection.pause_reading()

    def client_keeps_up(self) -> None:
        if self._connection is not None:
            self._connection.resume_reading()

    def expire(self) -> None:
        """End what took too long, in the words of whoever is late."""
        if isinstance(self._admission, Place) and self._admission.waits and self._request.complete:
            self._give_error(self._admission.not_ready(), "no environment came into service in time")
            return
        takes = not self._client.write_paused or self._out > self._out_at_expiry
        if self._client.write_paused and takes and not self._request.flushes:
            # the client is slow to take a long answer; that is no fault of the container
            self._out_at_expiry = self._out
            self._extend(self._front.model_timeout_s)
            return
        limit = self._container_limit()
        self._leave_container()
        if not self._request.complete and not self.sending_paused:
            limit = self._front.client_timeout_s
            error = answers.refusal(
                "ValidationError", f"The request body stopped coming for {limit:g} seconds."
            )
            self._end_early(error, f"the client sent nothing for {limit:g} s within its body")
        else:
            if self._streams_answer and self._request.flushes:
                limit = self._front.stream_timeout_s
            self._end_early(
                answers.timed_out(self._front, self._container_name),
                f"the container's answer was not complete within {limit:g} s",
                # a client that takes nothing will not take this either
                answers.stream_timed_out(self._container_name) if takes else None,
            )

    def cut(self) -> None:
        """End now what is still under way: the endpoint is going."""
        self._leave_container()
        if self._client.write_paused or not (self._streams_answer and self._request.events):
            self._client.abort()
            return
        self._will_close = True
        self._break_off("the endpoint was stopped", answers.stream_failed(self._front))

    # --- the container's side -----------------------------------------------------------------------------

    def connected(self, connection: ContainerConnection) -> None:
        self._opening = None
        if self._done:
            connection.drop()
        else:
            self._ask(connection)

    def answer_begins(self, status: int, headers: list[bytes], length: int | None) -> None:
        self._original = status
        self._answer_lines = headers
        self._answer_length = length
        if self._request.session is not None and status < 300 and self._target is not None:
            self._serving.router.sessions.heard(headers, self._target.instance)
        # 4xx and 5xx are documented, 3xx is not (UNSURE); but no client of the API follows a redirect
        self._is_error = status >= 300 and self._request.invokes

    def answer_goes_on(self, data: bytes) -> None:
        most = self._front.max_answer_bytes
        if most is not None and not self._is_error:
            size = len(data) + (self._out if self._streams_answer else self._held_size)
            if size > most:
                self._refuse_answer(size)
                return
        if self._is_error:
            if self._held_size < _ERROR_BODY_BYTES:
                self._held.append(data[: _ERROR_BODY_BYTES - self._held_size])
                self._held_size += len(self._held[-1])
        elif self._streams_answer:
            self._out += len(data)
            if self._captured_request is not None:
                self._captured_answer.append(data)
            self._client.write(self._framed(data))
        else:
            self._held.append(data)
            self._held_size += len(data)
            if self._request.flushes:
                self._start_streaming()
                self._extend(self._container_limit())
            elif self._held_size > self._front.hold_bytes:
                self._start_streaming()

    def _refuse_answer(self, size: int) -> None:
        """Give up an answer that is longer than the endpoint passes on."""
        self._leave_container()
        self._heard_at = perf_counter()
        size = max(size, self._answer_length or 0)
        name = self._container_name
        error = answers.oversize_answer(self._front, container=name, size=size)
        self._end_early(error, f"the answer has {size} bytes", answers.stream_broken(name))

    def answer_ends(self) -> None:
        self._connection = None
        self._heard_at = perf_counter()
        if self._is_error:
            assert self._original is not None
            if isinstance(self._admission, Admission) and self._admission.worth_another_try(self._original):
                self._extend(self._admission.patience_s + self._front.model_timeout_s)
                self._admission.try_again(self._original, self._may_ask_again)
                return
            self._give_model_error()
        elif self._streams_answer or self._request.events:
            if not self._streams_answer:
                self._start_streaming()
            if self._chunks:
                self._client.write(wire.LAST_CHUNK)
            self._finish(status=self._original)
        else:
            self._give_answer()

    def answered(self, known: KnownAnswer, body: bytes) -> None:
        self.answer_begins(known.status, known.lines, known.length)
        self.answer_goes_on(body)
        self.answer_ends()

    def asking_failed(self, why: str, *, stale: bool) -> None:
        self._connection = None
        self._opening = None
        if self._done:
            return
        if stale and not self._retried and self._payload:
            self._retried = True
            assert self._target is not None
            self._opening = self._target.pool.open(self)
            return
        if self._original is None:
            error = answers.no_response(self._front, self._container_name)
        else:
            # a success that broke off is none: it counts as no status at all
            status = self._original if self._is_error else spec.NO_ORIGINAL_STATUS
            error = answers.model_error(
                self._front, container=self._container_name, status=status, message=None
            )
        self._end_early(error, why, answers.stream_broken(self._container_name))

    def pause_sending(self) -> None:
        self.sending_paused = True
        self._client.update_reading()

    def resume_sending(self) -> None:
        self.sending_paused = False
        self._client.update_reading()

    # --- steps --------------------------------------------------------------------------------------------

    def _dispatch(self) -> None:
        request = self._request
        if request.asynchronous:
            self._extend(self._front.model_timeout_s)
            self._opening = self._serving.loop.create_task(self._accept())
            return
        capture = self._serving.capture
        if capture is not None and request.invokes and capture.chosen():
            # an update may change the endpoint's own before the answer is there
            self._capturing, self._captured_request = capture, list(request.body)
        if self._serving.router.on_demand is not None:
            self._admission = place = self._serving.router.on_demand.place()
            self._extend(place.patience_s)
            place.begin(self._placed)
            return
        target = self._serving.router.pick(request)
        if isinstance(target, ErrorAnswer):
            self._give_error(target, "no instance may take this request")
            return
        self._target = target
        if target.models is None or not request.invokes:
            self._send(request.container_path)
            return
        self._admission = admission = Admission(
            target.models, request.target_model or b"", self._serving.loop
        )
        self._extend(admission.patience_s + self._front.model_timeout_s)
        admission.begin(self._admitted)

    def _placed(self, target: Target | ErrorAnswer, why: str | None) -> None:
        """Hear which environment a serverless endpoint has for the request, or why none."""
        if self._done:
            return
        if isinstance(target, ErrorAnswer):
            self._give_error(target, why)
            return
        self._target = target
        self._send(self._request.container_path)

    def _admitted(self, refused: ModelUnavailableError | None) -> None:
        """Hear that the model is loaded, or why it is not."""
        if self._done or not isinstance(self._admission, Admission):
            return
        if refused is None:
            self._send(self._admission.path)
        else:
            self._give_error(unavailable(self._front, self._container_name, refused), refused.why)

    def _may_ask_again(self, again: ModelUnavailableError | bool) -> None:
        """Hear whether the container, which had no room or had lost the model, is asked once more."""
        if self._done:
            return
        if again is True:
            self._held.clear()
            self._held_size, self._is_error, self._retried = 0, False, False
            self._original, self._answer_lines = None, []
            self._extend(self._front.model_timeout_s)
            self.ask_with_payload()
        elif again is False:
            self._give_model_error()
        else:
            self._give_error(unavailable(self._front, self._container_name, again), again.why)

    def _send(self, path: bytes) -> None:
        request, target = self._request, self._target
        assert target is not None
        self._asked_at = perf_counter()
        if target.earlier:
            self._enter_pipeline(target)
            return
        if self.streams_request:
            # what is streamed cannot be sent again, so it never goes over a connection that may be stale
            self._opening = target.pool.open(self)
            return
        self._extend(self._container_limit())
        length = request.size if request.size or request.method == b"POST" else None
        head = target.wording.request_head(request.method, path, request.forward, length)
        body = request.take_body()
        self._payload = [head + body] if len(body) <= _ONE_WRITE else [head, body]
        if self._serving.router.shadow is not None and request.invokes:
            shadow = self._serving.router.pick_shadow()
            if shadow is not None:
                ShadowExchange(self._serving, shadow, request, self._payload)
        self.ask_with_payload()

    def _enter_pipeline(self, target: Target) -> None:
        request = self._request
        if not request.invokes and request.container_path != spec.PING_PATH.encode():
            self._give_error(answers.refusal("ValidationError", spec.NOT_FOR_PIPELINES))
            return
        self._extend(self._container_limit())
        earlier = target.earlier if request.invokes else ()
        self._passage = Passage(
            self._front, earlier=earlier, last=target.container_name, request=request, then=self._passed
        )
        self._passage.begin(request.take_body())

    def _passed(self, error: ErrorAnswer | None, why: str | None) -> None:
        """Hear that all containers of a pipeline but the last have answered, or what went wrong."""
        passage, target, request = self._passage, self._target, self._request
        assert passage is not None
        assert target is not None
        if error is not None:
            self._original = passage.status
            self._give_error(error, why)
            return
        if passage.begun_anew:
            self._extend(self._container_limit())
        length = len(passage.body) if request.method == b"POST" else None
        head = target.wording.request_head(request.method, request.container_path, passage.lines, length)
        self._payload = [head, passage.body]
        self.ask_with_payload()

    def take_over(
        self,
        target: Target,
        connection: ContainerConnection | None,
        payload: bytes,
        *,
        complete_at: float,
        asked_at: float,
        deadline: float,
    ) -> None:
        """Go on with a request that somebody else has begun."""
        self._target, self._connection, self._payload = target, connection, [payload]
        self._complete_at, self._asked_at, self.deadline = complete_at, asked_at, deadline
        if connection is not None:
            connection.hand_over(self)

    def ask_with_payload(self) -> None:
        """Ask the container, over a connection that is free or a new one."""
        assert self._target is not None
        connection = self._target.pool.take()
        if connection is None:
            self._opening = self._target.pool.open(self)
        else:
            self._ask(connection)

    async def _accept(self) -> None:
        """Hand a call of InvokeEndpointAsync over; what is written to disk does not hold up other callers."""
        call = read_call(self._request.async_headers, self._request.take_body())
        accept = self._serving.accept
        assert accept is not None
        if isinstance(call, ErrorAnswer):
            self._opening = None
            self._give_error(call)
            return
        try:
            accepted = await self._serving.loop.run_in_executor(None, accept, call)
        except SmEmulateError as error:
            self._opening = None
            self._give_error(answers.refusal("InternalFailure", error.what), error.what)
            return
        self._opening = None
        self._give_accepted(accepted)

    def _give_accepted(self, accepted: Accepted) -> None:
        body = accepted.body
        head = self._serving.wording.answer_head(
            async_spec.STATUS,
            accepted.lines,
            wire.content_length(len(body)),
            self._connection_line(),
            invoked=False,
        )
        self._out = len(body)
        self._client.write(head + body)
        self._finish(status=async_spec.STATUS)

    def _ask(self, connection: ContainerConnection) -> None:
        self._connection = connection
        if not self.streams_request:
            connection.ask(self, self._payload, whole=True)
            return
        request = self._request
        assert self._target is not None
        head = self._target.wording.request_head(
            request.method, request.container_path, request.forward, request.length
        )
        connection.ask(self, [head, request.take_body()], whole=request.complete)
        self.resume_sending()

    def _start_streaming(self) -> None:
        self._streams_answer = True
        assert self._original is not None
        assert self._target is not None
        events = self._request.events
        if self._answer_length is not None and not events:
            framing = wire.content_length(self._answer_length)
        elif self._request.version_10:
            # HTTP/1.0 knows no chunks: the end of the connection is the end of the body
            framing = b""
            self._request.keep_alive = False
        else:
            framing = b"Transfer-Encoding: chunked\r\n"
            self._chunks = True
        head = self._target.wording.answer_head(
            200 if events else self._original,
            wire.stream_headers(self._answer_lines) if events else self._answer_lines,
            framing,
            self._connection_line(),
            invoked=self._request.invokes,
        )
        body = b"".join(self._held)
        if self._captured_request is not None:
            self._captured_answer.append(body)
        self._held.clear()
        self._out += len(body)
        self._client.write(head)
        if body:
            self._client.write(self._framed(body))

    def _framed(self, data: bytes) -> bytes:
        """Give a part of the body as it goes over the client's connection."""
        if self._request.events:
            data = payload_part(data)
        return wire.chunk(data) if self._chunks else data

    def _give_answer(self) -> None:
        assert self._original is not None
        assert self._target is not None
        body = self._held[0] if len(self._held) == 1 else b"".join(self._held)
        framing = b"" if self._original == 204 else wire.content_length(len(body))
        head = self._target.wording.answer_head(
            self._original,
            self._answer_lines,
            framing,
            self._connection_line(),
            invoked=self._request.invokes,
        )
        self._out = len(body)
        if self._captured_request is not None:
            self._captured_answer.append(body)
        if len(body) <= _ONE_WRITE:
            self._client.write(head + body)
        else:
            self._client.write(head)
            self._client.write(body)
        self._finish(status=self._original)

    def _give_model_error(self) -> None:
        """Give the container's own error, as ModelError."""
        assert self._original is not None
        message = b"".join(self._held).decode("utf-8", "replace")
        self._give_error(
            answers.model_error(
                self._front, container=self._container_name, status=self._original, message=message
            )
        )

    def _give_error(self, error: ErrorAnswer, failure: str | None = None) -> None:
        head = self._serving.wording.error_head(error, self._connection_line())
        body = b"" if self._request.method == b"HEAD" else error.body
        self._out = len(body)
        self._client.write(head + body)
        self._finish(status=error.status, failure=failure)

    def _end_early(self, error: ErrorAnswer, failure: str, event: bytes | None = None) -> None:
        if self._streams_answer:
            self._break_off(failure, event)
        else:
            self._give_error(error, failure)

    def _break_off(self, failure: str, event: bytes | None) -> None:
        """End an answer whose head is out: with an event that says why, or as nobody can take for its end."""
        if event is None or not self._request.events:
            self._client.abort()
        else:
            self._client.write(wire.chunk(event) + wire.LAST_CHUNK if self._chunks else event)
        self._finish(status=self._original, failure=failure)

    @property
    def _container_name(self) -> str:
        if self._passage is not None:
            return self._passage.container
        return "" if self._target is None else self._target.container_name

    def _connection_line(self) -> bytes:
        request = self._request
        self._will_close = not (request.keep_alive and request.complete) or self._serving.draining
        if self._will_close:
            return b"Connection: close\r\n"
        return b"Connection: keep-alive\r\n" if request.version_10 else b""

    def _container_limit(self) -> float:
        """Give the seconds that the container has from now on."""
        front = self._front
        if not self._request.flushes:
            return front.model_timeout_s
        if not self._streams_answer or self._asked_at is None:
            return min(front.first_part_timeout_s, front.stream_timeout_s)
        taken = perf_counter() - max(self._asked_at, self._complete_at)
        return max(0.0, front.stream_timeout_s - taken)

    def _extend(self, seconds: float) -> None:
        self.deadline = self._client.arm(seconds)

    def _leave_container(self) -> None:
        if self._opening is not None:
            self._opening.cancel()
            self._opening = None
        if self._connection is not None:
            self._connection.drop()
            self._connection = None

    def _finish(self, *, status: int | None, failure: str | None = None) -> None:
        if self._done:
            return
        self._done = True
        self.sending_paused = False
        if self._connection is not None:
            self._leave_container()
        if self._admission is not None:
            self._admission.end()
        if self._passage is not None:
            self._passage.end()
        if self._target is not None:
            if self._captured_request is not None and failure is None and status == self._original:
                self._capture(self._target.variant_name)
            self._target.left()
        self._report(status, failure)
        self._client.exchange_done(close=self._will_close)

    def _capture(self, variant: str) -> None:
        capture, asked = self._capturing, self._request.forward
        assert capture is not None
        capture.take(
            Captured(
                at=time(),
                variant_name=variant,
                inference_id=header_of(asked, spec.INFERENCE_ID_HEADER.encode()),
                request_type=header_of(asked, b"Content-Type"),
                request=b"".join(self._captured_request or ()),
                answer_type=header_of(self._answer_lines, b"Content-Type"),
                answer=b"".join(self._captured_answer),
            )
        )

    def _report(self, status: int | None, failure: str | None) -> None:
        now = perf_counter()
        model_s = 0.0
        if self._asked_at is not None:
            model_s = max(0.0, (self._heard_at or now) - max(self._asked_at, self._complete_at))
        self._serving.tell(
            Invocation(
                at=time(),
                path=self._request.path,
                status=status,
                original_status=self._original,
                model_s=model_s,
                overhead_s=max(0.0, now - self._complete_at - model_s),
                bytes_in=self._request.size,
                bytes_out=self._out,
                failure=failure,
                variant="" if self._target is None else self._target.variant_name,
                component="" if self._target is None else self._target.component,
                containers=self._containers_seen(model_s)
                if self._target is not None and self._target.shares
                else (),
            )
        )

    def _containers_seen(self, model_s: float) -> tuple[tuple[str, int | None, float], ...]:
        if self._passage is not None:
            return self._passage.seen(self._original, self._heard_at)
        return ((self._container_name, self._original, model_s),) if self._asked_at is not None else ()
