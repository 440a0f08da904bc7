"""The search for the best hyperparameters, done by Optuna; it is imported when a tuning job begins."""

from __future__ import annotations

import itertools
import warnings
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from sm_emulate.errors import MachineError
from sm_emulate.request.tuning import CategoricalRange, IntegerRange

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from optuna.distributions import BaseDistribution
    from optuna.trial import Trial

    from sm_emulate.request.tuning import ContinuousRange, Objective, Range

RANDOM_FIRST = 10
"""Training jobs that Bayesian search begins with, less where few are to be run: Optuna's own number."""
WIDE = 100.0
"""A range above 0 whose ends differ by this factor is searched by order of magnitude, where we may choose."""
REPEATS = 50
"""Draws of a combination that was tried before, after which one that is left is taken."""
REDUCTION = 3
"""Hyperband keeps a third at each rung: the paper's and Optuna's own number."""


def check_installed() -> None:
    """Raise MachineError if Optuna is not there."""
    try:
        import optuna  # noqa: F401  # only whether it can be
    except ImportError:
        raise MachineError(
            "Optuna, which searches the hyperparameters, is not installed",
            hint="pip install 'sm-emulate[tune]'",
        ) from None


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """Hyperparameters to try, as the container is given them."""

    values: Mapping[str, str]
    trial: Trial


@dataclass(frozen=True)
class _Dimension:
    """One range as Optuna searches it, and the way there and back."""

    range: Range
    by_magnitude: bool

    @property
    def reversed(self) -> bool:
        """Whether the distance from 1 is searched: that is what a reverse logarithmic scale means."""
        return (
            not isinstance(self.range, CategoricalRange) and self.range.scaling_type == "ReverseLogarithmic"
        )

    def distribution(self) -> BaseDistribution:
        from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

        if isinstance(self.range, CategoricalRange):
            return CategoricalDistribution(list(dict.fromkeys(self.range.values)))
        if isinstance(self.range, IntegerRange):
            return IntDistribution(
                int(self.range.min_value), int(self.range.max_value), log=self.by_magnitude
            )
        low, high = float(self.range.min_value), float(self.range.max_value)
        if self.reversed:
            low, high = 1 - high, 1 - low
        return FloatDistribution(low, high, log=self.by_magnitude or self.reversed)

    def text(self, found: Any) -> str:
        """Give what the container is told for what was found."""
        if self.reversed:
            low, high = float(self.range.min_value), float(self.range.max_value)  # type: ignore[union-attr]  # no categories
            return repr(min(max(1 - found, low), high))
        return str(found) if isinstance(self.range, (CategoricalRange, IntegerRange)) else repr(float(found))

    def found(self, text: str) -> Any:
        """Give what Optuna would have had to find for a text; ValueError if it cannot."""
        if isinstance(self.range, CategoricalRange):
            return text
        if isinstance(self.range, IntegerRange):
            return int(text)
        return 1 - float(text) if self.reversed else float(text)


class Verdict(Enum):
    """What is to become of a training job that runs."""

    GO_ON = "go-on"
    POOR = "poor"
    """It is stopped early."""
    ENOUGH = "enough"
    """It is stopped because it has used up its resource."""


class Search:
    """Chooses hyperparameters for one training job after the other, and learns from their results.

    Args:
        name: of the study; Hyperband's brackets depend on it.
        ranges: what to search.
        objective: what is good.
        strategy: Bayesian, Random, Hyperband or Grid.
        seed: makes it choose the same again, as far as results come in the same order.
        jobs: how many training jobs there will be, if that is known.
        resource: Hyperband's least and most values of the objective in one training job.
        guess_scale: whether ScalingType Auto looks at the range; else it is Linear.
    """

    def __init__(
        self,
        name: str,
        ranges: Sequence[Range],
        *,
        objective: Objective,
        strategy: str,
        seed: int,
        jobs: int | None,
        resource: tuple[int, int] | None = None,
        guess_scale: bool = True,
    ) -> None:
        import optuna

        self._optuna = optuna
        self._dimensions = {each.name: _Dimension(each, _by_magnitude(each, guess_scale)) for each in ranges}
        self._space = {each: dimension.distribution() for each, dimension in self._dimensions.items()}
        self._resource = resource
        self._grid: list[dict[str, str]] | None = None
        self._tried: set[tuple[tuple[str, str], ...]] = set()
        first = RANDOM_FIRST if jobs is None else min(RANDOM_FIRST, max(3, jobs // 3))
        sampler: optuna.samplers.BaseSampler
        if strategy == "Bayesian":
            with warnings.catch_warnings():
                # Optuna 4 calls constant_liar experimental: so that jobs side by side do not try the same
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=first, constant_liar=True)
        else:
            sampler = optuna.samplers.RandomSampler(seed=seed)
        pruner: optuna.pruners.BasePruner = optuna.pruners.NopPruner()
        if resource is not None:
            pruner = optuna.pruners.HyperbandPruner(
                min_resource=resource[0], max_resource=resource[1], reduction_factor=REDUCTION
            )
        loud = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.WARNING)  # it tells of each study otherwise
        try:
            self._study = optuna.create_study(
                study_name=name,
                direction="maximize" if objective.maximized else "minimize",
                sampler=sampler,
                pruner=pruner,
            )
        finally:
            optuna.logging.set_verbosity(loud)
        if strategy == "Grid":
            self._grid = grid(ranges)

    def suggest(self) -> Suggestion | None:
        """Choose hyperparameters for the next training job; None when there are no more to try."""
        if self._grid is not None:
            if not self._grid:
                return None
            self._study.enqueue_trial(self._grid.pop(0))
        for _ in range(REPEATS):
            trial = self._study.ask(self._space)
            values = {name: self._dimensions[name].text(found) for name, found in trial.params.items()}
            if tuple(values.items()) not in self._tried:
                self._tried.add(tuple(values.items()))
                return Suggestion(values=values, trial=trial)
            # the same as before: where few combinations are left, a draw mostly is
            self._study.tell(trial, state=self._optuna.trial.TrialState.FAIL)
        left = self._left()
        if left is None:
            return None
        self._study.enqueue_trial(left)
        return self.suggest()

    def _left(self) -> dict[str, Any] | None:
        """Give a combination that was not tried yet; None when there is none."""
        choices = [
            [(name, value) for value in _values_of(distribution)]
            for name, distribution in self._space.items()
        ]
        for combination in itertools.product(*choices):
            found = dict(combination)
            texts = {name: self._dimensions[name].text(value) for name, value in found.items()}
            if tuple(texts.items()) not in self._tried:
                return found
        return None

    def measured(self, suggestion: Suggestion, step: int, value: float) -> Verdict:
        """Hear a value of the objective on the way, the how manieth it is, and judge the training job by Hyperband."""
        suggestion.trial.report(value, step)
        if self._resource is None:
            return Verdict.GO_ON
        if step >= self._resource[1]:
            return Verdict.ENOUGH
        return Verdict.POOR if suggestion.trial.should_prune() else Verdict.GO_ON

    def ended(self, suggestion: Suggestion, value: float | None, *, early: bool) -> None:
        """Hear the final objective, None where there is none; `early` when it was stopped before its end."""
        states = self._optuna.trial.TrialState
        if value is None:
            self._study.tell(suggestion.trial, state=states.FAIL)
        elif early:
            self._study.tell(suggestion.trial, state=states.PRUNED)
        else:
            self._study.tell(suggestion.trial, value)

    def learn(self, hyperparameters: Mapping[str, str], value: float) -> bool:
        """Take over a result of an earlier tuning job; say whether it lies within the ranges."""
        try:
            found = {
                name: dimension.found(hyperparameters[name]) for name, dimension in self._dimensions.items()
            }
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self._study.add_trial(
                    self._optuna.trial.create_trial(params=found, distributions=self._space, value=value)
                )
        except (KeyError, ValueError):
            return False
        return True


def _values_of(distribution: BaseDistribution) -> Iterable[Any]:
    from optuna.distributions import CategoricalDistribution, IntDistribution

    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices
    if isinstance(distribution, IntDistribution):
        return range(distribution.low, distribution.high + 1, distribution.step)
    return ()  # a continuum: what was drawn 50 times in vain has no other value


def grid(ranges: Sequence[Range]) -> list[dict[str, str]]:
    """Give every combination of categories, in the order of the request."""
    choices = [
        [(each.name, value) for value in dict.fromkeys(each.values)]
        for each in ranges
        if isinstance(each, CategoricalRange)
    ]
    return [dict(combination) for combination in itertools.product(*choices)]


def _by_magnitude(given: Range, guess: bool) -> bool:
    if isinstance(given, CategoricalRange):
        return False
    if given.scaling_type != "Auto":
        return given.scaling_type == "Logarithmic"
    return guess and _is_wide(given)


def _is_wide(given: IntegerRange | ContinuousRange) -> bool:
    low, high = float(given.min_value), float(given.max_value)
    return low > 0 and high / low >= WIDE
