"""The folder that a serving container sees as /opt/ml/model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sm_emulate.events import Progress, Warned
from sm_emulate.storage.trouble import told

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sm_emulate.events import Event
    from sm_emulate.request.hosted_model import HostedModel


def model_folder(
    model: HostedModel, folder: Path, *, publish: Callable[[Event], None], heed_stop: Callable[[], None]
) -> Path | None:
    """Give the folder of a model's data: its own if it is one, else `folder`, where the archive is unpacked.

    Args:
        model: whose data.
        folder: made if need be.
        publish: hears how far it is, and what hosting would not have liked.
        heed_stop: called now and then; raises when somebody wants to stop.

    Raises:
        ArchiveError: the archive is one that hosting would refuse.
        MachineError: it cannot be unpacked.
    """
    if model.path is None or not model.is_archive:
        return model.path
    from sm_emulate.artifacts.unpack import unpack_model

    def tell(done: int) -> None:
        heed_stop()
        publish(Progress(task="Unpacking the model", done_bytes=done, total_bytes=0))

    with told("the model cannot be unpacked", folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        unpacked = unpack_model(model.path, folder, progress=tell)
    for note in unpacked.notes:
        publish(Warned(message=note))
    return folder
