"""UpdateEndpoint: what an update keeps of the variants as they are, and how it goes about the change."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sm_emulate.errors import RequestError
from sm_emulate.request.hosted_model import not_emulated
from sm_emulate.request.service_model import load
from sm_emulate.request.validate import require

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sm_emulate.request.endpoint import EndpointRequest
    from sm_emulate.request.validate import Problem

OPERATION = "UpdateEndpoint"
COUNT, WEIGHT = "DesiredInstanceCount", "DesiredWeight"
_PROPERTIES = frozenset({COUNT, WEIGHT})
"""What is retained of a variant: the API model has DataCaptureConfig, too, and says that it is not supported."""
ALL_AT_ONCE = "ALL_AT_ONCE"


@dataclass(frozen=True, kw_only=True)
class UpdateTerms:
    """One sound UpdateEndpoint, less the names in it."""

    retained: frozenset[str] = frozenset()
    """Properties of the variants that stay as they are now, whatever the new configuration says."""
    termination_wait_s: int = 0
    """How long the old containers stay, without requests, when the new ones have taken over."""

    def applied(
        self, request: EndpointRequest, *, now: EndpointRequest, weights: Mapping[str, float]
    ) -> EndpointRequest:
        """Give the new request with what is retained of the variants that have the same name now.

        Args:
            request: what the new configuration says.
            now: the endpoint as it is.
            weights: of its variants at this moment.
        """
        before = {each.variant_name: each for each in now.variants}
        variants = []
        for each in request.variants:
            kept = before.get(each.variant_name)
            changed = each
            if kept is not None and COUNT in self.retained:
                changed = replace(changed, initial_instance_count=kept.initial_instance_count)
            if kept is not None and WEIGHT in self.retained:
                weight = weights.get(each.variant_name, kept.initial_variant_weight)
                changed = replace(changed, initial_variant_weight=weight)
            variants.append(changed)
        return replace(request, variants=tuple(variants))


def document_of_flags(*, retain_all: bool, excluded: tuple[str, ...]) -> dict[str, Any]:
    """Give the members of UpdateEndpoint that these flags of `sm-emulate update` mean."""
    if excluded and not retain_all:
        raise RequestError(
            "nothing is retained that a property could be excluded from",
            value=", ".join(excluded),
            expected="--retain-all-variant-properties beside it",
        )
    found: dict[str, Any] = {}
    if retain_all:
        found["RetainAllVariantProperties"] = True
    if excluded:
        found["ExcludeRetainedVariantProperties"] = [{"VariantPropertyType": each} for each in excluded]
    return found


def create_endpoint(document: Mapping[str, Any]) -> dict[str, Any]:
    """Give the CreateEndpoint that makes the endpoint which an UpdateEndpoint leads to."""
    return {name: document[name] for name in ("EndpointName", "EndpointConfigName") if name in document}


def from_aws(document: Mapping[str, Any], *, cache_dir: Path | None = None) -> UpdateTerms:
    """Check an UpdateEndpoint and give its terms.

    Raises:
        RequestError: the API would not take it, or the emulator does not do it.
    """
    require(document, load(OPERATION, cache_dir=cache_dir), rules=_problems)
    retained = frozenset[str]()
    if document.get("RetainAllVariantProperties"):
        listed = document.get("ExcludeRetainedVariantProperties", ())
        retained = _PROPERTIES - {each["VariantPropertyType"] for each in listed}
    policy = document.get("DeploymentConfig", {}).get("BlueGreenUpdatePolicy", {})
    return UpdateTerms(retained=retained, termination_wait_s=policy.get("TerminationWaitInSeconds", 0))


def _problems(document: Mapping[str, Any]) -> list[Problem]:
    deployment = document.get("DeploymentConfig", {})
    policy = deployment.get("BlueGreenUpdatePolicy", {})
    at = "DeploymentConfig.BlueGreenUpdatePolicy.TrafficRoutingConfiguration.Type"
    found = []
    if document.get("RetainDeploymentConfig"):
        found.append(
            not_emulated("RetainDeploymentConfig", "reusing the last DeploymentConfig is", "a new one")
        )
    if "RollingUpdatePolicy" in deployment:
        path = "DeploymentConfig.RollingUpdatePolicy"
        found.append(not_emulated(path, "a rolling update is", "BlueGreenUpdatePolicy"))
    if policy and policy["TrafficRoutingConfiguration"]["Type"] != ALL_AT_ONCE:
        subject = f"{policy['TrafficRoutingConfiguration']['Type']} traffic routing is"
        found.append(not_emulated(at, subject, ALL_AT_ONCE))
    if deployment.get("AutoRollbackConfiguration", {}).get("Alarms"):
        path = "DeploymentConfig.AutoRollbackConfiguration.Alarms"
        subject = "there is no CloudWatch here whose alarms could roll an update back: they are"
        found.append(not_emulated(path, subject, "none: containers that do not become healthy roll it back"))
    return found
