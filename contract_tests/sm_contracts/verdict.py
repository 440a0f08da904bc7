"""What was found: one result for each rule, and the verdict over all."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from sm_contracts.rule import Severity, Status

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA_VERSION = 1
HARNESS = "SM0"
"""How the ids of the rules about the check itself begin."""
Judgement = Literal["pass", "fail", "nothing-checked"]
_WEIGHT = {Severity.ERROR: 2, Severity.WARNING: 1, Severity.INFO: 0}


@dataclass(frozen=True, kw_only=True)
class RuleResult:
    """What became of one rule on one image."""

    id: str
    name: str
    severity: Severity
    status: Status
    message: str
    """One sentence about this image; why, for skip and inconclusive; empty for a plain pass."""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    fix: str = ""
    source: str = ""
    seconds: float = 0.0
    """How long the judging took; its probes have seconds of their own."""
    probes: tuple[str, ...] = ()
    """Which probes gave its evidence: their logs belong to it. Not in the JSON report."""

    @property
    def says_something(self) -> bool:
        """Whether the image has kept or broken this rule; that the check itself did not break says nothing of it."""
        return self.status in {Status.PASS, Status.FAIL} and not self.id.startswith(HARNESS)

    def as_json(self) -> dict[str, Any]:
        """Give it as it stands in the JSON report."""
        return {
            "id": self.id,
            "name": self.name,
            "severity": self.severity.value,
            "status": self.status.value,
            "message": self.message,
            "evidence": dict(self.evidence),
            "fix": self.fix,
            "source": self.source,
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True, kw_only=True)
class ProbeRun:
    """One probe that was run: for timings, the timeline and the log tail in reports."""

    name: str
    seconds: float
    containers: int
    """How many it started."""
    container_seconds: float = 0.0
    """How long they lived, all together."""
    log_tail: tuple[str, ...] = ()
    started_at: float = 0.0
    """Seconds after the check began."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The whole of a check."""

    image: str
    image_id: str
    platform: str
    """`linux/amd64`."""
    roles: tuple[str, ...]
    roles_found_by: str
    rules: tuple[RuleResult, ...]
    probes: tuple[ProbeRun, ...]
    seconds: float
    fail_on: Severity = Severity.ERROR
    timeline: tuple[Mapping[str, Any], ...] = ()
    """What happened in the containers, for the HTML report: JSON objects with `at` in seconds."""
    command: tuple[str, ...] = ()
    """The words that check this image again with the same input, rules and reports aside."""
    interrupted: bool = False
    """The user left before the end; what was not looked at is inconclusive."""

    @property
    def judgement(self) -> Judgement:
        """`fail` if a rule of the severity `fail_on` or above is broken; `nothing-checked` if no rule was judged."""
        judged = [each for each in self.rules if each.status is Status.FAIL or each.says_something]
        if not judged:
            return "nothing-checked"
        return "fail" if any(self.counts(each) for each in judged) else "pass"

    def counts(self, result: RuleResult) -> bool:
        """Tell whether a result makes the whole fail."""
        return result.status is Status.FAIL and _WEIGHT[result.severity] >= _WEIGHT[self.fail_on]

    @property
    def summary(self) -> dict[str, int]:
        """Count the rules by status."""
        return {status.value: sum(each.status is status for each in self.rules) for status in Status}

    def as_json(self) -> dict[str, Any]:
        """Give the JSON report; its schema is published as docs/verdict.schema.json."""
        return {
            "schema_version": SCHEMA_VERSION,
            "image": self.image,
            "image_id": self.image_id,
            "platform": self.platform,
            "roles": list(self.roles),
            "verdict": self.judgement,
            "rules": [each.as_json() for each in self.rules],
            "summary": self.summary,
            "seconds": round(self.seconds, 3),
        }
