"""Files that a container made as root in a mounted folder belong to the caller afterwards."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from sm_emulate.engine.borrowed import KIT, borrowed
from sm_emulate.engine.protocol import ContainerSpec, Mount
from sm_emulate.errors import EngineError
from sm_emulate.storage.walk import walk

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sm_emulate.engine.protocol import Engine


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
    program, tools = borrowed("chown")
    # a rootless engine's root is the user who runs it: us
    owner = "0:0" if engine.info().rootless else f"{uid}:{gid}"
    container = engine.create(
        ContainerSpec(
            image=image,
            entrypoint=tuple(program),
            command=("-R", "-h", "-P", owner, f"{KIT}/folder"),
            # an image's own preloaded library need not fit our chown
            environment={"LD_PRELOAD": ""},
            user="0:0",
            network="none",
            mounts=(*tools, Mount(source=str(folder), target=f"{KIT}/folder")),
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
