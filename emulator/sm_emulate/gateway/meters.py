"""What CloudWatch counts of an endpoint: invocations, errors and latencies of each variant."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from sm_emulate.gateway.container_meters import ContainerMeters
from sm_emulate.gateway.latency import Latency

if TYPE_CHECKING:
    from sm_emulate.gateway.front import Invocation

_SOME_HAVE = frozenset({"throttled", "lacking", "set_up"})
"""What only serverless variants have, or only inference components."""
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def counts(variant: str, path: str) -> bool:
    """Tell whether a request is an invocation of a variant, and no ping or the like."""
    return bool(variant) and "/invocations" in path


class _Variant:
    __slots__ = (
        "failed_by_caller",
        "failed_by_model",
        "invocations",
        "lacking",
        "model",
        "overhead",
        "set_up",
        "throttled",
    )

    def __init__(self) -> None:
        self.invocations = self.failed_by_caller = self.failed_by_model = 0
        self.model, self.overhead = Latency(), Latency()
        self.set_up: Latency | None = None
        self.throttled: int | None = None
        self.lacking: int | None = None

    def add(self, seen: Invocation) -> None:
        """Count one request."""
        self.invocations += 1
        status = seen.original_status
        if status is None or status >= 500:
            # a caller that left is no error of the model
            self.failed_by_model += seen.status is not None or seen.shadow
        elif status >= 400:
            self.failed_by_caller += 1
        self.model.add(seen.model_s)
        self.overhead.add(seen.overhead_s)

    def described(self) -> dict[str, Any]:
        """Give its numbers as CloudWatch names them, and those of cold starts where there are some."""
        found: dict[str, Any] = {
            "Invocations": self.invocations,
            "Invocation4XXErrors": self.failed_by_caller,
            "Invocation5XXErrors": self.failed_by_model,
            "ModelLatency": self.model.described(),
            "OverheadLatency": self.overhead.described(),
        }
        if self.set_up is not None:
            found["ModelSetupTime"] = {"SampleCount": self.set_up.count} | self.set_up.described()
            found["Throttles"] = self.throttled
        if self.lacking is not None:
            found["NoCapacityInvocationFailures"] = self.lacking
        return found


class Meters:
    """Counts finished requests by variant. Written in the gateway's thread, read in any."""

    def __init__(self, endpoint_name: str) -> None:
        self._endpoint = endpoint_name
        self._counted: dict[str, _Variant] = {}
        self._components: dict[str, _Variant] = {}
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
        """By name, with what was added; what counts, and has the lock, goes to `_counted`."""
        self.count()
        return self._counted

    def _count(self, seen: Invocation) -> None:
        """Count one request; one that no variant was asked for, or a ping, counts nowhere."""
        if not counts(seen.variant, seen.path):
            return
        self._variant(seen.variant).add(seen)
        if seen.component:
            self._component(seen.component).add(seen)
        if seen.containers:
            self._containers.add(seen)

    def no_capacity(self, component: str) -> None:
        """Count a request to an inference component without copies."""
        with self._lock:
            counted = self._component(component)
            counted.lacking = (counted.lacking or 0) + 1

    def set_up(self, name: str, seconds: float) -> None:
        """Count a cold start of a serverless variant."""
        with self._lock:
            self._serverless(name).add(seconds)

    def throttle(self, name: str) -> None:
        """Count a request beyond what a serverless variant takes at once."""
        with self._lock:
            self._serverless(name)
            variant = self._variant(name)
            variant.throttled = (variant.throttled or 0) + 1

    def total(self) -> int:
        """Give the number of all invocations."""
        return sum(each.invocations for each in list(self._variants.values()))

    def described(self) -> dict[str, Any]:
        """Give the metrics of each variant that was asked, latencies in microseconds."""
        return {
            name: each.described()
            | ({"Containers": containers} if (containers := self._containers.described(name)) else {})
            for name, each in list(self._variants.items())
        }

    def described_component(self, name: str) -> dict[str, Any]:
        """Give the metrics of an inference component; empty before it was asked for."""
        self.count()
        found = self._components.get(name)
        return {} if found is None else found.described()

    def prometheus(self) -> str:
        """Give the metrics in Prometheus' text format."""
        variants = [(self._labels(name), each) for name, each in list(self._variants.items())]
        components = [
            (f'endpoint="{self._endpoint}",component="{name}"', each)
            for name, each in list(self._components.items())
        ]
        lines = _exposed("sm_emulate", "variant", variants)
        if components:
            lines += _exposed("sm_emulate_component", "inference component", components)
        lines += self._containers.prometheus(self._labels)
        return "\n".join(lines) + "\n"

    def _variant(self, name: str) -> _Variant:
        variant = self._counted.get(name)
        if variant is None:
            variant = self._counted[name] = _Variant()
        return variant

    def _component(self, name: str) -> _Variant:
        component = self._components.get(name)
        if component is None:
            component = self._components[name] = _Variant()
            component.lacking = 0
        return component

    def _serverless(self, name: str) -> Latency:
        variant = self._variant(name)
        if variant.set_up is None:
            variant.set_up, variant.throttled = Latency(), 0
        return variant.set_up

    def _labels(self, variant: str) -> str:
        return f'endpoint="{self._endpoint}",variant="{variant}"'


def _exposed(prefix: str, what: str, counted: list[tuple[str, _Variant]]) -> list[str]:
    """Give the lines of all that is counted: labels, and the numbers behind them."""
    lines: list[str] = []
    for metric, member, about in (
        ("invocations", "invocations", f"Requests sent to the {what}."),
        ("invocation_4xx_errors", "failed_by_caller", "Requests that the model answered with 4XX."),
        (
            "invocation_5xx_errors",
            "failed_by_model",
            "Requests that the model answered with 5XX or not at all.",
        ),
        ("throttles", "throttled", "Requests beyond the MaxConcurrency of a serverless variant."),
        ("no_capacity_failures", "lacking", "Requests while there was no copy of it."),
    ):
        full = f"{prefix}_{metric}_total"
        counts = [(labels, getattr(each, member)) for labels, each in counted]
        counts = [(labels, count) for labels, count in counts if count is not None]
        if member in _SOME_HAVE and not counts:
            continue
        lines += [f"# HELP {full} {about}", f"# TYPE {full} counter"]
        lines += [f"{full}{{{labels}}} {count}" for labels, count in counts]
    for metric, member, about in (
        ("model_latency", "model", "Time in the container."),
        ("overhead_latency", "overhead", "Time that the gateway added."),
        ("model_setup_time", "set_up", "Time that a new environment of a serverless variant took."),
    ):
        full = f"{prefix}_{metric}_microseconds"
        found: list[tuple[str, Latency | None]] = [
            (labels, getattr(each, member)) for labels, each in counted
        ]
        latencies = [(labels, latency) for labels, latency in found if latency is not None]
        if member in _SOME_HAVE and not latencies:
            continue
        lines += [f"# HELP {full} {about}", f"# TYPE {full} summary"]
        for labels, latency in latencies:
            lines += latency.summary(full, labels)
    return lines
