"""`metrics`: the numbers that a job printed, as a table, as data, as a plot."""

from __future__ import annotations

import csv
import json
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sm_emulate.cli.options import complete_jobs, home_option, runs_of
from sm_emulate.errors import RequestError
from sm_emulate.storage.run_folder import NOUNS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sm_emulate.report.plot import Line
    from sm_emulate.storage.metric_series import MetricPoint, MetricSummary
    from sm_emulate.storage.run_folder import RunFolder

EXAMPLES = """\b
Examples:
  sm-emulate metrics my-job
  sm-emulate metrics my-job --name validation:loss --plot
  sm-emulate metrics my-job --png loss.png
  sm-emulate metrics my-job --output csv > metrics.csv
  sm-emulate metrics my-job --follow
  sm-emulate metrics my-tuning-job --plot
"""
FIELDS = ("name", "value", "timestamp", "host", "step")
POLL_SECONDS = 0.2


@click.command(epilog=EXAMPLES)
@click.argument("job", metavar="JOB", shell_complete=complete_jobs)
@click.option("--name", "names", multiple=True, metavar="NAME", help="Only this metric.")
@click.option("--plot", is_flag=True, help="Draw each metric in the terminal.")
@click.option("--png", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Draw all into a PNG file; needs sm-emulate[plot].")  # fmt: skip
@click.option("-f", "--follow", is_flag=True, help="Print each value as it comes, until the job is over.")
@home_option
@click.option("--output", type=click.Choice(["text", "json", "csv"]), default="text", show_default=True,
              help="A table, or every value.")  # fmt: skip
def metrics(
    job: str,
    names: tuple[str, ...],
    plot: bool,
    png: Path | None,
    follow: bool,
    home: Path | None,
    output: str,
) -> None:
    """Print the metrics of a training job, running or over; of a tuning job, each objective."""
    run = runs_of(home).find(job)
    if run.kind not in ("training-jobs", "hyper-parameter-tuning-jobs"):
        noun = NOUNS[run.kind]
        raise RequestError(
            f"{'an' if noun[0] in 'aeiou' else 'a'} {noun} has no metrics",
            value=run.id,
            expected="a training or tuning job",
            hint=f"`sm-emulate describe {run.name}` has those of its invocations"
            if run.kind == "endpoints"
            else None,
        )
    if follow and (plot or png):
        raise click.UsageError("--follow prints values as they come: leave out --plot and --png.")
    if run.kind == "hyper-parameter-tuning-jobs":
        if follow or names:
            raise RequestError(
                "a tuning job has one objective for each training job",
                value=run.id,
                hint="name one of its training jobs for --name and --follow",
            )
        _tuning(run, plot=plot, png=png, output=output)
    elif follow:
        _follow(run, names, output)
    else:
        _training(run, names, plot=plot, png=png, output=output)


def _training(run: RunFolder, names: tuple[str, ...], *, plot: bool, png: Path | None, output: str) -> None:
    from sm_emulate.storage.metric_series import read_points, summaries

    every, _ = read_points(run.metrics)
    found = list(dict.fromkeys(point.name for point in every))
    for name in names:
        if name not in found:
            raise RequestError(
                "the job has no values of this metric",
                value=name,
                expected=" or ".join(found) or "a job that has metrics",
                hint=None if found else _why_none(run),
            )
    points = [point for point in every if not names or point.name in names]
    rows = summaries(points)
    lines = _lines(points)
    if png is not None:
        _write_png(png, lines, x_label="step")
    if plot:
        _draw([line for of_metric in lines.values() for line in of_metric])
    elif output == "csv":
        table = csv.DictWriter(sys.stdout, FIELDS, lineterminator="\n")
        table.writeheader()
        table.writerows(point.as_json() for point in points)
    elif output == "json":
        click.echo(json.dumps([_as_json(row, points) for row in rows], indent=2))
    elif not rows:
        click.echo(f"{_none(run)}: {_why_none(run)}", err=True)
    elif png is None:
        _print_summaries(rows)


def _none(run: RunFolder) -> str:
    return "no metrics" if run.result.exists() else "no metrics yet"


def _why_none(run: RunFolder) -> str:
    asked = (run.read(run.request) or {}).get("AlgorithmSpecification", {}).get("MetricDefinitions")
    if not asked:
        return "the job has no metric definition, as --metric 'loss=loss: ([0-9.]+)' would be one"
    return f"no line of the log meets the regex of {' or '.join(each['Name'] for each in asked)}"


def _as_json(row: MetricSummary, points: Sequence[MetricPoint]) -> dict[str, Any]:
    return {
        "MetricName": row.name,
        "Host": row.host,
        "Last": row.last,
        "Minimum": row.minimum,
        "Maximum": row.maximum,
        "Count": row.count,
        "Points": [
            {"Step": point.step, "Timestamp": point.as_json()["timestamp"], "Value": point.value}
            for point in points
            if (point.name, point.host) == (row.name, row.host)
        ],
    }


def _print_summaries(rows: Sequence[MetricSummary]) -> None:
    several = len({row.host for row in rows}) > 1
    head = ["METRIC", *(["HOST"] if several else []), "LAST", "MINIMUM", "MAXIMUM", "COUNT"]
    print_table(
        head,
        [
            [
                row.name,
                *([row.host] if several else []),
                f"{row.last:g}",
                f"{row.minimum:g}",
                f"{row.maximum:g}",
                str(row.count),
            ]
            for row in rows
        ],
    )


def print_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print columns that are as wide as what stands in them."""
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    for line in lines:
        click.echo("  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip())


def _follow(run: RunFolder, names: tuple[str, ...], output: str) -> None:
    from sm_emulate.storage.metric_series import read_points

    table = csv.DictWriter(sys.stdout, FIELDS, lineterminator="\n")
    if output == "csv":
        table.writeheader()
    offset = 0
    while True:
        over = run.owner_pid() is None  # asked first: what came before the end is read below
        points, offset = read_points(run.metrics, offset=offset)
        for point in points:
            if names and point.name not in names:
                continue
            if output == "csv":
                table.writerow(point.as_json())
            elif output == "json":
                click.echo(json.dumps(point.as_json()))
            else:
                click.echo(
                    f"{point.timestamp.astimezone():%Y-%m-%d %H:%M:%S}  {point.host}  {point.step}  "
                    f"{point.name}  {point.value:g}"
                )
        sys.stdout.flush()
        if over:
            return
        time.sleep(POLL_SECONDS)


def _lines(points: Iterable[MetricPoint]) -> dict[str, list[Line]]:
    from sm_emulate.report.plot import Line

    series: dict[str, dict[str, list[MetricPoint]]] = {}
    for point in points:
        series.setdefault(point.name, {}).setdefault(point.host, []).append(point)
    return {
        name: [
            Line(
                name=name if len(hosts) == 1 else f"{name} {host}",
                x=[point.step for point in of_host],
                y=[point.value for point in of_host],
            )
            for host, of_host in hosts.items()
        ]
        for name, hosts in series.items()
    }


def _draw(lines: Sequence[Line]) -> None:
    from sm_emulate.report.plot import text_plot

    if not lines:
        click.echo("no metrics yet: there is nothing to plot", err=True)
    width = min(shutil.get_terminal_size().columns, 120)
    braille = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    for line in lines:
        click.echo("\n".join(text_plot(line, width=width, braille=braille)))


def _write_png(file: Path, lines: dict[str, list[Line]], *, x_label: str) -> None:
    from sm_emulate.report.picture import write_png

    if not lines:
        raise RequestError("there is nothing to plot yet", value=file, expected="a job with metrics")
    write_png(file, list(lines.items()), x_label=x_label)
    click.echo(f"{file}", err=True)


def _tuning(run: RunFolder, *, plot: bool, png: Path | None, output: str) -> None:
    """Give the objective of each training job, in the order in which they were launched."""
    from sm_emulate.report.plot import Line

    jobs: list[dict[str, Any]] = run.description().get("Emulator", {}).get("TrainingJobs", [])
    measured = [
        (number, job["FinalHyperParameterTuningJobObjectiveMetric"])
        for number, job in enumerate(jobs, start=1)
        if "FinalHyperParameterTuningJobObjectiveMetric" in job
    ]
    by_metric: dict[str, list[tuple[int, float]]] = {}
    for number, metric in measured:
        by_metric.setdefault(metric["MetricName"], []).append((number, metric["Value"]))
    lines = {
        name: [Line(name=name, x=[number for number, _ in found], y=[value for _, value in found])]
        for name, found in by_metric.items()
    }
    if png is not None:
        _write_png(png, lines, x_label="training job")
    if plot:
        _draw([line for of_metric in lines.values() for line in of_metric])
    elif output == "json":
        click.echo(json.dumps(jobs, indent=2))
    elif output == "csv":
        table = csv.writer(sys.stdout, lineterminator="\n")
        table.writerow(["name", "value", "job", "status", "hyperparameters"])
        for job in jobs:
            metric = job.get("FinalHyperParameterTuningJobObjectiveMetric", {})
            table.writerow(
                [
                    metric.get("MetricName", ""),
                    metric.get("Value", ""),
                    job["TrainingJobName"],
                    job["TrainingJobStatus"],
                    json.dumps(job["TunedHyperParameters"]),
                ]
            )
    elif png is None:
        print_training_jobs(jobs)


def print_training_jobs(jobs: Sequence[dict[str, Any]]) -> None:
    """Print the training jobs of a tuning job, one a line."""
    from sm_emulate.report.tuning_terminal import short

    names = list(dict.fromkeys(name for job in jobs for name in job["TunedHyperParameters"]))
    rows = []
    for job in jobs:
        metric = job.get("FinalHyperParameterTuningJobObjectiveMetric")
        rows.append(
            [
                job["TrainingJobName"],
                job["TrainingJobStatus"],
                f"{metric['Value']:g}" if metric else "-",
                *(short(job["TunedHyperParameters"].get(name, "-")) for name in names),
            ]
        )
    print_table(["TRAINING JOB", "STATUS", "OBJECTIVE", *names], rows)
