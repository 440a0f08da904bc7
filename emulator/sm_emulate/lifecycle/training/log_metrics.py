"""Metrics found in a job's log while it is written."""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING

from sm_emulate.artifacts.metrics import MetricDefinition, MetricWatcher
from sm_emulate.events import MetricRecorded

if TYPE_CHECKING:
    from collections.abc import Callable

    from sm_emulate.artifacts.metrics import FinalMetricData
    from sm_emulate.events import Event, LogLines
    from sm_emulate.request.training import TrainingRequest


class LogMetrics:
    """Searches the log lines of all hosts, and publishes each number that is found.

    Raises:
        RequestError: a regex cannot be read.
    """

    def __init__(self, request: TrainingRequest, publish: Callable[[Event], None]) -> None:
        self._watcher = MetricWatcher(
            [
                MetricDefinition(name=each.name, regex=each.regex)
                for each in request.algorithm_specification.metric_definitions
            ]
        )
        self._publish = publish
        self._steps: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()

    def search(self, lines: LogLines) -> None:
        """Search what one host wrote; each line by itself, as each is an event of its own in CloudWatch."""
        for line in lines.data.decode("utf-8", "replace").split("\n")[:-1]:
            with self._lock:
                found = self._watcher.feed(line, lines.at)
            for metric in found:
                of_host = (metric.name, lines.host)  # a host's lines come one after the other
                self._steps[of_host] += 1
                self._publish(
                    MetricRecorded(
                        at=lines.at,
                        name=metric.name,
                        value=metric.value,
                        host=lines.host,
                        step=self._steps[of_host],
                    )
                )

    def final(self) -> tuple[FinalMetricData, ...]:
        """Give the last value of each metric so far."""
        with self._lock:
            return tuple(self._watcher.final())

    def given_up(self) -> list[str]:
        """Name the metrics whose regex takes so long that it is no longer tried."""
        return self._watcher.given_up()
