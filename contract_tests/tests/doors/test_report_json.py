"""The report for programs, and its published schema."""

import json
from pathlib import Path

import jsonschema
import pytest

from sm_contracts.reports import render
from sm_contracts.schema import verdict_schema

PUBLISHED = Path(__file__).parents[3] / "docs" / "verdict.schema.json"


def test_it_keeps_the_published_schema(verdict):
    schema = json.loads(PUBLISHED.read_text())
    assert schema == verdict_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(render(verdict, "json")), schema)


def test_the_schema_holds_what_is_promised(verdict):
    report = json.loads(render(verdict, "json"))
    assert list(report) == [
        "schema_version", "image", "image_id", "platform", "roles", "verdict", "rules", "summary", "seconds",
    ]  # fmt: skip
    assert list(report["rules"][0]) == [
        "id", "name", "severity", "status", "message", "evidence", "fix", "source", "seconds",
    ]  # fmt: skip
    assert report["verdict"] == "fail"
    assert report["summary"] == {"pass": 1, "fail": 2, "skip": 3, "inconclusive": 1}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda report: report.pop("roles"),
        lambda report: report.update(extra=1),
        lambda report: report["rules"][0].update(status="maybe"),
        lambda report: report["rules"][0].update(id="304"),
        lambda report: report["summary"].pop("skip"),
        lambda report: report.update(schema_version=2),
    ],
)
def test_the_schema_refuses_other_shapes(verdict, spoil):
    report = json.loads(render(verdict, "json"))
    spoil(report)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(report, verdict_schema())
