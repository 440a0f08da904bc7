"""The last lines of a log, for the error that needs them."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

LINES = 20
_LONGEST = 64 * 1024


class LogTail:
    """Keeps the last lines of what it is given."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=LINES)

    def add(self, data: bytes) -> None:
        """Take whole lines."""
        self._lines.extend(data[-_LONGEST:].decode("utf-8", "replace").splitlines()[-LINES:])

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._lines))
