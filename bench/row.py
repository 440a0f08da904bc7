"""One line of the answer: what was measured, the figure, its bar, and whether it holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from bench.measure import Times


@dataclass(frozen=True, kw_only=True)
class Row:
    """A figure and its bar.

    Args:
        part: the letter of the part, as `bench.__main__` has them.
        what: whom against whom.
        value: the figure; None where it could not be measured, and `note` says why.
        unit: `x` for a ratio, else what it counts.
        bar: what it must not pass; None for a figure that is only told.
        better: whether less or more is better.
        times: the seconds behind it, by subject.
    """

    part: str
    what: str
    value: float | None
    unit: str = "x"
    bar: float | None = None
    better: Literal["less", "more"] = "less"
    times: dict[str, Times] = field(default_factory=dict)
    note: str = ""

    @classmethod
    def skipped(cls, part: str, what: str, why: str) -> Row:
        return cls(part=part, what=what, value=None, note=why)

    @property
    def verdict(self) -> str:
        if self.value is None:
            return "skipped"
        if self.bar is None:
            return ""
        held = self.value <= self.bar if self.better == "less" else self.value >= self.bar
        return "ok" if held else "over" if self.better == "less" else "under"

    def lines(self) -> list[str]:
        if self.value is None:
            return [f"({self.part}) {self.what:<58} skipped: {self.note}"]
        sign = "<=" if self.better == "less" else ">="
        bar = "" if self.bar is None else f"bar {sign} {self.bar:g}"
        figure = f"{self.value:.4g} {self.unit}"
        first = f"({self.part}) {self.what:<58} {figure:>12}  {bar:<12} {self.verdict}".rstrip()
        rest = [
            f"      {name:<40} median {1000 * taken.median:9.1f} ms   "
            f"{1000 * taken.least:.1f} - {1000 * taken.most:.1f}"
            for name, taken in self.times.items()
        ]
        return [first, *rest, *([f"      {self.note}"] if self.note else [])]

    def as_json(self) -> dict[str, Any]:
        return {
            "part": self.part,
            "what": self.what,
            "value": self.value,
            "unit": self.unit,
            "bar": self.bar,
            "better": self.better,
            "verdict": self.verdict,
            "seconds": {
                name: {"median": taken.median, "least": taken.least, "most": taken.most, "all": taken.seconds}
                for name, taken in self.times.items()
            },
            "note": self.note,
        }
