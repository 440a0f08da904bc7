"""The report for a program; docs/verdict.schema.json is its schema."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sm_contracts.verdict import Verdict


def json_report(verdict: Verdict) -> str:
    """Give the report; evidence that JSON has no word for stands there as text."""
    return json.dumps(verdict.as_json(), indent=2, default=str) + "\n"
