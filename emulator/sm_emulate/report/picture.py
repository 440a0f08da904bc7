"""Plots as PNG files, drawn by matplotlib."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sm_emulate.errors import MachineError
from sm_emulate.storage.place import check_writable
from sm_emulate.storage.trouble import told

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sm_emulate.report.plot import Line

INCHES, DOTS_PER_INCH = (9.0, 3.0), 120
"""Size of one plot, and how fine it is."""


def write_png(file: Path, plots: Sequence[tuple[str, Sequence[Line]]], *, x_label: str) -> None:
    """Write one picture with a plot for each title, one below the other.

    Raises:
        MachineError: matplotlib is not installed, or the file cannot be written.
    """
    check_writable(file.parent, what="the folder of the PNG file")
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise MachineError(
            "matplotlib, which draws PNG files, is not installed",
            hint="pip install 'sm-emulate[plot]'; --plot draws in the terminal without it",
        ) from None
    # no pyplot: it would look for a display, and keep every figure
    figure = Figure(figsize=(INCHES[0], INCHES[1] * len(plots)), dpi=DOTS_PER_INCH, layout="constrained")
    FigureCanvasAgg(figure)
    for number, (title, lines) in enumerate(plots, start=1):
        axes = figure.add_subplot(len(plots), 1, number)
        for line in lines:
            axes.plot(list(line.x), list(line.y), marker="." if len(line.x) < 100 else None, label=line.name)
        axes.set_title(title)
        axes.set_xlabel(x_label)
        axes.grid(visible=True, alpha=0.3)
        if len(lines) > 1:
            axes.legend()
    with told("the PNG file cannot be written", file):
        figure.savefig(file, format="png")
