"""Output objects read as answers to records, without knowing what the model says."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sm_contracts.evidence.batch import Transformed

_APART = re.compile(r"[\s,;\[\]{}\"']+")
_CLOSE = 1e-3
"""Batches round otherwise than single records do."""


def document(seen: Transformed) -> Any:
    """Give an output that is one JSON document of several records; None if it is none."""
    if len(seen.records) < 2:
        return None
    try:
        found = json.loads(seen.output or b"")
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, (dict, list)) else None


def listed(found: Any, size: int) -> list[Any] | None:
    """Find the list of so many answers in a JSON document."""
    for each in [found, *(found.values() if isinstance(found, dict) else ())]:
        if isinstance(each, list) and len(each) == size:
            return each
    return None


def header(one: Transformed) -> str | None:
    """Give the line above the answer to a single record, None if there is none."""
    try:
        json.loads(one.output or b"")
    except (ValueError, RecursionError):
        lines = [line for line in one.lines if line.strip()]
        return lines[0] if len(one.records) == 1 and len(lines) == 2 else None
    return None


def answers(seen: Transformed) -> list[str] | None:
    """Give an output's answers, one for each record, as texts; None if they cannot be told apart."""
    size = len(seen.records)
    found = listed(document(seen), size)
    if found is not None:
        return [json.dumps(each) for each in found]
    lines = [line for line in seen.lines if line.strip()]
    return [_alone(line) for line in lines] if len(lines) == size else None


def same(left: str, right: str) -> bool:
    """Tell whether two answers are the same but for rounding."""
    if left == right:
        return True
    parts, others = _APART.split(left), _APART.split(right)
    return len(parts) == len(others) and all(map(_alike, parts, others))


def reordered(left: list[str], right: list[str]) -> bool:
    """Tell whether two lists hold the same answers in another order."""
    rest = list(right)
    for each in left:
        at = next((number for number, other in enumerate(rest) if same(each, other)), None)
        if at is None:
            return False
        del rest[at]
    return not rest


def _alike(left: str, right: str) -> bool:
    if left == right:
        return True
    try:
        return math.isclose(float(left), float(right), rel_tol=_CLOSE, abs_tol=_CLOSE)
    except ValueError:
        return False


def _alone(line: str) -> str:
    """Take the one answer out of a JSON document about one record."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return line
    inside = listed(found, 1)
    return line if inside is None else json.dumps(inside[0])
