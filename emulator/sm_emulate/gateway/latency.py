"""How long requests took, without keeping each."""

from __future__ import annotations

import math

_PER_E = 20.0
"""Buckets for each factor e: a percentile is exact to 5 percent."""
_BUCKETS = 400
_QUANTILES = (0.5, 0.99)


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

    def summary(self, metric: str, labels: str) -> list[str]:
        """Give its lines in Prometheus' text format."""
        return [
            *(f'{metric}{{{labels},quantile="{part:g}"}} {self.quantile(part):.1f}' for part in _QUANTILES),
            f"{metric}_sum{{{labels}}} {self.total:.1f}",
            f"{metric}_count{{{labels}}} {self.count}",
        ]
