"""How an endpoint stands: the answer of DescribeEndpoint, and what only an emulator knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sm_emulate.gateway.page_source import PAGE_PATH
from sm_emulate.request.async_inference import MEMBER as ASYNC
from sm_emulate.request.data_capture import MEMBER as CAPTURE
from sm_emulate.request.data_capture import summary as capture_summary
from sm_emulate.spec.containers import ports_of
from sm_emulate.spec.endpoint import EndpointStatus, endpoint_arn

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from sm_emulate.engine.protocol import Image
    from sm_emulate.lifecycle.hosting.model_shelf import ShelfCounts
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
    components: tuple[Mapping[str, Any], ...] | None = None
    """Inference components, as DescribeInferenceComponent has them; None where variants have models."""
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
        if request.async_inference is not None:
            described[ASYNC] = request.documents.create_endpoint_config[ASYNC]
        if (capture := request.documents.create_endpoint_config.get(CAPTURE)) is not None:
            described[CAPTURE] = capture_summary(capture, serving=self._up)
        if self.failure_reason is not None:
            described["FailureReason"] = self.failure_reason
        return described | {
            "CreationTime": self.created.isoformat(timespec="milliseconds"),
            "LastModifiedTime": self.changed.isoformat(timespec="milliseconds"),
            "Emulator": {
                "RunFolder": str(self.run_folder),
                "Url": self.url,
                **({"Page": self.url + PAGE_PATH} if self.url else {}),
                **self._image(),
                "Settings": dict(platform.settings.given),
                "ContainerExitCodes": dict(self.container_exit_codes),
                "Metrics": dict(self.metrics),
                **({"LastUpdate": dict(self.last_update)} if self.last_update else {}),
                "Seconds": dict(self.seconds),
            }
            | self._models()
            | self._environments()
            | self._containers(),
        }

    @property
    def _up(self) -> bool:
        """Whether there is somebody who takes requests."""
        return self.status not in {
            EndpointStatus.CREATING,
            EndpointStatus.FAILED,
            EndpointStatus.OUT_OF_SERVICE,
        }

    def _image(self) -> dict[str, Any]:
        """Name the first variant's image; or what inference components there are, with theirs."""
        if self.components is not None:
            return {"InferenceComponents": [dict(each) for each in self.components]}
        image = self.request.model.image
        return {"Image": image, "ImageId": self.images[image].id}

    def _environments(self) -> dict[str, Any]:
        """Say how many environments a serverless endpoint has now, which AWS tells nobody."""
        if self.request.serverless is None:
            return {}
        return {"Environments": self.instances.get(self.request.variant_name, 0)}

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
        up = self._up
        described: dict[str, Any] = {
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
        }
        if variant.serverless is not None:
            config = variant.serverless.as_aws()
            return described | {"CurrentServerlessConfig": config, "DesiredServerlessConfig": config}
        if self.components is not None:
            del described["DeployedImages"]
            count = variant.initial_instance_count
            return described | {"CurrentInstanceCount": count if up else 0, "DesiredInstanceCount": count}
        return described | {
            "CurrentInstanceCount": self.instances.get(name, 0) if up else 0,
            "DesiredInstanceCount": variant.initial_instance_count,
        }
