"""How messages show what was given and what could have been meant."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence

_SHOWN_CHARACTERS = 80
_SHOWN_VALUES = 12


def shown(value: object, *, secret: bool = False) -> str:
    """Give a value as a message may show it: short, on one line, and not at all if it could be a secret."""
    if isinstance(value, Mapping):
        return f"an object with {counted(len(value), 'member')}"
    if isinstance(value, (list, tuple)):
        return f"a list of {counted(len(value), 'item')}"
    if secret:
        return f"({counted(len(value if isinstance(value, str) else str(value)), 'character')}, not shown)"
    if isinstance(value, str):
        return shorten(value if value and value.isprintable() else json.dumps(value, ensure_ascii=False))
    if value is None or isinstance(value, (bool, int, float)):
        return shorten(json.dumps(value))
    return shorten(repr(value))


def shorten(text: str, limit: int = _SHOWN_CHARACTERS) -> str:
    """Give the beginning of a long text and how long it was."""
    return text if len(text) <= limit else f"{text[:limit]}... ({len(text)} characters)"


def nearest(word: str, known: Collection[str]) -> str | None:
    """Give the known word that was probably meant."""
    by_lower = {name.lower(): name for name in known}
    if word.lower() in by_lower:
        return by_lower[word.lower()]
    for lower, name in by_lower.items():
        if lower.endswith(f".{word.lower()}"):  # m5.large for ml.m5.large
            return name
    from difflib import get_close_matches

    near = get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[near[0]] if near else None


def meant(options: Collection[str], known: Collection[str]) -> str | None:
    """Give the hint for the first option that is not known and resembles one that is."""
    for option in options:
        near = None if option in known else nearest(option, known)
        if near is not None:
            return f"did you mean {near}=?"
    return None


def listed(values: Sequence[str], *, near: str | None = None) -> str:
    """Give the values to choose from, the nearest first where there are many."""
    if len(values) <= _SHOWN_VALUES:
        return ", ".join(values)
    head = [near] if near else []
    head += [value for value in values if value != near][: _SHOWN_VALUES - len(head)]
    return f"{', '.join(head)} ... ({len(values)} values)"


def counted(number: int, noun: str) -> str:
    """Give a number with its noun."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
