"""Programs of this machine that run inside any image, one without a shell or a libc, too."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from sm_emulate.engine.protocol import Mount
from sm_emulate.errors import MachineError

KIT = "/.sm-emulate"
"""Where a container finds what it was lent."""


def borrowed(name: str) -> tuple[list[str], list[Mount]]:
    """Give the command line of a program of this machine inside any image, and the mounts that it needs.

    Raises:
        MachineError: this machine has no such program.
    """
    found = shutil.which(name, path=os.defpath + os.pathsep + "/usr/sbin:/sbin")
    if found is None:
        raise MachineError(f"this machine has no {name}", hint="install coreutils")
    binary = Path(found).resolve()
    program, mounts = mounted(binary)
    # one binary for many programs (busybox, uutils) has to be told which one is meant
    return [*program, *([] if binary.name == name else [name])], mounts


def mounted(binary: Path) -> tuple[list[str], list[Mount]]:
    """Give the command line of one binary of this machine inside any image, and the mounts that it needs."""
    mounts = [Mount(source=str(binary), target=f"{KIT}/{binary.name}", read_only=True)]
    loader, libraries = _needs(binary)
    if loader is None:
        return [f"{KIT}/{binary.name}"], mounts
    mounts.append(Mount(source=str(loader.resolve()), target=f"{KIT}/loader", read_only=True))
    mounts += [
        Mount(source=str(path.resolve()), target=f"{KIT}/lib/{name}", read_only=True)
        for name, path in libraries.items()
    ]
    return [f"{KIT}/loader", "--library-path", f"{KIT}/lib", f"{KIT}/{binary.name}"], mounts


def _needs(binary: Path) -> tuple[Path | None, dict[str, Path]]:
    """Ask `ldd` for the dynamic loader of a binary and its libraries; none for a static one."""
    asked = subprocess.run(["ldd", str(binary)], capture_output=True, text=True, check=False)
    loader = None
    libraries = {}
    for line in asked.stdout.splitlines():
        words = line.split()
        if "=>" in words and len(words) > 2 and words[2].startswith("/"):
            libraries[words[0]] = Path(words[2])
        elif words and words[0].startswith("/"):
            loader = Path(words[0])
    return loader, libraries
