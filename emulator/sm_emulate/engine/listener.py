"""Listens at an address of the network namespace that it runs in, which is given that address.

Stands alone: a container that helps an ordinary user runs this very file with a Python of this machine, as
`listener.py SOCKET ADDRESS PORT...`, and sends what it has opened through a Unix socket to whoever waits there.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import sys
from contextlib import ExitStack

_BACKLOG = 128
_NEW_ADDRESS, _ERROR = 20, 2  # RTM_NEWADDR, NLMSG_ERROR
_REQUEST = 0x1 | 0x4 | 0x400  # NLM_F_REQUEST, NLM_F_ACK, NLM_F_CREATE
_LOOPBACK = 1
_SCOPE_HOST = 254
_IFA_ADDRESS, _IFA_LOCAL = 1, 2


def listen(address: str, ports: tuple[int, ...]) -> dict[int, socket.socket]:
    """Give listening sockets by port, without those that are taken. Raises OSError."""
    _add_address(address)
    opened: dict[int, socket.socket] = {}
    with ExitStack() as half_done:
        for port in ports:
            listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            half_done.callback(listener.close)
            try:
                listener.bind((address, port))
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    listener.close()
                    continue
                raise
            listener.listen(_BACKLOG)
            opened[port] = listener
        half_done.pop_all()
    return opened


def _add_address(address: str) -> None:
    """Give the loopback one more address, as `ip address add ADDRESS/32 dev lo scope host` does."""
    packed = socket.inet_aton(address)
    body = struct.pack("=BBBBi", socket.AF_INET, 32, 0, _SCOPE_HOST, _LOOPBACK)
    for kind in (_IFA_LOCAL, _IFA_ADDRESS):
        body += struct.pack("=HH", 4 + len(packed), kind) + packed
    header = struct.pack("=IHHII", 16 + len(body), _NEW_ADDRESS, _REQUEST, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as kernel:
        kernel.settimeout(2.0)
        kernel.bind((0, 0))
        kernel.send(header + body)
        answer = kernel.recv(4096)
    _, kind, *_ = struct.unpack_from("=IHHII", answer)
    (code,) = struct.unpack_from("=i", answer, 16)
    if kind == _ERROR and code and -code != errno.EEXIST:
        raise OSError(-code, os.strerror(-code))


def _hand_out(path: str, address: str, *ports: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as waiting:
        waiting.connect(path)
        opened = listen(address, tuple(map(int, ports)))
        words = " ".join(map(str, opened)).encode() or b"none"
        socket.send_fds(waiting, [words], [each.fileno() for each in opened.values()])


if __name__ == "__main__":
    _hand_out(*sys.argv[1:])
