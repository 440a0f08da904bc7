"""What a tuning job takes over from earlier ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sm_emulate.errors import RequestError
from sm_emulate.request.document import build
from sm_emulate.request.tuning import OBJECTIVE_HYPERPARAMETER, CategoricalRange, TuningRequest
from sm_emulate.spec.tuning import MAX_WARM_START_CHANGES
from sm_emulate.spec.wordings import WARM_START_NAMES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sm_emulate.storage.runs import Runs

_FINAL = ("Completed", "Stopped", "Failed")
PAGE = "https://docs.aws.amazon.com/sagemaker/latest/dg/automatic-model-tuning-warm-start.html"


@dataclass(frozen=True, kw_only=True)
class Parent:
    """An earlier tuning job."""

    name: str
    results: tuple[tuple[Mapping[str, str], float], ...]
    """Of its training jobs: all their hyperparameters, and the objective."""
    best: Mapping[str, Any] | None
    """Its BestTrainingJob."""


def parents_of(request: TuningRequest, runs: Runs) -> list[Parent]:
    """Read the parents of a tuning job, whose run folders lie in the same home.

    Raises:
        RequestError: one of them is not there, not over, or too different.
    """
    if request.warm_start is None:
        return []
    return [_parent(request, str(parent.name), runs) for parent in request.warm_start.parents]


def _parent(request: TuningRequest, name: str, runs: Runs) -> Parent:
    run = runs.folder("hyper-parameter-tuning-jobs", name)
    described = run.read(run.result) or {}
    if described.get("HyperParameterTuningJobStatus") not in _FINAL:
        known = [each.name for each in runs.all() if each.kind == run.kind and each.result.exists()]
        raise RequestError(
            "a parent of the warm start is still running"
            if run.path.exists()
            else "a parent of the warm start is no tuning job here",
            value=name,
            expected=f"a tuning job of {runs.home} that is over",
            hint=f"there are {', '.join(known)}" if known else None,
            link=PAGE,
        )
    earlier = build(TuningRequest, described)  # with the ranges that Autotune chose
    if len(earlier.definitions) != 1:
        raise RequestError(
            "a parent of the warm start has several training job definitions",
            value=name,
            expected="a tuning job with one",
        )
    _compare(request, earlier)
    static = earlier.definitions[0].static
    return Parent(
        name=name,
        results=tuple(
            (
                {**static, **job["TunedHyperParameters"]},
                float(job["FinalHyperParameterTuningJobObjectiveMetric"]["Value"]),
            )
            for job in described["Emulator"]["TrainingJobs"]
            if job["ObjectiveStatus"] == "Succeeded"
        ),
        best=described.get("BestTrainingJob"),
    )


def _compare(request: TuningRequest, earlier: TuningRequest) -> None:
    """Hold a tuning job against its parent: the restrictions of AWS's page."""
    mine, theirs = request.definitions[0], earlier.definitions[0]
    objective, before = request.objective(mine), earlier.objective(theirs)
    if objective != before:
        raise RequestError(
            "the objective of a warm start is not that of its parent",
            value=f"{objective.type} {objective.metric_name}",
            expected=f"{before.type} {before.metric_name}, as in {earlier.name}",
            link=PAGE,
        )
    ranges = {each.name: each for each in request.ranges(mine).ranges}
    ranges_before = {each.name: each for each in earlier.ranges(theirs).ranges}
    now = {*ranges, *mine.static} - {OBJECTIVE_HYPERPARAMETER}
    then = {*ranges_before, *theirs.static} - {OBJECTIVE_HYPERPARAMETER}
    if now != then:
        raise RequestError(
            WARM_START_NAMES.removesuffix("."),
            value=", ".join(sorted(now ^ then)),
            expected=f"the hyperparameters of {earlier.name}: {', '.join(sorted(then))}",
            link=PAGE,
        )
    for name in ranges.keys() & ranges_before.keys():
        if type(ranges[name]) is not type(ranges_before[name]):
            raise RequestError(
                f"hyperparameter {name} has another type than in the parent of the warm start",
                value=type(ranges[name]).__name__,
                expected=type(ranges_before[name]).__name__,
                link=PAGE,
            )
    changes = 0
    for name in mine.static.keys() & ranges_before.keys():
        was = ranges_before[name]
        changes += len(was.values) if isinstance(was, CategoricalRange) else 1
    for name in (mine.static.keys() & theirs.static.keys()) - {OBJECTIVE_HYPERPARAMETER}:
        changes += 2 * (mine.static[name] != theirs.static[name])
    if changes > MAX_WARM_START_CHANGES:
        raise RequestError(
            "too many static hyperparameters differ from the parent of the warm start",
            value=changes,
            expected=f"at most {MAX_WARM_START_CHANGES}: a changed value counts twice, a range made static "
            "once for each category",
            link=PAGE,
        )
    if request.warm_start is not None and request.warm_start.identical:
        for member in ("AlgorithmSpecification", "InputDataConfig"):
            if mine.raw.get(member) != theirs.raw.get(member):
                raise RequestError(
                    f"{member} differs from the parent of the warm start",
                    value=earlier.name,
                    expected="the same data and algorithm, or WarmStartType TransferLearning",
                    link=PAGE,
                )
