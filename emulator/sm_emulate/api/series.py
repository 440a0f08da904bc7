"""The metrics of a job from Python: `metrics` reads those of a job that runs or is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sm_emulate.api.running import runs_at
from sm_emulate.errors import RequestError
from sm_emulate.storage.metric_series import read_points

if TYPE_CHECKING:
    from pathlib import Path

    from sm_emulate.storage.metric_series import MetricPoint


def metrics(job: str, *, name: str | None = None, home: Path | None = None) -> list[MetricPoint]:
    """Give every value of a training job's metrics so far, in the order in which they came.

    Args:
        job: the training job's name.
        name: only this metric.
        home: the folder of all runs; SM_EMULATE_HOME or the user's state folder by default.

    Raises:
        RequestError: there is no such job, or it never had such a metric.
    """
    run = runs_at(home).find(job)
    if run.kind != "training-jobs":
        raise RequestError("this run is no training job", value=run.id, expected="the name of a training job")
    points, _ = read_points(run.metrics)
    return points if name is None else [point for point in points if point.name == name]
