"""Messages of `application/vnd.amazon.eventstream`, as InvokeEndpointWithResponseStream sends them.

A message is: its length and its headers' length (four bytes each, big endian), their CRC-32, the headers, the payload,
and the CRC-32 of all before. A header is a length-prefixed name, a type, and a value; here every value is a string.
Source: Smithy, "Amazon Event Stream" specification.
"""

from __future__ import annotations

import json
from struct import Struct
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
