"""What a request may ask for that cannot be staged here yet: said before anything is started."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sm_emulate.errors import RequestError

if TYPE_CHECKING:
    from sm_emulate.request.training import TrainingRequest

_PAGE = "docs/level-of-support.md tells what is emulated"


def check_emulated(request: TrainingRequest) -> None:
    """Refuse what would silently be something else here.

    Raises:
        RequestError: for the first such thing.
    """
    for channel in request.input_data_config:
        name = channel.channel_name
        if request.input_mode(channel) == "Pipe":
            raise RequestError(
                f"channel {name}: Pipe mode is not emulated yet",
                value="Pipe",
                expected="File or FastFile",
                hint=_PAGE,
            )
