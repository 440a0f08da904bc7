"""Requests from Python, in the words of the command line."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from sm_emulate.request import flags as read
from sm_emulate.request.naming import default_job_name
from sm_emulate.request.training import from_aws
from sm_emulate.storage.runs import default_home

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sm_emulate.request.training import TrainingRequest


def training_request(
    image: str,
    *,
    job_name: str | None = None,
    channels: Mapping[str, str | Path] | Sequence[str] = (),
    hyperparameters: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
    metrics: Mapping[str, str] | None = None,
    instance_type: str = "ml.m5.large",
    instance_count: int = 1,
    entrypoint: Sequence[str] = (),
    arguments: Sequence[str] = (),
    max_runtime_s: int | None = None,
    network_isolation: bool = False,
    checkpoints: Path | None = None,
    output_path: Path | str | None = None,
) -> TrainingRequest:
    """Give the request of a training job; what is left out has the command line's defaults.

    Args:
        image: to run.
        job_name: image and time by default.
        channels: path by name; or as `--channel` takes them, NAME=PATH[,OPTION=VALUE...].
        hyperparameters: text by name.
        environment: the request's Environment.
        metrics: regex by name; group 1 is the number.
        instance_type: what the host is.
        instance_count: hosts, algo-1 to algo-N.
        entrypoint: ContainerEntrypoint.
        arguments: ContainerArguments.
        max_runtime_s: MaxRuntimeInSeconds.
        network_isolation: no way out of the containers.
        checkpoints: the folder that stands for CheckpointConfig's S3Uri; None gives no CheckpointConfig.
        output_path: archives go to `<output_path>/<job>/output/`; by default they stay in the run folder.

    Raises:
        RequestError: what SageMaker would refuse.
    """
    if isinstance(channels, Mapping):
        texts = [f"{name}=" + str(path).replace(",", "\\,") for name, path in channels.items()]
    else:
        texts = list(channels)
    name = job_name or default_job_name(image, datetime.now(timezone.utc))
    document: dict[str, Any] = read.training_document(
        image=image,
        job_name=name,
        role_arn="arn:aws:iam::123456789012:role/sm-emulate",
        output_path=str(output_path or default_home(os.environ).absolute() / "training-jobs" / name),
        instance_type=instance_type,
        instance_count=instance_count,
        channels=[read.channel(text) for text in texts],
        hyperparameters=hyperparameters,
        environment=environment,
        entrypoint=entrypoint,
        arguments=arguments,
        metrics=[{"Name": key, "Regex": regex} for key, regex in (metrics or {}).items()],
        max_runtime_in_seconds=max_runtime_s,
        network_isolation=network_isolation,
    )
    if checkpoints is not None:
        document["CheckpointConfig"] = {"S3Uri": checkpoints.absolute().as_uri()}
    return from_aws(document)
