"""How payloads are answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sm_contracts.evidence.serving.exchange import Exchange


@dataclass(frozen=True, kw_only=True)
class AnyInvocation:
    """A POST /invocations with the sample payload, or with `{}` where none was given."""

    answer: Exchange
    made_up: bool


@dataclass(frozen=True, kw_only=True)
class SampleInvocation:
    """The sample payload and its answers.

    Args:
        answers: to the same request, in order; the last one counts if an earlier one came too early.
        accept: the Accept header that they were sent with.
        rescued_by: an Accept header that works where none and `*/*` do not.
        custom_attributes: an answer to the sample sent with custom attributes, where it was sent.
        remedy: what a further container had that then answered 200; empty if none did.
        remedy_rule: the rule that is about this.
    """

    answers: tuple[Exchange, ...]
    accept: str | None = None
    rescued_by: str | None = None
    custom_attributes: Exchange | None = None
    remedy: str = ""
    remedy_rule: str = ""

    @property
    def last(self) -> Exchange:
        return self.answers[-1]


@dataclass(frozen=True, kw_only=True)
class ContentTypeParameters:
    """The sample sent as `type` and as `type; charset=utf-8`."""

    plain: Exchange
    with_parameters: tuple[Exchange, ...]


@dataclass(frozen=True, kw_only=True)
class AcceptVariants:
    """The sample sent with an Accept that works, with none, and with `*/*`."""

    working: str | None
    """The Accept that is answered 200; None where that is the request without one."""
    missing: tuple[Exchange, ...]
    any_type: tuple[Exchange, ...]


@dataclass(frozen=True, kw_only=True)
class ExtraHeaders:
    """The sample, and a ping, with headers that the platform may add."""

    names: tuple[str, ...]
    invocations: tuple[Exchange, ...]
    ping: Exchange


@dataclass(frozen=True, kw_only=True)
class MalformedAnswers:
    """Payloads made from the sample that it cannot mean."""

    answers: tuple[Exchange, ...]
    sample_answer: Exchange


@dataclass(frozen=True, kw_only=True)
class LargeBodies:
    """Bodies of 6 MB and 25 MB, and a small one of the same kind."""

    small: Exchange
    six: Exchange
    twenty_five: Exchange | None
    """None where 6 MB is refused already."""
