"""Passes a container's connections on to a server of this machine, byte for byte."""

from __future__ import annotations

import select
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_BLOCK = 1 << 18
_CONNECT_SECONDS = 10.0


@dataclass(frozen=True)
class Relay:
    """A handler of connections.

    Args:
        where: tells the host and port where they go; asked for each.
    """

    where: Callable[[], tuple[str, int]]

    def __call__(self, inside: socket.socket) -> None:
        """Pass on what either side sends until both have ended."""
        with socket.create_connection(self.where(), _CONNECT_SECONDS) as outside:
            outside.settimeout(None)
            for each in (inside, outside):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            answers = threading.Thread(
                target=_pass_on, args=(outside, inside), name="link-local answers", daemon=True
            )
            answers.start()
            _pass_on(inside, outside)
            if _is_shut(inside):
                with suppress(OSError):
                    outside.shutdown(socket.SHUT_RDWR)
            answers.join()


def _is_shut(connection: socket.socket) -> bool:
    """Whether we have closed both directions ourselves: the job is over."""
    poller = select.poll()
    poller.register(connection, 0)
    return any(found & select.POLLHUP for _, found in poller.poll(0))


def _pass_on(giver: socket.socket, taker: socket.socket) -> None:
    """Copy until the giver says that nothing more comes; then say the same to the taker."""
    block = bytearray(_BLOCK)
    view = memoryview(block)
    try:
        while count := giver.recv_into(block):
            taker.sendall(view[:count])
    except OSError:  # one side is gone: nothing that the other says can reach it
        with suppress(OSError):
            giver.shutdown(socket.SHUT_RDWR)
    with suppress(OSError):
        taker.shutdown(socket.SHUT_WR)
