"""The labels by which what a run makes on the engine is found again, also after its process died."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sm_emulate.engine.owner import owner_label
from sm_emulate.engine.protocol import LABEL_HOME, LABEL_OWNER, LABEL_RUN, LABEL_SESSION

if TYPE_CHECKING:
    from sm_emulate.storage.run_folder import RunFolder


def labels_of(run: RunFolder, session: str) -> dict[str, str]:
    """Give the labels of everything that this process makes for a run."""
    return {
        LABEL_SESSION: session,
        LABEL_RUN: run.id,
        LABEL_HOME: str(run.home),
        LABEL_OWNER: owner_label(),
    }
