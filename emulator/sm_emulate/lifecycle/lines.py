"""Whole log lines out of the chunks in which an engine passes them on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from sm_emulate.engine.protocol import LogChunk

Stream = Literal["stdout", "stderr"]
LONGEST_LINE = 256 * 1024
"""What CloudWatch Logs takes as one event; a longer line is cut there."""


@dataclass
class _Unfinished:
    """The beginning of a stream's last line."""

    data: bytes = b""
    shown: int = 0
    """How much of it `part` has given."""


class LineCutter:
    """Keeps the unfinished line of each stream until the rest of it comes."""

    def __init__(self) -> None:
        self._pending: dict[Stream, _Unfinished] = {"stdout": _Unfinished(), "stderr": _Unfinished()}

    def feed(self, chunk: LogChunk) -> tuple[bytes, int]:
        """Give the lines that are complete now (perhaps none), each ended by a newline.

        With them comes how many bytes at their beginning `part` has given before.
        """
        end = chunk.data.rfind(b"\n") + 1
        pending = self._pending[chunk.stream]
        if end:
            self._pending[chunk.stream] = _Unfinished(chunk.data[end:])
            return pending.data + chunk.data[:end], pending.shown
        pending.data += chunk.data
        if len(pending.data) >= LONGEST_LINE:
            self._pending[chunk.stream] = _Unfinished()
            return pending.data + b"\n", pending.shown
        return b"", 0

    @property
    def waits(self) -> bool:
        """Whether there is something that `part` would give."""
        return any(pending.shown < len(pending.data) for pending in self._pending.values())

    def part(self) -> bytes:
        """Give what has come of unfinished lines and was not given before."""
        new = b"".join(pending.data[pending.shown :] for pending in self._pending.values())
        for pending in self._pending.values():
            pending.shown = len(pending.data)
        return new

    def rest(self) -> list[tuple[Stream, bytes, int]]:
        """Give what was written without a newline at the end, as `feed` does, with the stream before it."""
        left = [
            (stream, each.data + b"\n", each.shown) for stream, each in self._pending.items() if each.data
        ]
        self._pending = {"stdout": _Unfinished(), "stderr": _Unfinished()}
        return left
