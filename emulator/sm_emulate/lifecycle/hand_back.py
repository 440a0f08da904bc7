"""What containers made as root in a run's folders belongs to the calling user again."""

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


class HandBack:
    """Called with a folder, has all of it belong to the calling user. May raise MachineError.

    Args:
        engine: runs the short-lived container that does it.
        image: of that container.
        labels: likewise.
    """

    def __init__(self, engine: Engine, image: Image, labels: Mapping[str, str]) -> None:
        self._engine, self._image, self._labels = engine, image, labels

    def __call__(self, folder: Path) -> None:
        from sm_emulate.engine.ownership import hand_back

        hand_back(self._engine, self._image.id, folder, uid=os.getuid(), gid=os.getgid(), labels=self._labels)

    def or_warn(self, folder: Path, publish: Callable[[Event], None]) -> None:
        """Do it before anything there is read; a failure is told, and nothing else."""
        try:
            self(folder)
        except MachineError as error:  # what cannot be read will say so when it is
            publish(Warned(message=f"{error.what}; {error.hint}" if error.hint else error.what))
