"""A line plot of text, for terminals: Braille dots where they can be shown, else plain characters."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

DOTS_ACROSS, DOTS_DOWN = 2, 4
"""Dots in the cell of one Braille character."""
_BRAILLE = 0x2800
_DOT = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""The bit of a dot, by row and column of its cell: Unicode 15, chapter 21.1."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """A named series to draw."""

    name: str
    x: Sequence[float]
    y: Sequence[float]


def text_plot(line: Line, *, width: int, height: int = 12, braille: bool = True) -> list[str]:
    """Draw one series, its points joined by lines; gives the rows, axes and name included.

    Args:
        line: at least one point; values are finite.
        width: of the whole drawing, in characters.
        height: of the drawing without name and axis, in rows.
        braille: whether the terminal can show Braille dots.
    """
    low, high = min(line.y), max(line.y)
    first, last = min(line.x), max(line.x)
    labels = {0: f"{high:.4g}", height - 1: f"{low:.4g}"}
    margin = max(map(len, labels.values())) + 1
    across = max(10, width - margin - 1)
    fine_x, fine_y = (across * DOTS_ACROSS, height * DOTS_DOWN) if braille else (across, height)
    # halved first: the span of two finite numbers need not be one
    half = high / 2 - low / 2
    columns = [_scaled(x / 2 - first / 2, last / 2 - first / 2, fine_x) for x in line.x]
    rows = [fine_y - 1 - _scaled(y / 2 - low / 2, half, fine_y) for y in line.y]
    dots = set(_joined(list(zip(columns, rows, strict=True))))
    body = [
        f"{labels.get(row, ''):>{margin}}"
        + ("│" if braille else "|")
        + _row(dots, row, across, braille=braille)
        for row in range(height)
    ]
    ends = f"{first:g}", f"{last:g}"
    floor = " " * margin + ("└" + "─" * across if braille else "+" + "-" * across)
    scale = " " * (margin + 1) + ends[0] + ends[1].rjust(max(0, across - len(ends[0])))
    return [line.name, *(row.rstrip() for row in body), floor, scale]


def _scaled(part: float, whole: float, cells: int) -> int:
    return round(part / whole * (cells - 1)) if whole else 0


def _joined(points: Sequence[tuple[int, int]]) -> Iterable[tuple[int, int]]:
    yield points[0]
    for (x, y), (to_x, to_y) in pairwise(points):
        steps = max(abs(to_x - x), abs(to_y - y))
        for step in range(1, steps + 1):
            yield x + round((to_x - x) * step / steps), y + round((to_y - y) * step / steps)


def _row(dots: set[tuple[int, int]], row: int, across: int, *, braille: bool) -> str:
    if not braille:
        return "".join("*" if (column, row) in dots else " " for column in range(across))
    cells = []
    for column in range(across):
        bits = sum(
            _DOT[down][right]
            for down in range(DOTS_DOWN)
            for right in range(DOTS_ACROSS)
            if (column * DOTS_ACROSS + right, row * DOTS_DOWN + down) in dots
        )
        cells.append(chr(_BRAILLE + bits) if bits else " ")
    return "".join(cells)
