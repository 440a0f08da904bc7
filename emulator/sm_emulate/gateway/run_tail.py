"""The end of a file that grows, in whole lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class Tail:
    """Reads what a file gains. Who reads too slowly loses the oldest of it; nothing is held in memory.

    Args:
        path: the file, which need not be there yet.
        most: bytes that are read at once.
        position: where to begin; None is `seed` bytes before the file's end.
        seed: see there.
    """

    def __init__(self, path: Path, *, most: int, position: int | None = None, seed: int = 0) -> None:
        self.path, self._most = path, most
        self.position = 0 if position is None else position
        self._seed: int | None = seed if position is None else None

    def read(self) -> tuple[bytes, int]:
        """Give what came since, as whole lines, and how many bytes before it are lost."""
        try:
            with self.path.open("rb") as file:
                size = file.seek(0, 2)
                start, lost = self._start(size)
                if start >= size:
                    self.position = start
                    return b"", lost
                # whether a line begins here is told by the byte before
                before = 1 if start and start != self.position else 0
                file.seek(start - before)
                data = file.read(min(size - start, self._most) + before)
        except OSError:
            return b"", 0
        if before:
            cut = data.find(b"\n") + 1 or len(data)
            data, start = data[cut:], start - before + cut
        whole = data.rfind(b"\n") + 1
        if not whole and len(data) >= self._most:
            whole = len(data)  # a line without an end
        self.position = start + whole
        return data[:whole], lost

    def _start(self, size: int) -> tuple[int, int]:
        if self._seed is not None:
            seed, self._seed = self._seed, None
            return max(0, size - seed), 0
        if self.position > size:
            self.position = 0  # another file than before
        start = max(self.position, size - self._most)
        return start, start - self.position
