"""`ps`, `describe`, `logs`, `stop`, `clean`: runs seen from outside."""

from __future__ import annotations

import json
import sys
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import click

from sm_emulate.cli.options import (
    complete_running,
    complete_runs,
    engine_at,
    engine_option,
    home_option,
    output_option,
    runs_of,
)
from sm_emulate.errors import MachineError, RequestError

if TYPE_CHECKING:
    from pathlib import Path

    from sm_emulate.engine.protocol import Engine
    from sm_emulate.storage.run_folder import RunFolder

run_argument = click.argument("name", metavar="NAME", shell_complete=complete_runs)


def status_of(run: RunFolder, description: dict[str, Any]) -> str:
    """Say in one word how a run stands."""
    if run.abandoned:
        return "Abandoned"
    statuses = (
        "TrainingJobStatus",
        "ProcessingJobStatus",
        "EndpointStatus",
        "HyperParameterTuningJobStatus",
        "TransformJobStatus",
    )
    return str(next((description[name] for name in statuses if name in description), "Starting"))


@click.command(epilog="\b\nExamples:\n  sm-emulate ps\n  sm-emulate ps --all --output json")
@click.option("--all", "every", is_flag=True, help="Show runs that are over, too.")
@home_option
@output_option
def ps(every: bool, home: Path | None, output: str) -> None:
    """List jobs and endpoints, the youngest first, and warm pools; those that run or wait now, or all."""
    rows = []
    for run in runs_of(home).all():
        if not every and run.result.exists():
            continue
        description = run.description()
        emulator = description.get("Emulator", {})
        rows.append(
            {
                "Name": run.name,
                "Kind": run.kind,
                "Status": status_of(run, description),
                "SecondaryStatus": description.get("SecondaryStatus", ""),
                "CreationTime": description.get("CreationTime", ""),
                "Image": emulator.get("Image", ""),
                "Url": emulator.get("Url", ""),
                "RunFolder": str(run.path),
            }
        )
    # a folder's own times change with all that is written into it; one without a description is just beginning
    rows.sort(key=lambda row: row["CreationTime"] or "~", reverse=True)
    rows += _warm_pools(home)
    if output == "json":
        click.echo(json.dumps(rows, indent=2))
        return
    if not rows:
        click.echo("nothing runs" + ("" if every else "; `sm-emulate ps --all` lists what is over"), err=True)
        return
    columns = ("Name", "Kind", "Status", "CreationTime", "Image", "Url")
    widths = {column: max(len(column), *(len(row[column]) for row in rows)) for column in columns}
    for line in ({column: column.upper() for column in columns}, *rows):
        click.echo("  ".join(line[column].ljust(widths[column]) for column in columns).rstrip())


def _warm_pools(home: Path | None) -> list[dict[str, Any]]:
    """Describe the warm pools that wait for a job."""
    from sm_emulate.storage.warm_pools import WarmPools

    rows = []
    for pool in WarmPools(runs_of(home).home).all():
        if pool.available:
            facts = pool.read()
            until = datetime.fromtimestamp(facts["Until"], timezone.utc).isoformat(timespec="milliseconds")
            rows.append(
                {
                    "Name": facts["TrainingJobName"],
                    "Kind": "warm-pools",
                    "Status": "Available",
                    "SecondaryStatus": "",
                    "CreationTime": datetime.fromtimestamp(facts["Since"], timezone.utc).isoformat(
                        timespec="milliseconds"
                    ),
                    "Image": "",
                    "Url": "",
                    "RunFolder": str(pool.path),
                    "Until": until,
                }
            )
    return rows


@click.command(epilog="\b\nExample:\n  sm-emulate describe my-job | jq .FailureReason")
@run_argument
@home_option
def describe(name: str, home: Path | None) -> None:
    """Print a run as the Describe call of its kind does: JSON, with an `Emulator` object."""
    run = runs_of(home).find(name)
    description = run.description()
    if run.abandoned:
        emulator = description.pop("Emulator", {})
        description = {**description, "Emulator": {"Abandoned": True, **emulator}}
        words = f"its process died: `sm-emulate clean` marks it, `sm-emulate clean {run.name}` removes it"
        click.echo(words, err=True)
    if "WarmPoolStatus" in description:
        from sm_emulate.lifecycle.training.warm_pool import seen_now

        description = seen_now(description)
    click.echo(json.dumps(description, indent=2))


@click.command(epilog="\b\nExamples:\n  sm-emulate logs my-job\n  sm-emulate logs -f my-endpoint")
@run_argument
@click.option("-f", "--follow", is_flag=True, help="Go on until the run is over.")
@click.option("--host", help="Only this host, such as algo-2, or variant, VARIANT/INSTANCE or container.")
@click.option("--tail", type=click.IntRange(min=0), help="Only the last lines of each host.")
@home_option
def logs(name: str, follow: bool, host: str | None, tail: int | None, home: Path | None) -> None:
    """Print what the containers of a run wrote, byte for byte; hosts and training jobs one after the other."""
    run = runs_of(home).find(name)
    files = _logs(run)
    if host is not None and not any(_is_of(file, host) for file in files):
        raise RequestError(
            "this run has no log of that host",
            value=host,
            expected=" or ".join(dict.fromkeys(map(_host, files))) or "a host that has started",
        )
    offsets = {} if tail is None else {file: _tail_offset(file, tail) for file in files}
    while True:
        over = not follow or run.owner_pid() is None
        for file in _logs(run):
            if host is None or _is_of(file, host):
                offsets[file] = _copy(file, offsets.get(file, 0))
        if over:
            return
        time.sleep(0.1)


def _logs(run: RunFolder) -> list[Path]:
    """The logs of a run, host by host; those of a tuning job's training jobs, job by job."""
    if run.kind != "hyper-parameter-tuning-jobs":
        return sorted((run.path / "logs").rglob("*.log"))
    folders = [run.home / "training-jobs" / name for name in _launched(run)]
    return [log for folder in folders for log in sorted((folder / "logs").glob("*.log"))]


def _host(log: Path) -> str:
    """The host of a log: `algo-1`, or `VARIANT/INSTANCE/CONTAINER` of an endpoint, as far as it has these."""
    within = log.with_suffix("").parts[-4:]
    return "/".join(within[within.index("logs") + 1 :])


def _is_of(log: Path, host: str) -> bool:
    """Whether a log is of this host, of an instance or container of it, or of a container that is called so."""
    own = _host(log)
    return own == host or own.startswith(f"{host}/") or own.endswith(f"/{host}")


def _copy(log: Path, offset: int) -> int:
    with log.open("rb") as file:
        file.seek(offset)
        while block := file.read(1 << 20):
            sys.stdout.buffer.write(block)
        sys.stdout.buffer.flush()
        return file.tell()


def _tail_offset(log: Path, lines: int) -> int:
    """Where the last lines begin."""
    with log.open("rb") as file:
        end = file.seek(0, 2)
        step, tail = 64 * 1024, b""
        position = end
        while position > 0 and tail.count(b"\n") <= lines:
            position = max(0, position - step)
            file.seek(position)
            tail = file.read(end - position)
    kept = tail.splitlines(keepends=True)[-lines:] if lines else []
    return end - sum(map(len, kept))


def _launched(run: RunFolder) -> list[str]:
    """The names of a tuning job's training jobs; of any other run, none."""
    jobs = run.description().get("Emulator", {}).get("TrainingJobs", [])
    return [str(job["TrainingJobName"]) for job in jobs]


@click.command(epilog="\b\nExamples:\n  sm-emulate stop my-endpoint\n  sm-emulate stop --all")
@click.argument("names", nargs=-1, metavar="NAME...", shell_complete=complete_running)
@click.option("--all", "every", is_flag=True, help="Stop every run that lives.")
@home_option
@engine_option
@output_option
def stop(names: tuple[str, ...], every: bool, home: Path | None, engine: str | None, output: str) -> None:
    """Stop runs: SIGTERM, their grace period, SIGKILL; a job's artifacts are packed then."""
    from sm_emulate.lifecycle.control import ask_to_stop
    from sm_emulate.lifecycle.control import stop as stop_run

    if not names and not every:
        raise click.UsageError("Missing argument 'NAME...' (or --all).")
    runs = runs_of(home)
    chosen = list(dict.fromkeys(map(runs.find, names)))
    if every:
        living = [run for run in runs.all() if not run.result.exists()]
        # those of a tuning job are stopped by it: asked twice, they would be killed
        of_tuning_jobs = {name for run in living if run.owner_pid() for name in _launched(run)}
        chosen += [run for run in living if run not in chosen and run.name not in of_tuning_jobs]
    over = [run for run in chosen if run.result.exists()]
    for run in chosen:
        if run not in over:
            ask_to_stop(run)  # all at once: each may take its whole grace period
    for run in chosen:
        if run in over:
            description, was = run.description(), " (it was over already)"
        else:
            description, was = stop_run(run, runs, lambda: engine_at(engine)), ""
        if output == "json":
            click.echo(json.dumps(description, indent=2))
        else:
            click.echo(f"{run.id}: {status_of(run, description)}{was}")


@click.command(
    epilog="\b\nExamples:\n  sm-emulate clean\n  sm-emulate clean my-job\n  sm-emulate clean --all\n"
    "  sm-emulate clean --cache"
)
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=complete_runs)
@click.option("--all", "every", is_flag=True, help="Remove the folder of every run that is over.")
@click.option("--cache", is_flag=True, help="Remove what was fetched from S3 and is kept for the next run.")
@home_option
@engine_option
def clean(names: tuple[str, ...], every: bool, cache: bool, home: Path | None, engine: str | None) -> None:
    """Remove containers and networks whose process has died; with names or --all, run folders as well.

    Runs that live are never touched. Without names, run folders are kept: a run whose process died is marked.
    With --cache alone, nothing else is removed.
    """
    from sm_emulate.lifecycle.control import sweep

    runs = runs_of(home)
    chosen = list(dict.fromkeys(map(runs.find, names)))
    for run in chosen:
        if run.owner_pid() is not None:
            raise RequestError("this run is alive", value=run.id, hint=f"`sm-emulate stop {run.name}` first")
    if cache:
        _remove_cache()
        if not names and not every:
            return
    _tidy_cache()
    container_engine = engine_at(engine)
    removed = sweep(runs, container_engine)
    if every:
        from sm_emulate.lifecycle.training.warm_pool import terminate
        from sm_emulate.storage.warm_pools import WarmPools

        removed += terminate(WarmPools(runs.home), container_engine, jobs=None)
        chosen = [run for run in runs.all() if run.owner_pid() is None]
    for leftover in removed:
        click.echo(f"removed {leftover.kind} {leftover.name}")
    if not removed and not chosen:
        click.echo("nothing is left over", err=True)
    errors = [error for run in chosen if (error := _delete(run, container_engine)) is not None]
    if len(errors) > 1:
        raise MachineError(
            f"{len(errors)} run folders cannot be removed",
            hint=errors[0].hint,
            evidence=tuple(f"{error.what}: {error.value}" for error in errors),
        )
    for error in errors:
        raise error


def _tidy_cache() -> None:
    import os

    from sm_emulate.storage.object_cache import object_cache

    object_cache(os.environ).tidy()


def _remove_cache() -> None:
    import os

    from sm_emulate.report.terminal import size
    from sm_emulate.storage.object_cache import object_cache

    kept = object_cache(os.environ)
    taken = kept.size()
    kept.remove()
    click.echo(f"removed {kept.folder}  {size(taken)}")


def _delete(run: RunFolder, engine: Engine) -> MachineError | None:
    """Delete a run, or give what is in the way: the others are not kept because of it."""
    from sm_emulate.lifecycle.control import delete

    try:
        delete(run, engine)
    except MachineError as error:
        return error
    click.echo(f"removed {run.id}")
    return None
