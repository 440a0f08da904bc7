"""A container's processes, zombies among them: the engine's own list leaves those out."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from sm_emulate.engine.protocol import Process

if TYPE_CHECKING:
    from collections.abc import Iterable

BY_EXEC = ("sh", "-c", "cat /proc/[0-9]*/stat 2>/dev/null")
"""Shows the same from inside, where the container has a shell."""


def of_process(first: int, container: str) -> tuple[Process, ...] | None:
    """Look through `/proc` for PID 1 and all that descends from it, if that is the container's as seen from here."""
    if not _belongs(first, container):
        return None
    stats = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with suppress(OSError):  # it has gone meanwhile
                stats.append((folder / "stat").read_text())
    return below(first, parse(stats))


def parse(stats: Iterable[str]) -> list[Process]:
    """Read lines of `/proc/PID/stat`."""
    found = []
    for line in stats:
        pid, _, rest = line.partition(" (")
        name, _, fields = rest.rpartition(") ")
        state, parent = fields.split()[:2]
        found.append(Process(pid=int(pid), parent=int(parent), name=name, zombie=state in {"Z", "X"}))
    return found


def below(first: int, processes: Iterable[Process]) -> tuple[Process, ...]:
    """Give a process and all that descends from it, itself first."""
    known = {process.pid: process for process in processes}
    kin: dict[int, bool] = {first: True}

    def descends(pid: int) -> bool:
        if pid not in kin:
            kin[pid] = False  # parents form no circle, but a list read while it changes may
            kin[pid] = pid in known and descends(known[pid].parent)
        return kin[pid]

    chosen = [process for process in known.values() if descends(process.pid)]
    return tuple(sorted(chosen, key=lambda process: (process.pid != first, process.pid)))


def kill(pid: int, container: str) -> bool:
    """Send SIGKILL to a process, if it is that container's as seen from here."""
    if not _belongs(pid, container):
        return False
    try:
        os.kill(pid, signal.SIGKILL)
    except OSError:
        return False
    return True


def _belongs(pid: int, container: str) -> bool:
    try:
        return container in (Path("/proc") / str(pid) / "cgroup").read_text()
    except OSError:
        return False
