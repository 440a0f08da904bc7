"""Words that several reports share."""

from __future__ import annotations

import json
import re
import shlex
from typing import TYPE_CHECKING, Any

from sm_contracts.rule import Severity, Status

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sm_contracts.verdict import RuleResult, Verdict

LOG_KEYS = ("log", "log_tail", "traceback")
"""Evidence that is lines of a log: it needs no other log beside it."""
_CONTROL = re.compile(
    # C0 and C1 but for tab and newline, what turns the direction of writing, and what XML cannot hold
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
_ITEMS, _CHARACTERS = 12, 300
_ORDER = [Severity.ERROR, Severity.WARNING, Severity.INFO]


def failures(verdict: Verdict) -> list[RuleResult]:
    """Give the broken rules, the worst first."""
    broken = [each for each in verdict.rules if each.status is Status.FAIL]
    return sorted(broken, key=lambda each: (_ORDER.index(each.severity), each.id))


def with_status(verdict: Verdict, status: Status) -> list[RuleResult]:
    return [each for each in verdict.rules if each.status is status]


def again(verdict: Verdict, rule_id: str) -> str:
    """Give the command that shows one rule's result again."""
    words = verdict.command or ("sm-emulate", "validate", verdict.image)
    return " ".join([*map(_quoted, words), "--select", rule_id])


def _quoted(word: str) -> str:
    """Quote a word for the shell; a secret stands there as the name of a variable."""
    name, equals, value = word.partition("=")
    if equals and value == f"${name}":
        return f'{name}="{value}"'
    return shlex.quote(word)


def counts(verdict: Verdict) -> str:
    """Give `12 passed, 1 failed, 3 inconclusive, 4 skipped`."""
    summary = verdict.summary
    words = {"pass": "passed", "fail": "failed", "inconclusive": "inconclusive", "skip": "skipped"}
    return ", ".join(f"{summary[status]} {word}" for status, word in words.items())


def conclusion(verdict: Verdict) -> str:
    """Give the verdict in one sentence."""
    counted = [each.id for each in failures(verdict) if verdict.counts(each)]
    if verdict.judgement == "nothing-checked":
        said = "nothing was checked: no rule could be judged"
    elif counted:
        said = f"fail: {', '.join(counted)}"
    else:
        others = verdict.summary["fail"]
        said = "pass" + (f", with {others} below --fail-on {verdict.fail_on.value}" if others else "")
    return f"{said} (interrupted before the end)" if verdict.interrupted else said


def evidence_lines(evidence: Mapping[str, Any]) -> Iterator[str]:
    """Give evidence as `name: value` lines; what lies deeper is indented."""
    for name, value in evidence.items():
        if isinstance(value, str) and "\n" in value.strip():
            yield f"{name}:"
            yield from (f"  | {line}" for line in value.strip().splitlines())
        elif isinstance(value, dict) and value:
            yield f"{name}:"
            yield from (f"  {line}" for line in evidence_lines(value))
        elif isinstance(value, list | tuple) and name in LOG_KEYS:
            yield f"{name}:"
            yield from (f"  | {line}" for line in value)
        elif isinstance(value, list | tuple) and any(isinstance(each, dict) for each in value):
            yield f"{name}:"
            for each in value[:_ITEMS]:
                lines = list(evidence_lines(each)) if isinstance(each, dict) else [inline(each)]
                yield from (f"  {'-' if first == 0 else ' '} {line}" for first, line in enumerate(lines))
            if len(value) > _ITEMS:
                yield f"  ... and {len(value) - _ITEMS} more"
        else:
            yield f"{name}: {inline(value)}"


def inline(value: Any) -> str:
    """Give a value on one line, long ones cut."""
    if isinstance(value, list | tuple):
        items = [inline(each) for each in value[:_ITEMS]]
        more = [f"... and {len(value) - _ITEMS} more"] if len(value) > _ITEMS else []
        return ", ".join([*items, *more]) or "none"
    if isinstance(value, float):
        return f"{value:.6g}"
    said = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    said = said.strip()
    return said if len(said) <= _CHARACTERS else f"{said[:_CHARACTERS]}... ({len(said)} characters)"


def log_of(verdict: Verdict, result: RuleResult) -> tuple[str, Sequence[str]]:
    """Give the probe whose log belongs to a result, and its last lines; empty where the evidence has its own."""
    if any(key in result.evidence for key in LOG_KEYS):
        return "", ()
    for probe in verdict.probes:
        if probe.name in result.probes and probe.log_tail:
            return probe.name, probe.log_tail
    return "", ()


def printable(text: str) -> str:
    """Give a text without control characters: a container may write anything, terminal commands too."""
    return _CONTROL.sub("\ufffd", text)


def counted(number: int, noun: str) -> str:
    """Give a number with its noun."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
