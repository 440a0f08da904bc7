"""What a tuning job came to: the answer of DescribeHyperParameterTuningJob, and what only an emulator knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sm_emulate.lifecycle.iso_time import iso
from sm_emulate.request.secrets import masked_document
from sm_emulate.request.tuning import OBJECTIVE_HYPERPARAMETER, to_aws
from sm_emulate.spec.training_job import TrainingJobStatus, job_arn
from sm_emulate.spec.tuning import ObjectiveStatus, TuningJobStatus, tuning_job_arn
from sm_emulate.spec.wordings import is_internal_server_error

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from sm_emulate.lifecycle.platform import Platform
    from sm_emulate.request.tuning import Objective, TuningRequest


@dataclass(frozen=True, kw_only=True)
class TrainingJobSummary:
    """One training job of a tuning job, as HyperParameterTrainingJobSummary; times are UTC."""

    name: str
    definition_name: str | None
    objective_of: Objective
    hyperparameters: Mapping[str, str]
    """Those that were searched for."""
    status: TrainingJobStatus
    created: datetime
    started: datetime | None = None
    ended: datetime | None = None
    objective: float | None = None
    """The last value of the objective metric; None until it is over, and when it printed none."""
    failure_reason: str | None = None
    early_stopped: bool = False
    """Whether its tuning job stopped it because it did not look good enough."""

    @property
    def over(self) -> bool:
        return self.status not in (TrainingJobStatus.IN_PROGRESS, TrainingJobStatus.STOPPING)

    @property
    def objective_status(self) -> ObjectiveStatus:
        """Whether its final objective could be used."""
        if not self.over:
            return ObjectiveStatus.PENDING
        return ObjectiveStatus.FAILED if self.objective is None else ObjectiveStatus.SUCCEEDED

    def describe(self, platform: Platform) -> dict[str, Any]:
        """Give it in the shape of the API."""
        arn = job_arn(region=platform.region, account=platform.account, job_name=self.name)
        described: dict[str, Any] = {}
        if self.definition_name is not None:
            described["TrainingJobDefinitionName"] = self.definition_name
        described |= {"TrainingJobName": self.name, "TrainingJobArn": arn, "CreationTime": iso(self.created)}
        if self.started is not None:
            described["TrainingStartTime"] = iso(self.started)
        if self.ended is not None:
            described["TrainingEndTime"] = iso(self.ended)
        described |= {
            "TrainingJobStatus": self.status.value,
            "TunedHyperParameters": dict(self.hyperparameters),
        }
        if self.failure_reason is not None:
            described["FailureReason"] = self.failure_reason
        if self.objective is not None:
            described["FinalHyperParameterTuningJobObjectiveMetric"] = {
                "Type": self.objective_of.type,
                "MetricName": self.objective_of.metric_name,
                "Value": self.objective,
            }
        return described | {"ObjectiveStatus": self.objective_status.value}


@dataclass(frozen=True, kw_only=True)
class TuningResult:
    """How a tuning job stands, at its end or on the way there. Times are UTC."""

    request: TuningRequest
    platform: Platform
    run_folder: Path
    status: TuningJobStatus
    failure_reason: str | None
    training_jobs: tuple[TrainingJobSummary, ...]
    """In the order in which they were launched."""
    created: datetime
    changed: datetime
    random_seed: int
    """That of the request, or the one that was chosen."""
    completed_because: str | None = None
    """The limit or criterion that ended it, in the API's word."""
    not_improving: int = 0
    """Training jobs in a row that did not improve the best objective by 1%."""
    converged: datetime | None = None
    parents_best: Sequence[Mapping[str, Any]] = ()
    """The best training job of each parent, described."""

    @property
    def succeeded(self) -> bool:
        """Whether the containers are without fault: Completed, or stopped by someone else."""
        return self.status is not TuningJobStatus.FAILED

    @property
    def over(self) -> bool:
        return self.status not in (TuningJobStatus.IN_PROGRESS, TuningJobStatus.STOPPING)

    @property
    def best(self) -> TrainingJobSummary | None:
        """The training job with the best objective."""
        return self.sorted[0] if self.sorted and self.sorted[0].objective is not None else None

    @property
    def sorted(self) -> list[TrainingJobSummary]:
        """The training jobs, the best first, those without an objective last."""

        def place(job: TrainingJobSummary) -> tuple[bool, float]:
            value = job.objective or 0.0
            return job.objective is None, -value if job.objective_of.maximized else value

        return sorted(self.training_jobs, key=place)

    def describe(self) -> dict[str, Any]:
        """Give it in the shape of DescribeHyperParameterTuningJob, plus an `Emulator` object; times are ISO 8601."""
        request, platform = self.request, self.platform
        asked = masked_document(to_aws(request))
        asked.pop("Tags", None)
        arn = tuning_job_arn(region=platform.region, account=platform.account, name=request.name)
        described: dict[str, Any] = {
            "HyperParameterTuningJobName": request.name,
            "HyperParameterTuningJobArn": arn,
            "HyperParameterTuningJobConfig": asked["HyperParameterTuningJobConfig"],
        }
        if request.definition is not None:
            described["TrainingJobDefinition"] = self._definition(asked["TrainingJobDefinition"], 0)
        else:
            described["TrainingJobDefinitions"] = [
                self._definition(each, number) for number, each in enumerate(asked["TrainingJobDefinitions"])
            ]
        described |= {
            "HyperParameterTuningJobStatus": self.status.value,
            "CreationTime": iso(self.created),
        }
        if self.over:
            described["HyperParameterTuningEndTime"] = iso(self.changed)
        described |= {
            "LastModifiedTime": iso(self.changed),
            "TrainingJobStatusCounters": self._training_job_counters(),
            "ObjectiveStatusCounters": {
                status.value: sum(job.objective_status is status for job in self.training_jobs)
                for status in (ObjectiveStatus.SUCCEEDED, ObjectiveStatus.PENDING, ObjectiveStatus.FAILED)
            },
        }
        if self.best is not None:
            described["BestTrainingJob"] = self.best.describe(platform)
        if (overall := self.overall_best) is not None:
            described["OverallBestTrainingJob"] = overall
        for name in ("WarmStartConfig", "Autotune"):
            if name in asked:
                described[name] = asked[name]
        if self.failure_reason is not None:
            described["FailureReason"] = self.failure_reason
        described["TuningJobCompletionDetails"] = {
            "NumberOfTrainingJobsObjectiveNotImproving": self.not_improving
        } | ({"ConvergenceDetectedTime": iso(self.converged)} if self.converged else {})
        seconds = (self.changed - self.created).total_seconds()
        described["ConsumedResources"] = {"RuntimeInSeconds": round(seconds)}
        described["Emulator"] = {
            "RunFolder": str(self.run_folder),
            "Image": ", ".join(dict.fromkeys(each.image for each in request.definitions)),
            "PlatformProfile": platform.profile.name,
            "Settings": dict(platform.settings.given),
            "RandomSeed": self.random_seed,
            "CompletedBecause": self.completed_because,
            "EarlyStopped": [job.name for job in self.training_jobs if job.early_stopped],
            "TrainingJobs": [job.describe(platform) for job in self.training_jobs],
        }
        return described

    def _definition(self, written: dict[str, Any], number: int) -> dict[str, Any]:
        """Give a definition as the API describes it: with the hyperparameter that names the objective."""
        metric = self.request.objective(self.request.definitions[number]).metric_name
        static = {OBJECTIVE_HYPERPARAMETER: metric} | written.get("StaticHyperParameters", {})
        return written | {"StaticHyperParameters": static}

    def _training_job_counters(self) -> dict[str, int]:
        counted = dict.fromkeys(
            ("Completed", "InProgress", "RetryableError", "NonRetryableError", "Stopped"), 0
        )
        for job in self.training_jobs:
            if not job.over:
                name = "InProgress"
            elif job.status is TrainingJobStatus.FAILED:
                retryable = is_internal_server_error(job.failure_reason)
                name = "RetryableError" if retryable else "NonRetryableError"
            else:
                name = job.status.value
            counted[name] += 1
        return counted

    @property
    def overall_best(self) -> Mapping[str, Any] | None:
        """The best of this tuning job and its parents, described; None where their results do not compare."""
        warm = self.request.warm_start
        if warm is None or not warm.identical:
            return None
        objective = self.request.objective(self.request.definitions[0])
        found = [*self.parents_best, *([self.best.describe(self.platform)] if self.best else [])]
        best: Mapping[str, Any] | None = None
        for each in found:
            if best is None or objective.better(_value(each), _value(best)):
                best = each
        return best


def _value(described: Mapping[str, Any]) -> float:
    return float(described["FinalHyperParameterTuningJobObjectiveMetric"]["Value"])
