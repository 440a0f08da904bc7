"""What a processing job came to: the answer of DescribeProcessingJob, and what only an emulator knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sm_emulate.lifecycle.iso_time import iso
from sm_emulate.request.processing import to_aws
from sm_emulate.request.secrets import masked_document
from sm_emulate.spec.processing_job import ProcessingJobStatus, job_arn

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from sm_emulate.engine.protocol import Image
    from sm_emulate.lifecycle.platform import Platform
    from sm_emulate.request.processing import ProcessingRequest


@dataclass(frozen=True, kw_only=True)
class ProcessingResult:
    """How a processing job stands, at its end or on the way there. Times are UTC."""

    request: ProcessingRequest
    platform: Platform
    image: Image
    run_folder: Path
    status: ProcessingJobStatus
    failure_reason: str | None
    """In SageMaker's words; None unless it failed."""
    exit_message: str | None
    """What containers wrote to /opt/ml/output/message; None if nobody did."""
    created: datetime
    started: datetime | None
    """When the first container ran; None if none did."""
    changed: datetime
    over: bool
    container_exit_codes: Mapping[str, int]
    """By host; a host whose program could not be started has none."""

    @property
    def succeeded(self) -> bool:
        """Whether the container is without fault: Completed, or stopped by someone else."""
        return self.status is not ProcessingJobStatus.FAILED

    @property
    def outputs(self) -> dict[str, str]:
        """Where each output that the platform uploads goes, by name."""
        return {name: output.s3_uri for name, output in self.request.managed_outputs}

    def describe(self) -> dict[str, Any]:
        """Give it as JSON in the shape of DescribeProcessingJob, plus an `Emulator` object; times are ISO 8601."""
        name = self.request.processing_job_name
        asked = masked_document(to_aws(self.request))
        asked.pop("Tags", None)
        asked["ProcessingResources"]["ClusterConfig"].setdefault(
            "InstanceCount", self.request.cluster.instance_count
        )
        asked["StoppingCondition"] = {"MaxRuntimeInSeconds": self.request.max_runtime_in_seconds}
        described: dict[str, Any] = {
            "ProcessingJobName": name,
            "ProcessingJobArn": job_arn(
                region=self.platform.region, account=self.platform.account, job_name=name
            ),
            "ProcessingJobStatus": self.status.value,
        }
        if self.exit_message is not None:
            described["ExitMessage"] = self.exit_message
        if self.failure_reason is not None:
            described["FailureReason"] = self.failure_reason
        described |= {key: value for key, value in asked.items() if key not in described}
        described["CreationTime"] = iso(self.created)
        if self.started is not None:
            described["ProcessingStartTime"] = iso(self.started)
        if self.over:
            described["ProcessingEndTime"] = iso(self.changed)
        described["LastModifiedTime"] = iso(self.changed)
        described["Emulator"] = {
            "RunFolder": str(self.run_folder),
            "Image": self.request.app_specification.image_uri,
            "ImageId": self.image.id,
            "PlatformProfile": self.platform.profile.name,
            "Settings": dict(self.platform.settings.given),
            "ContainerExitCodes": dict(self.container_exit_codes),
            "Outputs": self.outputs,
        }
        return described
