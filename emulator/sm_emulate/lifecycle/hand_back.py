"""After a job: what its containers made as root belongs to the calling user."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sm_emulate.errors import MachineError
from sm_emulate.events import Warned

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from sm_emulate.engine.protocol import Engine, Image
    from sm_emulate.events import Event


def take_back(
    engine: Engine, image: Image, folder: Path, *, labels: Mapping[str, str], publish: Callable[[Event], None]
) -> None:
    """Have everything in a folder belong to the calling user; a failure is told, and nothing else."""
    from sm_emulate.engine.ownership import hand_back

    try:
        hand_back(engine, image.id, folder, uid=os.getuid(), gid=os.getgid(), labels=labels)
    except MachineError as error:  # what cannot be read will say so when it is
        publish(Warned(message=f"{error.what}; {error.hint}" if error.hint else error.what))
