"""What becomes of connections."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sm_contracts.evidence.serving.exchange import Exchange


@dataclass(frozen=True, kw_only=True)
class Accepts:
    """Seconds until each of many clients that connect at once is connected, round by round."""

    clients: int
    rounds: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, kw_only=True)
class KeepAlive:
    """Requests on one connection: pairs of the one before and the one that followed on the same connection."""

    pairs: tuple[tuple[Exchange, Exchange | None], ...]
    """None where the container said that it closes the connection."""


@dataclass(frozen=True, kw_only=True)
class AfterDrops:
    """Pings after clients went away within their requests."""

    clients: int
    pings: tuple[Exchange, ...]
    """Until one was answered 200 or the time was over."""
    waited_s: float
    exit_code: int | None = None


@dataclass(frozen=True, kw_only=True)
class AfterMalformed:
    """Pings after a burst of malformed requests."""

    requests: int
    pings: tuple[Exchange, ...]
    waited_s: float
    exit_code: int | None = None


@dataclass(frozen=True, kw_only=True)
class SlowBody:
    """A body that took its time, and the same body at once."""

    at_once: Exchange
    slow: tuple[Exchange, ...]
    seconds: float
    longest_pause_s: float
