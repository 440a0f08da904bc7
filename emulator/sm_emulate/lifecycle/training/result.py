"""What a training job came to: the answer of DescribeTrainingJob, and what only an emulator knows."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from sm_emulate.lifecycle.iso_time import iso
from sm_emulate.request.secrets import masked_document
from sm_emulate.request.training import to_aws
from sm_emulate.spec.training_job import SecondaryStatus, TrainingJobStatus, job_arn

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sm_emulate.artifacts.metrics import FinalMetricData
    from sm_emulate.engine.protocol import Image
    from sm_emulate.lifecycle.platform import Platform
    from sm_emulate.lifecycle.training.status import Transition
    from sm_emulate.request.training import TrainingRequest


@dataclass(frozen=True, kw_only=True)
class PipeUse:
    """What a host took out of a Pipe channel."""

    epochs: int = 0
    """FIFOs that were opened."""
    sent_bytes: int = 0

    def and_then(self, sent_bytes: int) -> PipeUse:
        """Add an epoch."""
        return PipeUse(epochs=self.epochs + 1, sent_bytes=self.sent_bytes + sent_bytes)


@dataclass(frozen=True, kw_only=True)
class TrainingResult:
    """How a training job stands, at its end or on the way there. Times are UTC."""

    request: TrainingRequest
    platform: Platform
    image: Image
    run_folder: Path
    status: TrainingJobStatus
    secondary_status: SecondaryStatus
    failure_reason: str | None
    """In SageMaker's words; None unless it failed."""
    transitions: tuple[Transition, ...]
    created: datetime
    container_exit_codes: Mapping[str, int]
    """By host; a host whose program could not be started has none."""
    model_archive: Path | None
    """`model.tar.gz`; None when /opt/ml/model was empty."""
    output_archive: Path | None
    """`output.tar.gz`; None when /opt/ml/output/data was empty."""
    warm_pool: Mapping[str, Any] | None = None
    """WarmPoolStatus."""
    warm_pool_until: float | None = None
    """When a pool that is Available ends, in seconds since 1970."""
    model_uri: str = ""
    """Where the model was put: `s3://` or `file://`; with CompressionType NONE, a folder."""
    output_uri: str = ""
    """Where `output.tar.gz` was put."""
    final_metrics: tuple[FinalMetricData, ...] = ()
    pipes: Mapping[str, Mapping[str, PipeUse]] = field(default_factory=dict)
    """What went through the Pipe channels that were opened, by channel and host."""

    @property
    def succeeded(self) -> bool:
        """Whether the container is without fault: Completed, or stopped by someone else."""
        return self.status is not TrainingJobStatus.FAILED

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds in each secondary status, and in all."""
        phases: dict[str, float] = {}
        for step in self.transitions:
            if step.end is None or step.end > step.start:
                name = step.secondary.value
                phases[name] = round(phases.get(name, 0.0) + step.seconds, 3)
        return phases | {"Total": round(sum(phases.values()), 3)}

    @property
    def _billed(self) -> float:
        """The part of the training time that is paid for: less on spot instances."""
        if not self.request.enable_managed_spot_training:
            return 1.0
        return 1 - int(self.platform.settings.text("spot-savings")) / 100

    def describe(self) -> dict[str, Any]:
        """Give it as JSON in the shape of DescribeTrainingJob, plus an `Emulator` object; times are ISO 8601."""
        last = self.transitions[-1]
        over = last.end is not None
        training = [step for step in self.transitions if step.secondary is SecondaryStatus.TRAINING]
        trained = sum(step.seconds for step in training)
        name = self.request.training_job_name
        arn = job_arn(region=self.platform.region, account=self.platform.account, job_name=name)
        described: dict[str, Any] = {
            "TrainingJobName": name,
            "TrainingJobArn": arn,
            **self._tuning_job(),
            "ModelArtifacts": {"S3ModelArtifacts": self.model_uri},
            "TrainingJobStatus": self.status.value,
            "SecondaryStatus": self.secondary_status.value,
        }
        if self.failure_reason is not None:
            described["FailureReason"] = self.failure_reason
        asked = masked_document(to_aws(self.request))
        asked.pop("Tags", None)
        described |= {key: value for key, value in asked.items() if key not in described}
        seconds = self.request.stopping_condition.max_runtime_in_seconds
        described.setdefault("StoppingCondition", {}).setdefault("MaxRuntimeInSeconds", seconds)
        described["CreationTime"] = iso(self.created)
        if training:
            described["TrainingStartTime"] = iso(training[0].start)
        if over:
            described["TrainingEndTime"] = iso(last.start)
            described["TrainingTimeInSeconds"] = max(1, round(trained))
            described["BillableTimeInSeconds"] = max(1, round(trained * self._billed))
        described["LastModifiedTime"] = iso(last.start)
        described["SecondaryStatusTransitions"] = [
            {"Status": step.secondary.value, "StartTime": iso(step.start)}
            | ({"EndTime": iso(step.end)} if step.end else {})
            | {"StatusMessage": step.message}
            for step in self.transitions
        ]
        if self.warm_pool is not None:
            described["WarmPoolStatus"] = dict(self.warm_pool)
        if self.final_metrics:
            described["FinalMetricDataList"] = [
                {**metric, "Timestamp": iso(metric["Timestamp"])} for metric in self.final_metrics
            ]
        described["Emulator"] = {
            "RunFolder": str(self.run_folder),
            "Image": self.request.algorithm_specification.training_image,
            "ImageId": self.image.id,
            "PlatformProfile": self.platform.profile.name,
            "Settings": dict(self.platform.settings.given),
            "ContainerExitCodes": dict(self.container_exit_codes),
            "OutputArchive": self.output_uri,
            "Seconds": self.seconds,
        }
        if self.warm_pool_until is not None:
            until = datetime.fromtimestamp(self.warm_pool_until, timezone.utc)
            described["Emulator"]["WarmPoolUntil"] = iso(until)
        if self.pipes:
            described["Emulator"]["Pipes"] = {
                channel: {
                    host: {"Epochs": use.epochs, "Bytes": use.sent_bytes} for host, use in hosts.items()
                }
                for channel, hosts in self.pipes.items()
            }
        return described

    def _tuning_job(self) -> dict[str, str]:
        """The ARN of the tuning job that launched it, if one did."""
        if not self.request.tags:
            return {}
        from sm_emulate.spec.tuning import TUNING_JOB_TAG, tuning_job_arn

        region, account = self.platform.region, self.platform.account
        for tag in self.request.tags:
            if tag.key == TUNING_JOB_TAG:
                return {"TuningJobArn": tuning_job_arn(region=region, account=account, name=tag.value)}
        return {}
