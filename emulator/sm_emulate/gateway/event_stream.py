"""Messages of `application/vnd.amazon.eventstream`, as InvokeEndpointWithResponseStream sends them.

A message is: its length and its headers' length (four bytes each, big endian), their CRC-32, the headers, the payload,
and the CRC-32 of all before. A header is a length-prefixed name, a type, and a value; here every value is a string.
Source: Smithy, "Amazon Event Stream" specification.
"""

from __future__ import annotations

import json
from struct import Struct
from typing import NamedTuple
from zlib import crc32

CONTENT_TYPE = "application/vnd.amazon.eventstream"

_LENGTHS = Struct("!II")
_NUMBER = Struct("!I")
_VALUE_LENGTH = Struct("!BH")
_STRING = 7
"""The type byte of a string header."""

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
    """One message as it was read."""

    headers: dict[str, str]
    payload: bytes


class Reader:
    """Reads messages out of bytes that come in pieces of any size."""

    def __init__(self) -> None:
        self._data = bytearray()

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
        while len(self._data) >= _AROUND:
            length, _ = _LENGTHS.unpack_from(self._data)
            if crc32(self._data[:8]) != _NUMBER.unpack_from(self._data, 8)[0]:
                raise ValueError("the checksum of a message's lengths is wrong")
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
    at, end = _AROUND - 4, _AROUND - 4 + header_length
    while at < end:
        name_end = at + 1 + message[at]
        kind, value_length = _VALUE_LENGTH.unpack_from(message, name_end)
        if kind != _STRING:
            raise ValueError(f"a header of type {kind} is not one of InvokeEndpointWithResponseStream")
        value_at = name_end + _VALUE_LENGTH.size
        headers[message[at + 1 : name_end].decode()] = message[value_at : value_at + value_length].decode()
        at = value_at + value_length
    return Message(headers, message[end:-4])


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


def _message(headers: bytes, payload: bytes) -> bytes:
    lengths = _LENGTHS.pack(_AROUND + len(headers) + len(payload), len(headers))
    before = b"".join((lengths, _NUMBER.pack(crc32(lengths)), headers, payload))
    return before + _NUMBER.pack(crc32(before))
