"""One instance of a transform job at work: bodies go out, as many at a time as allowed, and answers come home."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, cast

from sm_emulate.artifacts.transform_output import BadAnswerError
from sm_emulate.errors import SmEmulateError
from sm_emulate.gateway.caller import CallAnswer, Caller, NoAnswerError
from sm_emulate.staging.payloads import BadInputError, Payload

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence

    from sm_emulate.artifacts.transform_output import Assembly
    from sm_emulate.gateway.front import Upstream
    from sm_emulate.lifecycle.transform_files import TransformFile
    from sm_emulate.staging.payloads import Packing
    from sm_emulate.storage.objects import ObjectStore

BLOCK_PAYLOADS, BLOCK_BYTES = 256, 1 << 20
"""So much is read ahead in one go: a hop to another thread costs as much as a small request."""
AHEAD = 64
"""How many answers each connection may be ahead of one that is still waited for."""
PIECE_BYTES = 256 << 10
RETRY_PAUSE_S = 0.2
NO_ANSWER = "Unable to get response from algorithm"


@dataclass(frozen=True, kw_only=True)
class Sending:
    """How one instance is fed.

    Args:
        connections: requests that are open at the same time.
        headers: of every request.
        timeout_s: of each invocation.
        connect_timeout_s: for the container to accept a connection.
        retries: how often an invocation is tried again.
        retries_5xx: an answer of 500 or above is tried again, like none at all.
        streams: an object is one body of any length, sent in chunks.
        gzip: objects are unpacked on the way.
    """

    connections: int
    headers: Mapping[str, str]
    timeout_s: float
    connect_timeout_s: float
    retries: int
    retries_5xx: bool
    streams: bool
    gzip: bool
    packing: Packing
    assembly: Assembly


@dataclass(slots=True)
class Counts:
    """What was done so far."""

    requests: int = 0
    records_bytes: int = 0
    retried: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class _Task:
    file: TransformFile
    number: int
    payload: Payload | None
    """None streams the whole object."""


@dataclass(frozen=True, slots=True)
class _End:
    """All of an object has been read, or as much as could be."""

    file: TransformFile
    payloads: int
    failure: str | None = None


@dataclass(eq=False)
class Feed:
    """Feeds one container with its share of the objects.

    Args:
        upstream: where the container listens.
        files: in order.
        store: where they lie.
        sending: how.
        log: given each line for the job's data log.
        finished: given each object when its last answer is written, or when it has failed; from the feeding thread.
        stopping: whether to leave off.
    """

    upstream: Upstream
    files: Sequence[TransformFile]
    store: ObjectStore
    sending: Sending
    log: Callable[[str], None]
    finished: Callable[[TransformFile], None]
    stopping: Callable[[], bool]
    counts: Counts = field(default_factory=Counts)
    _ready: deque[_Task | _End] = field(default_factory=deque)

    async def run(self) -> None:
        """Send everything, and return when the last answer is home or nothing more can be sent."""
        blocks = self._blocks()
        self._more = asyncio.Lock()
        workers = [asyncio.create_task(self._work(blocks)) for _ in range(self.sending.connections)]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
            blocks.close()  # type: ignore[attr-defined]  # it is a generator

    async def _work(self, blocks: Iterator[list[_Task | _End]]) -> None:
        caller = Caller(self.upstream, self.sending.headers, connect_timeout_s=self.sending.connect_timeout_s)
        with closing(caller):
            while not self.stopping() and (task := await self._next(blocks)) is not None:
                if task.file.failure is None:
                    await self._in_reach(task)
                    await self._one(caller, task)
                self._settle(task.file)

    async def _next(self, blocks: Iterator[list[_Task | _End]]) -> _Task | None:
        while True:
            while self._ready:
                first = self._ready.popleft()
                if isinstance(first, _Task):
                    return first
                self._end(first)
            async with self._more:
                if not self._ready:
                    block = await asyncio.to_thread(next, blocks, None)
                    if block is None:
                        return None
                    self._ready.extend(block)

    def _end(self, end: _End) -> None:
        if end.failure is not None:
            self._fail(end.file, end.failure)
        end.file.expect(end.payloads)
        self._settle(end.file)

    async def _in_reach(self, task: _Task) -> None:
        """Wait for the answer that all later ones of the object have to wait for."""
        reach = AHEAD * self.sending.connections
        while task.number - task.file.next > reach and task.file.failure is None and not self.stopping():  # noqa: ASYNC110  # an event for each file would cost more
            await asyncio.sleep(0.005)  # rare: hundreds of answers are home and one is not

    async def _one(self, caller: Caller, task: _Task) -> None:
        try:
            answer = await self._answer(caller, task)
            if answer is None:
                return
            task.file.add(task.number, self.sending.assembly.piece(task.payload or Payload(b""), answer.body))
        except BadAnswerError as error:
            self._fail(task.file, f"ClientError: {error}")

    async def _answer(self, caller: Caller, task: _Task) -> CallAnswer | None:
        """Give an answer of 2xx; otherwise the object has failed."""
        for attempt in range(self.sending.retries + 1):
            if attempt:
                self.counts.retried += 1
                await asyncio.sleep(RETRY_PAUSE_S * attempt)
            body = self._streamed(task.file) if task.payload is None else task.payload.body
            began = time.monotonic()
            try:
                answer = await caller.call("POST", "/invocations", body, timeout_s=self.sending.timeout_s)
            except NoAnswerError as error:
                words = [NO_ANSWER, str(error)]
                again = True
            except BadInputError as error:
                self._fail(task.file, f"ClientError: {error}")
                return None
            else:
                self.counts.requests += 1
                self.counts.seconds += time.monotonic() - began
                if 200 <= answer.status < 300:
                    return answer
                again = answer.status >= 500 and self.sending.retries_5xx
                words = _refused(answer)
            if self.stopping():
                return None
            if not again:
                break
        self._fail(task.file, *words)
        return None

    def _fail(self, file: TransformFile, *lines: str) -> None:
        if file.failure is None:
            for line in lines:
                self.log(f"{file.shown}: {line}")
            file.fail(lines[0])

    def _settle(self, file: TransformFile) -> None:
        if not file.settled and (file.failure is not None or file.whole):
            file.settled = True
            self.finished(file)

    # --- reading ahead, in threads of the loop's pool -------------------------------------------------

    def _blocks(self) -> Iterator[list[_Task | _End]]:
        block: list[_Task | _End] = []
        size = 0
        for task in self._tasks():
            block.append(task)
            size += len(task.payload.body) if isinstance(task, _Task) and task.payload else 0
            if len(block) >= BLOCK_PAYLOADS or size >= BLOCK_BYTES:
                yield block
                block, size = [], 0
        if block:
            yield block

    def _tasks(self) -> Iterator[_Task | _End]:
        for file in self.files:
            number, failure = 0, None
            try:
                if self.sending.streams:
                    yield _Task(file, 0, None)
                    number = 1
                else:
                    with closing(self._open(file)) as stream:
                        for payload in self.sending.packing.payloads(stream):
                            yield _Task(file, number, payload)
                            number += 1
                            file.sent_bytes += len(payload.body)
                            if file.failure is not None:
                                break
            except BadInputError as error:
                failure = f"ClientError: {error}"
            except (OSError, EOFError) as error:
                failure = f"ClientError: the object cannot be unpacked: {error}"
            except SmEmulateError as error:
                failure = f"ClientError: {error.what}"
            yield _End(file, number, failure)

    def _open(self, file: TransformFile) -> BinaryIO:
        stream = self.store.open(file.found)
        if not self.sending.gzip:
            import io

            return cast("BinaryIO", io.BufferedReader(cast("io.RawIOBase", stream), 1 << 20))
        import gzip

        return cast("BinaryIO", gzip.GzipFile(fileobj=stream))

    async def _streamed(self, file: TransformFile) -> AsyncIterator[bytes]:
        stream = await asyncio.to_thread(self._open, file)
        try:
            while piece := await asyncio.to_thread(stream.read, PIECE_BYTES):
                file.sent_bytes += len(piece)
                yield piece
        except (OSError, EOFError) as error:
            raise BadInputError(f"the object cannot be unpacked: {error}") from error
        finally:
            with suppress(OSError):
                stream.close()


def _refused(answer: CallAnswer) -> list[str]:
    """Give the lines that the platform logs for an answer that is none."""
    first = (
        f"ClientError: {answer.status}"
        if answer.status < 500
        else f"Bad HTTP status received from algorithm: {answer.status}"
    )
    text = answer.body[:2048].decode("utf-8", "replace")
    return [first, "", "Message:", *text.splitlines()]
