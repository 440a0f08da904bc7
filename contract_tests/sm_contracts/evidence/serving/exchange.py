"""One request to the container and what came back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Failure = Literal["", "refused", "timeout", "reset", "closed", "cut-short", "bad-response"]
"""Empty where there is a whole answer. `reset` and `closed`: the connection ended without a byte of an answer, with
and without a TCP reset; `cut-short`: within it."""

KEPT_BYTES = 64 * 1024
"""Of an answer's body."""
_SHOWN = 300


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """What one request met.

    Args:
        what: what was sent, in a few words: `the sample payload, truncated`.
        status: what the container answered; None if it gave no HTTP answer.
        seconds: from the first packet to the last byte, or to the failure.
        connect_s: of these, until the connection stood.
        headers: of the answer, names as they were written.
        body: its beginning.
        length: of the whole body.
        failure: what went wrong; a status may stand beside `cut-short` and `timeout`.
        detail: plain words for the failure.
        closes: the container said that it closes the connection after this answer.
    """

    what: str = ""
    status: int | None = None
    seconds: float = 0.0
    connect_s: float = 0.0
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    length: int = 0
    failure: Failure = ""
    detail: str = ""
    closes: bool = False

    @property
    def ok(self) -> bool:
        """Whether it is a whole answer with status 200."""
        return self.status == 200 and not self.failure

    @property
    def answered(self) -> bool:
        """Whether it is a whole answer, whatever its status."""
        return self.status is not None and not self.failure

    @property
    def served_s(self) -> float:
        """Seconds from the connection on; all of them where there was none."""
        return self.seconds - self.connect_s if self.answered else self.seconds

    def header(self, name: str) -> str | None:
        """Give the first header of that name."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    @property
    def text(self) -> str:
        """The beginning of the body, as far as it is text."""
        return self.body[:_SHOWN].decode("utf-8", "replace").strip()

    def __str__(self) -> str:
        """Say what came back, to follow the words "the container"."""
        if self.failure == "timeout":
            return f"gave no complete answer in {self.seconds:.1f} s"
        if self.failure:
            return {
                "refused": "refused the connection",
                "reset": "reset the connection without an answer",
                "closed": "closed the connection without an answer",
                "cut-short": f"broke off its answer ({self.detail})",
                "bad-response": f"did not answer in HTTP ({self.detail})",
            }[self.failure]
        return f"answered {self.status}" + (
            f" {self.text[:120]!r}" if self.body and self.status != 200 else ""
        )

    def as_json(self) -> dict[str, Any]:
        """Give it as evidence in a report."""
        shown: dict[str, Any] = {"what": self.what, "status": self.status, "seconds": round(self.seconds, 3)}
        if self.failure:
            shown |= {"failure": self.failure, "detail": self.detail}
        if self.status is not None:
            shown |= {"content_type": self.header("Content-Type"), "body": self.text, "length": self.length}
        return shown
