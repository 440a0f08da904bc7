"""Training runs: the sample data as it is, then whatever the wanted evidence needs, two at a time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from sm_contracts.evidence import Missing
from sm_contracts.evidence.training.devices import GpuUse, PipeReads
from sm_contracts.evidence.training.ending import (
    Endings,
    Failures,
    Metrics,
    TrainingEnd,
    TrainingLog,
    TrainingStart,
)
from sm_contracts.evidence.training.folders import (
    Clashes,
    InputWrites,
    ModelFolder,
    OutputFolder,
    WritableLayer,
)
from sm_contracts.evidence.training.stop import Resumed, Sidecars, Stopped
from sm_contracts.evidence.training.variants import (
    ConfigVariants,
    Isolated,
    Permissions,
    Quoting,
    SharedMemory,
    TuningJob,
    TwoHosts,
    TypedHyperparameters,
)
from sm_emulate.errors import GpuNotFoundError, RequestError

if TYPE_CHECKING:
    from sm_contracts.probes import Evidences, Workbench

AT_ONCE = 2
"""Runs beside each other."""


class TrainingProbe:
    """Trains on the sample data, once as it is and then under other conditions."""

    name = "training"
    gives: tuple[type, ...] = (
        TrainingStart,
        TrainingEnd,
        TrainingLog,
        Endings,
        Failures,
        Metrics,
        ModelFolder,
        OutputFolder,
        WritableLayer,
        InputWrites,
        Clashes,
        Quoting,
        TypedHyperparameters,
        TuningJob,
        Isolated,
        ConfigVariants,
        TwoHosts,
        Permissions,
        SharedMemory,
        Stopped,
        Resumed,
        Sidecars,
        PipeReads,
        GpuUse,
    )
    lives = 7
    alone = False

    def run(self, bench: Workbench, wanted: frozenset[type]) -> Evidences:
        from sm_contracts.probes.training.session import Session
        from sm_contracts.probes.training.trained import InterruptedCheckError

        found: dict[type, object] = {}
        try:
            with ThreadPoolExecutor(max_workers=AT_ONCE, thread_name_prefix="training") as pool:
                Session(bench, wanted, found, pool).run()
        except InterruptedCheckError:
            reason = Missing("the check was interrupted")
        except GpuNotFoundError as error:
            reason = Missing(f"training was to have a GPU: {error.what}", error.hint or "")
        except RequestError as error:
            reason = Missing(f"the sample input cannot be used: {error.what}", error.hint or "")
        else:
            reason = Missing("this was not looked at")
        return {kind: found.get(kind, reason) for kind in wanted}


PROBES = (TrainingProbe(),)
