"""What a container of many models is given: the variable, the folder, and as much memory as is wanted."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from sm_contracts.probes.multi_model.talk import DIRECTORY

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sm_contracts.probes.multi_model.shelf import Shelf
    from sm_emulate.api import ContainerSpec

VARIABLE = "SAGEMAKER_MULTI_MODEL"
MEMINFO = "/proc/meminfo"


def vary(
    shelf: Shelf, *, memory_bytes: int | None = None, told: Path | None = None
) -> Callable[[ContainerSpec], ContainerSpec]:
    """Give what changes a container that serves one model into one for many.

    An endpoint with many models would do that, too; but it refuses an image without the label, and talks to the
    container itself.

    Args:
        shelf: the files of models.
        memory_bytes: the container's limit; None for none.
        told: a file that is its /proc/meminfo, which tells of the whole machine otherwise.
    """

    def changed(spec: ContainerSpec) -> ContainerSpec:
        from sm_emulate.api import Mount

        mounts = [*spec.mounts, Mount(source=os.fspath(shelf.folder), target=DIRECTORY, read_only=True)]
        if told is not None:
            mounts.append(Mount(source=os.fspath(told), target=MEMINFO, read_only=True))
        return replace(
            spec,
            environment={VARIABLE: "true", **spec.environment},
            mounts=tuple(mounts),
            memory_bytes=spec.memory_bytes if memory_bytes is None else memory_bytes,
        )

    return changed
