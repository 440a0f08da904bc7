"""Channels in Pipe mode, in the simplest form: each FIFO carries all files of the channel, one after the other."""

from __future__ import annotations

import errno
import os
import select
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_POLL_S = 0.02
_PIECE = 1 << 16


class PipeFeeder:
    """Makes `<channel>_0`, `<channel>_1` ... in a host's data folder and feeds whoever opens them.

    Args:
        folder: the host's /opt/ml/input/data on this machine.
        channel: its name.
        source: file or folder with the data.
    """

    def __init__(self, folder: Path, channel: str, source: Path) -> None:
        self.channel = channel
        self.opened = 0
        """FIFOs that a reader has opened."""
        self._folder, self._source = folder, source
        self._over = threading.Event()
        self._make(0)
        self._thread = threading.Thread(target=self._feed, name=f"pipe {channel}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread, and see what was opened up to now."""
        self._over.set()
        self._thread.join()

    def _path(self, epoch: int) -> Path:
        return self._folder / f"{self.channel}_{epoch}"

    def _make(self, epoch: int) -> None:
        os.mkfifo(self._path(epoch))
        self._path(epoch).chmod(0o644)

    def _feed(self) -> None:
        epoch = 0
        while (pipe := self._await_reader(epoch)) is not None:
            self.opened += 1
            self._make(epoch + 1)  # the next epoch's FIFO appears when this one is read
            try:
                for piece in self._pieces():
                    if not self._write(pipe, piece):
                        break
            finally:
                os.close(pipe)
            epoch += 1

    def _await_reader(self, epoch: int) -> int | None:
        while not self._over.is_set():
            try:
                return os.open(self._path(epoch), os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            except OSError as error:
                if error.errno != errno.ENXIO:  # ENXIO: nobody reads yet
                    return None
            time.sleep(_POLL_S)
        return None

    def _pieces(self) -> Iterator[bytes]:
        files = [self._source] if self._source.is_file() else sorted(self._source.rglob("*"))
        for file in files:
            if file.is_file():
                with file.open("rb") as data:
                    while piece := data.read(_PIECE):
                        yield piece

    def _write(self, pipe: int, piece: bytes) -> bool:
        """Write all of it; False when the reader has closed its end or the run is over."""
        poller = select.poll()
        poller.register(pipe, select.POLLOUT)
        while piece:
            if self._over.is_set():
                return False
            if not poller.poll(100):
                continue
            try:
                piece = piece[os.write(pipe, piece) :]
            except BlockingIOError:
                continue
            except BrokenPipeError:
                return False
        return True
