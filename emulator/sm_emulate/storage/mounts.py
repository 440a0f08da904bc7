"""File systems that were mounted into run folders, and how they go away."""

from __future__ import annotations

import os
import re
from pathlib import Path

_MOUNTINFO = Path("/proc/self/mountinfo")


def mounts_below(folder: Path) -> list[Path]:
    """Give the folders in a folder that something is mounted on, also where its program is gone; the deepest first."""
    try:
        lines = _MOUNTINFO.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:  # another system than Linux: nothing is mounted there
        return []
    points = [Path(_plain(line.split()[4])) for line in lines]
    real = Path(os.path.realpath(folder))
    return sorted((point for point in points if real in point.parents), key=lambda each: -len(each.parts))


def is_mounted(folder: Path) -> bool:
    """Tell whether something is mounted on a folder."""
    return Path(os.path.realpath(folder)) in mounts_below(folder.parent)


def unmount(folder: Path) -> None:
    """Unmount a folder even if somebody has files of it open; nothing happens if nothing is mounted."""
    if not is_mounted(folder):
        return
    import shutil
    import subprocess

    program = shutil.which("fusermount3") or shutil.which("fusermount")
    command = [program, "-uz"] if program else ["umount", "-l"]
    # what cannot be unmounted is seen when its folder is removed
    subprocess.run([*command, os.fspath(folder)], capture_output=True, check=False)


def _plain(path: str) -> str:
    """Undo the octal escapes of the kernel."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), path)
