"""What one host of a job would be, said without an engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sm_emulate.engine.protocol import ContainerSpec
    from sm_emulate.lifecycle.training.channel_plan import ChannelPlan


@dataclass(frozen=True, kw_only=True)
class HostPlan:
    """What one host of a job would be: its files and its container."""

    host: str
    files: Mapping[str, bytes]
    """Content of the config files, by path in the container."""
    directories: tuple[str, ...]
    """Empty directories that exist before the program starts."""
    container: ContainerSpec
    pipes: tuple[str, ...] = ()
    """FIFOs that exist before the program starts: the first of each Pipe channel or input."""
    channels: tuple[ChannelPlan, ...] = ()
    """Those whose data does not just lie here: what would be downloaded, linked or mounted."""
