"""What a transform job came to: the answer of DescribeTransformJob, and what only an emulator knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sm_emulate.lifecycle.iso_time import iso
from sm_emulate.request.secrets import masked_document
from sm_emulate.request.transform import OPERATION, to_aws
from sm_emulate.spec.containers import ports_of
from sm_emulate.spec.transform_job import TransformJobStatus, transform_job_arn

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from sm_emulate.engine.protocol import Image
    from sm_emulate.lifecycle.platform import Platform
    from sm_emulate.lifecycle.transform.parameters import Parameters
    from sm_emulate.request.transform import TransformRequest


@dataclass(frozen=True, kw_only=True)
class TransformResult:
    """How a transform job stands, at its end or on the way there. Times are UTC."""

    request: TransformRequest
    platform: Platform
    images: Mapping[str, Image]
    """By the name that the request uses."""
    run_folder: Path
    status: TransformJobStatus
    failure_reason: str | None
    """In SageMaker's words; None unless it failed."""
    created: datetime
    started: datetime | None
    """When the first request could be sent."""
    ended: datetime | None
    changed: datetime
    parameters: Parameters | None
    """What was in force; None before the container was asked."""
    outputs: tuple[str, ...]
    """The URI of each output object, in the order of their inputs."""
    failures: Mapping[str, str]
    """Of each object without an output: why."""
    requests: int
    retried: int
    container_exit_codes: Mapping[str, int]
    """By instance, or INSTANCE/CONTAINER of a pipeline; one that had to be removed while it ran has none."""
    seconds: Mapping[str, float]

    @property
    def succeeded(self) -> bool:
        """Whether the container is without fault: Completed, or stopped by someone else."""
        return self.status is not TransformJobStatus.FAILED

    def describe(self) -> dict[str, Any]:
        """Give it as JSON in the shape of DescribeTransformJob, plus an `Emulator` object; times are ISO 8601."""
        request, platform = self.request, self.platform
        name = request.transform_job_name
        described: dict[str, Any] = {
            "TransformJobName": name,
            "TransformJobArn": transform_job_arn(region=platform.region, account=platform.account, name=name),
            "TransformJobStatus": self.status.value,
        }
        if self.failure_reason is not None:
            described["FailureReason"] = self.failure_reason
        asked = masked_document(to_aws(request)[OPERATION])
        asked.pop("Tags", None)
        described |= {key: value for key, value in asked.items() if key not in described}
        described["CreationTime"] = iso(self.created)
        if self.started is not None:
            described["TransformStartTime"] = iso(self.started)
        if self.ended is not None:
            described["TransformEndTime"] = iso(self.ended)
        in_force = self.parameters
        described["Emulator"] = {
            "RunFolder": str(self.run_folder),
            "Image": request.model.image,
            "ImageId": self.images[request.model.image].id,
            **self._containers(),
            "LastModifiedTime": iso(self.changed),
            "Settings": dict(platform.settings.given),
            "ContainerExitCodes": dict(self.container_exit_codes),
            "Parameters": {}
            if in_force is None
            else {
                "MaxConcurrentTransforms": in_force.max_concurrent_transforms,
                "MaxPayloadInMB": in_force.max_payload_in_mb,
                "BatchStrategy": in_force.batch_strategy,
            },
            "Outputs": list(self.outputs),
            "Failures": dict(self.failures),
            "Requests": self.requests,
            "Retried": self.retried,
            "Seconds": dict(self.seconds),
        }
        return described

    def _containers(self) -> dict[str, Any]:
        """Give the containers of each instance where these are several."""
        model = self.request.model
        if not model.several:
            return {}
        ports = ports_of(self.platform.settings, len(model.containers))
        return {
            "Containers": [
                {
                    "ContainerHostname": name,
                    "Image": container.image,
                    "ImageId": self.images[container.image].id,
                    "BindToPort": own.bind,
                }
                for name, container, own in zip(model.container_names, model.containers, ports, strict=True)
            ]
        }
