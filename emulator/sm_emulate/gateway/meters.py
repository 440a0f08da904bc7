"""What CloudWatch counts of an endpoint: invocations, errors and latencies of each variant."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from sm_emulate.gateway.container_meters import ContainerMeters
from sm_emulate.gateway.latency import Latency

if TYPE_CHECKING:
    from sm_emulate.gateway.front import Invocation

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


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
        self._containers = ContainerMeters()
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
        if seen.containers:
            self._containers.add(seen)

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
                **({"Containers": containers} if (containers := self._containers.described(name)) else {}),
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
                lines += latency.summary(full, self._labels(name))
        lines += self._containers.prometheus(self._labels)
        return "\n".join(lines) + "\n"

    def _labels(self, variant: str) -> str:
        return f'endpoint="{self._endpoint}",variant="{variant}"'
