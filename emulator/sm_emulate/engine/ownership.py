"""Files that a container made as root in a mounted folder belong to the caller afterwards."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from sm_emulate.engine.protocol import ContainerSpec, Mount
from sm_emulate.errors import EngineError, MachineError
from sm_emulate.storage.walk import walk

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sm_emulate.engine.protocol import Engine

_KIT = "/.sm-emulate"
"""Where the container that changes owners finds its tools."""


def hand_back(
    engine: Engine,
    image: str,
    folder: Path,
    *,
    uid: int,
    gid: int,
    labels: Mapping[str, str] | None = None,
) -> int:
    """Make everything below `folder` belong to `uid:gid`, who may read it; give how many files were somebody else's.

    Root does it by itself. Anybody else has the engine do it: a container of the job's own `image` (the one
    that is surely there, maybe without a shell) runs this machine's `chown`, which is mounted with its
    libraries. When nothing is amiss, which is the usual case, this costs a walk through the folder.

    Raises:
        EngineError: some files could not be handed back; the evidence says why.
    """
    foreign = [path for path, found in walk(folder) if found.st_uid != uid]
    if not foreign:
        return 0
    if os.geteuid() == 0:
        for path in foreign:
            # it may have vanished; a link is changed itself, never what it points to
            with suppress(FileNotFoundError):
                os.lchown(path, uid, gid)
    else:
        _by_container(engine, image, folder, uid=uid, gid=gid, labels=labels or {})
        for _ in walk(folder):  # opens up what has become ours just now
            pass
    return len(foreign)


def _by_container(
    engine: Engine, image: str, folder: Path, *, uid: int, gid: int, labels: Mapping[str, str]
) -> None:
    program, tools = _chown()
    # a rootless engine's root is the user who runs it: us
    owner = "0:0" if engine.info().rootless else f"{uid}:{gid}"
    container = engine.create(
        ContainerSpec(
            image=image,
            entrypoint=tuple(program),
            command=("-R", "-h", "-P", owner, f"{_KIT}/folder"),
            # an image's own preloaded library need not fit our chown
            environment={"LD_PRELOAD": ""},
            user="0:0",
            network="none",
            mounts=(*tools, Mount(source=str(folder), target=f"{_KIT}/folder")),
            host_user_namespace=True,
            labels=labels,
        )
    )
    try:
        said = engine.logs(container)
        engine.start(container)
        words = b"".join(chunk.data for chunk in said)
        ended = engine.wait(container)
    finally:
        engine.remove(container)
    if ended.code != 0:
        raise EngineError(
            "files that the container made as root could not be handed back",
            value=str(folder),
            hint=f"sudo chown -R {uid}:{gid} {folder}",
            evidence=tuple(words.decode(errors="replace").splitlines()[-10:]),
        )


def _chown() -> tuple[list[str], list[Mount]]:
    """Give the command line of this machine's `chown` inside any image, and the mounts that it needs."""
    found = shutil.which("chown", path=os.defpath + os.pathsep + "/usr/sbin:/sbin")
    if found is None:
        raise MachineError("this machine has no chown", hint="install coreutils")
    binary = Path(found).resolve()
    program, mounts = mounted_program(binary)
    # one binary for many programs (busybox, uutils) has to be told which one is meant
    return [*program, *([] if binary.name == "chown" else ["chown"])], mounts


def mounted_program(binary: Path) -> tuple[list[str], list[Mount]]:
    """Give the command line of a program of this machine inside any image, and the mounts that it needs."""
    mounts = [Mount(source=str(binary), target=f"{_KIT}/{binary.name}", read_only=True)]
    loader, libraries = _needs(binary)
    if loader is None:
        return [f"{_KIT}/{binary.name}"], mounts
    mounts.append(Mount(source=str(loader.resolve()), target=f"{_KIT}/loader", read_only=True))
    mounts += [
        Mount(source=str(path.resolve()), target=f"{_KIT}/lib/{name}", read_only=True)
        for name, path in libraries.items()
    ]
    return [f"{_KIT}/loader", "--library-path", f"{_KIT}/lib", f"{_KIT}/{binary.name}"], mounts


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
