"""What went wrong on our side."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, kw_only=True)
class RuleCrashes:
    """Rules that raised, with their tracebacks by rule id."""

    tracebacks: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ProbeCrashes:
    """Probes that raised, with their tracebacks by name."""

    tracebacks: Mapping[str, str] = field(default_factory=dict)
