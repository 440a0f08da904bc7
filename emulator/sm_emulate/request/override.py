"""A document of the API with what the command line says put over it."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from sm_emulate.request.training_rules import DEFAULT_MAX_RUNTIME_S

if TYPE_CHECKING:
    from collections.abc import Mapping


def override(document: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Give the document with the members of another over it.

    Structures and maps are merged; channels, metric definitions, ranges, inputs and outputs are replaced by name, a
    channel that has only its data source in common keeps the rest of what the document says of it; everything else is
    replaced.
    """
    merged = deepcopy(dict(document))
    for name, value in over.items():
        there = merged.get(name)
        if isinstance(there, dict) and isinstance(value, dict) and name not in _WHOLE:
            merged[name] = override(there, value)
        elif name in _NAMED and isinstance(there, list):
            merged[name] = _by_name(there, value, _NAMED[name])
        else:
            merged[name] = deepcopy(value)
    resources, asked = merged.get("ResourceConfig"), over.get("ResourceConfig")
    if isinstance(resources, dict) and isinstance(asked, dict):
        if "InstanceType" in asked and "InstanceGroups" not in asked:
            # one type and count in place of groups, or groups in their place
            resources.pop("InstanceGroups", None)
        elif "InstanceGroups" in asked and not {"InstanceType", "InstanceCount"} & set(asked):
            resources.pop("InstanceType", None)
            resources.pop("InstanceCount", None)
    return merged


def wait_as_long_as_it_runs(document: dict[str, Any]) -> None:
    """Give a spot job that names no MaxWaitTimeInSeconds, which the API wants, the time of its run."""
    stopping = document.setdefault("StoppingCondition", {})
    if isinstance(stopping, dict):
        stopping.setdefault(
            "MaxWaitTimeInSeconds", stopping.setdefault("MaxRuntimeInSeconds", DEFAULT_MAX_RUNTIME_S)
        )


_NAMED = {
    "InputDataConfig": "ChannelName",
    "MetricDefinitions": "Name",
    "ProcessingInputs": "InputName",
    "Outputs": "OutputName",
    "IntegerParameterRanges": "Name",
    "ContinuousParameterRanges": "Name",
    "CategoricalParameterRanges": "Name",
}
_WHOLE = {"DataSource"}
"""A structure of which one member is set, never two."""


def _by_name(there: list[Any], over: list[dict[str, Any]], key: str) -> list[Any]:
    given = {item[key]: item for item in over}
    kept = [
        override(item, given.pop(item[key])) if isinstance(item, dict) and item.get(key) in given else item
        for item in there
    ]
    return [*kept, *given.values()]
