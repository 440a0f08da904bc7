"""How an endpoint stands: the answer of DescribeEndpoint, and what only an emulator knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sm_emulate.spec.containers import ports_of
from sm_emulate.spec.endpoint import EndpointStatus, endpoint_arn

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from sm_emulate.engine.protocol import Image
    from sm_emulate.lifecycle.model_shelf import ShelfCounts
    from sm_emulate.lifecycle.platform import Platform
    from sm_emulate.request.endpoint import EndpointRequest
    from sm_emulate.request.variant import Variant


@dataclass(frozen=True, kw_only=True)
class EndpointResult:
    """An endpoint at one moment. Times are UTC."""

    request: EndpointRequest
    platform: Platform
    images: Mapping[str, Image]
    """By the names that the request uses."""
    run_folder: Path
    status: EndpointStatus
    failure_reason: str | None
    created: datetime
    changed: datetime
    url: str
    """Of the gateway; empty before it is in service."""
    container_exit_codes: Mapping[str, int]
    """Of those that have ended, by the names of their logs."""
    instances: Mapping[str, int]
    """How many of each variant take requests."""
    metrics: Mapping[str, Any]
    """By variant, as CloudWatch names them; latencies in microseconds."""
    last_update: Mapping[str, Any]
    """How the last update ended; empty before there is one."""
    weights: Mapping[str, float]
    """Of each production variant, now."""
    models: ShelfCounts | None = None
    """Of a multi-model endpoint in service."""
    seconds: Mapping[str, float]
    """How long the model, the container and its health took."""

    @property
    def container_exit_code(self) -> int | None:
        """Of the container that ended last; None while none has."""
        return [None, *self.container_exit_codes.values()][-1]

    @property
    def succeeded(self) -> bool:
        """Whether the container is without fault."""
        return self.status is not EndpointStatus.FAILED

    def describe(self) -> dict[str, Any]:
        """Give it as JSON in the shape of DescribeEndpoint, plus an `Emulator` object; times are ISO 8601."""
        request, platform = self.request, self.platform
        described: dict[str, Any] = {
            "EndpointName": request.endpoint_name,
            "EndpointArn": endpoint_arn(
                region=platform.region, account=platform.account, name=request.endpoint_name
            ),
            "EndpointConfigName": request.endpoint_config_name,
            "ProductionVariants": [self._variant(each) for each in request.variants],
            "EndpointStatus": self.status.value,
        }
        if request.shadow is not None:
            described["ShadowProductionVariants"] = [self._variant(request.shadow)]
        if self.failure_reason is not None:
            described["FailureReason"] = self.failure_reason
        return described | {
            "CreationTime": self.created.isoformat(timespec="milliseconds"),
            "LastModifiedTime": self.changed.isoformat(timespec="milliseconds"),
            "Emulator": {
                "RunFolder": str(self.run_folder),
                "Url": self.url,
                "Image": request.model.image,
                "ImageId": self.images[request.model.image].id,
                "Settings": dict(platform.settings.given),
                "ContainerExitCodes": dict(self.container_exit_codes),
                "Metrics": dict(self.metrics),
                **({"LastUpdate": dict(self.last_update)} if self.last_update else {}),
                "Seconds": dict(self.seconds),
            }
            | self._models()
            | self._containers(),
        }

    def _containers(self) -> dict[str, Any]:
        """Give the containers of each instance where these are several, by variant."""
        found = {}
        for variant in self.request.all_variants:
            model = variant.model
            if model.several:
                named = zip(
                    model.container_names,
                    model.containers,
                    ports_of(self.platform.settings, len(model.containers)),
                    strict=True,
                )
                found[variant.variant_name] = [
                    {"ContainerHostname": name, "Image": container.image, "BindToPort": ports.bind}
                    for name, container, ports in named
                ]
        return {"Containers": found} if found else {}

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

    def _variant(self, variant: Variant) -> dict[str, Any]:
        """Give one variant in the shape of ProductionVariantSummary."""
        name = variant.variant_name
        weight = self.weights.get(name, variant.initial_variant_weight)
        up = self.status not in {
            EndpointStatus.CREATING,
            EndpointStatus.FAILED,
            EndpointStatus.OUT_OF_SERVICE,
        }
        return {
            "VariantName": name,
            "DeployedImages": [
                {
                    "SpecifiedImage": image,
                    "ResolvedImage": self.images[image].id,
                    "ResolutionTime": self.created.isoformat(timespec="milliseconds"),
                }
                for image in variant.model.images
            ],
            "CurrentWeight": weight,
            "DesiredWeight": weight,
            "CurrentInstanceCount": self.instances.get(name, 0) if up else 0,
            "DesiredInstanceCount": variant.initial_instance_count,
        }
