"""Processing runs: the sample data as it is, then what follows from how that went."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sm_contracts.evidence import Missing
from sm_contracts.evidence.processing import (
    ExitMessages,
    ProcessingEnd,
    ProcessingOutputs,
    ProcessingStart,
    ProcessingStopped,
    TrainingHabits,
)
from sm_emulate.errors import GpuNotFoundError, RequestError

if TYPE_CHECKING:
    from sm_contracts.probes import Evidences, Workbench


class ProcessingProbe:
    """Processes the sample data, once as it is and then under other conditions."""

    name = "processing"
    gives: tuple[type, ...] = (
        ProcessingStart,
        ProcessingEnd,
        ProcessingOutputs,
        ExitMessages,
        TrainingHabits,
        ProcessingStopped,
    )
    lives = 2
    alone = False

    def run(self, bench: Workbench, wanted: frozenset[type]) -> Evidences:
        from sm_contracts.probes.processing.session import Session
        from sm_contracts.probes.training.trained import InterruptedCheckError

        found: dict[type, object] = {}
        try:
            Session(bench, wanted, found).run()
        except InterruptedCheckError:
            reason = Missing("the check was interrupted")
        except GpuNotFoundError as error:
            reason = Missing(f"processing was to have a GPU: {error.what}", error.hint or "")
        except RequestError as error:
            reason = Missing(f"the sample input cannot be used: {error.what}", error.hint or "")
        else:
            reason = Missing("this was not looked at")
        return {kind: found.get(kind, reason) for kind in wanted}


PROBES = (ProcessingProbe(),)
