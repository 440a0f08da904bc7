"""What listens in a container's network namespace, read from the kernel's own tables."""

from __future__ import annotations

import sys
from pathlib import Path

from sm_emulate.engine.protocol import Listener

_LISTEN = "0A"
_TABLES = ("tcp", "tcp6")


def parse(table: str) -> list[Listener]:
    """Read `/proc/net/tcp` or `/proc/net/tcp6` (or one after the other)."""
    found = []
    for line in table.splitlines():
        columns = line.split()
        if len(columns) > 3 and columns[3] == _LISTEN:
            address, _, port = columns[1].partition(":")
            found.append(Listener(address=_address(address), port=int(port, 16)))
    return found


def _address(written: str) -> str:
    import ipaddress

    # the kernel prints 32-bit words in the host's byte order
    words = [bytes.fromhex(written[i : i + 8]) for i in range(0, len(written), 8)]
    if sys.byteorder == "little":
        words = [word[::-1] for word in words]
    return str(ipaddress.ip_address(b"".join(words)))


def of_process(pid: int, container: str) -> tuple[Listener, ...] | None:
    """Look through `/proc`, if that process is the container's as seen from here; else None.

    A PID counted in another namespace (an engine in a VM, or we ourselves in a container) names some other
    process of ours, which its control group gives away.
    """
    process = Path("/proc") / str(pid)
    try:
        if container not in (process / "cgroup").read_text():
            return None
        tables = [
            (process / "net" / name).read_text() for name in _TABLES if (process / "net" / name).exists()
        ]
    except OSError:
        return None
    return tuple(listener for table in tables for listener in parse(table))
