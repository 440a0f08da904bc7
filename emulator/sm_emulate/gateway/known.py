"""Heads that were read before: what comes again byte for byte means the same again.

A program that invokes an endpoint over and over sends the same head each time, and its container answers with the
same head until its clock's second is over. Reading them is half of what a request costs.
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING

from sm_emulate.gateway.wire import content_length, first_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sm_emulate.gateway.incoming import Incoming
    from sm_emulate.gateway.wire import Wording

HEAD_END = b"\r\n\r\n"
_MOST_HEADS = 256
_MOST_BYTES = 4096
"""Of one head; what is longer is no small request."""


class KnownRequest:
    """A request for one model that asks for nothing in particular: any instance may answer it.

    Args:
        request: as it was read, whole.
        head_size: where its body begins.
        to_container: the head that the container gets.
    """

    __slots__ = ("head_size", "path", "request", "size", "to_container", "whole")

    def __init__(self, request: Incoming, head_size: int, to_container: bytes) -> None:
        self.request, self.head_size, self.to_container = copy(request), head_size, to_container
        self.request.body = []
        self.path = request.path
        self.size = request.size
        self.whole = head_size + request.size

    def incoming(self) -> Incoming:
        """Give the request anew, without its body."""
        again = copy(self.request)
        again.forward = list(self.request.forward)
        again.body = []
        return again


class KnownRequests:
    """The heads of requests that a gateway has read.

    Args:
        wording: of what goes to containers.
        enough: where requests need more than to be passed on, none are remembered.
    """

    def __init__(self, wording: Wording, *, remembers: bool) -> None:
        self._wording, self._remembers = wording, remembers
        self._heads: dict[bytes, KnownRequest | None] = {}
        """None for one that was read once: many are signed, and never come again."""

    def find(self, data: bytes) -> KnownRequest | None:
        """Give the request that these bytes are, if they are one whole and its head was read before."""
        known = self._heads.get(data[: data.find(HEAD_END) + 4])
        return known if known and len(data) == known.whole else None

    def learn(self, data: bytes, request: Incoming) -> None:
        """Remember the request that was read from these bytes, unless it is remarkable."""
        head_size = len(data) - request.size
        if (
            not self._remembers
            or head_size > _MOST_BYTES
            or data.find(HEAD_END) + 4 != head_size
            or not request.unremarkable
        ):
            return
        head = data[:head_size]
        if head not in self._heads:
            if len(self._heads) >= _MOST_HEADS:
                self._heads.clear()
            self._heads[head] = None
            return
        to_container = self._wording.request_head(
            request.method, request.container_path, request.forward, request.size
        )
        self._heads[head] = KnownRequest(request, head_size, to_container)


class KnownAnswer:
    """The head of a container's answer: a success that says how long it is.

    Args:
        head: to the byte.
        status: 2XX.
        lines: the headers that are passed on.
        length: of the body.
    """

    __slots__ = ("first", "head", "head_size", "last", "length", "lines", "status", "whole")

    def __init__(self, head: bytes, status: int, lines: Sequence[bytes], length: int) -> None:
        self.head, self.status, self.lines, self.length = head, status, list(lines), length
        self.head_size = len(head)
        self.whole = self.head_size + length
        self.first = first_line(status)
        self.last = b"".join((*lines, content_length(length), b"\r\n"))
        """What the client's head begins and ends with."""

    def fits(self, data: bytes) -> bool:
        """Whether these bytes are such an answer, whole."""
        return len(data) == self.whole and data.startswith(self.head)
