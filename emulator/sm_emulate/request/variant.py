"""A variant of an endpoint: one model on some instances, and its part of the traffic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sm_emulate.request import serverless as serverless_config
from sm_emulate.request.hosted_model import NO_MODEL, not_emulated
from sm_emulate.request.validate import Problem
from sm_emulate.request.wording import shown
from sm_emulate.spec.serverless import WINDOW_SECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sm_emulate.request.hosted_model import HostedModel
    from sm_emulate.request.serverless import Serverless

DEFAULT_STARTUP_TIMEOUT_S = 480
"""The 8 minutes that a container has to answer its first ping, when CreateEndpointConfig says nothing."""
MOST_INSTANCES = 16
"""Containers of one endpoint on one machine; the API itself has no such number."""
_ROUTINGS = ("RANDOM", "LEAST_OUTSTANDING_REQUESTS")
LISTS = ("ProductionVariants", "ShadowProductionVariants")


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One production or shadow variant. Made, and checked, with its endpoint."""

    variant_name: str
    model: HostedModel
    instance_type: str
    initial_instance_count: int = 1
    initial_variant_weight: float = 1.0
    routing_strategy: str = "RANDOM"
    container_startup_health_check_timeout_in_seconds: int = DEFAULT_STARTUP_TIMEOUT_S
    serverless: Serverless | None = None
    """None for a variant on instances; else its `instance_type` is empty."""


def variants_of(
    document: Mapping[str, Any], list_name: str, models: Mapping[str, HostedModel]
) -> tuple[Variant, ...]:
    """Give the variants of a CreateEndpointConfig document that was found sound."""
    return tuple(
        Variant(
            variant_name=each["VariantName"],
            model=models[each["ModelName"]] if "ModelName" in each else NO_MODEL,
            instance_type=each.get("InstanceType", ""),
            initial_instance_count=each.get("InitialInstanceCount", 1),
            initial_variant_weight=float(each.get("InitialVariantWeight", 1.0)),
            routing_strategy=each.get("RoutingConfig", {}).get("RoutingStrategy", "RANDOM"),
            container_startup_health_check_timeout_in_seconds=each.get(
                "ContainerStartupHealthCheckTimeoutInSeconds",
                WINDOW_SECONDS if serverless_config.MEMBER in each else DEFAULT_STARTUP_TIMEOUT_S,
            ),
            serverless=serverless_config.from_variant(each),
        )
        for each in document.get(list_name, ())
    )


def problems(
    document: Mapping[str, Any], model_names: tuple[str, ...], *, for_components: bool = False
) -> list[Problem]:
    """Say what the service model cannot say about the variants of a CreateEndpointConfig document.

    Args:
        document: the document.
        model_names: what ModelName may be.
        for_components: the models are those of inference components, and variants have none.
    """
    names: set[str] = set()
    instances = 0
    for list_name in LISTS:
        for number, variant in enumerate(document.get(list_name, ())):
            path = f"{list_name}[{number}]"
            found = _problem(variant, path, () if for_components else model_names)
            if found is not None:
                return [found]
            name = variant["VariantName"]
            if name in names:
                what = f"{path}.VariantName is there twice"
                return [Problem(path=f"{path}.VariantName", what=what, value=name, expected="another name")]
            names.add(name)
            instances += variant.get("InitialInstanceCount", 1)
    if instances > MOST_INSTANCES:
        what = "the endpoint has more instances than one machine starts containers for"
        path = "ProductionVariants"
        return [Problem(path=path, what=what, value=str(instances), expected=f"at most {MOST_INSTANCES}")]
    return _share_problems(document)


def _problem(variant: Mapping[str, Any], path: str, model_names: tuple[str, ...]) -> Problem | None:
    if serverless_config.MEMBER in variant:
        found = next(serverless_config.variant_problems(variant, path), None)
        if found is not None:
            return found
    elif "InstanceType" not in variant:
        what = f"{path}.InstanceType is missing"
        expected = f"an instance type, or {serverless_config.MEMBER}"
        return Problem(path=f"{path}.InstanceType", what=what, expected=expected)
    if model_names and variant.get("ModelName") not in model_names:
        return other_name(f"{path}.ModelName", variant.get("ModelName"), " or ".join(model_names))
    if not model_names and (found := _problem_beside_components(variant, path)) is not None:
        return found
    routing = variant.get("RoutingConfig", {}).get("RoutingStrategy", _ROUTINGS[0])
    if routing not in _ROUTINGS:
        where = f"{path}.RoutingConfig.RoutingStrategy"
        return not_emulated(where, f"{routing} is", " or ".join(_ROUTINGS))
    return None


def _problem_beside_components(variant: Mapping[str, Any], path: str) -> Problem | None:
    for name in ("ModelName", serverless_config.MEMBER):
        if name in variant:
            what = f"{path}.{name} does not go with inference components"
            return Problem(path=f"{path}.{name}", what=what, expected=f"a variant without {name}")
    return None


def _share_problems(document: Mapping[str, Any]) -> list[Problem]:
    production, shadows = (document.get(list_name, ()) for list_name in LISTS)
    if shadows and (len(production), len(shadows)) != (1, 1):
        what = "a shadow variant needs one production variant, and is the only one"
        value = f"{len(production)} production and {len(shadows)} shadow variants"
        return [Problem(path=LISTS[1], what=what, value=value, expected="one of each")]
    if not sum(each.get("InitialVariantWeight", 1.0) for each in production):
        what = "no production variant gets any traffic: all weights are 0"
        return [Problem(path=LISTS[0], what=what, expected="an InitialVariantWeight above 0")]
    return []


def other_name(path: str, found: object, wanted: str) -> Problem:
    """Give the problem of a document that names another one than was given."""
    return Problem(
        path=path, what=f"{path} does not name what was given", value=shown(found), expected=wanted
    )
