"""How a tuning job gets on: its best objective, and which of its completion criteria is met."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sm_emulate.spec.tuning import IMPROVEMENT

if TYPE_CHECKING:
    from sm_emulate.lifecycle.tuning.result import TrainingJobSummary
    from sm_emulate.request.tuning import CompletionCriteria, Objective
    from sm_emulate.spec.settings import Settings

CONVERGED = "ConvergenceDetected"


class TuningProgress:
    """Hears of every training job that is over."""

    def __init__(self, criteria: CompletionCriteria, settings: Settings) -> None:
        self._criteria, self._settings = criteria, settings
        self.best: float | None = None
        """The best objective so far."""
        self.not_improving = 0
        """Training jobs in a row without an improvement worth the name."""

    def ended(self, job: TrainingJobSummary) -> bool:
        """Hear of a training job that is over; say whether it is the best so far."""
        value, best = job.objective, self.best
        if value is None:
            return False
        if best is None:
            self.best = value
            return True
        better = job.objective_of.better(value, best)
        if better and abs(value - best) >= IMPROVEMENT * abs(best):
            self.not_improving = 0
        else:
            self.not_improving += 1
        if better:
            self.best = value
        return better

    def met(self, objective: Objective) -> str | None:
        """Give the completion criterion that is met, in the API's word."""
        criteria = self._criteria
        target, patience = criteria.target_objective_metric_value, criteria.max_not_improving
        if target is not None and self.best is not None and not objective.better(target, self.best):
            return "TargetObjectiveMetricValue"
        if patience is not None and self.not_improving >= patience:
            return "BestObjectiveNotImproving"
        converged = self.not_improving >= self._settings.number("tuning-convergence-after")
        return CONVERGED if criteria.complete_on_convergence and converged else None
