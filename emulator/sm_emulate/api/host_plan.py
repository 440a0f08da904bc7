"""What one host of a job would be, said without an engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sm_emulate.engine.protocol import ContainerSpec


@dataclass(frozen=True, kw_only=True)
class HostPlan:
    """What one host of a job would be: its files and its container."""

    host: str
    files: Mapping[str, bytes]
    """Content of the config files, by path in the container."""
    directories: tuple[str, ...]
    """Empty directories that exist before the program starts."""
    container: ContainerSpec
