"""Messages of `application/vnd.amazon.eventstream`, as the streaming operations send them.

A message is: its length and its headers' length (four bytes each, big endian), their CRC-32, the headers, the payload,
and the CRC-32 of all before. A header is a length-prefixed name, a type, and a value; what SageMaker sends has only
strings, a signed event of a caller also has a timestamp and bytes.
Source: Smithy, "Amazon Event Stream" specification.
"""

from __future__ import annotations

import json
from struct import Struct, error
from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Callable

CONTENT_TYPE = "application/vnd.amazon.eventstream"

_LENGTHS = Struct("!II")
_NUMBER = Struct("!I")
_VALUE_LENGTH = Struct("!BH")
_STRING = 7
"""The type byte of a string header."""

_BYTES = 6
_FIXED = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""Lengths of the values of the other types: true, false, integers, a timestamp, a UUID."""
_SIGNATURE = ":chunk-signature"

_MOST_HEADER_BYTES = 128 * 1024
_AROUND = 16
"""Bytes of a message besides headers and payload: two lengths and two checksums."""


def payload_part(data: bytes) -> bytes:
    """Give the event that carries a part of the container's body."""
    return _message(_PAYLOAD_PART, data)


def exception(name: str, members: dict[str, str]) -> bytes:
    """Give the message that ends a stream with a modelled error."""
    headers = _headers(
        {":exception-type": name, ":content-type": "application/json", ":message-type": "exception"}
    )
    return _message(headers, json.dumps(members, separators=(",", ":")).encode())


class Message(NamedTuple):
    """One message as it was read: the headers that are strings, and the payload."""

    headers: dict[str, str]
    payload: bytes
    signed: bool = False


class Reader:
    """Reads messages out of bytes that come in pieces of any size.

    Args:
        longest: bytes of a payload; a message that cannot be that short is refused before it has come.
    """

    def __init__(self, *, longest: int | None = None) -> None:
        self._data = bytearray()
        self._longest = None if longest is None else longest + _MOST_HEADER_BYTES + _AROUND

    @property
    def unfinished(self) -> bool:
        """Whether the bytes end within a message."""
        return bool(self._data)

    def feed(self, data: bytes) -> list[Message]:
        """Give the messages that are whole now.

        Raises:
            ValueError: this is no event stream, or a checksum is wrong.
        """
        self._data += data
        messages = []
        while len(self._data) >= _AROUND - 4:
            length, _ = _LENGTHS.unpack_from(self._data)
            if crc32(self._data[:8]) != _NUMBER.unpack_from(self._data, 8)[0]:
                raise ValueError("the checksum of a message's lengths is wrong")
            if length < _AROUND or (self._longest is not None and length > self._longest):
                raise ValueError(f"a message of {length} bytes is longer than any may be, or shorter")
            if len(self._data) < length:
                break
            messages.append(_read(bytes(self._data[:length])))
            del self._data[:length]
        return messages


def _read(message: bytes) -> Message:
    length, header_length = _LENGTHS.unpack_from(message)
    if crc32(message[:-4]) != _NUMBER.unpack_from(message, length - 4)[0]:
        raise ValueError("the checksum of a message is wrong")
    headers = {}
    signed = False
    at, end = _AROUND - 4, _AROUND - 4 + header_length
    if end > length - 4:
        raise ValueError("the headers of a message are longer than the message")
    try:
        while at < end:
            name_end = at + 1 + message[at]
            name = message[at + 1 : name_end].decode()
            kind = message[name_end]
            if kind in (_STRING, _BYTES):
                _, value_length = _VALUE_LENGTH.unpack_from(message, name_end)
                value_at = name_end + _VALUE_LENGTH.size
            elif kind in _FIXED:
                value_length, value_at = _FIXED[kind], name_end + 1
            else:
                raise ValueError(f"a header of type {kind} is none")
            at = value_at + value_length
            if kind == _STRING:
                headers[name] = message[value_at:at].decode()
            signed = signed or name == _SIGNATURE
    except (IndexError, error) as broken:
        raise ValueError("the headers of a message break off") from broken
    if at != end:
        raise ValueError("the last header of a message is longer than its headers")
    return Message(headers, message[end:-4], signed)


def _headers(values: dict[str, str]) -> bytes:
    lines = []
    for name, value in values.items():
        text = value.encode()
        lines.append(bytes([len(name)]) + name.encode() + _VALUE_LENGTH.pack(_STRING, len(text)) + text)
    return b"".join(lines)


_PAYLOAD_PART = _headers(
    {
        ":event-type": "PayloadPart",
        ":content-type": "application/octet-stream",
        ":message-type": "event",
    }
)


def event(name: str, members: dict[str, str]) -> Callable[[bytes], bytes]:
    """Give what puts a payload into events of this name, with these members beside it."""
    headers = _headers(
        {
            ":event-type": name,
            ":content-type": "application/octet-stream",
            ":message-type": "event",
            **members,
        }
    )
    return lambda payload: _message(headers, payload)


def unmodelled_error(code: str, text: str) -> bytes:
    """Give the message that ends a stream with an error that the operation's events do not have."""
    return _message(_headers({":message-type": "error", ":error-code": code, ":error-message": text}), b"")


def _message(headers: bytes, payload: bytes) -> bytes:
    lengths = _LENGTHS.pack(_AROUND + len(headers) + len(payload), len(headers))
    before = b"".join((lengths, _NUMBER.pack(crc32(lengths)), headers, payload))
    return before + _NUMBER.pack(crc32(before))
