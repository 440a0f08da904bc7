"""Our messages in the hands of AWS's own parser."""

from __future__ import annotations

import json
import os

import pytest
from botocore.eventstream import ChecksumMismatch, EventStreamBuffer

from sm_emulate.gateway.event_stream import exception, payload_part


def parse(data):
    buffer = EventStreamBuffer()
    buffer.add_data(data)
    return list(buffer)


@pytest.mark.parametrize("size", [0, 1, 255, 65_536, 1_000_003])
def test_parts_come_out_as_they_went_in(size):
    parts = [os.urandom(size), b"x", os.urandom(size)]
    events = parse(b"".join(payload_part(part) for part in parts))
    assert [event.payload for event in events] == parts
    assert events[0].headers == {
        ":event-type": "PayloadPart",
        ":content-type": "application/octet-stream",
        ":message-type": "event",
    }


def test_an_exception_is_named_and_has_its_members():
    (event,) = parse(exception("ModelStreamError", {"Message": "späť", "ErrorCode": "StreamBroken"}))
    assert event.headers[":message-type"] == "exception"
    assert event.headers[":exception-type"] == "ModelStreamError"
    assert json.loads(event.payload) == {"Message": "späť", "ErrorCode": "StreamBroken"}


def test_a_bit_that_flips_is_noticed():
    message = bytearray(payload_part(b"abcdef"))
    message[-6] ^= 1
    with pytest.raises(ChecksumMismatch):
        parse(bytes(message))
