"""Gzip on all cores, in and out: one ordinary gzip member, memory that does not grow with the data."""

from __future__ import annotations

import os
import zlib
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import IO, TYPE_CHECKING, Any

from sm_emulate.storage.inflate import inflating

if TYPE_CHECKING:
    import io
    from collections.abc import Iterator
    from types import TracebackType

BLOCK = 1 << 20
"""What one core compresses at a time; also the unit of reading."""
DICTIONARY = 32 << 10
"""Deflate looks back this far: each block is primed with the end of the one before, so cutting is free."""
MOST_THREADS = 16
"""Beyond this a disk is the limit, and blocks in flight would only cost memory."""
LEVEL = 2
"""isal's level 2 packs as small as zlib's level 6 at many times its speed."""
FALLBACK_LEVEL = 1


def _codec() -> tuple[Any, int]:
    """Give the fast deflate library, or the standard one where it is not installed, and its level."""
    try:
        from isal import isal_zlib
    except ImportError:
        return zlib, FALLBACK_LEVEL
    return isal_zlib, LEVEL


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class GzipWriter:
    """Compresses what it is fed into `raw`, block by block on all cores, in order.

    The gzip header holds no file name and no time: equal input makes equal output. The blocks end at byte
    boundaries inside one deflate stream, as pigz does it, so that every reader sees a plain gzip file.
    """

    def __init__(self, raw: io.FileIO, *, threads: int | None = None) -> None:
        self._raw = raw
        self._codec, self._level = _codec()
        self._threads = min(threads or cores(), MOST_THREADS)
        self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="deflate")
        self._free = [bytearray(BLOCK)]
        self._block = self._free.pop()
        self._fill = 0
        self._tail = b""
        self._crc = 0
        self.size = 0
        """Bytes taken in."""
        self.written = 0
        """Bytes of the gzip file so far."""
        self._pending: deque[tuple[Future[bytes], bytearray]] = deque()
        self._write_raw(b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff")

    def __enter__(self) -> GzipWriter:  # typing.Self needs Python 3.11
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def write(self, data: bytes) -> None:
        """Take in a few bytes: a header, padding."""
        view = memoryview(data)
        while view:
            taken = min(len(view), BLOCK - self._fill)
            self._block[self._fill : self._fill + taken] = view[:taken]
            self._took(taken)
            view = view[taken:]

    def write_from(self, descriptor: int, size: int) -> int:
        """Take in up to `size` bytes of an open file without a copy; give how many there were."""
        left = size
        while left:
            with memoryview(self._block) as block:
                taken = os.readv(descriptor, [block[self._fill : self._fill + min(left, BLOCK - self._fill)]])
            if taken == 0:
                break
            self._took(taken)
            left -= taken
        return size - left

    def _took(self, count: int) -> None:
        self._fill += count
        if self._fill == BLOCK:
            self._submit()

    def _submit(self) -> None:
        block, fill = self._block, self._fill
        with memoryview(block) as view:
            self._crc = self._codec.crc32(view[:fill], self._crc)
        self.size += fill
        self._pending.append((self._pool.submit(self._compress, block, fill, self._tail), block))
        self._tail = bytes(block[max(0, fill - DICTIONARY) : fill])
        # the first finished blocks go to the disk while the others are still at work
        while self._pending and (self._pending[0][0].done() or len(self._pending) > self._threads + 1):
            self._take_result()
        self._block = self._free.pop() if self._free else bytearray(BLOCK)
        self._fill = 0

    def _compress(self, block: bytearray, fill: int, tail: bytes) -> bytes:
        codec = self._codec
        if tail:
            stream = codec.compressobj(self._level, codec.DEFLATED, -15, zdict=tail)
        else:
            stream = codec.compressobj(self._level, codec.DEFLATED, -15)
        with memoryview(block) as view:
            first: bytes = stream.compress(view[:fill])
        rest: bytes = stream.flush(codec.Z_SYNC_FLUSH)
        return first + rest

    def _take_result(self) -> None:
        future, block = self._pending.popleft()
        self._write_raw(future.result())
        self._free.append(block)

    def _finish(self) -> None:
        if self._fill:
            self._submit()
        while self._pending:
            self._take_result()
        end = zlib.compressobj(1, zlib.DEFLATED, -15).flush()
        self._write_raw(
            end + self._crc.to_bytes(4, "little") + (self.size & 0xFFFFFFFF).to_bytes(4, "little")
        )

    def _write_raw(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            # an unbuffered file takes what fits; None comes only from non-blocking files, which these are not
            count = self._raw.write(view) or 0
            self.written += count
            view = view[count:]


class DamagedGzipError(Exception):
    """The gzip stream ends too early (`cut_short`) or its content is not what its checksum says."""

    def __init__(self, message: str, *, cut_short: bool) -> None:
        super().__init__(message)
        self.cut_short = cut_short


class GzipReader:
    """Gives the content of a gzip file in order; the next block is made while the last one is used."""

    def __init__(self, raw: IO[bytes]) -> None:
        self._file, self._damage = inflating(raw)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="inflate")
        self._next: Future[bytes] = self._pool.submit(self._file.read, BLOCK)
        self._view = memoryview(b"")
        self.position = 0
        """Bytes given so far."""

    def __enter__(self) -> GzipReader:  # typing.Self needs Python 3.11
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._file.close()

    def read(self, size: int) -> bytes:
        """Give exactly `size` bytes, or fewer at the end. For headers: the answer is held in memory."""
        return b"".join(self.pieces(size))

    def pieces(self, size: int) -> Iterator[memoryview]:
        """Give the next `size` bytes as they come, fewer at the end."""
        while size:
            if not self._view:
                self._view = memoryview(self._advance())
                if not self._view:
                    return
            piece = self._view[:size]
            self._view = self._view[len(piece) :]
            size -= len(piece)
            self.position += len(piece)
            yield piece

    def _advance(self) -> bytes:
        try:
            block = self._next.result()
        except EOFError as error:
            raise DamagedGzipError(str(error), cut_short=True) from None
        except self._damage as error:
            raise DamagedGzipError(str(error), cut_short=False) from None
        if block:
            self._next = self._pool.submit(self._file.read, BLOCK)
        return block
