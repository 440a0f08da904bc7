"""What a transform job reads in one go: bodies by the thousand, over the ends of its objects."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, cast

from sm_emulate.errors import SmEmulateError
from sm_emulate.spec import transform_job as spec
from sm_emulate.staging.payloads import BadInputError, Batch, Payload

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from sm_emulate.gateway.lane import Outcome
    from sm_emulate.lifecycle.transform.files import TransformFile
    from sm_emulate.staging.payloads import Packing
    from sm_emulate.storage.objects import ObjectStore

_BLOCK_BYTES = 1 << 20
_SMALL_BYTES = 16 << 10
"""Bodies up to this size that come in numbers go through a lane of their own."""
_BUFFER_BYTES = 64 << 10


@dataclass(slots=True)
class Task:
    """One body."""

    file: TransformFile
    number: int
    payload: Payload | None
    """None streams the whole object."""
    input_bytes: int = 0
    """So much of the object it stands for."""
    outcome: Outcome = None
    """Of the first try, where that is over."""


@dataclass(slots=True)
class Stretch:
    """Bodies that follow one another in an object."""

    file: TransformFile
    first: int
    batch: Batch
    input_bytes: int
    outcomes: list[Outcome] | None = None
    """Of the first tries, where they are over."""

    def tasks(self) -> Iterator[Task]:
        """Give each body by itself."""
        count = len(self.batch.bodies)
        outcomes = self.outcomes or [None] * count
        for number, outcome in enumerate(outcomes):
            share = self.input_bytes // count
            yield Task(self.file, self.first + number, self.batch.payload(number), share, outcome)


@dataclass(frozen=True, slots=True)
class End:
    """All of an object has been read, or as much as could be."""

    file: TransformFile
    payloads: int
    failure: str | None = None


@dataclass(slots=True)
class Block:
    """What is read in one go."""

    parts: list[Task | Stretch | End] = field(default_factory=list)
    count: int = 0
    """Of bodies and of ends."""
    size: int = 0

    def small_bodies(self, least: int) -> list[bytes] | None:
        """Give all bodies if they are many and each is small."""
        if self.long or any(isinstance(each, Task) for each in self.parts):
            return None
        bodies = [body for each in self.parts if isinstance(each, Stretch) for body in each.batch.bodies]
        if len(bodies) < least or len(max(bodies, key=len)) > _SMALL_BYTES:
            return None
        return bodies

    @property
    def long(self) -> bool:
        """Whether its bodies are long, the one with the other."""
        return self.size > _SMALL_BYTES * self.count

    def answered(self, outcomes: list[Outcome]) -> None:
        """Hand the outcomes of all bodies to the stretches."""
        start = 0
        for each in self.parts:
            if isinstance(each, Stretch):
                end = start + len(each.batch.bodies)
                each.outcomes, start = outcomes[start:end], end


@dataclass(kw_only=True)
class BlockReader:
    """Reads objects for one container; its user's threads take turns.

    Args:
        files: in order.
        store: where they lie.
        packing: how each becomes bodies.
        gzip: they are unpacked on the way.
        streams: each is one body, read as it is sent.
        size: how many bodies a block has; may be changed at any moment.
    """

    files: Sequence[TransformFile]
    store: ObjectStore
    packing: Packing
    gzip: bool
    streams: bool
    size: int

    def blocks(self) -> Generator[Block, None, None]:
        """Read all objects, one after the other."""
        block = Block()
        for part in self._parts():
            block.parts.append(part)
            if isinstance(part, Stretch):
                block.count += len(part.batch.bodies)
                block.size += sum(map(len, part.batch.bodies))
            else:
                block.count += 1
            if block.count >= self.size or block.size >= _BLOCK_BYTES:
                yield block
                block = Block()
        if block.parts:
            yield block

    def _parts(self) -> Iterator[Task | Stretch | End]:
        for file in self.files:
            number, failure = 0, None
            try:
                if self.streams:
                    yield Task(file, 0, None)
                    number = 1
                else:
                    with closing(self.open(file)) as stream:
                        for batch in self._batches(stream):
                            size = sum(map(len, batch.bodies))
                            yield Stretch(file, number, batch, size)
                            number += len(batch.bodies)
                            if file.failure is not None:
                                break
            except BadInputError as error:
                failure = spec.client_error(error)
            except (OSError, EOFError) as error:
                failure = spec.client_error(f"the object cannot be unpacked: {error}")
            except SmEmulateError as error:
                failure = spec.client_error(error.what)
            yield End(file, number, failure)

    def _batches(self, stream: BinaryIO) -> Iterator[Batch]:
        """Give bodies, at most as many in one batch as a block takes."""
        for batch in self.packing.batches(stream):
            if len(batch.bodies) == 1:
                yield batch
                continue
            start = 0
            while start < len(batch.bodies):
                end = start + self.size
                yield Batch(batch.bodies[start:end], batch.records and batch.records[start:end])
                start = end

    def open(self, file: TransformFile) -> BinaryIO:
        """Open an object, unpacked if it is packed."""
        stream = self.store.open(file.found)
        if not self.gzip:
            import io

            return cast("BinaryIO", io.BufferedReader(cast("io.RawIOBase", stream), _BUFFER_BYTES))
        import gzip

        return cast("BinaryIO", gzip.GzipFile(fileobj=stream))
