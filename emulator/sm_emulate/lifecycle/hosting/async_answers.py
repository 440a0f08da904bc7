"""One accepted request of an asynchronous endpoint: its input, its answer, its object and its notification."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from sm_emulate.errors import SmEmulateError
from sm_emulate.events import Invoked, now
from sm_emulate.gateway.caller import NoAnswerError, NotReachedError, TooSlowError
from sm_emulate.lifecycle.hosting import async_notice
from sm_emulate.spec import async_inference as spec
from sm_emulate.spec import invocation
from sm_emulate.storage.stores import store_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping
    from typing import BinaryIO

    from sm_emulate.events import Event
    from sm_emulate.gateway.caller import CallAnswer, Caller
    from sm_emulate.lifecycle.platform import Platform
    from sm_emulate.request.async_inference import AsyncInference
    from sm_emulate.storage.async_queue import AsyncQueue, Queued
    from sm_emulate.storage.objects import ObjectStore, StoredObject

PIECE_BYTES = 1 << 18
REASON_CHARS = 2048


class AsyncAnswers:
    """Gets the answer to a request out of a container, and out to where it belongs.

    Args:
        queue: where accepted requests live, and their answers until they are stored.
        endpoint_name: for names and messages.
        container_name: what error messages call the container.
        platform: which SageMaker, and which S3.
        publish: hears of each answer.
    """

    def __init__(
        self,
        queue: AsyncQueue,
        *,
        endpoint_name: str,
        container_name: str,
        platform: Platform,
        publish: Callable[[Event], None],
    ) -> None:
        self._queue, self._platform, self._publish = queue, platform, publish
        self._endpoint, self._container = endpoint_name, container_name
        self._stores: dict[str, ObjectStore] = {}
        self._notified: set[str] = set()

    def told(self, message_ids: Iterable[str]) -> None:
        """Hear of notifications that an earlier process has sent, and send none of them again."""
        self._notified = set(message_ids)

    async def ask(self, caller: Caller, queued: Queued) -> dict[str, Any] | None:
        """Ask the container, its answer into the queue's folder; None if it was not reached."""
        call, answer_file = queued.call, self._queue.answer(queued.key)
        if time.time() - queued.accepted > call["ttlSeconds"]:
            return self._failure(queued, spec.EXPIRED.format(seconds=call["ttlSeconds"]))
        found: StoredObject | None = None
        if queued.body is None:
            looked = await asyncio.to_thread(self._look_up, call["inputLocation"])
            if isinstance(looked, str):
                return self._failure(queued, looked)
            found = looked
        began = time.monotonic()
        try:
            with answer_file.open("wb") as sink:
                answer = await caller.call(
                    "POST",
                    invocation.INVOCATIONS_PATH,
                    queued.body if found is None else self._pieces(found),
                    timeout_s=call["timeoutSeconds"],
                    headers=self._given(call),
                    length=None if found is None else found.size,
                    sink=sink.write,
                )
        except NotReachedError:
            return None
        except _InputGoneError as error:
            caller.close()
            return self._failure(queued, str(error))
        except NoAnswerError as error:
            words = invocation.NO_RESPONSE.format(endpoint=self._endpoint)
            if isinstance(error, TooSlowError):
                words = invocation.TIMED_OUT.format(container=self._container)
            self._tell(queued, None, began, 0, str(error))
            return self._failure(queued, self._model_error(invocation.NO_ORIGINAL_STATUS, words))
        self._tell(queued, answer, began, answer_file.stat().st_size, "")
        if 200 <= answer.status < 300:
            return {"location": call["outputLocation"], "contentType": answer.headers.get("content-type")}
        with answer_file.open("rb") as body:
            words = body.read(4 * REASON_CHARS).decode("utf-8", "replace")
        return self._failure(queued, self._model_error(answer.status, words), answer)

    def _given(self, call: Mapping[str, Any]) -> dict[str, str]:
        """Give the headers that the container sees of a call."""
        anything = "*/*" if self._platform.settings.text("default-accept") == "any" else None
        given = {
            "Content-Type": call["contentType"],
            "Accept": call["accept"] or anything,
            spec.CUSTOM_ATTRIBUTES: call["customAttributes"],
            spec.INFERENCE_ID: call["inferenceId"],
        }
        return {name: value for name, value in given.items() if value}

    def _look_up(self, uri: str) -> StoredObject | str:
        """Find the input, or say why it cannot be used."""
        try:
            found = self._store(uri).find(uri)
        except SmEmulateError as error:
            return spec.INPUT_MISSING.format(uri=uri, why=error.what)
        if found is None:
            return spec.INPUT_MISSING.format(uri=uri, why="there is no such object")
        return spec.INPUT_TOO_LONG.format(uri=uri) if found.size > spec.MAX_INPUT_BYTES else found

    async def _pieces(self, found: StoredObject) -> AsyncIterator[bytes]:
        sent = 0
        stream: BinaryIO | None = None
        try:
            stream = await asyncio.to_thread(self._store(found.uri).open, found)
            while sent < found.size and (piece := await asyncio.to_thread(stream.read, PIECE_BYTES)):
                sent += len(piece)
                yield piece
        except (SmEmulateError, OSError) as error:
            why = error.what if isinstance(error, SmEmulateError) else str(error)
            raise _InputGoneError(spec.INPUT_MISSING.format(uri=found.uri, why=why)) from error
        finally:
            if stream is not None:
                stream.close()
        if sent != found.size:
            raise _InputGoneError(
                spec.INPUT_MISSING.format(uri=found.uri, why="it changed while it was read")
            )

    def _failure(self, queued: Queued, reason: str, answer: CallAnswer | None = None) -> dict[str, Any]:
        """Say that a request has failed; what there is for its failure object lies in the queue's folder."""
        if answer is None:
            self._queue.answer(queued.key).write_text(reason, encoding="utf-8")
        return {
            "location": queued.call["failureLocation"],
            "contentType": None if answer is None else answer.headers.get("content-type"),
            "failureReason": reason,
        }

    def _model_error(self, status: int, words: str) -> str:
        logs = invocation.LOGS_SENTENCE.format(
            region=self._platform.region, endpoint=self._endpoint, account=self._platform.account
        )
        side = "client" if 0 < status < 500 else "server"
        room = REASON_CHARS - len(logs) - 100
        text = invocation.MODEL_ERROR_WITH_BODY.format(
            side=side, status=status, container=self._container, message=words[:room], logs=logs
        )
        return spec.CLIENT_ERROR.format(message=text)

    def finish(self, queued: Queued, outcome: dict[str, Any], config: AsyncInference) -> None:
        """Store the object, send the notification, and let go of the request, in this order.

        A process that dies on the way is followed by one that does it again from the start: the object is the same
        then, and a notification that was sent is not sent again.
        """
        answer = self._queue.answer(queued.key)
        location, failed = outcome.get("location"), "failureReason" in outcome
        if location is not None and answer.exists():
            self._store(location).put(answer, location)
        if self._platform.settings.text("async-topics") == "accepted":
            config = config.told_by(queued.call.get("notification"))
        topic = config.error_topic if failed else config.success_topic
        if topic is not None and queued.message_id not in self._notified:
            included = config.error_has_response if failed else config.success_has_response
            response = None
            if included and answer.exists() and answer.stat().st_size <= spec.MAX_RESPONSE_IN_NOTIFICATION:
                response = answer.read_bytes()
            told_at = now()
            text = async_notice.message(
                queued,
                outcome,
                region=self._platform.region,
                endpoint_name=self._endpoint,
                now=told_at,
                response=response,
            )
            self._queue.notify(
                async_notice.envelope(text, topic=topic, message_id=queued.message_id, now=told_at)
            )
            self._notified.add(queued.message_id)
        self._queue.remove(queued.key)
        self._notified.discard(queued.message_id)

    def _store(self, uri: str) -> ObjectStore:
        scheme = uri.partition("://")[0]
        if scheme not in self._stores:
            self._stores[scheme] = store_of(uri, self._platform.s3)
        return self._stores[scheme]

    def _tell(
        self, queued: Queued, answer: CallAnswer | None, began: float, bytes_out: int, failure: str
    ) -> None:
        self._publish(
            Invoked(
                at=datetime.now(timezone.utc),
                path=invocation.INVOCATIONS_PATH,
                status=0 if answer is None else answer.status,
                original_status=None if answer is None else answer.status,
                model_seconds=round(time.monotonic() - began, 6),
                overhead_seconds=0.0,
                bytes_in=len(queued.body or b""),
                bytes_out=bytes_out,
                failure=failure,
            )
        )


class _InputGoneError(Exception):
    """The input could not be read to its end; the words are the failure's reason."""
