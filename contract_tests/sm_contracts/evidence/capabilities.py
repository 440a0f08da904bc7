"""What the capabilities probes saw: a container of a pipeline, a streamed answer, a session from start to end."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sm_contracts.evidence.serving.exchange import Exchange
    from sm_contracts.evidence.serving.lives import Trial
    from sm_contracts.evidence.serving.start import Listening


@dataclass(frozen=True, kw_only=True)
class InPipeline:
    """A container that is healthy alone, then one that was told its port.

    Args:
        alone: the one that was told nothing.
        port: what SAGEMAKER_BIND_TO_PORT said.
        ping: GET /ping at that port; the last one.
        default_ping: GET /ping at 8080, the port of a container that is alone.
        invocation: the sample payload at the port that was told; None if none was given, or the ping failed.
        listeners: what listened inside; None where that cannot be seen.
        exit_code: if it exited.
        log_tail: last lines of its output.
    """

    alone: Trial
    port: int
    ping: Exchange
    default_ping: Exchange
    invocation: Exchange | None
    listeners: tuple[Listening, ...] | None
    exit_code: int | None = None
    log_tail: tuple[str, ...] = ()

    def as_evidence(self) -> dict[str, Any]:
        """Give it for a machine."""
        return {
            "port": self.port,
            "ping": self.ping.as_json(),
            "invocation": None if self.invocation is None else self.invocation.as_json(),
            "listeners": None if self.listeners is None else [str(each) for each in self.listeners],
            "exit_code": self.exit_code,
            "alone": self.alone.as_json(),
            "log_tail": list(self.log_tail[-10:]),
        }


@dataclass(frozen=True, kw_only=True)
class Piece:
    """What of an answer's body was there at once."""

    at_s: float
    """After the request."""
    size: int


@dataclass(frozen=True, kw_only=True)
class Stream:
    """One answer to the sample payload, piece by piece.

    Args:
        exchange: the whole of it.
        pieces: of its body, as they came.
    """

    exchange: Exchange
    pieces: tuple[Piece, ...]

    @property
    def first_s(self) -> float:
        """Until the first byte of the body; of the whole where none came."""
        return self.pieces[0].at_s if self.pieces else self.exchange.seconds

    @property
    def last_s(self) -> float:
        """Until the last byte of the body."""
        return self.pieces[-1].at_s if self.pieces else self.exchange.seconds

    @property
    def longest_gap_s(self) -> float:
        """Between two pieces."""
        times = [piece.at_s for piece in self.pieces]
        return max((after - before for before, after in pairwise(times)), default=0.0)

    @property
    def framed(self) -> bool:
        """Whether its end can be told from a connection that broke: it has chunks, or a length."""
        encoding = self.exchange.header("Transfer-Encoding") or ""
        return "chunked" in encoding.lower() or self.exchange.header("Content-Length") is not None

    def as_evidence(self) -> dict[str, Any]:
        """Give it for a machine."""
        return {
            **self.exchange.as_json(),
            "transfer_encoding": self.exchange.header("Transfer-Encoding"),
            "pieces": len(self.pieces),
            "first_byte_s": round(self.first_s, 3),
            "last_byte_s": round(self.last_s, 3),
        }


@dataclass(frozen=True, kw_only=True)
class Streams:
    """The sample payload's answer, asked for again until one was seen to stream.

    Args:
        tries: each of them.
        window_s: how long each had.
    """

    tries: tuple[Stream, ...]
    window_s: float


@dataclass(frozen=True, kw_only=True)
class SessionDialogue:
    """A session, asked for, used and closed.

    Args:
        opening: each request with the session id NEW_SESSION, the last one the one that opened it.
        using: the sample payload with the id; None where no session was opened.
        closing: the request to close it; None where no session was opened.
        now: seconds since 1970 when it was opened.
    """

    opening: tuple[Exchange, ...]
    using: Exchange | None
    closing: Exchange | None
    now: float
