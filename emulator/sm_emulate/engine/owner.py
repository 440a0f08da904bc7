"""Who looks after a container: a label that tells later whether that process is still there."""

from __future__ import annotations

import os
import socket
from pathlib import Path


def owner_label(pid: int | None = None) -> str:
    """Give the value of `LABEL_OWNER` for a process of this machine, by default this one.

    A PID alone would be mistaken for whatever process gets the number next, so its start time goes with it.
    """
    number = os.getpid() if pid is None else pid
    return f"{socket.gethostname()}/{number}/{_started(number) or 0}"


def owner_is_gone(label: str) -> bool | None:
    """Tell whether the owner has ended; None when that cannot be seen from here (another machine's, no label)."""
    host, _, rest = label.rpartition("/")[0].rpartition("/")
    started = label.rpartition("/")[2]
    if not rest.isdigit() or not started.isdigit() or host != socket.gethostname():
        return None
    now = _started(int(rest))
    return now is None or (started != "0" and now != int(started))


def _started(pid: int) -> int | None:
    """Give when a process was started, in the kernel's ticks (0 where it does not tell); None if it is gone."""
    try:
        fields = (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        if Path("/proc/self/stat").exists():
            return None
    else:
        # a zombie has ended; only its parent does not know yet
        return None if fields[0] in ("Z", "X") else int(fields[19])
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        return 0
    return 0
