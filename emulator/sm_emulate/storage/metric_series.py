"""The metrics of a job as a series: `metrics.ndjson` in its run folder.

One JSON object a line, in the order in which the values came:

    {"name": "loss", "value": 0.25, "timestamp": "2026-01-31T12:00:00.123+00:00", "host": "algo-1", "step": 3}

`step` counts the values of one metric on one host from 1 on; `timestamp` is when the line was read.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sm_emulate.storage.trouble import told

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from sm_emulate.events import MetricRecorded


@dataclass(frozen=True, kw_only=True)
class MetricPoint:
    """One value of a metric."""

    name: str
    value: float
    timestamp: datetime
    host: str
    step: int
    """From 1 on, for each metric and host."""

    def as_json(self) -> dict[str, object]:
        """Give it as a line of the file holds it."""
        return {
            "name": self.name,
            "value": self.value,
            "timestamp": self.timestamp.isoformat(timespec="milliseconds"),
            "host": self.host,
            "step": self.step,
        }


@dataclass(frozen=True, kw_only=True)
class MetricSummary:
    """What became of one metric on one host."""

    name: str
    host: str
    last: float
    minimum: float
    maximum: float
    count: int


def as_line(metric: MetricRecorded) -> str:
    """Give the line of the file for an event."""
    point = MetricPoint(
        name=metric.name, value=metric.value, timestamp=metric.at, host=metric.host, step=metric.step
    )
    return json.dumps(point.as_json()) + "\n"


def read_points(file: Path, *, offset: int = 0) -> tuple[list[MetricPoint], int]:
    """Give what stands in the file from an offset on, and where to go on; a line half written is left for later."""
    if not file.exists():
        return [], offset
    with told("the metrics cannot be read", file), file.open("rb") as opened:
        opened.seek(offset)
        whole, newline, _ = opened.read().rpartition(b"\n")
    points = []
    for line in whole.splitlines():
        held = json.loads(line)
        points.append(MetricPoint(**held | {"timestamp": datetime.fromisoformat(held["timestamp"])}))
    return points, offset + len(whole) + len(newline)


def summaries(points: Iterable[MetricPoint]) -> list[MetricSummary]:
    """Give one summary for each metric and host, in the order in which they were first seen."""
    values: dict[tuple[str, str], list[float]] = {}
    for point in points:
        values.setdefault((point.name, point.host), []).append(point.value)
    return [
        MetricSummary(
            name=name,
            host=host,
            last=of_one[-1],
            minimum=min(of_one),
            maximum=max(of_one),
            count=len(of_one),
        )
        for (name, host), of_one in values.items()
    ]
