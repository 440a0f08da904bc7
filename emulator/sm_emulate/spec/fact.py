"""What one fact about the platform is: a sentence, who says so, how sure we are, and whether we do it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import partial


class Certainty(Enum):
    """How well a fact is known."""

    CONFIRMED = "confirmed"
    UNSURE = "unsure"
    """Inferred, from one weak source, or nowhere written down."""
    DISPUTED = "disputed"
    """Sources disagree with each other, or the documentation with what was seen."""


class Level(Enum):
    """Whether sm-emulate does what the fact says."""

    EMULATED = "yes"
    PARTLY = "partly"
    PLANNED = "planned"
    NOT_EMULATED = "no"
    OUTSIDE = "outside"
    """Images, toolkits or the SDK do it and not the platform: there is nothing to emulate."""


@dataclass(frozen=True, kw_only=True)
class Fact:
    """One thing that the platform does, in one sentence.

    Args:
        id: permanent and readable, `area.subject`, for example `training.invocation.train-replaces-cmd`.
        statement: one sentence in our own words.
        source: the public pages, files and threads that say so.
        certainty: how well it is known.
        level: whether it is emulated.
        setting: the named setting that chooses where the fact is unsure or disputed.
        tests: pytest node ids that show it; filled from `facts/shown_by.py`.
        planned: the piece of work that will bring it, when the level is PLANNED.
        note: what a reader should know besides, such as how we differ.
    """

    id: str
    statement: str
    source: tuple[str, ...]
    certainty: Certainty
    level: Level
    setting: str | None = None
    tests: tuple[str, ...] = ()
    planned: str = ""
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Area:
    """The facts of one area, in reading order; every id begins with `prefix` and a dot."""

    prefix: str
    title: str
    facts: tuple[Fact, ...]


def _fact(
    certainty: Certainty,
    fact_id: str,
    statement: str,
    *source: str,
    level: Level = Level.NOT_EMULATED,
    setting: str | None = None,
    planned: str = "",
    note: str = "",
) -> Fact:
    return Fact(
        id=fact_id,
        statement=statement,
        source=source,
        certainty=certainty,
        level=Level.PLANNED if planned else level,
        setting=setting,
        planned=planned,
        note=note,
    )


confirmed = partial(_fact, Certainty.CONFIRMED)
"""Write down a fact that its source confirms."""
unsure = partial(_fact, Certainty.UNSURE)
"""Write down what is believed but not confirmed."""
disputed = partial(_fact, Certainty.DISPUTED)
"""Write down what sources disagree about; the statement gives both sides."""

EMULATED = Level.EMULATED
PARTLY = Level.PARTLY
OUTSIDE = Level.OUTSIDE
