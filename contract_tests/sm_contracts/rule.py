"""What a rule is: a pure function from evidence to outcomes, with an id that never changes and a page of its own."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from sm_contracts.roles import Role


class Severity(str, Enum):
    """How bad a broken rule is."""

    ERROR = "error"
    """SageMaker refuses or breaks it, or the documentation says must."""
    WARNING = "warning"
    """Works until something ordinary happens."""
    INFO = "info"


class Status(str, Enum):
    """What became of a rule."""

    PASS = "pass"  # noqa: S105  # no password
    FAIL = "fail"
    SKIP = "skip"
    """It does not apply to this image and these roles."""
    INCONCLUSIVE = "inconclusive"
    """The evidence could not be had."""


@dataclass(frozen=True)
class Fail:
    """The rule is broken, and this shows it.

    Args:
        message: one sentence about this image: what was seen, with its numbers.
        evidence: what was seen, for a machine; JSON values.
        severity: where this breach weighs otherwise than the rule itself.
    """

    message: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
    severity: Severity | None = None


@dataclass(frozen=True)
class Pass:
    """The rule holds, and these are the numbers; a rule that yields nothing passes without any."""

    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Skip:
    """The rule does not apply: why."""

    reason: str


@dataclass(frozen=True)
class Inconclusive:
    """It cannot be said: why, and how to find out."""

    reason: str
    how: str = ""


Outcome = Fail | Pass | Skip | Inconclusive
Judge = Callable[..., Iterator[Outcome]]
J = TypeVar("J", bound=Judge)

HEADINGS = ("What", "Why", "Fix")
"""Every rule's docstring has these sections, in this order; `Why` says what SageMaker does."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A rule as it is registered."""

    id: str
    name: str
    severity: Severity
    roles: frozenset[Role]
    """It applies where one of these is checked."""
    needs: tuple[type, ...]
    """The evidence that it is called with, in this order."""
    source: str
    """The page that makes it so: a URL."""
    judge: Judge
    summary: str
    """First line of the docstring."""
    sections: Mapping[str, str]
    """Text under each heading, Markdown."""

    @property
    def fix(self) -> str:
        return self.sections["Fix"]


class RuleError(Exception):
    """A rule that is not written as rules are; found at import, never by a user."""


_RULES: dict[str, Rule] = {}


def rule(
    id: str,  # noqa: A002  # what it is called everywhere
    name: str,
    *,
    severity: Severity,
    roles: Role | tuple[Role, ...],
    needs: type | tuple[type, ...],
    source: str,
) -> Callable[[J], J]:
    """Register a function as a rule.

    Its docstring is its page: one line, then `What:`, `Why:` and `Fix:` sections. It yields `Fail` for each breach, or
    `Skip` or `Inconclusive`; whoever yields nothing, or `Pass` with numbers, holds.

    Raises:
        RuleError: the id is taken or malformed, a heading or the source is missing.
    """

    def register(judge: J) -> J:
        summary, sections = _read(id, inspect.getdoc(judge) or "")
        if not re.fullmatch(r"SM[0-9]{3}", id) or not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
            raise RuleError(f"{id} {name}: an id is SM and three digits, a name is words with hyphens")
        if not source.startswith("https://"):
            raise RuleError(f"{id}: the source is a URL")
        if id in _RULES or any(
            other.name == name and other.id != id for other in _RULES.values() if other.id[2] == id[2]
        ):
            raise RuleError(f"{id} {name}: taken")
        _RULES[id] = Rule(
            id=id,
            name=name,
            severity=severity,
            roles=frozenset(roles if isinstance(roles, tuple) else (roles,)),
            needs=needs if isinstance(needs, tuple) else (needs,),
            source=source,
            judge=judge,
            summary=summary,
            sections=sections,
        )
        return judge

    return register


def registered() -> dict[str, Rule]:
    """Give every rule whose module has been imported, by id."""
    return dict(sorted(_RULES.items()))


def _read(rule_id: str, doc: str) -> tuple[str, dict[str, str]]:
    """Take a docstring apart."""
    summary, _, rest = doc.partition("\n")
    sections: dict[str, list[str]] = {}
    current: list[str] | None = None
    for line in rest.splitlines():
        heading = re.fullmatch(r"([A-Z][a-z]+):", line)
        if heading:
            current = sections.setdefault(heading[1], [])
        elif current is not None:
            current.append(line)
    missing = [name for name in HEADINGS if not "".join(sections.get(name, ())).strip()]
    if not summary or missing or tuple(sections) != HEADINGS:
        raise RuleError(
            f"{rule_id}: its docstring needs one line, then {', '.join(HEADINGS)}; it has {list(sections)}"
        )
    return summary, {name: inspect.cleandoc("\n".join(lines)) for name, lines in sections.items()}
