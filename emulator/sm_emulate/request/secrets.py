"""Values of a request's Environment that look like secrets: they reach the container, nothing is kept or shown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

HIDDEN = "***"
_LONG_ENOUGH = 6
_OURS = frozenset({"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"})
"""What the platform itself sets: an address that means something inside the container only."""
_NAMES = re.compile(
    r"secret|passw(or)?d|passphrase|credential|private_?key|api_?key|access_?key"
    r"|(?:^|_)(?:token|pwd|auth|key|pat|dsn)(?:_|$)",
    re.IGNORECASE,
)
_VALUES = re.compile(
    r"(?:AKIA|ASIA)[A-Z0-9]{16}"
    r"|gh[oprsu]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}"
    r"|hf_[A-Za-z0-9]{20,}|sk-[\w-]{20,}|xox[abeprs]-[\w-]{10,}|npm_[A-Za-z0-9]{30,}"
    r"|eyJ[\w-]{10,}\.[\w-]{10,}\."
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----"
    r"|\w+://[^/\s:@]+:[^/\s@]+@"
)


def looks_secret(name: str, value: str) -> bool:
    """Tell whether a variable should not be shown, by its name or by the form of its value."""
    return bool(value) and name not in _OURS and bool(_NAMES.search(name) or _VALUES.search(value))


def masked(variables: Mapping[str, str]) -> dict[str, str]:
    """Give variables with `***` in place of what looks like a secret."""
    return {name: HIDDEN if looks_secret(name, value) else value for name, value in variables.items()}


def secret_values(document: Any) -> set[str]:
    """Give the values of every `Environment` in a document of the API that must not be shown wherever they stand.

    One of a few characters also stands where it is no secret, and is left out.
    """
    if isinstance(document, (list, tuple)):
        return {value for item in document for value in secret_values(item)}
    found: set[str] = set()
    if isinstance(document, Mapping):
        for name, inner in document.items():
            if name == "Environment" and isinstance(inner, Mapping):
                found |= {
                    value
                    for key, value in inner.items()
                    if len(value) >= _LONG_ENOUGH and looks_secret(key, value)
                }
            else:
                found |= secret_values(inner)
    return found


def masked_document(document: Any) -> Any:
    """Give a document of the API with every `Environment` in it masked."""
    if isinstance(document, Mapping):
        return {
            name: masked(inner)
            if name == "Environment" and isinstance(inner, Mapping)
            else masked_document(inner)
            for name, inner in document.items()
        }
    if isinstance(document, (list, tuple)):
        return [masked_document(item) for item in document]
    return document
