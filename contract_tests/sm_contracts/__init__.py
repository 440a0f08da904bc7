"""The contract: what SageMaker asks of an image, as rules; `check` says of any image whether it keeps them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sm_contracts.checking import check
    from sm_contracts.roles import Role
    from sm_contracts.rule import Severity, Status
    from sm_contracts.subject import Limits, SamplePayload
    from sm_contracts.verdict import RuleResult, Verdict

__all__ = ["Limits", "Role", "RuleResult", "SamplePayload", "Severity", "Status", "Verdict", "check"]

_WHERE = {
    "check": "sm_contracts.checking",
    "Role": "sm_contracts.roles",
    "Severity": "sm_contracts.rule",
    "Status": "sm_contracts.rule",
    "Limits": "sm_contracts.subject",
    "SamplePayload": "sm_contracts.subject",
    "RuleResult": "sm_contracts.verdict",
    "Verdict": "sm_contracts.verdict",
}


def __getattr__(name: str) -> object:
    """Import what is asked for when it is asked for."""
    if name not in _WHERE:
        raise AttributeError(name)
    return getattr(import_module(_WHERE[name]), name)
