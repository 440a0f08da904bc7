"""What we do inside a container's network, where the engine shares our kernel: listen there, and keep it in.

A thread enters the container's network namespace, gives its loopback one more address, and opens sockets there. They
stay in that namespace wherever they are used afterwards, and nothing else of ours enters the container: no process,
no interface, no mount. The namespace takes the address with it when the container ends.
"""

from __future__ import annotations

import errno
import os
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from sm_emulate.engine import listener

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

_CLONE_NEWNET = 0x40000000
_CAPABILITIES = (1 << 12) | (1 << 21)
"""CAP_NET_ADMIN and CAP_SYS_ADMIN."""


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
    opened: dict[int, socket.socket] = {}
    done = _within(pid, container, lambda: opened.update(listener.listen(address, ports)))
    return opened if done else None


def confine(pid: int, container: str) -> bool:
    """Have a container open no connections beyond its loopback, and answer those that come; tell whether it worked.

    The rule is its own network's, and is gone with it.
    """
    import shutil

    iptables = shutil.which("iptables", path=os.defpath + os.pathsep + "/usr/sbin:/sbin")
    return iptables is not None and _within(pid, container, lambda: _refuse(iptables))


def _within(pid: int, container: str, act: Callable[[], None]) -> bool:
    """Do something in the network namespace of a container's process; False if that cannot be done from here."""
    process = Path("/proc") / str(pid)
    trouble: list[OSError] = []

    def entered() -> None:
        try:
            _enter(namespace.fileno())
            act()
        except OSError as error:
            trouble.append(error)

    try:
        if container not in (process / "cgroup").read_text():
            return False
        with (process / "ns" / "net").open("rb") as namespace:
            if os.path.samestat(os.fstat(namespace.fileno()), Path("/proc/self/ns/net").stat()):
                return False
            # a thread's namespace is its own, and ends with it
            thread = threading.Thread(target=entered, name="network entry")
            thread.start()
            thread.join()
    except OSError:
        return False
    return not trouble


def _refuse(iptables: str) -> None:
    import subprocess

    rule = ["OUTPUT", "!", "-o", "lo", "-m", "conntrack", "--ctstate", "NEW", "-j", "REJECT"]
    ran = subprocess.run(
        [iptables, "-w", "-I", *rule, "--reject-with", "icmp-net-unreachable"],
        capture_output=True,
        check=False,
    )
    if ran.returncode != 0:
        raise OSError(errno.EPERM, ran.stderr.decode("utf-8", "replace"))


def _enter(namespace: int) -> None:
    if sys.version_info >= (3, 12):
        os.setns(namespace, _CLONE_NEWNET)
        return
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace, _CLONE_NEWNET) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
