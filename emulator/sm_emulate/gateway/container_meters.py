"""What CloudWatch counts of each container where several share an instance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sm_emulate.gateway.latency import Latency

if TYPE_CHECKING:
    from collections.abc import Callable

    from sm_emulate.gateway.front import Invocation


class _Container:
    __slots__ = ("failed_by_caller", "failed_by_model", "invocations", "latency")

    def __init__(self) -> None:
        self.invocations = self.failed_by_caller = self.failed_by_model = 0
        self.latency = Latency()


class ContainerMeters:
    """Counts what containers were asked, by variant and name. Written in the gateway's thread, read in any."""

    def __init__(self) -> None:
        self._containers: dict[tuple[str, str], _Container] = {}

    def add(self, seen: Invocation) -> None:
        """Count the containers that one request came to."""
        for name, status, seconds in seen.containers:
            key = (seen.variant, name)
            container = self._containers.get(key)
            if container is None:
                container = self._containers[key] = _Container()
            container.invocations += 1
            if status is None or status >= 500:
                container.failed_by_model += seen.status is not None  # a caller that left is no error of it
            elif status >= 400:
                container.failed_by_caller += 1
            container.latency.add(seconds)

    def described(self, variant: str) -> dict[str, Any]:
        """Give the metrics of a variant's containers, latencies in microseconds."""
        return {
            name: {
                "Invocations": each.invocations,
                "Invocation4XXErrors": each.failed_by_caller,
                "Invocation5XXErrors": each.failed_by_model,
                "ContainerLatency": each.latency.described(),
            }
            for (own, name), each in list(self._containers.items())
            if own == variant
        }

    def prometheus(self, labels: Callable[[str], str]) -> list[str]:
        """Give the metrics in Prometheus' text format; nothing where no container was counted.

        Args:
            labels: of a variant.
        """
        containers = list(self._containers.items())
        if not containers:
            return []
        lines = []
        for metric, member, about in (
            ("invocations", "invocations", "Requests sent to the container."),
            ("invocation_4xx_errors", "failed_by_caller", "Requests that the container answered with 4XX."),
            (
                "invocation_5xx_errors",
                "failed_by_model",
                "Requests that the container answered with 5XX or not at all.",
            ),
        ):
            full = f"sm_emulate_container_{metric}_total"
            lines += [f"# HELP {full} {about}", f"# TYPE {full} counter"]
            lines += [
                f'{full}{{{labels(variant)},container="{name}"}} {getattr(each, member)}'
                for (variant, name), each in containers
            ]
        full = "sm_emulate_container_latency_microseconds"
        lines += [f"# HELP {full} Time in the container.", f"# TYPE {full} summary"]
        for (variant, name), each in containers:
            lines += each.latency.summary(full, f'{labels(variant)},container="{name}"')
        return lines
