"""Rules on evidence: what each of them says, and that none of them can break the whole."""

from __future__ import annotations

import time
import traceback
from typing import TYPE_CHECKING

from sm_contracts.evidence import Missing
from sm_contracts.rule import Fail, Inconclusive, Pass, Rule, Severity, Skip, Status
from sm_contracts.verdict import RuleResult

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sm_contracts.rule import Outcome
    from sm_contracts.subject import Subject

_WEIGHT = [Severity.INFO, Severity.WARNING, Severity.ERROR]


def judge(rule: Rule, subject: Subject, evidence: Mapping[type, object]) -> RuleResult:
    """Give one rule's result. A rule that raises is a result, too: SM001 names it.

    Args:
        rule: the rule.
        subject: what is checked: a rule for other roles is skipped.
        evidence: all that was found, `Missing` among it.
    """
    began = time.perf_counter()
    if not rule.roles & subject.roles:
        wanted = ", ".join(sorted(role.value for role in rule.roles))
        return _result(rule, Status.SKIP, f"not checked for the role {wanted}", began)
    for kind in rule.needs:
        found = evidence.get(kind, Missing("this was not looked at"))
        if isinstance(found, Missing):
            status = Status.INCONCLUSIVE if found.applies else Status.SKIP
            return _result(rule, status, _sentence(found.reason, found.how), began)
    try:
        outcomes = list(rule.judge(*(evidence[kind] for kind in rule.needs)))
    except Exception:  # noqa: BLE001  # a rule's bug is reported as SM001, with the traceback as evidence
        crash = {"crashed": rule.id, "traceback": traceback.format_exc()}
        return _result(rule, Status.INCONCLUSIVE, "the rule itself broke; see SM001", began, crash)
    return _sum_up(rule, outcomes, began)


def _sum_up(rule: Rule, outcomes: list[Outcome], began: float) -> RuleResult:
    fails = [outcome for outcome in outcomes if isinstance(outcome, Fail)]
    if fails:
        severity = max((fail.severity or rule.severity for fail in fails), key=_WEIGHT.index)
        evidence = dict(fails[0].evidence)
        if len(fails) > 1:
            evidence["more"] = [{"message": fail.message, **fail.evidence} for fail in fails[1:]]
        message = "; ".join(dict.fromkeys(fail.message for fail in fails))
        return _result(rule, Status.FAIL, message, began, evidence, severity)
    for outcome in outcomes:
        if isinstance(outcome, Inconclusive):
            return _result(rule, Status.INCONCLUSIVE, _sentence(outcome.reason, outcome.how), began)
        if isinstance(outcome, Skip):
            return _result(rule, Status.SKIP, outcome.reason, began)
    numbers: dict[str, object] = {}
    for outcome in outcomes:
        if isinstance(outcome, Pass):
            numbers |= outcome.evidence
    return _result(rule, Status.PASS, "", began, numbers)


def _result(
    rule: Rule,
    status: Status,
    message: str,
    began: float,
    evidence: Mapping[str, object] | None = None,
    severity: Severity | None = None,
) -> RuleResult:
    return RuleResult(
        id=rule.id,
        name=rule.name,
        severity=severity or rule.severity,
        status=status,
        message=message,
        evidence=evidence or {},
        fix=rule.fix,
        source=rule.source,
        seconds=time.perf_counter() - began,
    )


def _sentence(reason: str, how: str) -> str:
    return f"{reason}; {how}" if how else reason
