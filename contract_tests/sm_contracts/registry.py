"""All rules and all probes, and which of them a check needs."""

from __future__ import annotations

import importlib
import pkgutil
import re
from typing import TYPE_CHECKING

from sm_contracts.rule import Rule, registered

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sm_contracts.probes import Probe


def all_rules() -> dict[str, Rule]:
    """Give every rule by id, in order of the ids; imports their modules."""
    import sm_contracts.rules as package

    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        importlib.import_module(found.name)
    return registered()


def all_probes() -> tuple[Probe, ...]:
    """Give every probe: each `sm_contracts.probes` module has them in `PROBES`."""
    import sm_contracts.probes as package

    probes: list[Probe] = []
    for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        probes.extend(getattr(importlib.import_module(found.name), "PROBES", ()))
    return tuple(probes)


class UnknownRuleError(ValueError):
    """An id or name that no rule has."""

    def __init__(self, text: str, near: str | None) -> None:
        super().__init__(text)
        self.text, self.near = text, near


def choose(rules: Iterable[Rule], select: Sequence[str] = (), ignore: Sequence[str] = ()) -> list[Rule]:
    """Give the rules that are asked for.

    Args:
        rules: all of them.
        select: ids, names, or the beginning of ids (`SM3`); empty takes all.
        ignore: likewise; these are left out.

    Raises:
        UnknownRuleError: something that no rule has.
    """
    every = list(rules)
    chosen = set().union(*(named(every, text) for text in select)) if select else {rule.id for rule in every}
    left_out = set().union(*(named(every, text) for text in ignore)) if ignore else set()
    return [rule for rule in every if rule.id in chosen - left_out]


def named(rules: Iterable[Rule], text: str) -> set[str]:
    """Give the ids that an id, a name or the beginning of ids stands for.

    Raises:
        UnknownRuleError: no rule has it.
    """
    rules = list(rules)
    wanted = text.strip()
    if re.fullmatch(r"(?i)sm[0-9]{0,3}", wanted):
        found = {rule.id for rule in rules if rule.id.startswith(wanted.upper())}
    else:
        found = {rule.id for rule in rules if rule.name == wanted}
    if not found:
        import difflib

        names = [name for rule in rules for name in (rule.id, rule.name)]
        near = difflib.get_close_matches(wanted, names, n=1)
        raise UnknownRuleError(wanted, near[0] if near else None)
    return found
