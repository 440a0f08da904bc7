"""Which training jobs of a tuning job are stopped early: the rule of the page "Stop Training Jobs Early"."""

from __future__ import annotations

from statistics import fmean, median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sm_emulate.request.tuning import Objective


class MedianRule:
    """Compares a training job with the completed ones before it.

    Each of those has a running average of its objective up to the step where the job is now; a job whose objective
    is worse than the median of them is stopped.

    https://docs.aws.amazon.com/sagemaker/latest/dg/automatic-model-tuning-early-stopping.html

    Args:
        objective: what is good.
        at_least: so many completed jobs are waited for.
    """

    def __init__(self, objective: Objective, *, at_least: int) -> None:
        self._objective, self._at_least = objective, at_least
        self._completed: list[tuple[float, ...]] = []

    def completed(self, values: Sequence[float]) -> None:
        """Hear the values of a job that ran to its end."""
        if values:
            self._completed.append(tuple(values))

    def stops(self, values: Sequence[float]) -> bool:
        """Say whether a job with these values so far is stopped."""
        if len(self._completed) < self._at_least or not values:
            return False
        middle = median(fmean(earlier[: len(values)]) for earlier in self._completed)
        return self._objective.better(middle, values[-1])
