"""A verdict in the words of whoever reads it: a person, CI, GitHub, a browser. Pure functions from verdict to text."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from sm_contracts.verdict import Verdict

_WHERE = {
    "text": "sm_contracts.reports.text",
    "json": "sm_contracts.reports.machine",
    "junit": "sm_contracts.reports.junit",
    "sarif": "sm_contracts.reports.sarif",
    "html": "sm_contracts.reports.page",
    "github": "sm_contracts.reports.annotations",
}
FORMATS = tuple(_WHERE)


def render(verdict: Verdict, form: str, *, colour: bool = False) -> str:
    """Give a verdict as one of `FORMATS`, ending in a newline.

    Args:
        verdict: what was found.
        form: how to say it.
        colour: mark statuses with ANSI colours, in `text` only.
    """
    report: Callable[..., str] = getattr(import_module(_WHERE[form]), f"{form}_report")
    return report(verdict, colour=colour) if form == "text" else report(verdict)
