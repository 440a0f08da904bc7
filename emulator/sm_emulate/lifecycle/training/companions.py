"""Which companions a training job needs. A new kind of companion is a module beside this one and a branch here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sm_emulate.lifecycle.companion import Surroundings
from sm_emulate.staging.channel_data import is_brought

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sm_emulate.lifecycle.companion import Companion
    from sm_emulate.request.training import TrainingRequest
    from sm_emulate.staging.cluster import Cluster


@dataclass(frozen=True, kw_only=True)
class TrainingSurroundings(Surroundings):
    """What a companion of a training job may look at and speak to."""

    request: TrainingRequest
    cluster: Cluster


def companions_of(around: TrainingSurroundings) -> Iterator[Companion]:
    """Give the companions of a job; one whose data lies here needs no more than credentials."""
    from sm_emulate.lifecycle.credentials import credentials_for

    request, cluster = around.request, around.cluster
    if any(is_brought(request, channel, cluster) for channel in request.input_data_config):
        from sm_emulate.lifecycle.training.channels import Channels

        yield Channels(around)
    if any(request.input_mode(channel) == "Pipe" for channel in request.input_data_config):
        from sm_emulate.lifecycle.training.pipes import Pipes, pipe_channels

        yield Pipes(around, pipe_channels(around))
    if (
        request.checkpoint_config
        or request.debug_hook_config
        or request.tensor_board_output_config
        or request.profiler_config
    ):
        from sm_emulate.lifecycle.training.synced_folder import synced_folders

        yield from synced_folders(around)
    credentials = credentials_for(
        around.engine,
        image=around.image,
        platform=around.platform,
        isolated=request.enable_network_isolation,
        role_arn=request.role_arn,
        publish=around.publish,
    )
    if credentials is not None:
        yield credentials
