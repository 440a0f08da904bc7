"""How the container came up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from sm_contracts.evidence.serving.exchange import Exchange


@dataclass(frozen=True, kw_only=True)
class Listening:
    """A TCP socket that waits for connections inside the container."""

    address: str
    port: int

    @property
    def loopback(self) -> bool:
        return self.address.startswith("127.") or self.address in {"::1", "::ffff:127.0.0.1"}

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


@dataclass(frozen=True, kw_only=True)
class Ping:
    """One GET /ping of the health check."""

    status: int | None
    seconds: float
    failure: str = ""


@dataclass(frozen=True, kw_only=True)
class Start:
    """The first container, from its start to its first 200 on GET /ping or to the end of the start window.

    Args:
        outcome: `not-started`: the engine could not run the program. `exited`: it ended before it was healthy.
            `unhealthy`: it runs, and gave no 200 in the window.
        seconds: until the outcome was known.
        window_s: how long it had.
        exit_code: of a container that exited.
        oom_killed: the kernel killed a process of it for memory.
        start_error: the engine's words where it could not be started.
        pings: the last of the health check's pings that found somebody listening.
        answer: a ping with its body, where a ping was answered with something else than 200.
        patient: a ping without SageMaker's limit of 2 s, where the others ran into it.
        other_paths: paths other than /ping that answered 200.
        listeners: what listened inside at the end; None where that cannot be seen.
        log_tail: last lines of its output.
        model_given: whether the check was given model data.
        remedy: what a further container had that then worked; empty if none did.
        remedy_rule: the rule that is about this.
    """

    outcome: Literal["healthy", "exited", "not-started", "unhealthy"]
    seconds: float
    window_s: float
    exit_code: int | None = None
    oom_killed: bool = False
    start_error: str = ""
    pings: tuple[Ping, ...] = ()
    answer: Exchange | None = None
    patient: Exchange | None = None
    other_paths: tuple[str, ...] = ()
    listeners: tuple[Listening, ...] | None = None
    log_tail: tuple[str, ...] = ()
    model_given: bool = True
    remedy: str = ""
    remedy_rule: str = ""

    @property
    def healthy(self) -> bool:
        return self.outcome == "healthy"


@dataclass(frozen=True, kw_only=True)
class IdlePings:
    """Pings of a container that has nothing else to do."""

    pings: tuple[Exchange, ...]


@dataclass(frozen=True, kw_only=True)
class FirstInvocation:
    """The sample payload, sent at the first 200 on GET /ping and again until it worked."""

    first: Exchange
    later: tuple[Exchange, ...] = ()
    after_s: float = 0.0
    """From the first to the last of them."""
