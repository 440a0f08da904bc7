"""The ways in which a training job can be run, as values."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Way:
    """One way to run a training job on the sample input; the defaults are the platform as it is."""

    hyperparameters: Mapping[str, object]
    """Values that are no strings break the platform's promise; that is what `typed` is for."""
    name: str = "as the platform runs it"
    hosts: int = 1
    # harder
    read_only: bool = False
    isolated: bool = False
    extra_keys: bool = False
    empty_channels: bool = False
    late_names: bool = False
    """The second host starts, and its name resolves, some time after the first."""
    # easier
    open_folders: bool = False
    roomy_shm: bool = False
    plain_config: bool = False
    algo_hostname: bool = False
    # with checkpoints
    checkpoints: bool = False
    resume_from: Path | None = None
    sidecars: bool = False
    # with an end from outside
    stop_after_s: float | None = None
    """Send SIGTERM about then."""

    def but(self, name: str, **changes: object) -> Way:
        """Give it with changes, under a name of its own."""
        return replace(self, name=name, **changes)  # type: ignore[arg-type]  # fields by name

    def config_files(self, files: Mapping[str, bytes]) -> dict[str, bytes]:
        """Give the config files of a host as they are this way."""
        changed = dict(files)
        changed["hyperparameters.json"] = _compact(dict(self.hyperparameters))
        if self.extra_keys:
            resources = json.loads(changed["resourceconfig.json"])
            changed["resourceconfig.json"] = _compact(resources | {"topology": None} | UNKNOWN)
            channels = json.loads(changed["inputdataconfig.json"])
            changed["inputdataconfig.json"] = _compact(
                {name: about | UNKNOWN for name, about in channels.items()}
            )
        if self.plain_config:
            resources = json.loads(changed["resourceconfig.json"])
            changed["resourceconfig.json"] = _compact(
                {key: value for key, value in resources.items() if key != "topology"}
            )
        return changed


UNKNOWN = {"SomethingNew": None, "something_newer": {"list": [1, "two", None]}}
"""Keys that no documentation names: every year the platform writes some that it did not write before."""


def is_text(value: object) -> bool:
    """Tell whether a hyperparameter is a string to those who read JSON: no number, no true, no list."""
    return isinstance(value, str) and isinstance(_read(value), str)


def strings(hyperparameters: Mapping[str, object]) -> tuple[str, ...]:
    """Name the hyperparameters that are strings."""
    return tuple(name for name, value in hyperparameters.items() if is_text(value))


def quoted(hyperparameters: Mapping[str, object]) -> dict[str, object]:
    """Turn every string around: bare ones get JSON's quotes, quoted ones lose them."""
    return {name: _turned(value) if is_text(value) else value for name, value in hyperparameters.items()}


def typed(hyperparameters: Mapping[str, object]) -> dict[str, object]:
    """Give numbers, booleans and lists as what they are in place of their text."""
    return {
        name: value if is_text(value) or not isinstance(value, str) else _read(value)
        for name, value in hyperparameters.items()
    }


def _read(value: str) -> object:
    """Read a hyperparameter as JSON; what is none is a string."""
    try:
        return json.loads(value)
    except ValueError:
        return value


def _turned(value: object) -> str:
    inner = _read(str(value))
    return str(inner) if inner != value else json.dumps(value)


def _compact(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
