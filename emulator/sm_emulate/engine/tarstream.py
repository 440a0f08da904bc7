"""The names in a tar stream, read as fast as it comes: contents are passed over and never held."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from sm_emulate.engine.protocol import FileStat

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_BLOCK = 512
_BUFFER = 1 << 20
_LONGEST = 1 << 20
"""No name or extended header is longer than this; a longer one is not a tar archive of files."""

_KINDS: dict[bytes, Literal["file", "directory", "link", "other"]] = {
    b"0": "file",
    b"\0": "file",
    b"7": "file",
    b"1": "file",  # a second name of a file
    b"2": "link",
    b"5": "directory",
}


class TarError(ValueError):
    """The stream is not a tar archive, or ends too early."""


class TarStream:
    """A tar archive that is read once from front to back.

    Args:
        receive: fills a buffer like `socket.recv_into`, giving how much; 0 at the end.
    """

    def __init__(self, receive: Callable[[memoryview], int]) -> None:
        self._receive = receive
        self._buffer = bytearray(_BUFFER)
        self._view = memoryview(self._buffer)
        self._start = self._end = 0

    def __iter__(self) -> Iterator[FileStat]:
        """Yield every entry; what is not read of its content by `content` is passed over."""
        long_name = long_link = ""
        extended: dict[str, str] = {}
        while True:
            header = self._exactly(_BLOCK)
            if not header.strip(b"\0"):
                return
            kind = header[156:157]
            size = _number(header[124:136])
            if kind in (b"L", b"K", b"x", b"g"):
                if size > _LONGEST:
                    raise TarError(f"an extended header of {size} bytes")
                data = self._exactly(size)
                self._skip(-size % _BLOCK)
                if kind == b"L":
                    long_name = _text(data)
                elif kind == b"K":
                    long_link = _text(data)
                elif kind == b"x":
                    extended = _records(data)
                continue
            name = extended.get("path") or long_name or _name(header)
            link = extended.get("linkpath") or long_link or _text(header[157:257])
            size = int(extended.get("size", size))
            long_name = long_link = ""
            extended = {}
            content = 0 if kind in (b"1", b"2", b"3", b"4", b"5", b"6") else size
            self.left = content
            yield FileStat(
                path=name,
                kind=_KINDS.get(kind, "other"),
                mode=_number(header[100:108]) & 0o777,
                size=content,
                target=link if kind == b"2" else "",
            )
            self._skip(self.left + -content % _BLOCK)

    left = 0
    """Bytes of the present entry's content that have not been read."""

    def content(self, limit: int) -> bytes:
        """Read the beginning of the present entry's content."""
        data = self._exactly(min(limit, self.left))
        self.left -= len(data)
        return data

    def _exactly(self, size: int) -> bytes:
        if self._end - self._start >= size:
            found = bytes(self._view[self._start : self._start + size])
            self._start += size
            return found
        pieces = bytearray(self._view[self._start : self._end])
        self._start = self._end = 0
        while len(pieces) < size:
            self._end = self._receive(self._view)
            if not self._end:
                raise TarError("it ends in the middle")
            self._start = min(size - len(pieces), self._end)
            pieces += self._view[: self._start]
        return bytes(pieces)

    def _skip(self, size: int) -> None:
        here = min(size, self._end - self._start)
        self._start += here
        size -= here
        while size > 0:
            self._end = self._receive(self._view)
            if not self._end:
                raise TarError("it ends in the middle")
            self._start = min(size, self._end)
            size -= self._start


def _text(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")


def _name(header: bytes) -> str:
    name = _text(header[:100])
    prefix = _text(header[345:500]) if header[257:263] == b"ustar\0" else ""
    return f"{prefix}/{name}" if prefix else name


def _number(field: bytes) -> int:
    """Read a number: octal digits, or base 256 where the first bit is set."""
    if field[0] & 0x80:
        return int.from_bytes(field[1:], "big")
    digits = field.strip(b" \0")
    try:
        return int(digits, 8) if digits else 0
    except ValueError as error:
        raise TarError(f"no number: {field!r}") from error


def _records(data: bytes) -> dict[str, str]:
    """Read a pax header: lines of `LENGTH KEY=VALUE`."""
    found: dict[str, str] = {}
    while data:
        digits, _, _ = data.partition(b" ")
        if not digits.isdigit() or int(digits) <= len(digits):
            break
        line, data = data[len(digits) + 1 : int(digits) - 1], data[int(digits) :]
        key, _, value = line.partition(b"=")
        found[key.decode("utf-8", "replace")] = value.decode("utf-8", "surrogateescape")
    return found
