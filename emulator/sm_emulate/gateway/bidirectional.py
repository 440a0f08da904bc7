"""One bidirectional stream: a caller's events on one side, a container's WebSocket on the other."""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter, time
from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote
from uuid import uuid4

from sm_emulate.gateway import answers
from sm_emulate.gateway.answers import ErrorAnswer
from sm_emulate.gateway.bidirectional_parts import BadPartError, PartReader, part_event
from sm_emulate.gateway.container_socket import GOING_AWAY, NO_CODE, NORMAL, ContainerSocket
from sm_emulate.gateway.event_stream import CONTENT_TYPE, unmodelled_error
from sm_emulate.gateway.front import Invocation
from sm_emulate.gateway.incoming import Incoming
from sm_emulate.spec import bidirectional as spec
from sm_emulate.spec import invocation
from sm_emulate.spec.serverless import NO_BIDIRECTIONAL

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping

    from sm_emulate.gateway.bidirectional_parts import Part
    from sm_emulate.gateway.route import Target
    from sm_emulate.gateway.serving import Serving

PREFIX, _, SUFFIX = spec.PATH.partition("{endpoint_name}")
_SWITCHING_PROTOCOLS = 101


class StreamCaller(Protocol):
    """The caller's side of one stream."""

    def answer(self, status: int, headers: list[tuple[str, str]]) -> None:
        """Give status and headers."""

    def send(self, data: bytes) -> None:
        """Give a part of the body."""

    def end(self) -> None:
        """End the body; nothing comes after it."""

    def pause(self) -> None:
        """Take no more of the caller's body for now."""

    def resume(self) -> None:
        """Take it again."""


class BidirectionalStream:
    """What happens between a caller's head and the end of both directions.

    Args:
        serving: the gateway.
        caller: gets the answer.
        target: path and query that the caller asked for.
        headers: the caller's, names in lower case.
    """

    def __init__(
        self, serving: Serving, caller: StreamCaller, target: str, headers: Mapping[str, str]
    ) -> None:
        self._serving, self._front, self._caller = serving, serving.front, caller
        self._path, self._headers = target, headers
        self._began = perf_counter()
        self._asked_at: float | None = None
        self._reader = PartReader()
        self._held: list[Part] = []
        self._socket: ContainerSocket | None = None
        self._opening: asyncio.Task[None] | None = None
        self._target: Target | None = None
        self._limit: asyncio.TimerHandle | None = None
        self._goodbye: asyncio.TimerHandle | None = None
        self._open = self._done = self._input_over = False
        self._original: int | None = None
        self._in = self._out = 0

    # --- the caller's side --------------------------------------------------------------------------------

    def begin(self) -> None:
        """Refuse, or ask a container for a WebSocket."""
        found = self._find()
        if isinstance(found, ErrorAnswer):
            self._give_error(found)
            return
        front, loop = self._front, self._serving.loop
        self._caller.pause()  # what it sends meanwhile is held
        self._asked_at = perf_counter()
        self._socket = ContainerSocket(
            self._serving, self, target=self._container_target(), container_name=found.container_name
        )
        self._limit = loop.call_later(front.model_timeout_s, self._not_accepted)
        self._opening = loop.create_task(self._socket.connect(found.upstream))

    def data_came(self, data: bytes) -> None:
        """Take the next bytes of the caller's body."""
        if self._done or self._input_over:
            return
        self._in += len(data)
        try:
            parts = self._reader.feed(data)
        except BadPartError as error:
            self._misheard(str(error))
            return
        if not self._open:
            self._held += parts
        elif self._socket is not None:
            for part in parts:
                self._socket.send(part)
            self._socket.flush()
        if self._reader.ended:
            self._input_ends()

    def input_ended(self) -> None:
        """Hear that the caller's body has ended."""
        if self._done or self._input_over:
            return
        if self._reader.unfinished:
            self._misheard("it ends within an event")
        else:
            self._input_ends()

    def caller_left(self) -> None:
        """Let the container go: nobody listens any more."""
        if not self._done:
            self._leave(GOING_AWAY)
            self._finish(status=None, failure="the caller left")

    def caller_is_slow(self) -> None:
        if self._socket is not None:
            self._socket.pause_reading()

    def caller_keeps_up(self) -> None:
        if self._socket is not None:
            self._socket.resume_reading()

    def cut(self) -> None:
        """End now: the endpoint is going."""
        if not self._done:
            self._leave(GOING_AWAY)
            self._end(answers.stream_failed(self._front), "the endpoint was stopped")

    # --- the container's side -----------------------------------------------------------------------------

    def accepted(self) -> None:
        self._original = _SWITCHING_PROTOCOLS
        self._open = True
        if self._limit is not None:
            self._limit.cancel()
        self._limit = self._serving.loop.call_later(self._front.bidirectional.timeout_s, self._expire)
        assert self._target is not None
        self._caller.answer(
            200,
            [
                (invocation.REQUEST_ID_HEADER, str(uuid4())),
                (invocation.INVOKED_VARIANT_HEADER, self._target.variant_name),
                ("content-type", CONTENT_TYPE),
            ],
        )
        assert self._socket is not None
        held, self._held = self._held, []
        for part in held:
            self._socket.send(part)
        self._socket.flush()
        self._caller.resume()
        if self._input_over:
            self._close_input()

    def refused(self, status: int, body: bytes) -> None:
        self._original = status
        message = body[: 4 * invocation.MAX_MESSAGE_CHARS].decode("utf-8", "replace")
        self._give_error(
            answers.model_error(self._front, container=self._name, status=status, message=message),
            f"the container answered the WebSocket handshake with status {status}",
        )

    def part_came(self, part: Part) -> None:
        if self._done:
            return
        self._out += len(part.data)
        self._caller.send(part_event(part))

    def batch_ended(self) -> None:
        pass

    def closed(self, code: int, reason: str) -> None:
        if self._done:
            return
        agreed = self._input_over and self._front.bidirectional.input_end_closes
        if (agreed and code in (NORMAL, NO_CODE)) or (
            code == NORMAL and self._front.bidirectional.normal_close_is_end
        ):
            self._end(None, None)
            return
        words = reason or spec.CLOSED.format(container=self._name, code=code)
        self._end(
            answers.stream_error(str(code), words), f"the container closed the WebSocket with code {code}"
        )

    def failed(self, why: str, *, message: str | None = None) -> None:
        if self._done:
            return
        if self._open:
            event = (
                answers.stream_broken(self._name)
                if message is None
                else answers.stream_error("StreamBroken", message)
            )
            self._end(event, why)
        else:
            self._give_error(answers.no_response(self._front, self._name), why)

    def pause_sending(self) -> None:
        self._caller.pause()

    def resume_sending(self) -> None:
        self._caller.resume()

    # --- steps --------------------------------------------------------------------------------------------

    def _find(self) -> Target | ErrorAnswer:
        """Give the container that is asked, and count the stream in, or say why none is."""
        front = self._front
        name = unquote(self._path.partition("?")[0][len(PREFIX) : -len(SUFFIX)])
        if name != front.endpoint_name:
            return _refusal(invocation.ENDPOINT_NOT_FOUND.format(endpoint=name, account=front.account))
        if front.asynchronous:
            from sm_emulate.spec.async_inference import ASYNC_ONLY

            return _refusal(ASYNC_ONLY.format(endpoint=name))
        if front.serverless:
            return _refusal(NO_BIDIRECTIONAL.format(endpoint=name))
        if front.multi_model:
            return _refusal(spec.NOT_FOR_MANY_MODELS.format(endpoint=name))
        path = self._headers.get(spec.PATH_HEADER.lower(), "")
        if path.startswith("/"):
            return _refusal(spec.LEADING_SLASH.format(value=path))
        for member, value in (
            ("modelInvocationPath", path),
            ("modelQueryString", self._headers.get(spec.QUERY_HEADER.lower(), "")),
        ):
            if not (value.isascii() and value.isprintable()) or " " in value or "#" in value:
                return _refusal(spec.NOT_A_PATH.format(member=member))
        request = Incoming()
        request.method, request.target = b"POST", self._path.encode("latin-1", "replace")
        variant = self._headers.get(spec.VARIANT_HEADER.lower())
        request.variant = None if variant is None else variant.encode("latin-1", "replace")
        target = self._serving.router.pick(request)
        if isinstance(target, ErrorAnswer):
            return replace(target, code=spec.ERRORS.get(target.code, target.code))
        self._target = target
        if target.shares:
            return _refusal(spec.NOT_FOR_SEVERAL_CONTAINERS.format(endpoint=name))
        if not target.bidirectional:
            return _refusal(spec.LABEL_MISSING.format(variant=target.variant_name, endpoint=name))
        return target

    def _container_target(self) -> str:
        path = self._headers.get(spec.PATH_HEADER.lower(), "")
        query = self._headers.get(spec.QUERY_HEADER.lower(), "")
        return ("/" + path if path else spec.CONTAINER_PATH) + ("?" + query if query else "")

    def _input_ends(self) -> None:
        self._input_over = True
        if self._open:
            self._close_input()

    def _close_input(self) -> None:
        if self._front.bidirectional.input_end_closes and self._socket is not None:
            self._socket.finish()
            self._goodbye = self._serving.loop.call_later(self._front.model_timeout_s, self._no_goodbye)

    def _misheard(self, why: str) -> None:
        """End a stream whose caller does not keep to the protocol."""
        words = spec.BAD_EVENT.format(why=why)
        self._leave(GOING_AWAY)
        if self._open:
            self._end(unmodelled_error("InputValidationError", words), f"the caller's stream: {why}")
        else:
            self._give_error(_refusal(words), f"the caller's stream: {why}")

    def _not_accepted(self) -> None:
        self._leave(GOING_AWAY)
        limit = self._front.model_timeout_s
        self._give_error(
            answers.timed_out(self._front, self._name),
            f"the container did not answer the WebSocket handshake within {limit:g} s",
        )

    def _expire(self) -> None:
        self._leave(GOING_AWAY)
        limit = self._front.bidirectional.timeout_s
        self._end(answers.stream_timed_out(self._name), f"the stream lasted longer than {limit:g} s")

    def _no_goodbye(self) -> None:
        self._leave(GOING_AWAY)
        limit = self._front.model_timeout_s
        self._end(
            answers.stream_broken(self._name),
            f"the container did not answer the close frame within {limit:g} s",
        )

    def _leave(self, code: int) -> None:
        if self._socket is not None:
            self._socket.leave(code)

    def _end(self, event: bytes | None, failure: str | None) -> None:
        """End the caller's stream, whose head is out unless the container was never reached."""
        if not self._open:
            self._give_error(
                _error("ServiceUnavailableError", invocation.STREAM_FAILED, self._front.endpoint_name),
                failure,
            )
            return
        if event is not None:
            self._caller.send(event)
        self._caller.end()
        self._finish(status=200, failure=failure)

    def _give_error(self, error: ErrorAnswer, failure: str | None = None) -> None:
        self._out = len(error.body)
        self._caller.answer(
            error.status,
            [
                (invocation.REQUEST_ID_HEADER, str(uuid4())),
                (invocation.ERROR_TYPE_HEADER, error.code),
                ("content-type", error.content_type),
                ("content-length", str(len(error.body))),
            ],
        )
        self._caller.send(error.body)
        self._caller.end()
        self._finish(status=error.status, failure=failure)

    @property
    def _name(self) -> str:
        return "" if self._target is None else self._target.container_name

    def _finish(self, *, status: int | None, failure: str | None = None) -> None:
        if self._done:
            return
        self._done = True
        for waiting in (self._limit, self._goodbye, self._opening):
            if waiting is not None:
                waiting.cancel()
        self._caller.resume()
        if self._target is not None:
            self._target.left()
        now = perf_counter()
        model_s = 0.0 if self._asked_at is None else now - self._asked_at
        self._serving.tell(
            Invocation(
                at=time(),
                path=self._path,
                status=status,
                original_status=self._original,
                model_s=model_s,
                overhead_s=max(0.0, now - self._began - model_s),
                bytes_in=self._in,
                bytes_out=self._out,
                failure=failure,
                variant="" if self._target is None else self._target.variant_name,
            )
        )


def _refusal(message: str) -> ErrorAnswer:
    return answers.refusal("InputValidationError", message)


def _error(code: str, wording: str, endpoint: str) -> ErrorAnswer:
    return answers.refusal(code, wording.format(endpoint=endpoint))
