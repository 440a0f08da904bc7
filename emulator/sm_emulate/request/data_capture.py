"""DataCaptureConfig of CreateEndpointConfig: what is kept of requests and answers, and where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sm_emulate.request.placed import placed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MEMBER = "DataCaptureConfig"
LOCATIONS = (f"{MEMBER}.DestinationS3Uri",)


@dataclass(frozen=True, kw_only=True)
class DataCapture:
    """What is captured of an endpoint's invocations."""

    destination: str
    """`s3://...`, or `file:///...` in which nothing is percent-encoded."""
    sampling_percentage: int
    takes_input: bool
    takes_output: bool
    csv_content_types: frozenset[str] = frozenset()
    json_content_types: frozenset[str] = frozenset()

    def encoding(self, content_type: str | None) -> str:
        """Give CSV or JSON for a type that was named so, else BASE64; parameters such as charset do not count."""
        bare = (content_type or "").partition(";")[0].strip().lower()
        if bare in self.csv_content_types:
            return "CSV"
        return "JSON" if bare in self.json_content_types else "BASE64"


def from_config(document: Mapping[str, Any], *, base_dir: Path | None = None) -> DataCapture | None:
    """Read a sound CreateEndpointConfig; None where nothing is captured."""
    config = document.get(MEMBER)
    if config is None or not config.get("EnableCapture", True):
        return None
    modes = {option["CaptureMode"] for option in config["CaptureOptions"]}
    types = config.get("CaptureContentTypeHeader", {})
    return DataCapture(
        destination=placed(config["DestinationS3Uri"], base_dir=base_dir),
        sampling_percentage=config["InitialSamplingPercentage"],
        takes_input=bool(modes & {"Input", "InputAndOutput"}),
        takes_output=bool(modes & {"Output", "InputAndOutput"}),
        csv_content_types=frozenset(name.lower() for name in types.get("CsvContentTypes", ())),
        json_content_types=frozenset(name.lower() for name in types.get("JsonContentTypes", ())),
    )


def summary(config: Mapping[str, Any], *, serving: bool) -> dict[str, Any]:
    """Give a sound DataCaptureConfig in the shape of DataCaptureConfigSummary; without a key it has no KmsKeyId."""
    enabled = config.get("EnableCapture", True)
    return {
        "EnableCapture": enabled,
        "CaptureStatus": "Started" if enabled and serving else "Stopped",
        "CurrentSamplingPercentage": config["InitialSamplingPercentage"],
        "DestinationS3Uri": config["DestinationS3Uri"],
        **{name: config[name] for name in ("KmsKeyId",) if name in config},
    }


def config_of_flags(*, destination: str, sampling: int) -> dict[str, Any]:
    """Give the DataCaptureConfig that the flags of a command line mean: both sides, CSV and JSON readable."""
    return {
        "EnableCapture": True,
        "InitialSamplingPercentage": sampling,
        "DestinationS3Uri": destination,
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        "CaptureContentTypeHeader": {
            "CsvContentTypes": ["text/csv"],
            "JsonContentTypes": ["application/json", "application/jsonlines"],
        },
    }
