"""AsyncInferenceConfig of CreateEndpointConfig: an endpoint whose answers are objects."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sm_emulate.request.placed import placed
from sm_emulate.request.validate import Problem
from sm_emulate.spec.async_inference import TOPIC

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MEMBER = "AsyncInferenceConfig"
LOCATIONS = (f"{MEMBER}.OutputConfig.S3OutputPath", f"{MEMBER}.OutputConfig.S3FailurePath")
_TOLD = ("success_topic", "error_topic", "success_has_response", "error_has_response")
"""The fields that NotificationConfig makes."""


@dataclass(frozen=True, kw_only=True)
class AsyncInference:
    """How an asynchronous endpoint works, and where its answers go."""

    output_path: str
    """`s3://...`, or `file:///...` in which nothing is percent-encoded; so is `failure_path`."""
    failure_path: str | None = None
    """None: failures leave no object."""
    max_concurrent_per_instance: int | None = None
    """None: SageMaker chooses."""
    success_topic: str | None = None
    """None: nobody is told."""
    error_topic: str | None = None
    success_has_response: bool = False
    error_has_response: bool = False

    def told_as_json(self) -> dict[str, Any]:
        """Give who is told of an answer, for `told_by`."""
        return {name: getattr(self, name) for name in _TOLD}

    def told_by(self, kept: Mapping[str, Any] | None) -> AsyncInference:
        """Give it with those told that were kept; itself where nothing was."""
        return self if kept is None else replace(self, **{name: kept[name] for name in _TOLD})


def from_config(document: Mapping[str, Any], *, base_dir: Path | None = None) -> AsyncInference | None:
    """Read a sound CreateEndpointConfig; None for an endpoint that answers at once."""
    config = document.get(MEMBER)
    if config is None:
        return None
    output = config["OutputConfig"]
    told = output.get("NotificationConfig", {})
    included = told.get("IncludeInferenceResponseIn", ())
    failure = output.get("S3FailurePath")
    return AsyncInference(
        output_path=placed(output["S3OutputPath"], base_dir=base_dir),
        failure_path=None if failure is None else placed(failure, base_dir=base_dir),
        max_concurrent_per_instance=config.get("ClientConfig", {}).get("MaxConcurrentInvocationsPerInstance"),
        success_topic=told.get("SuccessTopic"),
        error_topic=told.get("ErrorTopic"),
        success_has_response="SUCCESS_NOTIFICATION_TOPIC" in included,
        error_has_response="ERROR_NOTIFICATION_TOPIC" in included,
    )


def problems(document: Mapping[str, Any]) -> list[Problem]:
    """List what is wrong with the AsyncInferenceConfig of a CreateEndpointConfig."""
    # the API's model lets it be left out, and says nothing of where the answers would go then
    if MEMBER in document and "S3OutputPath" not in document[MEMBER]["OutputConfig"]:
        path = LOCATIONS[0]
        return [Problem(path=path, what=f"{path} is missing", expected="where the answers go")]
    return []


def config_of_flags(
    *, output: str, failure: str | None, max_concurrent: int | None, endpoint_name: str
) -> dict[str, Any]:
    """Give the AsyncInferenceConfig that the flags of a command line mean.

    Failures go beside the outputs unless a place is named, and both kinds of notification are on.
    """
    config: dict[str, Any] = {
        "OutputConfig": {
            "S3OutputPath": output,
            "S3FailurePath": failure or output,
            "NotificationConfig": {
                "SuccessTopic": TOPIC.format(name=f"{endpoint_name}-success"),
                "ErrorTopic": TOPIC.format(name=f"{endpoint_name}-error"),
            },
        }
    }
    if max_concurrent is not None:
        config["ClientConfig"] = {"MaxConcurrentInvocationsPerInstance": max_concurrent}
    return config


def changed(
    config: Mapping[str, Any], *, output: str | None, failure: str | None, max_concurrent: int | None
) -> dict[str, Any]:
    """Give a sound AsyncInferenceConfig with other places or another number; None leaves each as it is."""
    given = {"S3OutputPath": output, "S3FailurePath": failure}
    found = {
        **config,
        "OutputConfig": {**config["OutputConfig"], **{k: v for k, v in given.items() if v is not None}},
    }
    if max_concurrent is not None:
        number = {"MaxConcurrentInvocationsPerInstance": max_concurrent}
        found["ClientConfig"] = {**config.get("ClientConfig", {}), **number}
    return found
