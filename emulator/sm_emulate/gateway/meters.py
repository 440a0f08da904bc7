"""What CloudWatch counts of an endpoint: invocations, errors and latencies of each variant."""

from __future__ import annotations

import math
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sm_emulate.gateway.front import Invocation

_PER_E = 20.0
"""Buckets for each factor e: a percentile is exact to 5 percent."""
_BUCKETS = 400
_QUANTILES = (0.5, 0.99)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Latency:
    """Durations in microseconds: their number, sum, and how they are spread."""

    __slots__ = ("_buckets", "count", "longest", "total")

    def __init__(self) -> None:
        self.count = 0
        self.total = 0.0
        self.longest = 0.0
        self._buckets = [0] * _BUCKETS

    def add(self, seconds: float) -> None:
        """Count one duration."""
        micro = seconds * 1e6
        self.count += 1
        self.total += micro
        self.longest = max(self.longest, micro)
        bucket = int(math.log(micro) * _PER_E) if micro > 1 else 0
        self._buckets[bucket if bucket < _BUCKETS else -1] += 1

    def quantile(self, part: float) -> float:
        """Give the duration that this part of all did not exceed, to 5 percent."""
        left = part * self.count
        for number, count in enumerate(self._buckets):
            left -= count
            if count and left <= 0:
                return min(math.exp((number + 1) / _PER_E), self.longest)
        return 0.0

    def described(self) -> dict[str, float]:
        """Give its numbers as CloudWatch names them."""
        return {
            "Average": round(self.total / self.count, 1) if self.count else 0.0,
            **{f"p{part * 100:g}": round(self.quantile(part), 1) for part in _QUANTILES},
            "Maximum": round(self.longest, 1),
        }


class _Variant:
    __slots__ = ("failed_by_caller", "failed_by_model", "invocations", "model", "overhead")

    def __init__(self) -> None:
        self.invocations = self.failed_by_caller = self.failed_by_model = 0
        self.model, self.overhead = Latency(), Latency()


class Meters:
    """Counts finished requests by variant. Written in the gateway's thread, read in any."""

    def __init__(self, endpoint_name: str) -> None:
        self._endpoint = endpoint_name
        self._counted: dict[str, _Variant] = {}
        self._fresh: deque[Invocation] = deque()
        self._lock = threading.Lock()

    def add(self, seen: Invocation) -> None:
        """Count one request, in a moment: one by one, counting costs more."""
        self._fresh.append(seen)

    def count(self) -> None:
        """Count what was added."""
        with self._lock:
            while self._fresh:
                self._count(self._fresh.popleft())

    @property
    def _variants(self) -> dict[str, _Variant]:
        self.count()
        return self._counted

    def _count(self, seen: Invocation) -> None:
        """Count one request; one that no variant was asked for, or a ping, counts nowhere."""
        if not seen.variant or "/invocations" not in seen.path:
            return
        variant = self._counted.get(seen.variant)
        if variant is None:
            variant = self._counted[seen.variant] = _Variant()
        variant.invocations += 1
        status = seen.original_status
        if status is None or status >= 500:
            # a caller that left is no error of the model
            variant.failed_by_model += seen.status is not None or seen.shadow
        elif status >= 400:
            variant.failed_by_caller += 1
        variant.model.add(seen.model_s)
        variant.overhead.add(seen.overhead_s)

    def total(self) -> int:
        """Give the number of all invocations."""
        return sum(each.invocations for each in list(self._variants.values()))

    def described(self) -> dict[str, Any]:
        """Give the metrics of each variant that was asked, latencies in microseconds."""
        return {
            name: {
                "Invocations": each.invocations,
                "Invocation4XXErrors": each.failed_by_caller,
                "Invocation5XXErrors": each.failed_by_model,
                "ModelLatency": each.model.described(),
                "OverheadLatency": each.overhead.described(),
            }
            for name, each in list(self._variants.items())
        }

    def prometheus(self) -> str:
        """Give the metrics in Prometheus' text format."""
        lines = []
        variants = list(self._variants.items())
        for metric, member, about in (
            ("invocations", "invocations", "Requests sent to the variant."),
            ("invocation_4xx_errors", "failed_by_caller", "Requests that the model answered with 4XX."),
            (
                "invocation_5xx_errors",
                "failed_by_model",
                "Requests that the model answered with 5XX or not at all.",
            ),
        ):
            full = f"sm_emulate_{metric}_total"
            lines += [f"# HELP {full} {about}", f"# TYPE {full} counter"]
            lines += [f"{full}{{{self._labels(name)}}} {getattr(each, member)}" for name, each in variants]
        for metric, member, about in (
            ("model_latency", "model", "Time in the container."),
            ("overhead_latency", "overhead", "Time that the gateway added."),
        ):
            full = f"sm_emulate_{metric}_microseconds"
            lines += [f"# HELP {full} {about}", f"# TYPE {full} summary"]
            for name, each in variants:
                latency: Latency = getattr(each, member)
                labels = self._labels(name)
                lines += [
                    f'{full}{{{labels},quantile="{part:g}"}} {latency.quantile(part):.1f}'
                    for part in _QUANTILES
                ]
                lines += [
                    f"{full}_sum{{{labels}}} {latency.total:.1f}",
                    f"{full}_count{{{labels}}} {latency.count}",
                ]
        return "\n".join(lines) + "\n"

    def _labels(self, variant: str) -> str:
        return f'endpoint="{self._endpoint}",variant="{variant}"'
