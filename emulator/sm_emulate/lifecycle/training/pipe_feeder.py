"""Feeds one host's Pipe channel: a FIFO for each epoch, in a thread of its own."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import TYPE_CHECKING

from sm_emulate.storage.fifo import Fifo, read_exactly, remove

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from sm_emulate.staging.pipe_content import Piece

_GATHERED = 64 << 10
"""Small pieces go out together from this size on."""
_LAST_S = 10.0
"""How long a thread may take to leave that reads from a slow place."""


class PipeFeeder:
    """Makes `<channel>_0`, the next one whenever one is taken, and feeds whoever opens them.

    Args:
        path: gives the place of an epoch's FIFO.
        content: gives the pieces of an epoch.
        ended: told when a FIFO that was opened is closed again: the epoch, the bytes sent, whether that was all.
        failed: given what makes it impossible to go on.
        keep: leave the name of a FIFO that was read until the end of the job.

    Raises:
        MachineError: the first FIFO cannot be made.
    """

    def __init__(
        self,
        path: Callable[[int], Path],
        content: Callable[[int], Generator[Piece, None, None]],
        *,
        ended: Callable[[int, int, bool], None],
        failed: Callable[[Exception], None],
        keep: bool = True,
    ) -> None:
        self._path, self._content = path, content
        self._ended, self._failed, self._keep = ended, failed, keep
        self._over = False
        self._lock = threading.Lock()
        self._fifo = Fifo(path(0))
        self._made = 1
        self._thread = threading.Thread(target=self._run, name=f"pipe {path(0).name}", daemon=True)
        self._thread.start()

    def blocked_since(self, *, next_epoch: bool) -> float | None:
        """Tell since when a reader lets us wait, by `time.monotonic`; None while none does.

        Args:
            next_epoch: count it too when an epoch was read and nobody has asked for the next one.
        """
        fifo = self._fifo
        if not fifo.taken and self._made > 1 and not next_epoch:
            return None
        return fifo.blocked_since

    def close(self) -> None:
        """End the feeding and take the FIFOs away."""
        with self._lock:
            self._over = True
            self._fifo.abandon()
        # one that waits for its source sees it when that answers; it holds nothing that others need
        self._thread.join(_LAST_S)
        for epoch in range(self._made):
            remove(self._path(epoch))

    def _run(self) -> None:
        try:
            self._feed()
        except Exception as error:  # noqa: BLE001  # whoever reads would wait for ever: the job has to hear of it
            if not self._over:
                self._failed(error)
        finally:
            with self._lock:
                self._fifo.close()

    def _feed(self) -> None:
        epoch = 0
        while self._fifo.wait_for_reader():
            following = Fifo(self._path(epoch + 1))
            self._made += 1
            try:
                whole = self._send(epoch)
            except BaseException:
                following.close()
                raise
            sent = self._fifo.sent_bytes
            with self._lock:
                self._fifo.close()
                self._fifo = following
                if self._over:
                    following.abandon()
            if not self._keep:
                remove(self._path(epoch))
            self._ended(epoch, sent, whole)
            epoch += 1

    def _send(self, epoch: int) -> bool:
        """Send an epoch; False when the reader has left or the job is over."""
        fifo, gathered = self._fifo, bytearray()
        with closing(self._content(epoch)) as pieces:
            for piece in pieces:
                if isinstance(piece, bytes):
                    gathered += piece
                elif piece.size is not None and piece.size <= _GATHERED:
                    gathered += read_exactly(piece.file, piece.size)
                else:
                    if not (fifo.send(gathered) and fifo.send_file(piece.file, piece.size)):
                        return False
                    gathered = bytearray()
                if len(gathered) >= _GATHERED:
                    if not fifo.send(gathered):
                        return False
                    gathered = bytearray()
        return fifo.send(gathered)
