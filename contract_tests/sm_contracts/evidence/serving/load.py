"""What many invocations do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sm_contracts.evidence.serving.exchange import Exchange


@dataclass(frozen=True, kw_only=True)
class BusyRound:
    """Pings while invocations ran."""

    clients: int
    invocations: int
    pings: tuple[Exchange, ...]

    @property
    def slowest_s(self) -> float:
        """Of the slowest ping; how long a connection takes to be accepted is a matter of its own."""
        return max((ping.served_s for ping in self.pings), default=0.0)


@dataclass(frozen=True, kw_only=True)
class BusyPings:
    """Pings while invocations ran, repeated where one was slow."""

    rounds: tuple[BusyRound, ...]


@dataclass(frozen=True, kw_only=True)
class Mixup:
    """An answer that belongs to another payload."""

    payload: str
    expected: str
    got: str


@dataclass(frozen=True, kw_only=True)
class ParallelAnswers:
    """Invocations side by side, each answer held against that of the same payload alone.

    Args:
        clients: how many were at it at once.
        invocations: how many were sent.
        distinct: payloads whose answers alone are distinct and repeat.
        failures: answers other than 200.
        mixups: answers that differ from the payload's own.
    """

    clients: int
    invocations: int
    distinct: int
    failures: tuple[Exchange, ...] = ()
    mixups: tuple[Mixup, ...] = ()


@dataclass(frozen=True, kw_only=True)
class MemoryReadings:
    """Resident memory of the container in bytes, between batches of sample invocations.

    Args:
        batch: invocations between two readings.
        readings: more of them where memory grew, until it had grown much, or no more.
        collector: a process whose runtime lets garbage lie for long (`java`); empty if there is none.
    """

    batch: int
    readings: tuple[int, ...]
    collector: str = ""


@dataclass(frozen=True, kw_only=True)
class Zombies:
    """Processes that ended and that PID 1 has not waited for.

    Args:
        names: of those that stayed.
        killed: the process that was killed to see what becomes of it; empty if there was none but PID 1.
        processes: how many there were.
    """

    names: tuple[str, ...]
    killed: str
    processes: int
