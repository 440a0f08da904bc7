"""One instance of a transform job at work: bodies go out, as many at a time as allowed, and answers come home."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from sm_emulate.artifacts.transform_output import BadAnswerError
from sm_emulate.gateway.caller import CallAnswer, NoAnswerError
from sm_emulate.gateway.lane import Lane
from sm_emulate.lifecycle.transform.blocks import BlockReader, End, Stretch, Task
from sm_emulate.lifecycle.transform.way import Way
from sm_emulate.spec import transform_job as spec
from sm_emulate.spec.wordings import MODEL_ERROR_MESSAGE_LIMIT
from sm_emulate.staging.payloads import BadInputError, Payload

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Generator, Mapping, Sequence

    from sm_emulate.artifacts.transform_output import Assembly
    from sm_emulate.gateway.front import Upstream
    from sm_emulate.lifecycle.transform.blocks import Block
    from sm_emulate.lifecycle.transform.files import TransformFile
    from sm_emulate.lifecycle.transform.way import Passing
    from sm_emulate.staging.payloads import Packing
    from sm_emulate.storage.objects import ObjectStore

MOST_PAYLOADS = 4096
"""So many at most are read ahead in one go: a hop to another thread costs as much as a small request."""
FIRST_PAYLOADS, LEAST_PAYLOADS, LEAST_S, MOST_S = 128, 32, 0.1, 0.4
"""So many go over the lane at first; more, or fewer for each connection, as they take less or more time."""
FEWEST = 8
"""Bodies that a lane is worth while for."""
AHEAD_BLOCK_BYTES = 16 << 20
"""The next long bodies are read while those before are under way, unless these are longer than this."""
AHEAD, AHEAD_BYTES = 64, 64 << 20
"""How many answers each connection, and how many bytes all, may be ahead of an answer that is still waited for."""
PIECE_BYTES = 256 << 10
RETRY_PAUSE_S = 0.2


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
        streams: an object is one body of any length, sent as it is read.
        chunked: bodies do not say how long they are.
        gzip: objects are unpacked on the way.
        passing: what happens between the containers of a pipeline; None for a single one.
    """

    connections: int
    headers: Mapping[str, str]
    timeout_s: float
    connect_timeout_s: float
    retries: int
    retries_5xx: bool
    streams: bool
    chunked: bool
    gzip: bool
    packing: Packing
    assembly: Assembly
    passing: Passing | None = None


@dataclass(slots=True)
class Counts:
    """What was done so far."""

    requests: int = 0
    records_bytes: int = 0
    retried: int = 0
    seconds: float = 0.0


@dataclass(eq=False)
class Feed:
    """Feeds the containers of one instance with its share of the objects.

    Args:
        upstream: where the first container listens.
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
    _ready: deque[Task | End] = field(default_factory=deque)
    _reading: asyncio.Future[Block | None] | None = None
    _calling: int = 0
    """Requests that are under way outside of the lane."""
    _lane: Lane | None = None
    _halted: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        sending = self.sending
        self._reader = BlockReader(
            files=self.files,
            store=self.store,
            packing=sending.packing,
            gzip=sending.gzip,
            streams=sending.streams,
            size=max(FIRST_PAYLOADS, LEAST_PAYLOADS * sending.connections),
        )

    async def run(self) -> None:
        """Send everything, and return when the last answer is home or nothing more can be sent."""
        blocks = self._reader.blocks()
        self._more = asyncio.Lock()
        workers = [asyncio.create_task(self._work(blocks)) for _ in range(self.sending.connections)]
        try:
            await asyncio.gather(*workers)
        finally:
            self._halted.set()
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
            if self._reading is not None:  # a thread cannot be left off: nothing may be closed under it
                await asyncio.gather(self._reading, return_exceptions=True)
            if self._lane is not None:
                self._lane.close()
            blocks.close()

    async def _work(self, blocks: Generator[Block, None, None]) -> None:
        sending = self.sending
        way = Way(
            self.upstream,
            sending.headers,
            sending.passing,
            connect_timeout_s=sending.connect_timeout_s,
        )
        with closing(way):
            while not self.stopping() and (task := await self._next(blocks)) is not None:
                if task.file.failure is None:
                    self._calling += 1
                    try:
                        await self._in_reach(task)
                        await self._one(way, task)
                    finally:
                        self._calling -= 1
                self._settle(task.file)

    async def _next(self, blocks: Generator[Block, None, None]) -> Task | None:
        while True:
            while self._ready:
                first = self._ready.popleft()
                if isinstance(first, Task):
                    return first
                self._end(first)
            async with self._more:
                if not self._ready:
                    if self._reading is None:
                        self._read_ahead(blocks, lane=not self._calling)
                    assert self._reading is not None
                    block = await asyncio.shield(self._reading)
                    self._reading = None
                    if block is None:
                        return None
                    self._take(block)
                    if self._ready and block.long and block.size <= AHEAD_BLOCK_BYTES:
                        self._read_ahead(blocks, lane=False)

    def _read_ahead(self, blocks: Generator[Block, None, None], *, lane: bool) -> None:
        self._reading = asyncio.ensure_future(asyncio.to_thread(self._read, blocks, lane=lane))

    def _read(self, blocks: Generator[Block, None, None], *, lane: bool) -> Block | None:
        """Read the next block; send what is small right away where nothing else is under way."""
        block = next(blocks, None)
        if block is None or not lane or self.sending.chunked or self.sending.passing is not None:
            return block
        sending = self.sending
        bodies = block.small_bodies(max(FEWEST, 2 * sending.connections))
        if bodies is None:
            return block
        if self._lane is None:
            self._lane = Lane(
                self.upstream,
                sending.headers,
                connections=sending.connections,
                connect_timeout_s=sending.connect_timeout_s,
            )
        began = time.monotonic()
        outcomes = self._lane.invoke(
            bodies, timeout_s=sending.timeout_s, most_bytes=AHEAD_BYTES, halted=self._halted.is_set
        )
        took = time.monotonic() - began
        self.counts.seconds += took
        if took > MOST_S:  # how far we are is only told after each block
            self._reader.size = max(self._reader.size // 2, LEAST_PAYLOADS * sending.connections)
        elif took < LEAST_S:
            self._reader.size = min(self._reader.size * 2, MOST_PAYLOADS)
        block.answered(outcomes)
        return block

    def _take(self, block: Block) -> None:
        """Keep what has been answered, and leave the rest to the workers."""
        for each in block.parts:
            if not isinstance(each, Stretch):
                self._ready.append(each)
            elif each.outcomes is not None and set(map(type, each.outcomes)) == {bytes}:
                self._keep_all(each, cast("list[bytes]", each.outcomes))
            else:
                self._take_one_by_one(each)

    def _take_one_by_one(self, stretch: Stretch) -> None:
        for task in stretch.tasks():
            if isinstance(task.outcome, bytes):
                self.counts.requests += 1
                self._keep(task, task.outcome)
            else:
                self._ready.append(task)

    def _keep_all(self, stretch: Stretch, answers: list[bytes]) -> None:
        file = stretch.file
        self.counts.requests += len(answers)
        if file.failure is not None:
            return
        file.sent_bytes += stretch.input_bytes
        try:
            piece = self.sending.assembly.stretch(stretch.batch, answers)
            file.add(stretch.first, piece, answers=len(answers))
        except BadAnswerError as error:
            self._fail(file, spec.client_error(error))
        self._settle(file)

    def _keep(self, task: Task, answer: bytes) -> None:
        task.file.sent_bytes += task.input_bytes
        try:
            task.file.add(task.number, self.sending.assembly.piece(task.payload or _NOTHING, answer))
        except BadAnswerError as error:
            self._fail(task.file, spec.client_error(error))
        self._settle(task.file)

    def _end(self, end: End) -> None:
        if end.failure is not None:
            self._fail(end.file, end.failure)
        end.file.expect(end.payloads)
        self._settle(end.file)

    async def _in_reach(self, task: Task) -> None:
        """Wait for the answer that all later ones of the object have to wait for."""
        reach = AHEAD * self.sending.connections
        file = task.file
        while (  # noqa: ASYNC110  # an event for each file would cost more
            (
                task.number - file.next > reach
                or (file.waiting_bytes > AHEAD_BYTES and task.number != file.next)
            )
            and file.failure is None
            and not self.stopping()
        ):
            await asyncio.sleep(0.005)  # rare: hundreds of answers are home and one is not

    async def _one(self, way: Way, task: Task) -> None:
        answer = await self._answer(way, task)
        if answer is not None:
            self._keep(task, answer.body)

    async def _answer(self, way: Way, task: Task) -> CallAnswer | None:
        """Give an answer of 2xx; otherwise the object has failed."""
        for attempt in range(self.sending.retries + 1):
            if attempt:
                self.counts.retried += 1
                await asyncio.sleep(RETRY_PAUSE_S * attempt)
            try:
                answer = await self._call(way, task)
            except NoAnswerError as error:
                words = [spec.NO_ANSWER + spec.of(way.asked), str(error)]
                again = True
            except BadInputError as error:
                self._fail(task.file, spec.client_error(error))
                return None
            else:
                self.counts.requests += 1
                if 200 <= answer.status < 300:
                    return answer
                again = answer.status >= 500 and self.sending.retries_5xx
                words = _refused(answer, way.asked)
            if self.stopping():
                return None
            if not again:
                break
        self._fail(task.file, *words)
        return None

    async def _call(self, way: Way, task: Task) -> CallAnswer:
        """Try once, or take the outcome of a try that is over."""
        outcome, task.outcome = task.outcome, None
        if isinstance(outcome, NoAnswerError):
            raise outcome
        if isinstance(outcome, CallAnswer):
            return outcome
        body: bytes | AsyncIterator[bytes]
        if task.payload is None:
            body = self._streamed(task.file)
        else:
            body = _pieces(task.payload.body) if self.sending.chunked else task.payload.body
        began = time.monotonic()
        answer = await way.ask(body, timeout_s=self.sending.timeout_s)
        self.counts.seconds += time.monotonic() - began
        return answer

    def _fail(self, file: TransformFile, *lines: str) -> None:
        if file.failure is None:
            for line in lines:
                self.log(f"{file.shown}: {line}")
            file.fail(lines[0])

    def _settle(self, file: TransformFile) -> None:
        if not file.settled and (file.failure is not None or file.whole):
            file.settled = True
            self.finished(file)

    async def _streamed(self, file: TransformFile) -> AsyncIterator[bytes]:
        stream = await asyncio.to_thread(self._reader.open, file)
        try:
            while piece := await asyncio.to_thread(stream.read, PIECE_BYTES):
                file.sent_bytes += len(piece)
                yield piece
        except (OSError, EOFError) as error:
            raise BadInputError(f"the object cannot be unpacked: {error}") from error
        finally:
            with suppress(OSError):
                stream.close()


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), PIECE_BYTES):
        yield body[start : start + PIECE_BYTES]


_NOTHING = Payload(b"")


def _refused(answer: CallAnswer, container: str | None) -> list[str]:
    """Give the lines that the platform logs for an answer that is none."""
    text = answer.body[:MODEL_ERROR_MESSAGE_LIMIT].decode("utf-8", "replace")
    return [spec.refused(answer.status, container), "", "Message:", *text.splitlines()]
