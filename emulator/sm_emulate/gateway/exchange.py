"""One request and its answer: from a client to the container and back, by SageMaker's rules."""

from __future__ import annotations

from time import perf_counter, time
from typing import TYPE_CHECKING

from sm_emulate.gateway import answers, wire
from sm_emulate.gateway.asking import Asking
from sm_emulate.gateway.captured import Transcript
from sm_emulate.gateway.front import Invocation
from sm_emulate.gateway.reply import Reply
from sm_emulate.spec import async_inference as async_spec
from sm_emulate.spec import invocation as spec

if TYPE_CHECKING:
    from sm_emulate.gateway.answers import ErrorAnswer
    from sm_emulate.gateway.async_call import Accepted
    from sm_emulate.gateway.connection import ClientConnection
    from sm_emulate.gateway.container import ContainerConnection
    from sm_emulate.gateway.incoming import Incoming
    from sm_emulate.gateway.known import KnownAnswer
    from sm_emulate.gateway.route import Target


class Exchange:
    """What happens between a request's head and the last byte of its answer.

        the body comes     held until it is whole, or streamed once it is known to be long
        the way there      `Asking`: which container, what has to be waited for, over which connection
        the answer comes   `Reply`: held until it is whole, or streamed
        over               told to the meters, the capture and the client's connection, once

    It goes from one to the next, and from each of them to its end. What it keeps for itself is the time: whoever is
    waited for has a limit, by which `expire` ends it in the words for who is late.
    """

    __slots__ = (
        "_asking",
        "_client",
        "_complete_at",
        "_done",
        "_front",
        "_heard_at",
        "_out_at_expiry",
        "_reply",
        "_request",
        "_serving",
        "deadline",
        "sending_paused",
        "streams_request",
    )

    def __init__(self, client: ClientConnection, request: Incoming) -> None:
        serving = client.serving
        self._client, self._serving, self._front, self._request = client, serving, serving.front, request
        self._asking = Asking(self, serving, request)
        self._reply = Reply(client, request)
        self._complete_at = perf_counter()
        self._heard_at = 0.0
        self._out_at_expiry = 0
        self._done = False
        self.streams_request = False
        self.sending_paused = False
        self.deadline = 0.0

    # --- the client's side --------------------------------------------------------------------------------

    def begin(self) -> None:
        """Refuse, wait for the body, or go to the container."""
        request = self._request
        long = request.length is None or request.length > self._front.hold_bytes
        if request.refused is not None and (request.complete or request.expects or request.broken or long):
            self.give_error(request.refused)
            return
        if request.complete:
            self._dispatch()
            return
        self.extend(self._front.client_timeout_s)
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
        self.extend(self._front.client_timeout_s)
        if self._reply.transcript is not None:
            self._reply.transcript.request.append(data)
        if not self._asking.stream(data):
            self._request.body.append(data)
            self.pause_sending()

    def body_grew(self) -> None:
        """Hear that a held body grew: the client is alive."""
        self.extend(self._front.client_timeout_s)

    def request_complete(self) -> None:
        """Hear that the last byte of the request has come; the container's time starts now."""
        if self._done:
            return
        self._complete_at = perf_counter()
        if self._request.refused is not None:
            self.give_error(self._request.refused)
            return
        if not self.streams_request:
            self._dispatch()
            return
        self.extend(self.container_limit())
        self._asking.streamed_whole()

    def refuse(self, error: ErrorAnswer) -> None:
        """Give up a request that turned out wrong after its head."""
        if self._done:
            return
        self._asking.leave()
        self._end_early(error, "the request broke off" if self._reply.streams else None)

    def client_left(self) -> None:
        """Let the container go: nobody waits for its answer."""
        if not self._done:
            self._asking.leave()
            self._finish(status=None, failure="the client left before its answer was complete")

    def client_is_slow(self) -> None:
        self._asking.pause_answer()

    def client_keeps_up(self) -> None:
        self._asking.resume_answer()

    def expire(self) -> None:
        """End what took too long, in the words of whoever is late."""
        not_ready = self._asking.not_ready() if self._request.complete else None
        if not_ready is not None:
            self.give_error(not_ready, "no environment came into service in time")
            return
        takes = not self._client.write_paused or self._reply.out > self._out_at_expiry
        if self._client.write_paused and takes and not self._request.flushes:
            # the client is slow to take a long answer; that is no fault of the container
            self._out_at_expiry = self._reply.out
            self.extend(self._front.model_timeout_s)
            return
        limit = self.container_limit()
        self._asking.leave()
        if not self._request.complete and not self.sending_paused:
            limit = self._front.client_timeout_s
            error = answers.refusal(
                "ValidationError", f"The request body stopped coming for {limit:g} seconds."
            )
            self._end_early(error, f"the client sent nothing for {limit:g} s within its body")
        else:
            if self._reply.streams and self._request.flushes:
                limit = self._front.stream_timeout_s
            name = self._asking.container_name
            self._end_early(
                answers.timed_out(self._front, name),
                f"the container's answer was not complete within {limit:g} s",
                # a client that takes nothing will not take this either
                answers.stream_timed_out(name) if takes else None,
            )

    def cut(self) -> None:
        """End now what is still under way: the endpoint is going."""
        self._asking.leave()
        if self._client.write_paused or not (self._reply.streams and self._request.events):
            self._client.abort()
            return
        self._reply.will_close = True
        self._break_off("the endpoint was stopped", answers.stream_failed(self._front))

    # --- the container's side -----------------------------------------------------------------------------

    def connected(self, connection: ContainerConnection) -> None:
        self._asking.connected(connection)

    def answer_begins(self, status: int, headers: list[bytes], length: int | None) -> None:
        target = self._asking.target
        assert target is not None
        self._reply.begins(target.wording, status, headers, length)
        if self._request.session is not None and status < 300:
            self._serving.router.sessions.heard(headers, target.instance)

    def answer_goes_on(self, data: bytes) -> None:
        reply, most = self._reply, self._front.max_answer_bytes
        if most is not None and not reply.is_error and reply.size + len(data) > most:
            self._refuse_answer(reply.longest(len(data)))
        elif reply.goes_on(data, self._front.hold_bytes):
            self.extend(self.container_limit())

    def answer_ends(self) -> None:
        reply = self._reply
        self._asking.answered()
        self._heard_at = perf_counter()
        if not reply.is_error:
            reply.ends()
            self._finish(status=reply.status)
            return
        assert reply.status is not None
        if not self._asking.mends(reply.status):
            self.give_model_error()

    def answered(self, known: KnownAnswer, body: bytes) -> None:
        self.answer_begins(known.status, known.lines, known.length)
        self.answer_goes_on(body)
        self.answer_ends()

    def asking_failed(self, why: str, *, stale: bool) -> None:
        if self._done or self._asking.broke(stale=stale):
            return
        name, original = self._asking.container_name, self._reply.status
        if original is None:
            error = answers.no_response(self._front, name)
        else:
            # a success that broke off is none: it counts as no status at all
            status = original if self._reply.is_error else spec.NO_ORIGINAL_STATUS
            error = answers.model_error(self._front, container=name, status=status, message=None)
        self._end_early(error, why, answers.stream_broken(name))

    def pause_sending(self) -> None:
        self.sending_paused = True
        self._client.update_reading()

    def resume_sending(self) -> None:
        self.sending_paused = False
        self._client.update_reading()

    # --- the calls of the express, which gives way, and of `Asking` ---------------------------------------

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
        self._complete_at, self.deadline = complete_at, deadline
        self._asking.take_over(target, connection, payload, asked_at=asked_at)

    def ask(self) -> None:
        """Ask the container that was taken over."""
        self._asking.ask()

    def begins_anew(self) -> None:
        """Hear that the container is asked once more."""
        self._reply.forget()

    def give_accepted(self, accepted: Accepted) -> None:
        """Give the answer for a call that is worked off later."""
        self._reply.give_own(async_spec.STATUS, accepted.lines, accepted.body)
        self._finish(status=async_spec.STATUS)

    def give_model_error(self) -> None:
        """Give the container's own error, as ModelError."""
        reply = self._reply
        assert reply.status is not None
        name, message = self._asking.container_name, reply.error_message
        self.give_error(
            answers.model_error(self._front, container=name, status=reply.status, message=message)
        )

    def give_error(
        self, error: ErrorAnswer, failure: str | None = None, *, original: int | None = None
    ) -> None:
        """Give an error, and have it over.

        Args:
            error: for the client.
            failure: plain words for the record.
            original: what the container answered, where it was not this exchange that heard it.
        """
        if original is not None:
            self._reply.status = original
        self._reply.give_error(error)
        self._finish(status=error.status, failure=failure)

    # --- time ---------------------------------------------------------------------------------------------

    def extend(self, seconds: float) -> None:
        """Let whoever is waited for now have so many seconds from now on."""
        self.deadline = self._client.arm(seconds)

    def container_limit(self) -> float:
        """Give the seconds that the container has from now on."""
        front, asked_at = self._front, self._asking.asked_at
        if not self._request.flushes:
            return front.model_timeout_s
        if not self._reply.streams or asked_at is None:
            return min(front.first_part_timeout_s, front.stream_timeout_s)
        taken = perf_counter() - max(asked_at, self._complete_at)
        return max(0.0, front.stream_timeout_s - taken)

    # --- steps --------------------------------------------------------------------------------------------

    def _dispatch(self) -> None:
        capture, request = self._serving.capture, self._request
        if capture is not None and request.invokes and capture.chosen():
            self._reply.transcript = Transcript(capture, request.body)
        self._asking.begin()

    def _refuse_answer(self, size: int) -> None:
        """Give up an answer that is longer than the endpoint passes on."""
        self._asking.leave()
        self._heard_at = perf_counter()
        name = self._asking.container_name
        error = answers.oversize_answer(self._front, container=name, size=size)
        self._end_early(error, f"the answer has {size} bytes", answers.stream_broken(name))

    def _end_early(self, error: ErrorAnswer, failure: str | None, event: bytes | None = None) -> None:
        if self._reply.streams:
            self._break_off(failure, event)
        else:
            self.give_error(error, failure)

    def _break_off(self, failure: str | None, event: bytes | None) -> None:
        self._reply.break_off(event)
        self._finish(status=self._reply.status, failure=failure)

    def _finish(self, *, status: int | None, failure: str | None = None) -> None:
        if self._done:
            return
        self._done = True
        self.sending_paused = False
        asking, reply = self._asking, self._reply
        asking.end()
        if asking.target is not None:
            if reply.transcript is not None and failure is None and status == reply.status:
                reply.transcript.hand_in(asking.target.variant_name, self._request.forward, reply.lines)
            asking.target.left()
        self._report(status, failure)
        self._client.exchange_done(close=reply.will_close)

    def _report(self, status: int | None, failure: str | None) -> None:
        asking, reply, now = self._asking, self._reply, perf_counter()
        target, model_s = asking.target, 0.0
        if asking.asked_at is not None:
            model_s = max(0.0, (self._heard_at or now) - max(asking.asked_at, self._complete_at))
        self._serving.tell(
            Invocation(
                at=time(),
                path=self._request.path,
                status=status,
                original_status=reply.status,
                model_s=model_s,
                overhead_s=max(0.0, now - self._complete_at - model_s),
                bytes_in=self._request.size,
                bytes_out=reply.out,
                failure=failure,
                variant="" if target is None else target.variant_name,
                component="" if target is None else target.component,
                containers=asking.containers_seen(reply.status, self._heard_at, model_s),
            )
        )
