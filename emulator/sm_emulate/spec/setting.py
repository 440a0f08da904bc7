"""What one named setting is, and how its value is read from text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from sm_emulate.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sm_emulate.spec.profiles import PlatformProfile

SettingValue = str | int

_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_SIZE = r"([0-9]+)([bBkKmMgG]?)[bB]?"
_INTERFACE = r"[A-Za-z0-9_.-]{1,15}"  # IFNAMSIZ less its NUL
_HOST_NAME = (
    r"(?=.{1,253}\Z)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*"
)
_SECONDS = r"[0-9]+"
_PORTS = r"([1-9][0-9]{0,4})-([1-9][0-9]{0,4})"
_LIMIT = r"(unlimited|[0-9]{1,18})"
_ULIMIT = rf"([a-z]+)={_LIMIT}(?::{_LIMIT})?"
_ULIMITS = frozenset(
    "core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack".split()  # noqa: SIM905  # words, to be read as such
)
"""As `docker run --ulimit` names them."""


class Kind(Enum):
    """What values a setting takes; its value says it in words."""

    CHOICE = "one of its choices"
    MODE = "one of its choices, an octal mode"
    SIZE = "a number of bytes, or with k, m or g behind it, such as 64m"
    ULIMITS = "limits such as nofile=65536, stack=8388608:unlimited (soft and hard), with commas between"
    SECONDS = "a whole number of seconds, at least 1"
    COUNT = "a whole number, at least 1"
    DELAY = "a whole number of seconds"
    INTERFACE = "a network interface name, such as eth0"
    HOST_NAME = "a host name, such as model.aws.local"
    PORTS = "a range of ports, such as 9000-9999"


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One place where the platform's behaviour is not known for certain, and what we do about it.

    Args:
        name: as `--setting NAME=VALUE` takes it.
        default: gives the default's text for a platform profile.
        choices: the allowed values of a CHOICE or a MODE.
        about: what it decides, what each value means, and why the default is what it is.
        facts: ids of the facts that it settles.
    """

    name: str
    default: Callable[[PlatformProfile], str]
    about: str
    facts: tuple[str, ...]
    kind: Kind = Kind.CHOICE
    choices: tuple[str, ...] = ()

    @property
    def expected(self) -> str:
        """Say which values it takes."""
        if not self.choices:
            return self.kind.value
        if self.kind not in (Kind.CHOICE, Kind.MODE):
            return f"{', '.join(self.choices)}, or {self.kind.value}"
        *rest, last = self.choices
        return f"{', '.join(rest)} or {last}"

    def parse(self, text: str) -> SettingValue:
        """Read a value: a number for a size in bytes, for seconds and for a mode, else the text itself.

        Raises:
            RequestError: the setting does not take that value.
        """
        value: SettingValue | None = None
        if self.kind is Kind.MODE:
            value = int(text, 8) if text in self.choices else None
        elif text in self.choices:
            value = text
        elif self.kind is Kind.CHOICE:
            value = None
        elif self.kind is Kind.SIZE:
            value = _size(text)
        elif self.kind in (Kind.SECONDS, Kind.COUNT):
            value = int(text) if re.fullmatch(_SECONDS, text) and int(text) > 0 else None
        elif self.kind is Kind.DELAY:
            value = int(text) if re.fullmatch(_SECONDS, text) else None
        elif self.kind is Kind.ULIMITS:
            value = text if ulimits(text) is not None else None
        elif self.kind is Kind.PORTS:
            value = text if _is_port_range(text) else None
        elif self.kind is Kind.INTERFACE:
            value = text if re.fullmatch(_INTERFACE, text) else None
        else:
            value = text if re.fullmatch(_HOST_NAME, text) else None
        if value is None:
            raise RequestError(
                f"setting {self.name} does not take this value",
                value=text,
                expected=self.expected,
                hint=self.about,
            )
        return value


def _is_port_range(text: str) -> bool:
    match = re.fullmatch(_PORTS, text)
    return match is not None and int(match[1]) < int(match[2]) < 1 << 16


def _size(text: str) -> int | None:
    match = re.fullmatch(_SIZE, text)
    if match is None:
        return None
    return int(match[1]) * _UNITS[match[2].lower()] or None


def ulimits(text: str) -> dict[str, tuple[int, int]] | None:
    """Read the value of a ULIMITS setting: soft and hard limit by name, -1 is unlimited; None if it is none."""
    found = {}
    for part in text.split(","):
        match = re.fullmatch(_ULIMIT, part)
        if match is None or match[1] not in _ULIMITS or match[1] in found:
            return None
        soft, hard = (-1 if word == "unlimited" else int(word) for word in (match[2], match[3] or match[2]))
        if hard != -1 and not 0 <= soft <= hard:
            return None
        found[match[1]] = (soft, hard)
    return found
