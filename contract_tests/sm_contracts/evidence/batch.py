"""What the batch probe saw: transform jobs on the sample payload, and a body of asynchronous inference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sm_contracts.evidence.serving.exchange import Exchange

SHOWN = 500


@dataclass(frozen=True, kw_only=True)
class Transformed:
    """One object of a transform job: the records that went in, and what came of them."""

    records: tuple[bytes, ...]
    output: bytes | None
    """The whole output object; None if it has none."""
    words: tuple[str, ...] = ()
    """What the job's log says of it, where it has failed."""

    @property
    def ok(self) -> bool:
        return self.output is not None

    @property
    def lines(self) -> list[str]:
        """The output's lines, blank ones among them."""
        return (self.output or b"").decode("utf-8", "replace").splitlines()

    def as_evidence(self) -> dict[str, Any]:
        """Give it for a machine."""
        shown: dict[str, Any] = {"records": len(self.records)}
        if self.output is not None:
            shown["output"] = self.output[:SHOWN].decode("utf-8", "replace")
        if self.words:
            shown["log"] = list(self.words)
        return shown


@dataclass(frozen=True, kw_only=True)
class ExecutionParameters:
    """The answer to GET /execution-parameters."""

    status: int | None
    """None if there was no answer."""
    body: bytes = b""
    content_type: str = ""


@dataclass(frozen=True, kw_only=True)
class MultiRecord:
    """The same records, one in each request and all in one."""

    one: Transformed
    """A single record."""
    single: Transformed
    multi: Transformed
    wants_single: bool = False
    """Whether the container itself asks for SINGLE_RECORD."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """Records that differ, one in each request and all in one."""

    single: Transformed
    multi: Transformed


@dataclass(frozen=True, kw_only=True)
class Chunked:
    """The sample payload with its length, and in chunks."""

    whole: Transformed
    chunked: Transformed


@dataclass(frozen=True, kw_only=True)
class Newlines:
    """Answers to single records, put together with AssembleWith Line."""

    one: Transformed
    single: Transformed


@dataclass(frozen=True, kw_only=True)
class AsyncBody:
    """A body of 100 MB, and a small one of the same kind."""

    small: Exchange
    large: Exchange
