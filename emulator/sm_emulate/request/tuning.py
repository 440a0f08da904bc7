"""A tuning job as it was asked for, in the words of CreateHyperParameterTuningJob."""

# ruff: noqa: RUF009  # `member` is a field specifier: it gives a dataclasses.field
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sm_emulate.request import tuning_rules
from sm_emulate.request.document import member, raw, write
from sm_emulate.request.service_model import load
from sm_emulate.request.sound import sound_request

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sm_emulate.request.service_model import OperationModel

OPERATION = "CreateHyperParameterTuningJob"
OBJECTIVE_HYPERPARAMETER = "_tuning_objective_metric"
"""Given to every training job beside its own hyperparameters."""
_IN_A_DEFINITION = (
    "InputDataConfig[].DataSource.S3DataSource.S3Uri",
    "OutputDataConfig.S3OutputPath",
    "CheckpointConfig.S3Uri",
)
_LOCATIONS = tuple(
    f"{definition}.{place}"
    for definition in ("TrainingJobDefinition", "TrainingJobDefinitions[]")
    for place in _IN_A_DEFINITION
)
"""Where the API wants an S3 URI and the emulator also takes a local path."""


@dataclass(frozen=True, kw_only=True)
class Objective:
    """The metric that is made as small or as large as can be."""

    type: str = member("Type")
    metric_name: str = member("MetricName")

    @property
    def maximized(self) -> bool:
        return self.type == "Maximize"

    def better(self, one: float, other: float) -> bool:
        """Whether one value is better than another."""
        return one > other if self.maximized else one < other


@dataclass(frozen=True, kw_only=True)
class IntegerRange:
    name: str = member("Name")
    min_value: str = member("MinValue")
    max_value: str = member("MaxValue")
    scaling_type: str = member("ScalingType", default="Auto")


@dataclass(frozen=True, kw_only=True)
class ContinuousRange:
    name: str = member("Name")
    min_value: str = member("MinValue")
    max_value: str = member("MaxValue")
    scaling_type: str = member("ScalingType", default="Auto")


@dataclass(frozen=True, kw_only=True)
class CategoricalRange:
    name: str = member("Name")
    values: tuple[str, ...] = member("Values")


@dataclass(frozen=True, kw_only=True)
class AutoParameter:
    """A hyperparameter whose range Autotune chooses."""

    name: str = member("Name")
    value_hint: str = member("ValueHint")


Range = IntegerRange | ContinuousRange | CategoricalRange


@dataclass(frozen=True, kw_only=True)
class ParameterRanges:
    integer: tuple[IntegerRange, ...] = member("IntegerParameterRanges", default=(), of=IntegerRange)
    continuous: tuple[ContinuousRange, ...] = member(
        "ContinuousParameterRanges", default=(), of=ContinuousRange
    )
    categorical: tuple[CategoricalRange, ...] = member(
        "CategoricalParameterRanges", default=(), of=CategoricalRange
    )
    automatic: tuple[AutoParameter, ...] = member("AutoParameters", default=(), of=AutoParameter)

    @property
    def ranges(self) -> tuple[Range, ...]:
        """All ranges but those that Autotune has yet to choose."""
        return (*self.integer, *self.continuous, *self.categorical)


@dataclass(frozen=True, kw_only=True)
class HyperbandConfig:
    min_resource: int | None = member("MinResource", default=None)
    max_resource: int | None = member("MaxResource", default=None)


@dataclass(frozen=True, kw_only=True)
class StrategyConfig:
    hyperband: HyperbandConfig = member(
        "HyperbandStrategyConfig", default=HyperbandConfig(), of=HyperbandConfig
    )


@dataclass(frozen=True, kw_only=True)
class ResourceLimits:
    max_parallel_training_jobs: int = member("MaxParallelTrainingJobs")
    max_number_of_training_jobs: int | None = member("MaxNumberOfTrainingJobs", default=None)
    max_runtime_in_seconds: int | None = member("MaxRuntimeInSeconds", default=None)


def _not_improving(config: Mapping[str, Any]) -> int | None:
    return config.get("MaxNumberOfTrainingJobsNotImproving")


@dataclass(frozen=True, kw_only=True)
class CompletionCriteria:
    """What ends a tuning job before its limits do."""

    target_objective_metric_value: float | None = member("TargetObjectiveMetricValue", default=None)
    max_not_improving: int | None = member(
        "BestObjectiveNotImproving",
        default=None,
        decode=_not_improving,
        encode=lambda count: {"MaxNumberOfTrainingJobsNotImproving": count},
    )
    complete_on_convergence: bool = member(
        "ConvergenceDetected",
        default=False,
        decode=lambda config: config.get("CompleteOnConvergence") == "Enabled",
        encode=lambda on: {"CompleteOnConvergence": "Enabled" if on else "Disabled"},
    )


@dataclass(frozen=True, kw_only=True)
class TuningConfig:
    strategy: str = member("Strategy")
    resource_limits: ResourceLimits = member("ResourceLimits", of=ResourceLimits)
    strategy_config: StrategyConfig = member("StrategyConfig", default=StrategyConfig(), of=StrategyConfig)
    objective: Objective | None = member("HyperParameterTuningJobObjective", default=None, of=Objective)
    parameter_ranges: ParameterRanges = member(
        "ParameterRanges", default=ParameterRanges(), of=ParameterRanges
    )
    early_stopping_type: str = member("TrainingJobEarlyStoppingType", default="Off")
    completion_criteria: CompletionCriteria = member(
        "TuningJobCompletionCriteria", default=CompletionCriteria(), of=CompletionCriteria
    )
    random_seed: int | None = member("RandomSeed", default=None)
    raw: Mapping[str, Any] = raw()


@dataclass(frozen=True, kw_only=True)
class Definition:
    """What all training jobs of one kind have in common; `raw` holds the members of CreateTrainingJob."""

    name: str | None = member("DefinitionName", default=None)
    objective: Objective | None = member("TuningObjective", default=None, of=Objective)
    """None takes that of the tuning job, as `ranges` does."""
    ranges: ParameterRanges | None = member("HyperParameterRanges", default=None, of=ParameterRanges)
    static: Mapping[str, str] = member("StaticHyperParameters", default={})
    environment: Mapping[str, str] = member("Environment", default={}, secret=True)
    raw: Mapping[str, Any] = raw()

    @property
    def image(self) -> str:
        """The image of the training jobs."""
        return str(self.raw["AlgorithmSpecification"]["TrainingImage"])

    def training_document(self) -> dict[str, Any]:
        """Give what CreateTrainingJob would be asked, but for the job's name and hyperparameters."""
        return tuning_rules.training_document(write(self))


@dataclass(frozen=True, kw_only=True)
class ParentJob:
    name: str | None = member("HyperParameterTuningJobName", default=None)


@dataclass(frozen=True, kw_only=True)
class WarmStartConfig:
    parents: tuple[ParentJob, ...] = member("ParentHyperParameterTuningJobs", of=ParentJob)
    type: str = member("WarmStartType")

    @property
    def identical(self) -> bool:
        """Whether data and algorithm are those of the parents, so that their results compare."""
        return self.type == "IdenticalDataAndAlgorithm"


@dataclass(frozen=True, kw_only=True)
class TuningRequest:
    """One tuning job. Made by `from_aws`, which has checked it."""

    name: str = member("HyperParameterTuningJobName")
    config: TuningConfig = member("HyperParameterTuningJobConfig", of=TuningConfig)
    definition: Definition | None = member("TrainingJobDefinition", default=None, of=Definition)
    several: tuple[Definition, ...] = member("TrainingJobDefinitions", default=(), of=Definition)
    warm_start: WarmStartConfig | None = member("WarmStartConfig", default=None, of=WarmStartConfig)
    autotune: bool = member(
        "Autotune", default=False, decode=lambda _: True, encode=lambda _: {"Mode": "Enabled"}
    )
    raw: Mapping[str, Any] = raw()
    """Members that the emulator has no use for, as they were."""

    @property
    def definitions(self) -> tuple[Definition, ...]:
        """The one definition, or the several."""
        return self.several if self.definition is None else (self.definition,)

    @property
    def tags(self) -> list[dict[str, str]]:
        """Those of the tuning job, which its training jobs have, too."""
        return list(self.raw.get("Tags", ()))

    def objective(self, definition: Definition) -> Objective:
        """Give the objective of a definition's training jobs."""
        found = definition.objective or self.config.objective
        assert found is not None, "from_aws saw to it"
        return found

    def ranges(self, definition: Definition) -> ParameterRanges:
        """Give the ranges of a definition's hyperparameters."""
        return self.config.parameter_ranges if definition.ranges is None else definition.ranges


def from_aws(
    document: Mapping[str, Any], *, base_dir: Path | None = None, model: OperationModel | None = None
) -> TuningRequest:
    """Check a CreateHyperParameterTuningJob document and give the request that it holds.

    Args:
        document: the JSON of the API. Where it names S3, a path or `file://` is taken too.
        base_dir: the folder that relative paths start from; the current one if not given.
        model: the model of CreateHyperParameterTuningJob, if the caller has it at hand.

    Raises:
        RequestError: for the first thing that is wrong, with the others as evidence.
    """
    return sound_request(
        TuningRequest,
        document,
        model=model or load(OPERATION),
        locations=_LOCATIONS,
        problems=tuning_rules.problems,
        base_dir=base_dir,
    )


def to_aws(request: TuningRequest) -> dict[str, Any]:
    """Give the CreateHyperParameterTuningJob document of a request; what stands at its default is left out."""
    return write(request)
