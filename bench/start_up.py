"""(f) What a start costs: `sm-emulate --help` and the imports, against bare Python."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from bench.measure import side_by_side
from bench.row import Row

if TYPE_CHECKING:
    from bench.ground import Ground

HELP, IMPORT_MS = 4.0, 150.0
BARE = "python3 -c pass"
HEAVY = "import sm_emulate.api.training"
"""All that a job needs: told without a bar, since nobody imports it before there is a job to run."""
IMPORTS = {
    "import sm_emulate": "sm_emulate",
    "import sm_emulate.api": "sm_emulate.api",
    HEAVY: "sm_emulate.api.training",
}


def start_up(ground: Ground) -> list[Row]:
    python = str(ground.bin / "python3")
    commands = {
        "sm-emulate --help": ground.console("--help"),
        BARE: [python, "-c", "pass"],
        **{name: [python, "-c", f"import {module}"] for name, module in IMPORTS.items()},
    }
    subjects = {name: partial(ground.run, command) for name, command in commands.items()}
    times = side_by_side(subjects, rounds=ground.rounds(41, 11), warm_up=2)
    bare = times[BARE]
    rows = [
        Row(
            part="f",
            what="sm-emulate --help / python3 -c pass",
            value=times["sm-emulate --help"].median / bare.median,
            bar=HELP,
            times={"sm-emulate --help": times["sm-emulate --help"], BARE: bare},
        )
    ]
    for name in IMPORTS:
        taken = 1000 * (times[name].median - bare.median)
        rows.append(
            Row(
                part="f",
                what=f"{name}, over bare Python",
                value=max(0.0, taken),
                unit="ms",
                bar=None if name == HEAVY else IMPORT_MS,
                times={name: times[name]},
            )
        )
    return rows
