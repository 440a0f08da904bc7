"""What a request may ask for that cannot be staged here yet: said before anything is started."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sm_emulate.errors import RequestError
from sm_emulate.request.channel import FULLY_REPLICATED

if TYPE_CHECKING:
    from sm_emulate.request.training import TrainingRequest

_PAGE = "docs/level-of-support.md tells what is emulated"


def check_emulated(request: TrainingRequest) -> None:
    """Refuse what would silently be something else here.

    Raises:
        RequestError: for the first such thing.
    """
    for channel in request.input_data_config:
        name, source = channel.channel_name, channel.data_source
        if source.local_path is None:
            raise RequestError(
                f"channel {name}: only data on this machine can be read yet",
                value=getattr(source, "s3_uri", None) or getattr(source, "file_system_id", None),
                expected="a path or file:///FOLDER",
                hint=f"copy it here first, or put another source in its place: --channel {name}=PATH",
            )
        if request.input_mode(channel) == "Pipe":
            raise RequestError(
                f"channel {name}: Pipe mode is not emulated yet",
                value="Pipe",
                expected="File or FastFile",
                hint=_PAGE,
            )
        if source.distribution != FULLY_REPLICATED and request.resource_config.total_instances > 1:
            raise RequestError(
                f"channel {name}: sharding over hosts is not emulated yet",
                value=source.distribution,
                expected=f"{FULLY_REPLICATED}, or one instance",
                hint=_PAGE,
            )
