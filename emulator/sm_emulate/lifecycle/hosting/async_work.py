"""The work of an asynchronous endpoint: accepted requests, each to an object and a notification."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from contextlib import suppress
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from sm_emulate.errors import SmEmulateError
from sm_emulate.events import Invoked, Warned, now
from sm_emulate.gateway.async_call import Accepted
from sm_emulate.gateway.caller import Caller, NoAnswerError, NotReachedError, TooSlowError
from sm_emulate.gateway.gateway import loop_factory
from sm_emulate.lifecycle.hosting import async_notice
from sm_emulate.spec import async_inference as spec
from sm_emulate.spec import invocation
from sm_emulate.storage.stores import store_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from typing import BinaryIO

    from sm_emulate.events import Event
    from sm_emulate.gateway.async_call import AsyncCall
    from sm_emulate.gateway.caller import CallAnswer
    from sm_emulate.gateway.front import Upstream
    from sm_emulate.lifecycle.platform import Platform
    from sm_emulate.request.async_inference import AsyncInference
    from sm_emulate.storage.async_queue import AsyncQueue, Queued
    from sm_emulate.storage.objects import ObjectStore, StoredObject

PIECE_BYTES = 1 << 18
AGAIN_SECONDS = 1.0
"""Until a request that nobody took, or an answer that no store took, is tried again; doubled each time."""
MOST_AGAIN_SECONDS = 60.0
CONNECT_SECONDS = 5.0
"""A server with one thread may take no connection while it works: patience costs an async request nothing."""
ROUTE_SECONDS = 5.0
"""For the thread to hear of other instances; it may end at the same moment."""
REASON_CHARS = 2048


class AsyncWork:
    """Takes requests into a queue on disk and works them off, as many at once as the configuration says.

    Args:
        config: of the endpoint.
        queue: where accepted requests live; what lies there from before is worked off first.
        endpoint_name: for names and messages.
        platform: which SageMaker, and which S3.
        host_header: the Host header that the container sees.
        publish: hears of each answer, and of what goes wrong.
        container_name: what error messages call the container.
    """

    def __init__(
        self,
        config: AsyncInference,
        *,
        queue: AsyncQueue,
        endpoint_name: str,
        platform: Platform,
        host_header: str,
        publish: Callable[[Event], None],
        container_name: str = "primary",
    ) -> None:
        self._config, self._queue, self._platform = config, queue, platform
        self._endpoint, self._container, self._publish = endpoint_name, container_name, publish
        self._headers = {"Host": host_header, "User-Agent": invocation.CONTAINER_USER_AGENT}
        self._stores: dict[str, ObjectStore] = {}
        self._notified: set[str] = set()
        self._failed: dict[str, int] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready: asyncio.Queue[str] | None = None
        self._over: asyncio.Event | None = None
        self._workers: dict[Upstream, list[_Worker]] = {}
        self._leaving: list[_Worker] = []
        self._stopping = False
        self._thread: threading.Thread | None = None

    @property
    def waiting(self) -> int:
        """How many accepted requests are not over."""
        return len(self._queue.pending())

    # --- the gateway's side ---------------------------------------------------------------------------

    def accept(self, call: AsyncCall) -> Accepted:
        """Take a request; from here on it survives this process.

        Raises:
            MachineError: it cannot be written down.
        """
        config = self._config  # an update may change it meanwhile
        inference_id = call.inference_id or str(uuid4())
        name = str(uuid4())
        if self._platform.settings.text("async-output-name") == "inference-id":
            name = re.sub(r"[^A-Za-z0-9._-]", "_", inference_id)
        file = call.filename or name + spec.OUTPUT_SUFFIX
        output = "/".join(
            part.strip("/") if number else part.rstrip("/")
            for number, part in enumerate((config.output_path, call.extension or "", file))
            if part
        )
        failure = None
        if config.failure_path is not None:
            stem = name if call.filename is None else call.filename.rpartition(".")[0] or call.filename
            failure = f"{config.failure_path.rstrip('/')}/{stem}{spec.FAILURE_SUFFIX}"
        queued = self._queue.add(
            {
                "inferenceId": inference_id,
                "inputLocation": call.input_location,
                "contentType": call.content_type,
                "accept": call.accept,
                "customAttributes": call.custom_attributes,
                "outputLocation": output,
                "failureLocation": failure,
                "ttlSeconds": call.ttl_s,
                "timeoutSeconds": call.timeout_s,
                "notification": config.told_as_json(),
            },
            call.body,
        )
        self._hand_over(queued.key)
        return Accepted(inference_id=inference_id, output_location=output, failure_location=failure)

    # --- the endpoint's side --------------------------------------------------------------------------

    def start(self, upstreams: Sequence[Upstream]) -> int:
        """Begin to work, with what was left from before; give how many that are."""
        self._queue.tidy()
        left = self._queue.pending()
        if left:
            self._notified = self._queue.notified()
        ready = threading.Event()
        self._thread = threading.Thread(
            target=self._run, args=(upstreams, left, ready), name="async inference", daemon=True
        )
        self._thread.start()
        ready.wait()
        return len(left)

    def stop(self, grace_s: float) -> None:
        """Begin nothing more, and give what is under way up after `grace_s`: it then stays in the queue.

        A second call, from another thread, with 0 ends the patience of the first.
        """
        thread, loop = self._thread, self._loop
        if thread is None or loop is None or not thread.is_alive():
            return
        self._stopping = True
        try:
            loop.call_soon_threadsafe(self._leave_off, grace_s)
        except RuntimeError:  # it has ended at this moment
            return
        thread.join()

    def set_upstreams(self, upstreams: Sequence[Upstream]) -> None:
        """Send to these instances from now on; what is on its way comes to its end where it is."""
        self._change(None, upstreams)

    def take_over(self, config: AsyncInference, upstreams: Sequence[Upstream]) -> None:
        """Do so, and work by this configuration from now on; what was accepted keeps its places."""
        self._change(config, upstreams)

    def _change(self, config: AsyncInference | None, upstreams: Sequence[Upstream]) -> None:
        loop, routed = self._loop, threading.Event()

        def route() -> None:
            if config is not None and config != self._config:
                self._config = config
                for former in list(self._workers):
                    self._dismiss(self._workers.pop(former))
            self._route(list(upstreams))
            routed.set()

        if loop is not None:
            with suppress(RuntimeError):  # it has ended at this moment
                loop.call_soon_threadsafe(route)
                routed.wait(ROUTE_SECONDS)

    @property
    def retiring(self) -> bool:
        """Whether requests are still at instances that get no more of them."""
        return any(not worker.task.done() for worker in list(self._leaving))

    # --- the thread -----------------------------------------------------------------------------------

    def _run(self, upstreams: Sequence[Upstream], left: Sequence[str], ready: threading.Event) -> None:
        loop = loop_factory()()
        try:
            loop.run_until_complete(self._all(loop, upstreams, left, ready))
        finally:
            self._loop = None
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()

    async def _all(
        self,
        loop: asyncio.AbstractEventLoop,
        upstreams: Sequence[Upstream],
        left: Sequence[str],
        ready: threading.Event,
    ) -> None:
        self._ready, self._over = asyncio.Queue(), asyncio.Event()
        for key in left:
            self._ready.put_nowait(key)
        self._loop = loop
        self._route(upstreams)
        ready.set()
        await self._over.wait()
        await asyncio.gather(*(each.task for each in self._leaving), return_exceptions=True)

    def _route(self, upstreams: Sequence[Upstream]) -> None:
        """Have workers for these instances, and for no others."""
        assert self._loop is not None
        if self._stopping:
            return
        each = self._config.max_concurrent_per_instance or self._platform.settings.number("async-concurrency")
        for gone in set(self._workers) - set(upstreams):
            self._dismiss(self._workers.pop(gone))
        for upstream in upstreams:
            if upstream not in self._workers:
                self._workers[upstream] = [_Worker(self._config) for _ in range(each)]
                for worker in self._workers[upstream]:
                    worker.task = self._loop.create_task(self._work(worker, upstream))

    def _dismiss(self, workers: Sequence[_Worker]) -> None:
        """Let workers go when they have done what they are at."""
        self._leaving = [each for each in self._leaving if not each.task.done()]
        for worker in workers:
            worker.dismissed = True
            if not worker.busy:
                worker.task.cancel()
            self._leaving.append(worker)

    def _hand_over(self, key: str) -> None:
        loop = self._loop
        if loop is None:  # it is stopping: the next life of the endpoint finds the request
            return
        try:
            loop.call_soon_threadsafe(self._take_up, key)
        except RuntimeError:
            return

    def _take_up(self, key: str) -> None:
        assert self._ready is not None
        self._ready.put_nowait(key)

    def _leave_off(self, grace_s: float) -> None:
        assert self._loop is not None
        assert self._over is not None
        while self._workers:
            self._dismiss(self._workers.popitem()[1])
        for worker in self._leaving:
            self._loop.call_later(grace_s, worker.task.cancel)
        self._over.set()

    async def _work(self, worker: _Worker, upstream: Upstream) -> None:
        assert self._ready is not None
        caller = Caller(upstream, self._headers, connect_timeout_s=CONNECT_SECONDS)
        try:
            while not worker.dismissed:
                key = await self._ready.get()
                worker.busy = True
                await self._one(caller, key, worker.config)
                worker.busy = False
        finally:
            caller.close()

    async def _one(self, caller: Caller, key: str, config: AsyncInference) -> None:
        try:
            queued = await asyncio.to_thread(self._queue.read, key)
            if queued is None:
                return
            outcome = await asyncio.to_thread(self._queue.outcome, key)
            if outcome is None:
                outcome = await self._ask(caller, queued)
                if outcome is None:
                    self._again(key)
                    return
                await asyncio.to_thread(self._queue.settle, key, outcome)
            # once settled it is seen through: half of this done twice would be told twice
            await asyncio.shield(asyncio.to_thread(self._finish, queued, outcome, config))
            self._failed.pop(key, None)
        except (SmEmulateError, OSError) as error:
            why = error.what if isinstance(error, SmEmulateError) else error.strerror or str(error)
            if self._again(key) == 1:
                self._publish(
                    Warned(message=f"an async answer waits in {self._queue.folder} and is tried again: {why}")
                )

    def _again(self, key: str) -> int:
        """Have a request taken up again in a while; give how often that was so."""
        assert self._loop is not None
        times = self._failed[key] = self._failed.get(key, 0) + 1
        pause = min(AGAIN_SECONDS * 2 ** min(times - 1, 10), MOST_AGAIN_SECONDS)
        self._loop.call_later(pause, self._take_up, key)
        return times

    # --- one request ----------------------------------------------------------------------------------

    async def _ask(self, caller: Caller, queued: Queued) -> dict[str, Any] | None:
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

    def _finish(self, queued: Queued, outcome: dict[str, Any], config: AsyncInference) -> None:
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


class _Worker:
    """One of those who send to an instance, by the configuration that brought it."""

    def __init__(self, config: AsyncInference) -> None:
        self.config = config
        self.task: asyncio.Task[None]
        self.busy = self.dismissed = False


class _InputGoneError(Exception):
    """The input could not be read to its end; the words are the failure's reason."""
