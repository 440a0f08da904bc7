"""What CreateHyperParameterTuningJob refuses beyond the limits of single members, and what the emulator does not do.

Asked only about a document in which every member by itself is sound.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from sm_emulate.request import training_rules
from sm_emulate.request.validate import Problem
from sm_emulate.request.wording import listed, shown

EPOCHS = ("epochs", "numepochs", "n-epochs", "n_epochs", "num_epochs")
"""Static hyperparameters that MaxResource is read from: HyperbandStrategyConfig in the API's model."""
MAX_RANGES = 30
"""Hyperparameters that can be searched at once: ParameterRanges in the API's model."""
_DEFINITION_ONLY = (
    "DefinitionName",
    "TuningObjective",
    "HyperParameterRanges",
    "StaticHyperParameters",
    "HyperParameterTuningResourceConfig",
)

Document = Mapping[str, Any]


def problems(document: Document) -> list[Problem]:
    """List what is wrong across the members of a CreateHyperParameterTuningJob document."""
    config: Document = document["HyperParameterTuningJobConfig"]
    found = [*_definitions(document), *_strategy(document, config), *_limits(document, config)]
    for path, definition in _each(document):
        found += _of_definition(path, definition, document, config)
    return found


def training_document(definition: Document) -> dict[str, Any]:
    """Give what CreateTrainingJob would be asked, but for the job's name and hyperparameters."""
    made = {name: value for name, value in definition.items() if name not in _DEFINITION_ONLY}
    resources = definition.get("HyperParameterTuningResourceConfig")
    if "ResourceConfig" not in made and resources is not None:
        # several InstanceConfigs are in order of preference, and here each of them can be had
        first = (resources.get("InstanceConfigs") or [{}])[0]
        kept = ("InstanceType", "InstanceCount", "VolumeSizeInGB", "VolumeKmsKeyId")
        made["ResourceConfig"] = {name: resources[name] for name in kept if name in resources} | dict(first)
    return made


def max_resource(config: Document, static: Mapping[str, str]) -> int | None:
    """Give Hyperband's MaxResource, or the epochs that the static hyperparameters name."""
    given = config.get("StrategyConfig", {}).get("HyperbandStrategyConfig", {}).get("MaxResource")
    if given is not None:
        return int(given)
    for name in EPOCHS:
        text = static.get(name, "").strip('"')
        if text.isascii() and text.isdigit() and int(text) > 0:
            return int(text)
    return None


def _each(document: Document) -> Iterator[tuple[str, Document]]:
    if "TrainingJobDefinition" in document:
        yield "TrainingJobDefinition", document["TrainingJobDefinition"]
    for number, definition in enumerate(document.get("TrainingJobDefinitions", ())):
        yield f"TrainingJobDefinitions[{number}]", definition


def _definitions(document: Document) -> Iterator[Problem]:
    one, several = "TrainingJobDefinition", "TrainingJobDefinitions"
    if (one in document) == (several in document):
        yield Problem(
            path=one,
            what=f"{one} and {several} are both there" if one in document else f"{one} is missing",
            expected=f"{one}, or {several} for several algorithms",
        )
        return
    definitions = document.get(several, ())
    names = [definition.get("DefinitionName") for definition in definitions]
    if None in names and len(names) > 1:
        yield Problem(
            path=f"{several}[{names.index(None)}].DefinitionName",
            what=f"{several}[{names.index(None)}].DefinitionName is missing",
            expected="a name for each of several definitions",
        )
    elif len(set(names)) < len(names):
        yield Problem(path=several, what=f"{several} has two equal DefinitionNames", value=shown(names))
    types = {
        definition["TuningObjective"]["Type"] for definition in definitions if "TuningObjective" in definition
    }
    if len(types) > 1:
        yield Problem(
            path=several,
            what="one definition maximizes its objective and another one minimizes it",
            expected="one Type: results must compare",
        )


def _strategy(document: Document, config: Document) -> Iterator[Problem]:
    path, strategy = "HyperParameterTuningJobConfig", config["Strategy"]
    if "StrategyConfig" in config and strategy != "Hyperband":
        yield Problem(
            path=f"{path}.StrategyConfig",
            what=f"{path}.StrategyConfig is for strategy Hyperband only, not {strategy}",
            expected="no StrategyConfig, or Strategy Hyperband",
        )
    if strategy == "Hyperband" and config.get("TrainingJobEarlyStoppingType", "Off") != "Off":
        yield Problem(
            path=f"{path}.TrainingJobEarlyStoppingType",
            what="strategy Hyperband stops training jobs early by a rule of its own",
            value=config["TrainingJobEarlyStoppingType"],
            expected="TrainingJobEarlyStoppingType Off",
        )
    if "WarmStartConfig" in document:
        if strategy not in ("Bayesian", "Random"):
            yield Problem(
                path="WarmStartConfig",
                what=f"a warm start is for strategies Bayesian and Random only, not {strategy}",
                expected="Bayesian or Random",
            )
        if "TrainingJobDefinitions" in document:
            yield Problem(
                path="WarmStartConfig",
                what="a warm start is for one training job definition only",
                expected="TrainingJobDefinition",
            )
        for number, parent in enumerate(document["WarmStartConfig"]["ParentHyperParameterTuningJobs"]):
            if "HyperParameterTuningJobName" not in parent:
                place = f"WarmStartConfig.ParentHyperParameterTuningJobs[{number}]"
                yield Problem(path=place, what=f"{place} has no name", expected="HyperParameterTuningJobName")
    if document.get("Autotune") is None and any(
        "AutoParameters" in ranges and ranges["AutoParameters"] for _, ranges in _all_ranges(document)
    ):
        yield Problem(
            path="Autotune",
            what="AutoParameters are for Autotune only",
            expected='Autotune {"Mode": "Enabled"}, or ranges',
        )


def _limits(document: Document, config: Document) -> Iterator[Problem]:
    path, limits = "HyperParameterTuningJobConfig.ResourceLimits", config["ResourceLimits"]
    count = limits.get("MaxNumberOfTrainingJobs")
    grid = config["Strategy"] == "Grid"
    possible = [combinations_of(ranges) for _, ranges in _all_ranges(document)]
    combinations = sum(each for each in possible if each is not None)
    alone = len(list(_each(document))) == 1 and "Autotune" not in document
    # no range at all is a problem of its own, and the only one to tell of
    some = any(any(ranges.values()) for _, ranges in _all_ranges(document))
    if count is not None and alone and some and None not in possible:
        if grid and count != combinations:
            yield Problem(
                path=f"{path}.MaxNumberOfTrainingJobs",
                what=f"{path}.MaxNumberOfTrainingJobs is not the number of combinations of the grid",
                value=shown(count),
                expected=f"{combinations}, or no MaxNumberOfTrainingJobs",
            )
        elif count > combinations:
            yield Problem(
                path=f"{path}.MaxNumberOfTrainingJobs",
                # the API's words: https://github.com/aws/amazon-sagemaker-operator-for-k8s/issues/123
                what="You don't have enough combinations of hyperparameter ranges. The total number of "
                f"hyperparameter combinations for the provided ranges [{float(combinations)}] must be equal or "
                f"greater than the value of MaxNumberOfJobs, [{count}]. Provide additional ranges.",
                expected=f"MaxNumberOfTrainingJobs {combinations} or less, or more values",
            )
    if (
        count is None
        and not grid
        and "Autotune" not in document
        and "MaxRuntimeInSeconds" not in limits
        and not config.get("TuningJobCompletionCriteria")
    ):
        yield Problem(
            path=f"{path}.MaxNumberOfTrainingJobs",
            what=f"{path}.MaxNumberOfTrainingJobs is missing",
            expected="it, MaxRuntimeInSeconds or TuningJobCompletionCriteria: the search would never end",
        )


def combinations_of(ranges: Document) -> int | None:
    """Give how many different combinations there are; None for a continuum, and where a range is not sound."""
    found = 1
    for each in ranges.get("IntegerParameterRanges", ()):
        low, high = _number(each["MinValue"], whole=True), _number(each["MaxValue"], whole=True)
        if low is None or high is None or low > high:
            return None
        found *= int(high) - int(low) + 1
    for each in ranges.get("CategoricalParameterRanges", ()):
        found *= len(dict.fromkeys(each["Values"]))
    return None if ranges.get("ContinuousParameterRanges") else found


def _all_ranges(document: Document) -> Iterator[tuple[str, Document]]:
    config = document["HyperParameterTuningJobConfig"]
    if "ParameterRanges" in config:
        yield "HyperParameterTuningJobConfig.ParameterRanges", config["ParameterRanges"]
    for path, definition in _each(document):
        if "HyperParameterRanges" in definition:
            yield f"{path}.HyperParameterRanges", definition["HyperParameterRanges"]


def _of_definition(
    path: str, definition: Document, document: Document, config: Document
) -> Iterator[Problem]:
    several = "TrainingJobDefinitions" in document
    objective = _from_one_place(
        definition.get("TuningObjective"), config.get("HyperParameterTuningJobObjective")
    )
    if objective is None:
        common = "HyperParameterTuningJobConfig.HyperParameterTuningJobObjective"
        where = f"{path}.TuningObjective" if several else common
        yield Problem(path=where, what=f"{where} is missing", expected="Type and MetricName")
    else:
        yield from _objective(path, definition, objective["MetricName"])
    own = "HyperParameterRanges" in definition
    place = f"{path}.HyperParameterRanges" if own else "HyperParameterTuningJobConfig.ParameterRanges"
    ranges = definition["HyperParameterRanges"] if own else config.get("ParameterRanges", {})
    yield from _ranges(place, ranges, config["Strategy"])
    yield from _hyperparameters(path, definition, ranges)
    if config["Strategy"] == "Hyperband":
        yield from _hyperband(definition, config)
    for problem in training_rules.problems(training_document(definition)):
        yield replace(problem, path=f"{path}.{problem.path}", what=f"{path}: {problem.what}")


def _from_one_place(own: Document | None, common: Document | None) -> Document | None:
    return common if own is None else own


def _objective(path: str, definition: Document, metric: str) -> Iterator[Problem]:
    names = [each["Name"] for each in definition["AlgorithmSpecification"].get("MetricDefinitions", ())]
    if metric not in names:
        yield Problem(
            path=f"{path}.AlgorithmSpecification.MetricDefinitions",
            # the API's words: https://github.com/aws/amazon-sagemaker-examples/issues/1207
            what="A metric is required for this hyperparameter tuning job objective. "
            "Provide a metric in the metric definitions.",
            value=metric,
            expected=f"one of {listed(names)}" if names else "MetricDefinitions with that name",
        )


def _ranges(path: str, ranges: Document, strategy: str) -> Iterator[Problem]:
    kinds = ("IntegerParameterRanges", "ContinuousParameterRanges", "CategoricalParameterRanges")
    every = [each for kind in kinds for each in ranges.get(kind, ())]
    if not every and not ranges.get("AutoParameters"):
        yield Problem(path=path, what=f"{path} names no hyperparameter", expected="at least one range")
    if len(every) > MAX_RANGES:
        yield Problem(
            path=path,
            what=f"{path} has too many ranges",
            value=shown(len(every)),
            expected=f"at most {MAX_RANGES} in all",
        )
    names = [each["Name"] for each in (*every, *ranges.get("AutoParameters", ()))]
    for name in dict.fromkeys(name for name in names if names.count(name) > 1):
        yield Problem(path=path, what=f"hyperparameter {name} has two ranges", expected="each only once")
    if strategy == "Grid":
        for kind in kinds[:2]:
            for each in ranges.get(kind, ()):
                yield Problem(
                    path=f"{path}.{kind}",
                    what=f"hyperparameter {each['Name']}: strategy Grid takes categorical ranges only",
                    expected="CategoricalParameterRanges, or another strategy",
                )
    for kind in kinds[:2]:
        for number, each in enumerate(ranges.get(kind, ())):
            yield from _range(f"{path}.{kind}[{number}]", each, whole=kind == kinds[0])


def _range(path: str, given: Document, *, whole: bool) -> Iterator[Problem]:
    name, scale = given["Name"], given.get("ScalingType", "Auto")
    ends: list[float] = []
    for member in ("MinValue", "MaxValue"):
        number = _number(given[member], whole=whole)
        if number is None:
            yield Problem(
                path=f"{path}.{member}",
                what=f"hyperparameter {name}: {member} is no {'whole number' if whole else 'number'}",
                value=shown(given[member]),
                expected="a whole number, as text" if whole else "a number, as text",
            )
        else:
            ends.append(number)
    if len(ends) < 2:
        return
    low, high = ends
    span = f"{given['MinValue']} to {given['MaxValue']}"
    if low > high:
        yield Problem(
            path=path,
            what=f"hyperparameter {name}: MinValue is larger than MaxValue",
            value=span,
            expected="the smaller one first",
        )
    elif scale == "Logarithmic" and low <= 0:
        yield Problem(
            path=f"{path}.ScalingType",
            what=f"hyperparameter {name}: a logarithmic scale is for values greater than 0 only",
            value=span,
            expected="MinValue greater than 0, or ScalingType Linear",
        )
    elif scale == "ReverseLogarithmic" and (whole or not 0 <= low <= high < 1):
        yield Problem(
            path=f"{path}.ScalingType",
            what=f"hyperparameter {name}: a reverse logarithmic scale is for continuous ranges "
            "within 0 <= x < 1 only",
            value="an integer range" if whole else span,
            expected="another ScalingType",
        )


def _number(text: str, *, whole: bool) -> float | None:
    try:
        number = int(text) if whole else float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _hyperparameters(path: str, definition: Document, ranges: Document) -> Iterator[Problem]:
    static = definition.get("StaticHyperParameters", {})
    searched = [each["Name"] for kind in ranges.values() for each in kind]
    for name in searched:
        if name in static:
            yield Problem(
                path=f"{path}.StaticHyperParameters",
                what=f"hyperparameter {name} is static and has a range",
                value=shown(static[name]),
                expected="one of the two",
            )
    # the objective's name travels as one more of them
    total = len({*static, *searched, "_tuning_objective_metric"})
    if total > 100:
        yield Problem(
            path=f"{path}.StaticHyperParameters",
            what="a training job would have too many hyperparameters",
            value=shown(total),
            expected="at most 100, _tuning_objective_metric among them",
        )


def _hyperband(definition: Document, config: Document) -> Iterator[Problem]:
    place = "HyperParameterTuningJobConfig.StrategyConfig.HyperbandStrategyConfig"
    most = max_resource(config, definition.get("StaticHyperParameters", {}))
    least = config.get("StrategyConfig", {}).get("HyperbandStrategyConfig", {}).get("MinResource", 1)
    if most is None:
        yield Problem(
            path=f"{place}.MaxResource",
            what=f"{place}.MaxResource is missing",
            expected=f"it, or a static hyperparameter {' or '.join(EPOCHS)}",
            hint="how many values of the objective a training job gives at most",
        )
    elif most > 20_000 or least > most:
        yield Problem(
            path=f"{place}.MaxResource",
            what=f"{place}.MaxResource is too {'large' if most > 20_000 else 'small'}",
            value=shown(most),
            expected=f"{least} to 20000",
        )
