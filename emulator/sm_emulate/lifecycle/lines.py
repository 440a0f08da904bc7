"""Whole log lines out of the chunks in which an engine passes them on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sm_emulate.engine.protocol import LogChunk

LONGEST_LINE = 256 * 1024
"""What CloudWatch Logs takes as one event; a longer line is cut there."""


class LineCutter:
    """Keeps the unfinished line of each stream until the rest of it comes."""

    def __init__(self) -> None:
        self._pending = {"stdout": b"", "stderr": b""}

    def feed(self, chunk: LogChunk) -> bytes:
        """Give the whole lines that are complete now (perhaps none), each ended by a newline."""
        end = chunk.data.rfind(b"\n") + 1
        pending = self._pending[chunk.stream]
        if end:
            self._pending[chunk.stream] = chunk.data[end:]
            return pending + chunk.data[:end]
        pending += chunk.data
        if len(pending) >= LONGEST_LINE:
            self._pending[chunk.stream] = b""
            return pending + b"\n"
        self._pending[chunk.stream] = pending
        return b""

    def rest(self) -> bytes:
        """Give what was written without a newline at the end."""
        left = b"".join(pending + b"\n" for pending in self._pending.values() if pending)
        self._pending = {"stdout": b"", "stderr": b""}
        return left
