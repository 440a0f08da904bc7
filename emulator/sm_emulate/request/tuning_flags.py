"""The words of `sm-emulate tune`, put into the document of CreateHyperParameterTuningJob."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from sm_emulate.errors import RequestError
from sm_emulate.request.naming import base_name
from sm_emulate.request.tuning_rules import combinations_of
from sm_emulate.request.wording import nearest, shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

USUAL_JOBS = 10
"""MaxNumberOfTrainingJobs where nothing is said about it."""
MAX_NAME_LENGTH = 32
"""Of a tuning job: its training jobs' names begin with it."""
RANGE_FORM = "NAME=MIN..MAX[,scale=log]"
CHOICE_FORM = "NAME=VALUE,VALUE..."
SCALES = {
    "auto": "Auto",
    "linear": "Linear",
    "log": "Logarithmic",
    "reverse-log": "ReverseLogarithmic",
}
"""What may follow `scale=`."""
_TYPES = {"int": "IntegerParameterRanges", "float": "ContinuousParameterRanges"}
_ESCAPED_COMMA = re.compile(r"(?<!\\),")


def default_tuning_job_name(image: str, now: datetime) -> str:
    """Give a name such as `my-image-260131-120000`, at most 32 characters."""
    utc = now.astimezone(timezone.utc) if now.tzinfo else now
    stamp = f"{utc:%y%m%d-%H%M%S}"
    return f"{base_name(image)[: MAX_NAME_LENGTH - len(stamp) - 1].rstrip('-')}-{stamp}"


def parameter_range(text: str) -> tuple[str, dict[str, str]]:
    """Read `lr=0.001..0.1,scale=log` into a range of the API, and the list that it belongs to.

    Two whole numbers are an integer range, unless `type=float` says otherwise.
    """
    name, equals, rest = text.partition("=")
    span, *options = rest.split(",")
    low, dots, high = (part.strip() for part in span.partition(".."))
    if not equals or not name.strip() or not dots or not low or not high:
        raise RequestError(
            "a range has no name or no two ends",
            value=shown(text),
            expected=RANGE_FORM,
            hint="--range lr=0.001..0.1,scale=log --range layers=1..4",
        )
    whole = all(re.fullmatch(r"[+-]?\d+", end, re.ASCII) for end in (low, high))
    found = {"Name": name, "MinValue": low, "MaxValue": high}
    kind = _TYPES["int" if whole else "float"]
    for option in options:
        key, _, value = option.partition("=")
        if key.strip() == "scale" and value in SCALES:
            found["ScalingType"] = SCALES[value]
        elif key.strip() == "type" and value in _TYPES:
            kind = _TYPES[value]
        else:
            near = nearest(value, SCALES) if key == "scale" else None
            raise RequestError(
                f"range {name} has an option that is not known",
                value=shown(option),
                expected=f"scale={'|'.join(SCALES)} or type={'|'.join(_TYPES)}",
                hint=f"did you mean scale={near}?" if near else None,
            )
    return kind, found


def choice(text: str) -> dict[str, Any]:
    r"""Read `optimizer=sgd,adam` into a categorical range; a comma inside a value is written `\,`."""
    name, equals, rest = text.partition("=")
    values = [value.replace("\\,", ",") for value in _ESCAPED_COMMA.split(rest)]
    if not equals or not name.strip() or values == [""]:
        raise RequestError(
            "a choice has no name or no values",
            value=shown(text),
            expected=CHOICE_FORM,
            hint="--choice optimizer=sgd,adam",
        )
    return {"Name": name, "Values": values}


def tuning_document(
    training: Mapping[str, Any],
    *,
    name: str | None,
    objective: str | None,
    maximize: bool | None,
    ranges: Sequence[tuple[str, dict[str, str]]] = (),
    choices: Sequence[Mapping[str, Any]] = (),
    strategy: str | None = None,
    max_jobs: int | None = None,
    usual_jobs: int | None = None,
    parallel: int | None = None,
    max_runtime_in_seconds: int | None = None,
    early_stopping: bool | None = None,
    resource: tuple[int | None, int | None] = (None, None),
    target: float | None = None,
    not_improving: int | None = None,
    on_convergence: bool = False,
    seed: int | None = None,
    parents: Sequence[str] = (),
    warm_start_type: str | None = None,
) -> dict[str, Any]:
    """Give the CreateHyperParameterTuningJob document that these flags mean; `tuning.from_aws` judges it.

    Args:
        training: what CreateTrainingJob would be asked for each training job.
        name: of the tuning job.
        objective: the metric.
        maximize: whether more of it is better.
        ranges: as `parameter_range` gives them.
        choices: as `choice` gives them.
        strategy: Bayesian, Random, Hyperband or Grid.
        max_jobs: MaxNumberOfTrainingJobs.
        usual_jobs: so many if `max_jobs` is not given, or as many as there are combinations.
        parallel: MaxParallelTrainingJobs.
        max_runtime_in_seconds: of the tuning job.
        early_stopping: TrainingJobEarlyStoppingType Auto.
        resource: Hyperband's MinResource and MaxResource.
        target: TargetObjectiveMetricValue.
        not_improving: MaxNumberOfTrainingJobsNotImproving.
        on_convergence: CompleteOnConvergence.
        seed: RandomSeed.
        parents: names of earlier tuning jobs.
        warm_start_type: what the parents have in common with this one.
    """
    kinds: dict[str, list[Any]] = {}
    for kind, found in ranges:
        kinds.setdefault(kind, []).append(found)
    if choices:
        kinds["CategoricalParameterRanges"] = [dict(each) for each in choices]
    if max_jobs is None and usual_jobs is not None:
        max_jobs = min(usual_jobs, combinations_of(kinds) or usual_jobs)
    hyperband = _given(MinResource=resource[0], MaxResource=resource[1])
    config = _given(
        Strategy=strategy,
        StrategyConfig={"HyperbandStrategyConfig": hyperband} if hyperband else None,
        HyperParameterTuningJobObjective=_given(
            Type=None if maximize is None else "Maximize" if maximize else "Minimize", MetricName=objective
        ),
        ResourceLimits=_given(
            MaxNumberOfTrainingJobs=max_jobs,
            MaxParallelTrainingJobs=parallel,
            MaxRuntimeInSeconds=max_runtime_in_seconds,
        ),
        ParameterRanges=kinds,
        TrainingJobEarlyStoppingType="Auto" if early_stopping else None,
        TuningJobCompletionCriteria=_given(
            TargetObjectiveMetricValue=target,
            BestObjectiveNotImproving=_given(MaxNumberOfTrainingJobsNotImproving=not_improving),
            ConvergenceDetected={"CompleteOnConvergence": "Enabled"} if on_convergence else None,
        ),
        RandomSeed=seed,
    )
    definition = {
        key: value
        for key, value in training.items()
        if key not in ("TrainingJobName", "HyperParameters", "Tags")
    }
    if training.get("HyperParameters"):
        definition["StaticHyperParameters"] = dict(training["HyperParameters"])
    warm = None
    if parents:
        warm = {
            "ParentHyperParameterTuningJobs": [{"HyperParameterTuningJobName": each} for each in parents],
            "WarmStartType": warm_start_type or "IdenticalDataAndAlgorithm",
        }
    return _given(
        HyperParameterTuningJobName=name,
        HyperParameterTuningJobConfig=config,
        TrainingJobDefinition=definition,
        WarmStartConfig=warm,
        Tags=training.get("Tags"),
    )


def _given(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value not in (None, [], {})}
