"""A FIFO that somebody else reads, written without a thread of ours ever standing in it for good."""

from __future__ import annotations

import errno
import os
import select
import stat
import threading
import time
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Protocol

from sm_emulate.errors import PipeError, StorageError

if TYPE_CHECKING:
    from pathlib import Path

CAPACITY = 1 << 20
"""What a pipe of an ordinary user may hold at most, by Linux's default (`/proc/sys/fs/pipe-max-size`)."""
CHUNK = 1 << 20
_LITTLE, _NAP_S = CAPACITY // 4, 50e-6
"""A reader that takes little at a time would wake us for each of its reads, and hand its processor over to us. What is
in the pipe keeps it busy for longer than this nap."""


class Readable(Protocol):
    def read(self, size: int, /) -> bytes | None:
        """Give up to so many bytes, none only at the end."""


class Fifo:
    """The writing end of one FIFO, for one reader. After it was made, its name is never looked up again.

    One thread writes and closes; any thread may `abandon`, at any time.

    Args:
        path: where it is made; nothing may be there.

    Raises:
        PipeError: it cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.taken = False
        """Whether somebody has opened it to read."""
        self.blocked_since: float | None = None
        """Since when the reader lets us wait, by `time.monotonic`; None while it does not."""
        self.sent_bytes = 0
        self._sent_before = 0
        self._end: int | None = None
        self._abandoned = False
        self._lock = threading.Lock()
        try:
            self._held = self._make()
        except OSError as failure:
            raise PipeError(
                f"the pipe cannot be made: {failure.strerror or failure}", value=failure.filename or path
            ) from failure

    def _make(self) -> ExitStack:
        with ExitStack() as made:
            os.mkfifo(self.path, 0o644)
            self._node = _opened(self.path, made)
            self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
            made.callback(os.close, self._wake)
            return made.pop_all()

    def wait_for_reader(self) -> bool:
        """Wait until somebody opens it to read; False when it was abandoned instead."""
        self.blocked_since = time.monotonic()
        self._end = os.open(self._door, os.O_WRONLY | os.O_CLOEXEC)
        self.blocked_since = None
        if self._abandoned:
            return False
        self.taken = True
        os.set_blocking(self._end, False)
        _widen(self._end)
        return True

    def send(self, data: bytes | bytearray | memoryview) -> bool:
        """Send bytes; False when the reader has left or it was abandoned."""
        left = memoryview(data)
        while left:
            try:
                count = os.write(self._open_end, left)
            except BlockingIOError:
                if not self._room():
                    return False
                continue
            except BrokenPipeError:
                return False
            self.sent_bytes += count
            left = left[count:]
        return not self._abandoned

    def send_file(self, file: Readable, size: int | None) -> bool:
        """Send the next `size` bytes of a file, or all to its end; False as `send` does.

        A regular file's pages go to the reader as they lie in the kernel, without a copy through this process.

        Raises:
            StorageError: the file ends before.
        """
        source, before = _regular(file), self.sent_bytes
        if source is not None:
            try:
                return self._splice(source, size)
            except OSError as refusal:
                # some file systems cannot do it: FUSE without it, encrypted ones
                if refusal.errno not in (errno.EINVAL, errno.ENOSYS):
                    raise
        return self._copy(file, None if size is None else size - (self.sent_bytes - before))

    def abandon(self) -> None:
        """Have the thread that waits or writes leave. It may be waiting in the kernel for a reader: we are one."""
        with self._lock:
            if self._abandoned:
                return
            self._abandoned = True
            reader = os.open(self._door, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            self._held.callback(os.close, reader)
            os.eventfd_write(self._wake, 1)

    def close(self) -> None:
        """Let go of it: the reader finds the end of the file behind what was sent."""
        with self._lock:
            self._abandoned = True  # there is nothing left to wake
            if self._end is not None:
                os.close(self._end)
                self._end = None
            self._held.close()

    @property
    def _door(self) -> str:
        return f"/proc/self/fd/{self._node}"

    @property
    def _open_end(self) -> int:
        assert self._end is not None, "wait_for_reader comes first"
        return self._end

    def _room(self) -> bool:
        """Wait for room in the pipe; False when there will be none."""
        waiting = select.poll()
        waiting.register(self._open_end, select.POLLOUT)
        waiting.register(self._wake, select.POLLIN)
        self.blocked_since = time.monotonic()
        waiting.poll()
        self.blocked_since = None
        if self.sent_bytes - self._sent_before < _LITTLE:
            time.sleep(_NAP_S)
        self._sent_before = self.sent_bytes
        return not self._abandoned

    def _splice(self, source: int, size: int | None) -> bool:
        left = size
        while left is None or left:
            if self._abandoned:
                return False
            try:
                count = os.splice(source, self._open_end, CHUNK if left is None else min(left, CHUNK))
            except BlockingIOError:
                if not self._room():
                    return False
                continue
            except BrokenPipeError:
                return False
            if count == 0:
                return _ended(left)
            self.sent_bytes += count
            left = None if left is None else left - count
        return True

    def _copy(self, file: Readable, size: int | None) -> bool:
        left = size
        while left is None or left:
            data = file.read(CHUNK if left is None else min(left, CHUNK))
            if not data:
                return _ended(left)
            if not self.send(data):
                return False
            left = None if left is None else left - len(data)
        return True


def _opened(path: Path, held: ExitStack) -> int:
    """Open the FIFO itself, for nothing yet. In the meantime a container may have put something else there."""
    node = os.open(path, os.O_PATH | os.O_CLOEXEC | os.O_NOFOLLOW)
    held.callback(os.close, node)
    if not stat.S_ISFIFO(os.fstat(node).st_mode):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    os.chmod(f"/proc/self/fd/{node}", 0o644)  # noqa: PTH101  # whatever the caller's umask is
    return node


def remove(path: Path) -> None:
    """Take the name of a FIFO away, if it is one and we may."""
    with suppress(OSError):  # it is gone, or its folder is closed to us now: cleaning up sees to that
        if stat.S_ISFIFO(path.lstat().st_mode):
            path.unlink()


def read_exactly(file: Readable, size: int) -> bytes:
    """Read the next `size` bytes of a file.

    Raises:
        StorageError: the file ends before.
    """
    found = b""
    while len(found) < size:
        data = file.read(size - len(found))
        if not data:
            _ended(size - len(found))
            break
        found += data
    return found


def _ended(left: int | None) -> bool:
    if left:
        raise StorageError(f"an object has become shorter while it was read: {left} bytes are missing")
    return True


def _regular(file: Readable) -> int | None:
    """Give the descriptor of a file whose bytes are the descriptor's own; a reader that unpacks has another's."""
    import io

    if not isinstance(file, io.FileIO):
        return None
    return file.fileno() if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else None


def _widen(end: int) -> None:
    """Have the pipe hold more, so that both sides work in large pieces."""
    import fcntl

    with suppress(OSError):  # the user's pages for pipes are used up: it works as it is
        fcntl.fcntl(end, fcntl.F_SETPIPE_SZ, CAPACITY)
