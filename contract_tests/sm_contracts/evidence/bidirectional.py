"""What the bidirectional probe saw: a WebSocket that was opened or not, a ping, a text frame and a binary one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Outcome = Literal["answered", "silent", "closed", "dropped"]
SHOWN = 200


@dataclass(frozen=True, kw_only=True)
class Handshake:
    """The container's answer to the request for a WebSocket.

    Args:
        path: that was asked for.
        status: of the answer; None where none came.
        trouble: why no WebSocket came of it; empty if one did.
        body: the beginning of an answer that is no WebSocket's.
    """

    path: str
    status: int | None
    trouble: str = ""
    body: bytes = b""

    @property
    def ok(self) -> bool:
        return not self.trouble

    def as_evidence(self) -> dict[str, Any]:
        """Give it for a machine."""
        shown: dict[str, Any] = {"path": self.path, "status": self.status}
        if self.trouble:
            shown |= {"trouble": self.trouble, "body": self.body[:SHOWN].decode("utf-8", "replace")}
        return shown


@dataclass(frozen=True, kw_only=True)
class Pong:
    """Whether a ping on an idle WebSocket was answered.

    Args:
        seconds: until the pong came; None where none did.
        window_s: how long it was waited for.
        closed: how the container closed the WebSocket instead, if it did.
    """

    seconds: float | None
    window_s: float
    closed: str = ""


@dataclass(frozen=True, kw_only=True)
class Said:
    """What came of one frame.

    Args:
        outcome: whether a message came back, nothing did, or the container closed the WebSocket or the connection.
        code: of the close frame.
        reason: likewise.
        answer: the beginning of the message that came back.
    """

    outcome: Outcome
    code: int | None = None
    reason: str = ""
    answer: bytes = b""

    def __str__(self) -> str:
        if self.outcome == "closed":
            return f"closed the WebSocket with code {self.code}" + (
                f" ({self.reason})" if self.reason else ""
            )
        if self.outcome == "dropped":
            return "dropped the connection"
        return "answered" if self.outcome == "answered" else "did not answer"

    @property
    def taken(self) -> bool:
        return self.outcome in {"answered", "silent"}

    def as_evidence(self) -> dict[str, Any]:
        """Give it for a machine."""
        shown: dict[str, Any] = {"outcome": self.outcome}
        if self.code is not None:
            shown |= {"code": self.code, "reason": self.reason}
        if self.answer:
            shown["answer"] = self.answer[:SHOWN].decode("utf-8", "replace")
        return shown


@dataclass(frozen=True, kw_only=True)
class Frames:
    """The sample payload as a text frame and as a binary one, each in a WebSocket of its own.

    Args:
        text: what came of the first.
        binary: of the second.
        sample: whether a payload was given; else it was a word of ours.
    """

    text: Said
    binary: Said
    sample: bool
