"""SARIF 2.1.0, as GitHub code scanning and other dashboards read it."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sm_contracts.reports.wording import again, failures, with_status
from sm_contracts.rule import Severity, Status

if TYPE_CHECKING:
    from sm_contracts.verdict import RuleResult, Verdict

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
HOME = "https://github.com/sm-emulate/sm-emulate"
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}


def sarif_report(verdict: Verdict) -> str:
    """Give a log with one run: all rules that were looked at, and a result for each broken one.

    Only broken rules are results, since dashboards make an alert of every result. What is inconclusive is a
    notification of the run.
    """
    from sm_emulate import __version__

    results = failures(verdict)
    index = {each.id: number for number, each in enumerate(verdict.rules)}
    run: dict[str, Any] = {
        "tool": {
            "driver": {
                "name": "sm-emulate",
                "version": __version__,
                "informationUri": HOME,
                "rules": [_rule(each) for each in verdict.rules],
            }
        },
        "invocations": [
            {
                "executionSuccessful": verdict.judgement != "nothing-checked" and not verdict.interrupted,
                "toolExecutionNotifications": [
                    {
                        "level": "note",
                        "message": {"text": f"{each.id} {each.name} is inconclusive: {each.message}"},
                        "associatedRule": {"id": each.id, "index": index[each.id]},
                    }
                    for each in with_status(verdict, Status.INCONCLUSIVE)
                ],
            }
        ],
        "results": [_result(verdict, each, index[each.id]) for each in results],
        "properties": {
            "image": verdict.image,
            "imageId": verdict.image_id,
            "platform": verdict.platform,
            "roles": list(verdict.roles),
            "verdict": verdict.judgement,
        },
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, default=str) + "\n"


def _rule(result: RuleResult) -> dict[str, Any]:
    return {
        "id": result.id,
        "name": "".join(word.capitalize() for word in result.name.split("-")),
        "shortDescription": {"text": f"{result.id} {result.name}"},
        "help": {"text": result.fix or result.name, "markdown": result.fix or result.name},
        "helpUri": result.source or HOME,
        "defaultConfiguration": {"level": _LEVELS[result.severity]},
    }


def _result(verdict: Verdict, result: RuleResult, index: int) -> dict[str, Any]:
    return {
        "ruleId": result.id,
        "ruleIndex": index,
        "kind": "fail",
        "level": _LEVELS[result.severity],
        "message": {"text": f"{result.message}\nAgain: {again(verdict, result.id)}"},
        # an image has no lines; dashboards want a place all the same
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": quote(verdict.image, safe="/")},
                    "region": {"startLine": 1},
                },
                "logicalLocations": [{"fullyQualifiedName": verdict.image, "kind": "resource"}],
            }
        ],
        "partialFingerprints": {"imageAndRule/v1": _fingerprint(verdict.image, result.id)},
        "properties": {"evidence": json.loads(json.dumps(dict(result.evidence), default=str))},
    }


def _fingerprint(image: str, rule_id: str) -> str:
    """Give what tells alerts apart: the next build of the same image has the same alert."""
    repository = re.sub(r"(:[\w.-]+)?(@sha256:[0-9a-f]+)?$", "", image)
    return hashlib.sha256(f"{repository} {rule_id}".encode()).hexdigest()[:32]
