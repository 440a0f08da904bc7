"""The work of an asynchronous endpoint: who sends accepted requests where, how many at once, and when again."""

from __future__ import annotations

import asyncio
import re
import threading
from contextlib import suppress
from typing import TYPE_CHECKING
from uuid import uuid4

from sm_emulate.errors import SmEmulateError
from sm_emulate.events import Warned
from sm_emulate.gateway.async_call import Accepted
from sm_emulate.gateway.caller import Caller
from sm_emulate.gateway.gateway import loop_factory
from sm_emulate.lifecycle.hosting.async_answers import AsyncAnswers
from sm_emulate.spec import async_inference as spec
from sm_emulate.spec import invocation

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sm_emulate.events import Event
    from sm_emulate.gateway.async_call import AsyncCall
    from sm_emulate.gateway.front import Upstream
    from sm_emulate.lifecycle.platform import Platform
    from sm_emulate.request.async_inference import AsyncInference
    from sm_emulate.storage.async_queue import AsyncQueue

AGAIN_SECONDS = 1.0
"""Until a request that nobody took, or an answer that no store took, is tried again; doubled each time."""
MOST_AGAIN_SECONDS = 60.0
CONNECT_SECONDS = 5.0
"""A server with one thread may take no connection while it works: patience costs an async request nothing."""
ROUTE_SECONDS = 5.0
"""For the thread to hear of other instances; it may end at the same moment."""


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
        self._publish = publish
        self._headers = {"Host": host_header, "User-Agent": invocation.CONTAINER_USER_AGENT}
        self._answers = AsyncAnswers(
            queue,
            endpoint_name=endpoint_name,
            container_name=container_name,
            platform=platform,
            publish=publish,
        )
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
            self._answers.told(self._queue.notified())
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
                outcome = await self._answers.ask(caller, queued)
                if outcome is None:
                    self._again(key)
                    return
                await asyncio.to_thread(self._queue.settle, key, outcome)
            # once settled it is seen through: half of this done twice would be told twice
            await asyncio.shield(asyncio.to_thread(self._answers.finish, queued, outcome, config))
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


class _Worker:
    """One of those who send to an instance, by the configuration that brought it."""

    def __init__(self, config: AsyncInference) -> None:
        self.config = config
        self.task: asyncio.Task[None]
        self.busy = self.dismissed = False
