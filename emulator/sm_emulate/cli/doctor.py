"""`sm-emulate doctor`."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

from sm_emulate.cli.options import (
    colours_allowed,
    engine_at,
    engine_option,
    home_option,
    output_option,
    runs_of,
)
from sm_emulate.errors import ExitCode

if TYPE_CHECKING:
    from pathlib import Path

MARKS = {"ok": ("ok  ", "\x1b[32m"), "warn": ("warn", "\x1b[33m"), "fail": ("FAIL", "\x1b[31m")}


@click.command(epilog="\b\nExamples:\n  sm-emulate doctor\n  sm-emulate doctor --output json")
@home_option
@engine_option
@output_option
def doctor(home: Path | None, engine: str | None, output: str) -> int:
    """Say whether training and serving can run on this machine, and what to do about the rest."""
    from sm_emulate.api.doctor import examine

    examination = examine(lambda: engine_at(engine), state_folder=runs_of(home).home)
    if output == "json":
        click.echo(json.dumps(examination.as_json(), indent=2))
    else:
        with_colours = sys.stdout.isatty() and colours_allowed()
        width = max(len(finding.name) for finding in examination.findings)
        for finding in examination.findings:
            mark, colour = MARKS[finding.status]
            shown = f"{colour}{mark}\x1b[0m" if with_colours else mark
            click.echo(f"{shown}  {finding.name:<{width}}  {finding.seen}")
            if finding.remedy:
                click.echo(f"{'':6}{'':<{width}}  -> {finding.remedy}")
    return ExitCode.OK if examination.can_train else ExitCode.MACHINE
