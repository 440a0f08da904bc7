"""The sample input of a check as a training request."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from sm_contracts.probes.training import trees
from sm_emulate import api

if TYPE_CHECKING:
    from pathlib import Path

    from sm_contracts.probes.training.way import Way
    from sm_contracts.subject import Subject
    from sm_emulate.api import TrainingRequest

COPIED_BYTES = 256 << 20
"""Sample data up to this size is copied, so that a run may write into it as it may on the platform."""


class Sample:
    """Channels, hyperparameters and metrics, as the user gave them.

    Args:
        subject: the image and what came with it.
        bucket: an empty folder that stands for the checkpoints in S3.

    Raises:
        RequestError: SageMaker would refuse them.
    """

    def __init__(self, subject: Subject, bucket: Path) -> None:
        given = subject.training
        self.channels = given.channels
        self.hyperparameters = given.hyperparameters
        self.metrics, self.broken_metrics = _definitions(given.metrics)
        request = api.training_request(
            subject.image,
            job_name="check",
            channels=given.channels,
            hyperparameters=given.hyperparameters,
            environment=given.environment,
            metrics=self.metrics,
            instance_type=subject.instance_type,
            checkpoints=bucket,
        )
        self._request = request
        inputs = request.input_data_config
        self.pipes = frozenset(each.channel_name for each in inputs if request.input_mode(each) == "Pipe")
        """Channels in Pipe mode."""
        sources = [each.data_source.local_path for each in inputs if each.channel_name not in self.pipes]
        self.small = sum(trees.total_bytes(each) for each in sources if each is not None) <= COPIED_BYTES

    def request(self, way: Way, *, name: str, home: Path, limit_s: float) -> TrainingRequest:
        """Give the request of one run; everything stays in its run folder."""
        request, path = self._request, home / "training-jobs" / name
        return replace(
            request,
            training_job_name=name,
            resource_config=replace(request.resource_config, instance_count=way.hosts),
            enable_network_isolation=way.isolated,
            checkpoint_config=request.checkpoint_config if way.checkpoints else None,
            output_data_config=replace(request.output_data_config, s3_output_path=path.as_uri()),
            stopping_condition=replace(
                request.stopping_condition, max_runtime_in_seconds=max(1, round(limit_s))
            ),
        )


def _definitions(texts: tuple[str, ...]) -> tuple[dict[str, str], dict[str, str]]:
    """Tell metric definitions that can find a number from those that never can, with the reason."""
    sound, broken = {}, {}
    for text in texts:
        name, _, regex = text.partition("=")
        try:
            groups = re.compile(regex).groups
        except re.error as error:
            broken[name] = f"its regex {regex!r} cannot be read: {error}"
            continue
        if groups and regex:
            sound[name] = regex
        else:
            broken[name] = f"its regex {regex!r} has no group, and the number is group 1"
    return sound, broken
