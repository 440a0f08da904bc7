"""Named settings: what the platform is not known to do for certain, each with a default and its reason.

On the command line `--setting NAME=VALUE`. Nothing here is a silent guess: every setting is listed with
its default in docs/level-of-support.md. Each stands with those of its kind in a module beside this one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from sm_emulate.errors import RequestError
from sm_emulate.spec.setting import Setting, SettingValue
from sm_emulate.spec.settings import (
    bidirectional,
    channels,
    hosting,
    invocation,
    outcome,
    pipelines,
    processing,
    serverless,
    training,
    transform,
    tuning,
)

if TYPE_CHECKING:
    from sm_emulate.spec.profiles import PlatformProfile

SETTINGS: tuple[Setting, ...] = (
    *channels.SETTINGS,
    *training.SETTINGS,
    *outcome.SETTINGS,
    *processing.SETTINGS,
    *transform.SETTINGS,
    *hosting.SETTINGS,
    *invocation.SETTINGS,
    *bidirectional.SETTINGS,
    *serverless.SETTINGS,
    *pipelines.SETTINGS,
    *tuning.SETTINGS,
)

_BY_NAME: dict[str, Setting] = {setting.name: setting for setting in SETTINGS}


def setting_named(name: str) -> Setting:
    """Give the setting of that name.

    Raises:
        RequestError: there is none; the hint names the nearest.
    """
    setting = _BY_NAME.get(name)
    if setting is None:
        from difflib import get_close_matches

        near = get_close_matches(name, _BY_NAME, n=1)
        raise RequestError(
            "there is no such setting",
            value=name,
            expected=", ".join(sorted(_BY_NAME)),
            hint=f"did you mean {near[0]}?" if near else "docs/level-of-support.md explains each",
        )
    return setting


def parse(name: str, text: str) -> SettingValue:
    """Read a value for a named setting.

    Raises:
        RequestError: there is no such setting, or it does not take that value.
    """
    return setting_named(name).parse(text)


class Settings(Mapping[str, SettingValue]):
    """The value of every setting: what was given, and the profile's default for the rest.

    Args:
        profile: whose defaults hold.
        given: name and text, as they came from the command line.

    Raises:
        RequestError: an unknown name or a value that the setting does not take.
    """

    __slots__ = ("_values", "given")

    def __init__(self, profile: PlatformProfile, given: Mapping[str, str] | None = None) -> None:
        self.given: Mapping[str, str] = dict(given or {})
        chosen = {name: parse(name, text) for name, text in self.given.items()}
        self._values = {
            setting.name: chosen.get(setting.name, setting.parse(setting.default(profile)))
            for setting in SETTINGS
        }

    def __getitem__(self, name: str) -> SettingValue:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __hash__(self) -> int:
        return hash(tuple(self._values.items()))

    def __repr__(self) -> str:
        return f"Settings({self._values!r})"

    def text(self, name: str) -> str:
        """Give the value of a setting that holds words."""
        value = self._values[name]
        if not isinstance(value, str):
            raise TypeError(f"setting {name} holds a number")
        return value

    def number(self, name: str) -> int:
        """Give the value of a setting that holds bytes, seconds, a count or a mode."""
        value = self._values[name]
        if not isinstance(value, int):
            raise TypeError(f"setting {name} holds words")
        return value
