"""Plots in the terminal: whatever the numbers, a drawing of the asked width that begins and ends where they do."""

from __future__ import annotations

import pytest

from sm_emulate.report.plot import Line, text_plot


def drawn(values, *, width=30, height=4, braille=False):
    line = Line(name="loss", x=range(1, len(values) + 1), y=values)
    name, *rows, floor, scale = text_plot(line, width=width, height=height, braille=braille)
    assert name == "loss"
    assert len(rows) == height
    assert all(len(row) <= width for row in (*rows, floor, scale))
    return rows


def test_a_line_falls_from_corner_to_corner():
    assert drawn([3.0, 2.0, 1.0, 0.0], width=19) == [
        " 3|***",
        "  |   *****",
        "  |        *****",
        " 0|             ***",
    ]


def test_braille_has_eight_dots_in_a_character():
    assert drawn([1.0, 0.0], width=14, height=1, braille=True) == [" 0│⠉⠉⠒⠒⠒⠢⠤⠤⠤⣀⣀"]


@pytest.mark.parametrize(
    "values", [[5.0], [2.0, 2.0, 2.0], [1e308, -1e308], [0.0] * 1000, [1e-300, 2e-300], [-1.0, float(10**17)]]
)
@pytest.mark.parametrize("braille", [True, False])
def test_any_finite_numbers_can_be_drawn(values, braille):
    rows = drawn(values, braille=braille)
    mark = "│" if braille else "|"
    assert any(row.partition(mark)[2].strip() for row in rows)


def test_a_very_narrow_terminal_still_gets_a_plot():
    assert any("*" in row for row in text_plot(Line(name="x", x=[1, 2], y=[0, 1]), width=5, braille=False))
