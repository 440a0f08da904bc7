"""What the kernel tells of a container's processes, read from `/proc` where the engine shares it with us."""

from __future__ import annotations

import signal
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")


def catches(pid: int, container: str, name: str) -> bool | None:
    """Tell whether a process has a handler for a signal, or waits for it with the signal blocked.

    None if that process is not the container's as seen from here.
    """
    bit = 1 << (signal.Signals[name] - 1)
    status = _own_file(pid, container, "status")
    if status is None:
        return None
    masks = {
        line.partition(":")[0]: int(line.split()[1], 16)
        for line in status.splitlines()
        if line.startswith(("SigCgt:", "SigBlk:"))
    }
    return any(mask & bit for mask in masks.values())


def devices(pid: int, container: str) -> frozenset[str] | None:
    """Give the paths under /dev that the container's processes hold open; None if they cannot be seen."""
    if _own_file(pid, container, "cgroup") is None:
        return None
    found: set[str] = set()
    for process in _PROC.iterdir():
        if not process.name.isdecimal() or _own_file(int(process.name), container, "cgroup") is None:
            continue
        with suppress(OSError):
            for descriptor in (process / "fd").iterdir():
                with suppress(OSError):
                    target = str(descriptor.readlink())
                    if target.startswith("/dev/"):
                        found.add(target)
    return frozenset(found)


def _own_file(pid: int, container: str, name: str) -> str | None:
    """Read a file of a process, if its control group says that it is the container's."""
    process = _PROC / str(pid)
    try:
        if container not in (process / "cgroup").read_text():
            return None
        return (process / name).read_text()
    except OSError:
        return None
