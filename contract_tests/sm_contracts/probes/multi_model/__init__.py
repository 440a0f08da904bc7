"""The multi-model probe: models loaded, listed, invoked and unloaded in one container, and too many in another."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from sm_contracts.evidence import Missing
from sm_contracts.evidence import multi_model as seen

if TYPE_CHECKING:
    from sm_contracts.probes import Evidences, Workbench

_INTERRUPTED = Missing("the check was interrupted")


class MultiModelProbe:
    """Speaks to a container of many models as the platform does."""

    name = "multi-model"
    gives: tuple[type, ...] = (
        seen.CapabilityLabel,
        seen.PingWithoutModels,
        seen.ListBeforeLoad,
        seen.UnknownName,
        seen.Loads,
        seen.DoubleLoad,
        seen.Invocations,
        seen.Names,
        seen.Unloaded,
        seen.Paging,
        seen.Exhaustion,
        seen.PingsWhileLoading,
    )
    lives = 2
    alone = True
    """Pings beside loads are measured."""

    def run(self, bench: Workbench, wanted: frozenset[type]) -> Evidences:
        from sm_contracts.probes.multi_model.session import Session
        from sm_contracts.probes.serving_life import InterruptedLifeError

        found: dict[type, object] = {}
        with suppress(InterruptedLifeError):
            Session(bench, wanted, found).run()
        return {kind: found.get(kind, _INTERRUPTED) for kind in wanted}


PROBES = (MultiModelProbe(),)
