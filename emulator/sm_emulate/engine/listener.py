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
_NEW_ADDRESS, _NEW_NEIGHBOUR, _ERROR = 20, 28, 2  # RTM_NEWADDR, RTM_NEWNEIGH, NLMSG_ERROR
_REQUEST = 0x1 | 0x4 | 0x100 | 0x400  # NLM_F_REQUEST, NLM_F_ACK, NLM_F_REPLACE, NLM_F_CREATE
_LOOPBACK = 1
_SCOPE_HOST = 254
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_NDA_DST, _NDA_LLADDR = 1, 2
_REACHABLE = 0x02  # NUD_REACHABLE: it is forgotten in time
_NOBODY = bytes((2, 0, 0, 0, 0, 0))
_IP_FREEBIND = 15


def listen(address: str, ports: tuple[int, ...]) -> dict[int, socket.socket]:
    """Give listening sockets by port, without those that are taken. Raises OSError."""
    opened: dict[int, socket.socket] = {}
    with ExitStack() as half_done:
        for port in ports:
            listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            half_done.callback(listener.close)
            # nobody is refused between the address and its listener: the listener is there first
            listener.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
            try:
                listener.bind((address, port))
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    listener.close()
                    continue
                raise
            listener.listen(_BACKLOG)
            opened[port] = listener
        _add_address(address)
        _send_on(address)
        half_done.pop_all()
    return opened


def _add_address(address: str) -> None:
    """Give the loopback one more address, as `ip address add ADDRESS/32 dev lo scope host` does."""
    body = struct.pack("=BBBBi", socket.AF_INET, 32, 0, _SCOPE_HOST, _LOOPBACK)
    packed = socket.inet_aton(address)
    code = _ask_kernel(_NEW_ADDRESS, body + _attribute(_IFA_LOCAL, packed) + _attribute(_IFA_ADDRESS, packed))
    if code not in (0, errno.EEXIST):
        raise OSError(code, os.strerror(code))


def _send_on(address: str) -> None:
    """Have packets leave that wait for somebody near to say that the address is theirs, which nobody does.

    They were sent before we came, and a program would be told in seconds that there is no such host. Now they are lost
    on the way, as packets may be; the kernel sends each once more within a second, and then the address is its own.
    """
    for index, _ in socket.if_nameindex():
        if index != _LOOPBACK:
            body = struct.pack("=BBHiHBB", socket.AF_INET, 0, 0, index, _REACHABLE, 0, 0)
            # an interface without neighbours refuses, and has no packets that wait
            _ask_kernel(
                _NEW_NEIGHBOUR,
                body + _attribute(_NDA_DST, socket.inet_aton(address)) + _attribute(_NDA_LLADDR, _NOBODY),
            )


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def _ask_kernel(kind: int, body: bytes) -> int:
    """Send a message to the kernel's routing side; give the number of the error that it answers, or 0."""
    header = struct.pack("=IHHII", 16 + len(body), kind, _REQUEST, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as kernel:
        kernel.settimeout(2.0)
        kernel.bind((0, 0))
        kernel.send(header + body)
        answer = kernel.recv(4096)
    _, said, *_ = struct.unpack_from("=IHHII", answer)
    (code,) = struct.unpack_from("=i", answer, 16)
    return -code if said == _ERROR else 0


def _hand_out(path: str, address: str, *ports: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as waiting:
        waiting.connect(path)
        opened = listen(address, tuple(map(int, ports)))
        words = " ".join(map(str, opened)).encode() or b"none"
        socket.send_fds(waiting, [words], [each.fileno() for each in opened.values()])


if __name__ == "__main__":
    _hand_out(*sys.argv[1:])
