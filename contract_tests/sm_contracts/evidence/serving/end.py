"""How the container ends, and what it said in its life."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sm_contracts.evidence.serving.exchange import Exchange


@dataclass(frozen=True, kw_only=True)
class Stop:
    """SIGTERM, and when the container was gone."""

    window_s: float
    seconds: float | None
    """None if it was alive at the end of the window."""
    exit_code: int | None = None


@dataclass(frozen=True, kw_only=True)
class InFlight:
    """A request that was on its way when SIGTERM came."""

    answer: Exchange
    before: Exchange
    """The same request in peace."""


@dataclass(frozen=True, kw_only=True)
class Logs:
    """How much the container wrote to stdout and stderr from start to end."""

    bytes: int
    tail: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ServerBanner:
    """By what the server gives itself away."""

    server: str | None
    """The Server header."""
    log_lines: tuple[str, ...] = ()
    """Lines of the log that name a development server."""
