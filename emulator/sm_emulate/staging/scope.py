"""What a request may ask for that cannot be staged here yet: said before anything is started."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sm_emulate.errors import RequestError
from sm_emulate.request.location import local_path

if TYPE_CHECKING:
    from sm_emulate.request.training import TrainingRequest

_PAGE = "docs/level-of-support.md tells what is emulated"


def check_emulated(request: TrainingRequest) -> None:
    """Refuse what would silently be something else here.

    Raises:
        RequestError: for the first such thing.
    """
    checkpoints = request.checkpoint_config
    if checkpoints is not None and local_path(checkpoints.s3_uri) is None:
        raise RequestError(
            "checkpoints can only be kept on this machine yet",
            value=checkpoints.s3_uri,
            expected="a path or file:///FOLDER",
            hint=_PAGE,
        )
