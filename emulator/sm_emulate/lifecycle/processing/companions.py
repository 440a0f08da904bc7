"""Which companions a processing job needs. A new kind of companion is a module beside this one and a branch here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sm_emulate.lifecycle.companion import Surroundings
from sm_emulate.lifecycle.credentials import credentials_for
from sm_emulate.spec.processing_job import PROCESSING_LAYOUT
from sm_emulate.staging.processing_tree import is_copied, place

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sm_emulate.lifecycle.companion import Companion
    from sm_emulate.lifecycle.training.pipes import Piped
    from sm_emulate.request.processing import ProcessingRequest


@dataclass(frozen=True, kw_only=True)
class ProcessingSurroundings(Surroundings):
    """What a companion of a processing job may look at and speak to."""

    request: ProcessingRequest


def companions_of(around: ProcessingSurroundings) -> Iterator[Companion]:
    """Give the companions of a job; one whose data lies here needs no more than credentials."""
    request = around.request
    credentials = credentials_for(
        around.engine,
        image=around.image,
        platform=around.platform,
        isolated=request.isolated,
        role_arn=request.role_arn,
        publish=around.publish,
    )
    if credentials is not None:
        yield credentials
    copied = [each for each in request.managed_inputs if is_copied(each[1]) and each[1].mode != "Pipe"]
    if copied:
        from sm_emulate.lifecycle.processing.inputs import Inputs

        yield Inputs(around, copied)
    if any(source.mode == "Pipe" for _, source in request.managed_inputs):
        from sm_emulate.lifecycle.training.pipes import Pipes

        yield Pipes(around, _pipes(around))
    for name, output in request.managed_outputs:
        if output.s3_upload_mode == "Continuous":
            from sm_emulate.lifecycle.processing.uploads import Uploads

            yield Uploads(around, name, output)


def _pipes(around: ProcessingSurroundings) -> Iterator[Piped]:
    from sm_emulate.lifecycle.training.pipes import Piped
    from sm_emulate.staging.cluster import Host
    from sm_emulate.staging.processing_data import as_channel

    plain = around.platform.settings.text("processing-pipe-name") == "plain"
    hosts = tuple(
        Host(name=name, instance_type=around.request.cluster.instance_type, group="") for name in around.trees
    )
    for name, source in around.request.managed_inputs:
        if source.mode != "Pipe":
            continue

        def path(host: str, epoch: int, *, local_path: str = place(source.local_path)) -> Path:
            return around.trees[host].path(PROCESSING_LAYOUT.pipe(local_path, epoch, plain=plain))

        yield Piped(channel=as_channel(name, source), hosts=hosts, path=path)
