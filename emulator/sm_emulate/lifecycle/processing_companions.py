"""Which companions a processing job needs. A new kind of companion is a module beside this one and a branch here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sm_emulate.staging.processing_tree import is_copied

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from sm_emulate.engine.protocol import Engine
    from sm_emulate.events import Event
    from sm_emulate.lifecycle.companion import Companion
    from sm_emulate.lifecycle.platform import Platform
    from sm_emulate.request.processing import ProcessingRequest
    from sm_emulate.staging.tree import StagedTree
    from sm_emulate.storage.run_folder import RunFolder


@dataclass(frozen=True, kw_only=True)
class ProcessingSurroundings:
    """What a companion of a processing job may look at and speak to."""

    request: ProcessingRequest
    trees: Mapping[str, StagedTree]
    """The files of each host."""
    platform: Platform
    engine: Engine
    run_folder: RunFolder
    publish: Callable[[Event], None]
    fail: Callable[[str], None]
    """Ends the job with this FailureReason. Any thread may call it; the first call counts."""
    stopping: Callable[[], bool]
    """Whether somebody wants the job to stop: what takes long asks now and then, and returns."""


def companions_of(around: ProcessingSurroundings) -> Iterator[Companion]:
    """Give the companions of a job; a job whose data lies here needs none, and imports none."""
    copied = [each for each in around.request.managed_inputs if is_copied(each[1])]
    if copied:
        from sm_emulate.lifecycle.processing_inputs import Inputs

        yield Inputs(around, copied)
