"""The parts of a bidirectional stream: what its events carry, each of which is one WebSocket frame."""

from __future__ import annotations

from typing import NamedTuple

from sm_emulate.gateway.event_stream import Message, Reader, event
from sm_emulate.spec import bidirectional as spec


class Part(NamedTuple):
    """One part: the bytes of one frame.

    Args:
        data: as they are; a part of a text may end within a character.
        text: a text frame, or a continuation of one; else binary.
        complete: the last of its message.
    """

    data: bytes
    text: bool = False
    complete: bool = True


_HEADERS = {
    (text, complete): event(
        "PayloadPart",
        {
            "DataType": spec.UTF8 if text else spec.BINARY,
            "CompletionState": spec.COMPLETE if complete else spec.PARTIAL,
        },
    )
    for text in (False, True)
    for complete in (False, True)
}


def part_event(part: Part) -> bytes:
    """Give the event that carries this part."""
    return _HEADERS[part.text, part.complete](part.data)


class BadPartError(Exception):
    """The caller's stream is none, or has what no stream of this operation has; the words say what."""


class PartReader:
    """Reads a caller's parts out of bytes that come in pieces of any size, signed or not.

    Signatures are taken off and not verified: whoever reaches the gateway may use it.
    """

    def __init__(self) -> None:
        self._events = Reader(longest=spec.MAX_PART_BYTES)
        self._text: bool | None = None
        self.ended = False
        """Whether the caller said that nothing more comes: a signed event without content."""

    @property
    def unfinished(self) -> bool:
        """Whether the bytes end within an event."""
        return self._events.unfinished

    def feed(self, data: bytes) -> list[Part]:
        """Give the parts that are whole now.

        Raises:
            BadPartError: this is no such stream.
        """
        parts = []
        try:
            for message in self._events.feed(data):
                inner = _unwrapped(message)
                if inner is None:
                    self.ended = True
                elif not self.ended:
                    parts.append(self._part(inner))
        except ValueError as error:
            raise BadPartError(str(error)) from error
        return parts

    def _part(self, message: Message) -> Part:
        headers = message.headers
        kind = headers.get(":event-type")
        if headers.get(":message-type", "event") != "event" or kind != "PayloadPart":
            raise ValueError(f"an event of type {kind} is not one of this operation")
        given = headers.get("DataType")
        if given not in (None, spec.UTF8, spec.BINARY):
            raise ValueError(f"DataType {given} is neither {spec.UTF8} nor {spec.BINARY}")
        state = headers.get("CompletionState", spec.COMPLETE)
        if state not in (spec.PARTIAL, spec.COMPLETE):
            raise ValueError(f"CompletionState {state} is neither {spec.PARTIAL} nor {spec.COMPLETE}")
        text = given == spec.UTF8
        if self._text is not None:
            if given is not None and text != self._text:
                raise ValueError(f"DataType {given} within a message that began with another")
            text = self._text
        complete = state == spec.COMPLETE
        self._text = None if complete else text
        return Part(message.payload, text, complete)


def _unwrapped(message: Message) -> Message | None:
    """Give the event inside a signed one, or None if there is none: the last one of a stream."""
    if not message.signed:
        return message
    if not message.payload:
        return None
    inner = Reader()
    found = inner.feed(message.payload)
    if len(found) != 1 or inner.unfinished:
        raise ValueError("a signed event does not hold exactly one event")
    return found[0]
