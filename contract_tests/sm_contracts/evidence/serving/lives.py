"""What further containers of the same image did under other conditions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from sm_contracts.evidence.serving.exchange import Exchange
    from sm_contracts.evidence.serving.start import Listening

Outcome = Literal["healthy", "exited", "not-started", "unhealthy"]


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One container: how it came up, and how it answered the sample payload.

    Args:
        outcome: as in `Start`.
        seconds: until that was known.
        exit_code: of a container that exited.
        status: of the last ping, where it was unhealthy.
        said: what that ping's answer said.
        answers: to the sample payload; empty if none was given, or it did not come up.
        log_tail: last lines of its output.
    """

    outcome: Outcome
    seconds: float
    exit_code: int | None = None
    status: int | None = None
    said: str = ""
    answers: tuple[Exchange, ...] = ()
    log_tail: tuple[str, ...] = ()

    @property
    def came_up(self) -> bool:
        return self.outcome == "healthy"

    @property
    def answered(self) -> bool:
        return bool(self.answers) and self.answers[-1].ok

    def __str__(self) -> str:
        """Say what it did, to follow the words "the container"."""
        if self.outcome == "not-started":
            return "could not be started"
        if self.outcome == "exited":
            return f"exited with code {self.exit_code} after {self.seconds:.1f} s"
        if self.outcome == "unhealthy":
            status = f" (the last ping was answered {self.status})" if self.status is not None else ""
            return f"was not healthy after {self.seconds:.1f} s{status}"
        if self.answers and not self.answers[-1].ok:
            return f"was healthy, and {self.answers[-1]}"
        return f"was healthy after {self.seconds:.1f} s"

    def as_json(self) -> dict[str, object]:
        """Give it as evidence in a report."""
        return {
            "outcome": self.outcome,
            "seconds": round(self.seconds, 3),
            "exit_code": self.exit_code,
            "ping_status": self.status,
            "answer": self.answers[-1].as_json() if self.answers else None,
            "log_tail": list(self.log_tail[-10:]),
        }


@dataclass(frozen=True, kw_only=True)
class ModelDirectory:
    """/opt/ml/model read-only, and writable where that was needed to compare."""

    read_only: Trial
    writable: Trial | None
    sample_given: bool


@dataclass(frozen=True, kw_only=True)
class SharedMemory:
    """Shared memory of 64 MiB, and of 1 GiB where that was needed to compare."""

    small: Trial
    large: Trial | None
    sample_given: bool


@dataclass(frozen=True, kw_only=True)
class WithoutModel:
    """A container without model data."""

    trial: Trial
    window_s: float
    logged: bool
    """Whether it wrote anything to its log."""
    with_model: Trial | None
    """The same image with model data; None where none was given."""


@dataclass(frozen=True, kw_only=True)
class Isolated:
    """A container on a network without a way out."""

    trial: Trial
    asked_for: bool
    """The user means to run it so."""


@dataclass(frozen=True, kw_only=True)
class SecondStart:
    """A second fresh container from the same image and model."""

    first: Trial
    second: Trial


@dataclass(frozen=True, kw_only=True)
class Serverless:
    """Another user, a read-only root, and only /tmp writable."""

    trial: Trial
    sample_given: bool
    asked_for: bool


@dataclass(frozen=True, kw_only=True)
class BoundPort:
    """A container that was told its port.

    Args:
        port: what SAGEMAKER_BIND_TO_PORT said.
        safe: what SAGEMAKER_SAFE_PORT_RANGE said, first and last.
        ping: GET /ping at that port; the last one.
        default_ping: GET /ping at 8080.
        listeners: what listened inside; None where that cannot be seen.
        exit_code: if it exited.
        labelled: the image has the accept-bind-to-port label.
    """

    port: int
    safe: tuple[int, int]
    ping: Exchange
    default_ping: Exchange
    listeners: tuple[Listening, ...] | None
    exit_code: int | None = None
    labelled: bool = False
