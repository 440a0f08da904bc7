"""Side-by-side timing: ratios of things that take turns in one run.

Absolute figures say more about the machine than about us; a ratio of medians, taken in alternation, travels.
"""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Subject = Callable[[], object] | Sequence[str]
"""What is timed: a callable, or a command with its arguments (it must succeed; its output is dropped)."""


@dataclass(frozen=True, kw_only=True)
class Times:
    """The seconds that one subject took, round by round."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def least(self) -> float:
        return min(self.seconds)

    @property
    def most(self) -> float:
        return max(self.seconds)

    def __str__(self) -> str:
        return f"{self.median:9.3f} s  ({self.least:.3f} - {self.most:.3f})"


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """Two subjects side by side."""

    ours: Times
    theirs: Times

    @property
    def value(self) -> float:
        """Our median over theirs: below 1 is faster."""
        return self.ours.median / self.theirs.median

    @property
    def times_as_fast(self) -> float:
        return self.theirs.median / self.ours.median


def run(subject: Subject) -> None:
    """Do it once."""
    if callable(subject):
        subject()
    else:
        subprocess.run(subject, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def side_by_side(
    subjects: Mapping[str, Subject],
    *,
    rounds: int,
    warm_up: int = 1,
    between: Callable[[], object] | None = None,
) -> dict[str, Times]:
    """Time each subject once a round; every second round goes the other way round.

    Args:
        warm_up: rounds that are not counted.
        between: called before each turn, outside of the time taken (to remove what the last one left).
    """
    taken: dict[str, list[float]] = {name: [] for name in subjects}
    for turn in range(-warm_up, rounds):
        for name in sorted(subjects, key=list(subjects).index, reverse=bool(turn % 2)):
            if between:
                between()
            started = time.perf_counter()
            run(subjects[name])
            if turn >= 0:
                taken[name].append(time.perf_counter() - started)
    return {name: Times(seconds=tuple(seconds)) for name, seconds in taken.items()}


def ratio(
    ours: Subject,
    theirs: Subject,
    rounds: int,
    *,
    warm_up: int = 1,
    between: Callable[[], object] | None = None,
) -> Ratio:
    """Time two subjects in turns."""
    times = side_by_side({"ours": ours, "theirs": theirs}, rounds=rounds, warm_up=warm_up, between=between)
    return Ratio(ours=times["ours"], theirs=times["theirs"])
