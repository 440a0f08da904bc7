"""How much lies in a folder of a container, from the archive that the engine makes of it."""

from __future__ import annotations

import tarfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class _Pieces:
    """A stream of pieces as a file that can only be read."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._rest = b""

    def read(self, size: int) -> bytes:
        while len(self._rest) < size and (piece := next(self._pieces, b"")):
            self._rest += piece
        given, self._rest = self._rest[:size], self._rest[size:]
        return given


def of_archive(pieces: Iterable[bytes]) -> int:
    """Add up the sizes of a tar's files as it passes; nothing is kept."""
    with tarfile.open(fileobj=_Pieces(pieces), mode="r|") as archive:  # type: ignore[call-overload]  # only read() is used
        return sum(member.size for member in archive)
