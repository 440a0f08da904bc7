"""Image references: which texts are one, and which name a registry."""

from __future__ import annotations

import re

LONGEST = 255
"""Characters, of CreateModel's `Image` and CreateTrainingJob's `TrainingImage` alike."""

_HOST = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REFERENCE = re.compile(
    rf"(?P<name>(?:(?P<host>{_HOST}(?:\.{_HOST})*(?::[0-9]+)?)/)?{_PART}(?:/{_PART})*)"
    r"(?::(?P<tag>\w[\w.-]{0,127}))?"
    r"(?:@(?P<digest>[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}))?",
    re.ASCII,
)


def is_valid(text: str) -> bool:
    """Tell whether Docker and registries take this for a reference."""
    found = _REFERENCE.fullmatch(text)
    return found is not None and len(found["name"]) <= 255


def is_id(text: str) -> bool:
    """Tell whether this is an image's id, whole with its algorithm."""
    return re.fullmatch(r"sha256:[0-9a-f]{64}", text) is not None


def repository(text: str) -> str:
    """Give the reference without tag and digest."""
    found = _REFERENCE.fullmatch(text)
    return found["name"] if found else ""


def names_registry(text: str) -> bool:
    """Tell whether the first part is a host, not a folder of Docker Hub."""
    first, slash, _ = text.partition("/")
    return bool(slash) and ("." in first or ":" in first or first == "localhost")
