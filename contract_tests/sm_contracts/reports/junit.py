"""JUnit's XML, as Jenkins, GitLab and others read it: one test case for each rule."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from sm_contracts.reports.wording import again, conclusion, evidence_lines, log_of, printable
from sm_contracts.rule import Status
from sm_contracts.verdict import HARNESS

if TYPE_CHECKING:
    from sm_contracts.verdict import RuleResult, Verdict


def junit_report(verdict: Verdict) -> str:
    """Give one suite with a test case for each rule.

    A broken rule that makes the verdict fail is a `failure` (an `error` where the check itself broke); one below
    `--fail-on` passes with its message as output, so that CI and our exit code agree. Skipped and inconclusive rules
    are `skipped`, with the reason.
    """
    counted = [each for each in verdict.rules if verdict.counts(each)]
    errors = sum(each.id.startswith(HARNESS) for each in counted)
    skipped = sum(each.status in {Status.SKIP, Status.INCONCLUSIVE} for each in verdict.rules)
    totals = {
        "tests": str(len(verdict.rules)),
        "failures": str(len(counted) - errors),
        "errors": str(errors),
        "time": f"{verdict.seconds:.3f}",
    }
    suites = ET.Element("testsuites", {"name": "sm-emulate validate", **totals})
    suite = ET.SubElement(
        suites, "testsuite", {"name": _clean(verdict.image), **totals, "skipped": str(skipped)}
    )
    properties = ET.SubElement(suite, "properties")
    for name, value in {
        "image_id": verdict.image_id,
        "platform": verdict.platform,
        "roles": ", ".join(verdict.roles),
        "roles_found_by": verdict.roles_found_by,
        "verdict": conclusion(verdict),
    }.items():
        ET.SubElement(properties, "property", {"name": name, "value": _clean(value)})
    for result in verdict.rules:
        _case(suite, verdict, result)
    ET.indent(suites)
    declared = '<?xml version="1.0" encoding="utf-8"?>\n'
    return declared + ET.tostring(suites, encoding="unicode") + "\n"


def _case(suite: ET.Element, verdict: Verdict, result: RuleResult) -> None:
    case = ET.SubElement(
        suite,
        "testcase",
        {
            "classname": f"sm_contracts.{result.id[:3]}",
            "name": f"{result.id} {result.name}",
            "time": f"{result.seconds:.3f}",
        },
    )
    if result.status in {Status.SKIP, Status.INCONCLUSIVE}:
        prefix = "inconclusive: " if result.status is Status.INCONCLUSIVE else ""
        ET.SubElement(case, "skipped", {"message": _clean(f"{prefix}{result.message}")})
    elif verdict.counts(result):
        kind = "error" if result.id.startswith(HARNESS) else "failure"
        told = {"message": _clean(result.message), "type": result.severity.value}
        ET.SubElement(case, kind, told).text = _clean(_details(verdict, result))
        probe, log = log_of(verdict, result)
        if log:
            ET.SubElement(case, "system-out").text = _clean("\n".join((f"log of {probe}, last lines:", *log)))
    elif result.status is Status.FAIL:
        told_anyway = f"{result.severity.value} (below --fail-on {verdict.fail_on.value}): {result.message}"
        ET.SubElement(case, "system-out").text = _clean(f"{told_anyway}\n{_details(verdict, result)}")


def _details(verdict: Verdict, result: RuleResult) -> str:
    return "\n".join(
        (
            *evidence_lines(result.evidence),
            f"fix: {result.fix}",
            f"page: {result.source}",
            f"again: {again(verdict, result.id)}",
        )
    )


def _clean(words: str) -> str:
    """XML has no way to write most control characters, nor halves of surrogate pairs."""
    return printable(words).encode("utf-8", "replace").decode()
