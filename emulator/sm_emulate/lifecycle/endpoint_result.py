"""How an endpoint stands: the answer of DescribeEndpoint, and what only an emulator knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sm_emulate.spec.endpoint import EndpointStatus, endpoint_arn

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from sm_emulate.engine.protocol import Image
    from sm_emulate.lifecycle.model_shelf import ShelfCounts
    from sm_emulate.lifecycle.platform import Platform
    from sm_emulate.request.endpoint import EndpointRequest


@dataclass(frozen=True, kw_only=True)
class EndpointResult:
    """An endpoint at one moment. Times are UTC."""

    request: EndpointRequest
    platform: Platform
    image: Image
    run_folder: Path
    status: EndpointStatus
    failure_reason: str | None
    created: datetime
    changed: datetime
    url: str
    """Of the gateway; empty before it is in service."""
    container_exit_code: int | None
    """None while it runs."""
    models: ShelfCounts | None = None
    """Of a multi-model endpoint in service."""
    seconds: Mapping[str, float]
    """How long the model, the container and its health took."""

    @property
    def succeeded(self) -> bool:
        """Whether the container is without fault."""
        return self.status is not EndpointStatus.FAILED

    def describe(self) -> dict[str, Any]:
        """Give it as JSON in the shape of DescribeEndpoint, plus an `Emulator` object; times are ISO 8601."""
        request, platform = self.request, self.platform
        count = request.initial_instance_count
        described: dict[str, Any] = {
            "EndpointName": request.endpoint_name,
            "EndpointArn": endpoint_arn(
                region=platform.region, account=platform.account, name=request.endpoint_name
            ),
            "EndpointConfigName": request.endpoint_config_name,
            "ProductionVariants": [
                {
                    "VariantName": request.variant_name,
                    "DeployedImages": [
                        {
                            "SpecifiedImage": request.model.image,
                            "ResolvedImage": self.image.id,
                            "ResolutionTime": self.created.isoformat(timespec="milliseconds"),
                        }
                    ],
                    "CurrentWeight": 1.0,
                    "DesiredWeight": 1.0,
                    "CurrentInstanceCount": count if self.status is EndpointStatus.IN_SERVICE else 0,
                    "DesiredInstanceCount": count,
                }
            ],
            "EndpointStatus": self.status.value,
        }
        if self.failure_reason is not None:
            described["FailureReason"] = self.failure_reason
        return described | {
            "CreationTime": self.created.isoformat(timespec="milliseconds"),
            "LastModifiedTime": self.changed.isoformat(timespec="milliseconds"),
            "Emulator": {
                "RunFolder": str(self.run_folder),
                "Url": self.url,
                "Image": request.model.image,
                "ImageId": self.image.id,
                "Settings": dict(platform.settings.given),
                "ContainerExitCodes": {}
                if self.container_exit_code is None
                else {request.variant_name: self.container_exit_code},
                "Seconds": dict(self.seconds),
            }
            | self._models(),
        }

    def _models(self) -> dict[str, Any]:
        if self.models is None:
            return {}
        counts = self.models
        return {
            "Models": {
                "Loaded": list(counts.loaded),
                "Loads": counts.loads,
                "Unloads": counts.unloads,
                "Evictions": counts.evictions,
            }
        }
