"""Sockets of ours that listen inside a container's network, where the engine shares our kernel.

A thread enters the container's network namespace, gives its loopback one more address, and opens sockets there. They
stay in that namespace wherever they are used afterwards, and nothing else of ours enters the container: no process,
no interface, no mount. The namespace takes the address with it when the container ends.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import sys
import threading
from contextlib import ExitStack, suppress
from pathlib import Path

_CLONE_NEWNET = 0x40000000
_CAPABILITIES = (1 << 12) | (1 << 21)
"""CAP_NET_ADMIN and CAP_SYS_ADMIN."""
_BACKLOG = 128

_NEW_ADDRESS, _ERROR = 20, 2  # RTM_NEWADDR, NLMSG_ERROR
_REQUEST = 0x1 | 0x4 | 0x400  # NLM_F_REQUEST, NLM_F_ACK, NLM_F_CREATE
_LOOPBACK = 1
_SCOPE_HOST = 254
_IFA_ADDRESS, _IFA_LOCAL = 1, 2


def may_enter() -> bool:
    """Whether the kernel lets this process enter another network namespace and give it an address."""
    if sys.platform != "linux":
        return False
    with suppress(OSError, ValueError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("CapEff:"):
                return int(line.split()[1], 16) & _CAPABILITIES == _CAPABILITIES
    return False


def listen(pid: int, container: str, address: str, ports: tuple[int, ...]) -> dict[int, socket.socket] | None:
    """Open listening sockets at an address inside a container, by port.

    None if that process is not the container's as seen from here, shares this machine's own network, or may not be
    entered. A port that the container's own program has already taken is left out.
    """
    process = Path("/proc") / str(pid)
    opened: dict[int, socket.socket] = {}
    try:
        if container not in (process / "cgroup").read_text():
            return None
        with (process / "ns" / "net").open("rb") as namespace:
            if os.path.samestat(os.fstat(namespace.fileno()), Path("/proc/self/ns/net").stat()):
                return None
            trouble: list[OSError] = []
            entered = threading.Thread(
                target=_open, args=(namespace.fileno(), address, ports, opened, trouble), name="network entry"
            )
            # a thread's namespace is its own, and ends with it
            entered.start()
            entered.join()
    except OSError:
        return None
    return None if trouble else opened


def _open(
    namespace: int,
    address: str,
    ports: tuple[int, ...],
    opened: dict[int, socket.socket],
    trouble: list[OSError],
) -> None:
    with ExitStack() as half_done:
        try:
            _enter(namespace)
            _add_address(address)
            for port in ports:
                listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
                half_done.callback(listener.close)
                try:
                    listener.bind((address, port))
                except OSError as error:
                    if error.errno == errno.EADDRINUSE:
                        continue
                    raise
                listener.listen(_BACKLOG)
                opened[port] = listener
        except OSError as error:
            opened.clear()
            trouble.append(error)
            return
        half_done.pop_all()


def _enter(namespace: int) -> None:
    if sys.version_info >= (3, 12):
        os.setns(namespace, _CLONE_NEWNET)
        return
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace, _CLONE_NEWNET) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


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
