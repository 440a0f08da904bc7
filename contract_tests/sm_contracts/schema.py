"""The JSON schema of the JSON report, published as docs/verdict.schema.json."""

from __future__ import annotations

from typing import Any

from sm_contracts.roles import Role
from sm_contracts.rule import Severity, Status
from sm_contracts.verdict import SCHEMA_VERSION

DIALECT = "https://json-schema.org/draft/2020-12/schema"
HOME = "https://github.com/sm-emulate/sm-emulate"


def verdict_schema() -> dict[str, Any]:
    """Give the schema of `sm-emulate validate --output json`; a new key is a new schema_version."""
    return {
        "$schema": DIALECT,
        "$id": f"{HOME}/raw/main/docs/verdict.schema.json",
        "title": "What `sm-emulate validate --output json` prints",
        **_object(
            schema_version={"const": SCHEMA_VERSION},
            image=_text("The image as it was named."),
            image_id=_text("The id by which the engine knows it."),
            platform=_text("`os/architecture`, such as `linux/amd64`."),
            roles={
                "description": "What it was checked for.",
                "type": "array",
                "items": {"enum": sorted(role.value for role in Role)},
                "uniqueItems": True,
            },
            verdict={
                "description": "`fail` if a rule of the severity of --fail-on or above is broken; `nothing-checked` if "
                "no rule could be judged.",
                "enum": ["pass", "fail", "nothing-checked"],
            },
            rules={"description": "One result for each rule.", "type": "array", "items": _rule_schema()},
            summary={
                "description": "Number of rules by status.",
                **_object(**{status.value: {"type": "integer", "minimum": 0} for status in Status}),
            },
            seconds={"description": "Of the whole check.", "type": "number", "minimum": 0},
        ),
    }


def _rule_schema() -> dict[str, Any]:
    return _object(
        id={"description": "Never changes.", "type": "string", "pattern": "^SM[0-9]{3}$"},
        name={"description": "The id for people.", "type": "string", "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$"},
        severity={
            "description": "Of this result: it may weigh more or less than the rule usually does.",
            "enum": [severity.value for severity in Severity],
        },
        status={
            "description": "`skip`: does not apply. `inconclusive`: the evidence could not be had.",
            "enum": [status.value for status in Status],
        },
        message=_text("What was seen; for skip and inconclusive why, and what to do about it."),
        evidence={"description": "What was seen, its numbers.", "type": "object"},
        fix=_text("What to do about a broken rule, Markdown."),
        source={"description": "The page that makes it so.", "type": "string", "format": "uri"},
        seconds={"description": "Of the judging; probes are shared.", "type": "number", "minimum": 0},
    )


def _text(description: str) -> dict[str, Any]:
    return {"description": description, "type": "string"}


def _object(**members: dict[str, Any]) -> dict[str, Any]:
    """Give an object that has exactly these members."""
    return {
        "type": "object",
        "properties": members,
        "required": list(members),
        "additionalProperties": False,
    }
