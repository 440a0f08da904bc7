"""What Autotune chooses for those who leave it to us."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from sm_emulate.request.tuning import ContinuousRange, IntegerRange, ParameterRanges, TuningRequest

if TYPE_CHECKING:
    from sm_emulate.request.tuning import AutoParameter, Definition
    from sm_emulate.spec.settings import Settings

SPREAD = 2
"""A range goes from half of the example value to twice it: AWS's page makes 2 to 8 of 4, and says no more than that.

https://docs.aws.amazon.com/sagemaker/latest/dg/automatic-model-tuning-define-ranges.html
"""


def autotuned(request: TuningRequest, settings: Settings) -> TuningRequest:
    """Give the request with ranges, limits and early stopping in the place of what Autotune is to choose.

    A hyperparameter whose example is no number keeps it, as one that is not eligible for Autotune.
    """
    if not request.autotune:
        return request
    config = request.config
    limits = config.resource_limits
    if limits.max_number_of_training_jobs is None and limits.max_runtime_in_seconds is None:
        limits = replace(limits, max_number_of_training_jobs=settings.number("autotune-jobs"))
    criteria = replace(config.completion_criteria, complete_on_convergence=True)
    early = "Off" if config.strategy == "Hyperband" else "Auto"
    fixed = _fixed(config.parameter_ranges)
    definition, several = (
        None if request.definition is None else _definition(request.definition, fixed),
        tuple(_definition(each, fixed) for each in request.several),
    )
    return replace(
        request,
        config=replace(
            config,
            resource_limits=limits,
            completion_criteria=criteria,
            early_stopping_type=early,
            parameter_ranges=_ranges(config.parameter_ranges),
        ),
        definition=definition,
        several=several,
    )


def _definition(definition: Definition, fixed: dict[str, str]) -> Definition:
    own = definition.ranges
    if own is None:
        return replace(definition, static={**definition.static, **fixed})
    return replace(definition, static={**definition.static, **_fixed(own)}, ranges=_ranges(own))


def _ranges(ranges: ParameterRanges) -> ParameterRanges:
    chosen = [found for each in ranges.automatic if (found := _range(each)) is not None]
    return replace(
        ranges,
        integer=(*ranges.integer, *(each for each in chosen if isinstance(each, IntegerRange))),
        continuous=(*ranges.continuous, *(each for each in chosen if isinstance(each, ContinuousRange))),
        automatic=(),
    )


def _fixed(ranges: ParameterRanges) -> dict[str, str]:
    return {each.name: each.value_hint for each in ranges.automatic if _range(each) is None}


def _range(parameter: AutoParameter) -> IntegerRange | ContinuousRange | None:
    text = parameter.value_hint.strip('"')
    try:
        example = float(text)
    except ValueError:
        return None
    if not math.isfinite(example):
        return None
    if text.lstrip("+-").isdecimal():
        whole = int(text)
        ends = (max(1, whole // SPREAD), whole * SPREAD) if whole > 0 else (min(whole * SPREAD, 0), SPREAD)
        return IntegerRange(name=parameter.name, min_value=str(ends[0]), max_value=str(ends[1]))
    low, high = example / SPREAD, example * SPREAD
    if example == 0:
        low, high = 0.0, 1.0
    elif 0 < example < 1:
        high = min(high, 1.0)  # a rate, a fraction, a probability
    return ContinuousRange(
        name=parameter.name, min_value=repr(min(low, high)), max_value=repr(max(low, high))
    )
