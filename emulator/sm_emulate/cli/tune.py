"""`sm-emulate tune`."""

from __future__ import annotations

import json
import os
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sm_emulate.cli.job import follow
from sm_emulate.cli.options import (
    Seconds,
    colours_allowed,
    complete_tuning_jobs,
    engine_option,
    home_option,
    isolation_option,
    output_option,
    platform_of,
    platform_options,
    role_option,
    runs_of,
)

if TYPE_CHECKING:
    from sm_emulate.lifecycle.tuning.result import TuningResult
    from sm_emulate.request.tuning import TuningRequest

EXAMPLES = """\b
Examples:
  sm-emulate tune my-image --channel train=./data \\
      --range lr=0.0001..0.1,scale=log --range layers=1..4 --choice opt=sgd,adam \\
      --metric 'val:loss=loss: ([0-9.]+)' --minimize val:loss \\
      --max-jobs 20 --parallel 2
  sm-emulate tune my-image --choice opt=sgd,adam --choice size=small,big \\
      --metric 'acc=acc=([0-9.]+)' --maximize acc --strategy Grid
  sm-emulate tune --request tuning.json --parallel 4 --output json
  sm-emulate tune ... --dry-run > tuning.json
\b
--range takes integers (1..4) or numbers (0.1..0.5); behind a comma scale=log, linear,
reverse-log or auto, type=int or float. Ctrl-C stops all training jobs as
StopHyperParameterTuningJob does; a second one kills them at once.
"""


@click.command(epilog=EXAMPLES)
@click.argument("image", required=False)
@click.option("--request", "request_file", type=click.Path(path_type=Path), metavar="FILE",
              help="CreateHyperParameterTuningJob's JSON; other flags are put over it.")  # fmt: skip
@click.option("--job-name", metavar="NAME", help="Name of the tuning job.  [default: image and time]")
@click.option("--range", "ranges", multiple=True, metavar="NAME=MIN..MAX[,OPTION=VALUE]",
              help="Hyperparameter to search between two numbers.")  # fmt: skip
@click.option("--choice", "choices", multiple=True, metavar="NAME=VALUE,VALUE...",
              help="Hyperparameter to choose from values.")  # fmt: skip
@click.option("--minimize", metavar="METRIC", help="The objective: one of the metrics, the less the better.")
@click.option("--maximize", metavar="METRIC", help="The objective: one of the metrics, the more the better.")
@click.option("--strategy", type=click.Choice(["Bayesian", "Random", "Hyperband", "Grid"]),
              help="How to choose the next values.  [default: Bayesian]")  # fmt: skip
@click.option(
    "--max-jobs", type=int, metavar="N", help="Training jobs in all.  [default: 10, or all combinations]"
)
@click.option("--parallel", type=int, metavar="N", help="Training jobs at the same time.  [default: 1]")
@click.option("--max-tuning-run", metavar="DURATION", help="MaxRuntimeInSeconds of the tuning job: 30m, 2h.")
@click.option(
    "--early-stopping", is_flag=True, help="Stop training jobs worse than the median of earlier ones."
)
@click.option("--min-resource", type=int, metavar="N", help="Hyperband: values before a job may be stopped.")
@click.option("--max-resource", type=int, metavar="N", help="Hyperband: values after which a job is stopped.")
@click.option("--target", type=float, metavar="VALUE", help="Objective that is good enough.")
@click.option("--not-improving", type=int, metavar="N", help="End after N jobs without 1% improvement.")
@click.option("--on-convergence", is_flag=True, help="End when the objective no longer improves.")
@click.option("--seed", type=int, metavar="N", help="RandomSeed: choose the same values again.")
@click.option("--warm-start", "parents", multiple=True, metavar="TUNING-JOB",
              shell_complete=complete_tuning_jobs,
              help="Earlier tuning job to learn from.")  # fmt: skip
@click.option("--warm-start-type", type=click.Choice(["IdenticalDataAndAlgorithm", "TransferLearning"]),
              help="What is the same.  [default: IdenticalDataAndAlgorithm]")  # fmt: skip
@click.option("--channel", "channels", multiple=True, metavar="NAME=PATH[,OPTION=VALUE...]",
              help="Input channel: a folder or file; options such as mode=FastFile.")  # fmt: skip
@click.option("--hyperparameter", "hyperparameters", multiple=True, metavar="KEY=VALUE",
              help="One hyperparameter that stays the same.")  # fmt: skip
@click.option("--hyperparameters", "hyperparameters_file", type=click.Path(path_type=Path), metavar="FILE",
              help="JSON object of hyperparameters that stay the same.")  # fmt: skip
@click.option("--environment", multiple=True, metavar="KEY=VALUE", help="One variable of the Environment.")
@click.option("--metric", "metrics", multiple=True, metavar="NAME=REGEX",
              help="Metric definition: group 1 of the regex is the number.")  # fmt: skip
@click.option("--instance-type", metavar="TYPE", help="Instance type.  [default: ml.m5.large]")
@click.option("--instance-count", type=int, metavar="N", help="Hosts of each training job.  [default: 1]")
@click.option("--input-mode", metavar="MODE", help="TrainingInputMode of all channels.  [default: File]")
@click.option("--max-run", metavar="DURATION", help="Of each training job: 90, 15m, 2h.  [default: 1 day]")
@click.option("--gpus", default="auto", show_default=True, metavar="WHICH",
              help="Of each training job: auto, none, all, N or device=ID,...")  # fmt: skip
@click.option("--stop-grace", type=Seconds(min=0), default=120.0, show_default=True, metavar="SECONDS",
              help="Between SIGTERM and SIGKILL.")  # fmt: skip
@isolation_option
@click.option("--output-path", metavar="DIR", help="Put archives at DIR/JOB/output/.  [default: run folders]")
@role_option
@click.option("--dry-run", is_flag=True, help="Print CreateHyperParameterTuningJob's JSON; start nothing.")
@click.option("--logs", is_flag=True, help="Print container logs, each line behind its job's number.")
@click.option("--quiet", is_flag=True, help="Warnings only.")
@platform_options
@home_option
@engine_option
@output_option
def tune(**flags: Any) -> int:
    """Search for the hyperparameters of IMAGE with the best objective, by training jobs on this machine."""
    platform = platform_of(flags)
    request = _request(flags)
    if flags["dry_run"]:
        from sm_emulate.request.tuning import to_aws

        click.echo(json.dumps(to_aws(request), indent=2))
        return 0
    from sm_emulate.api.tuning import tune as run_job
    from sm_emulate.report.tuning_terminal import TuningTerminal

    told = TuningTerminal(
        request.objective(request.definitions[0]).metric_name,
        logs=flags["logs"],
        quiet=flags["quiet"],
        colour=colours_allowed(),
        live=os.environ.get("TERM") != "dumb",
    )
    return follow(run_job, request, flags, platform=platform, told=told, show=_print_result)


def _request(flags: dict[str, Any]) -> TuningRequest:
    """Build the request from the file, the flags, or both."""
    from sm_emulate.api.tuning import tuning_request_from_aws
    from sm_emulate.request import flags as read
    from sm_emulate.request.json_file import read_object
    from sm_emulate.request.naming import DEFAULT_INSTANCE_TYPE, DEFAULT_ROLE_ARN
    from sm_emulate.request.override import override
    from sm_emulate.request.training_rules import DEFAULT_MAX_RUNTIME_S
    from sm_emulate.request.tuning_flags import (
        USUAL_JOBS,
        choice,
        default_tuning_job_name,
        parameter_range,
        tuning_document,
    )

    document: dict[str, Any] = {}
    name = flags["job_name"]
    if flags["request_file"] is not None:
        document = read_object(flags["request_file"], what="the request file")
    elif flags["image"] is None:
        raise click.UsageError("Missing argument 'IMAGE' (or --request FILE).")
    else:
        name = name or default_tuning_job_name(flags["image"], datetime.now(timezone.utc))
    alone = not document
    if flags["minimize"] and flags["maximize"]:
        raise click.UsageError("--minimize and --maximize are both given: there is one objective.")
    if alone and not flags["minimize"] and not flags["maximize"]:
        raise click.UsageError("Missing option '--minimize METRIC' or '--maximize METRIC'.")
    static = read.hyperparameters_file(flags["hyperparameters_file"]) if flags["hyperparameters_file"] else {}
    static |= read.key_values(flags["hyperparameters"], what="hyperparameter")
    home = runs_of(flags["home"]).home
    max_run, whole_run = flags["max_run"], flags["max_tuning_run"]
    run_seconds = None if max_run is None else read.duration(max_run, what="--max-run")
    training = read.training_document(
        image=flags["image"],
        job_name=None,
        role_arn=flags["role_arn"] or (DEFAULT_ROLE_ARN if alone else None),
        output_path=flags["output_path"] or ((home / "training-jobs").as_uri() if alone else None),
        instance_type=flags["instance_type"] or (DEFAULT_INSTANCE_TYPE if alone else None),
        instance_count=1 if flags["instance_count"] is None and alone else flags["instance_count"],
        input_mode=flags["input_mode"] or ("File" if alone else None),
        channels=[read.channel(text) for text in flags["channels"]],
        hyperparameters=static,
        environment=read.key_values(flags["environment"], what="environment variable", secret=True),
        metrics=[read.metric(text) for text in flags["metrics"]],
        max_runtime_in_seconds=DEFAULT_MAX_RUNTIME_S if run_seconds is None and alone else run_seconds,
        network_isolation=flags["enable_network_isolation"],
    )
    strategy = flags["strategy"] or ("Bayesian" if alone else None)
    limited = flags["max_jobs"] is not None or strategy == "Grid" or not alone
    over = tuning_document(
        training,
        name=name,
        objective=flags["minimize"] or flags["maximize"],
        maximize=None if not flags["minimize"] and not flags["maximize"] else bool(flags["maximize"]),
        ranges=[parameter_range(text) for text in flags["ranges"]],
        choices=[choice(text) for text in flags["choices"]],
        strategy=strategy,
        max_jobs=flags["max_jobs"],
        usual_jobs=None if limited else USUAL_JOBS,
        parallel=1 if flags["parallel"] is None and alone else flags["parallel"],
        max_runtime_in_seconds=None
        if whole_run is None
        else read.duration(whole_run, what="--max-tuning-run"),
        early_stopping=flags["early_stopping"],
        resource=(flags["min_resource"], flags["max_resource"]),
        target=flags["target"],
        not_improving=flags["not_improving"],
        on_convergence=flags["on_convergence"],
        seed=flags["seed"],
        parents=flags["parents"],
        warm_start_type=flags["warm_start_type"],
    )
    if "TrainingJobDefinitions" in document and "TrainingJobDefinition" in over:
        raise click.UsageError(
            "Flags of training jobs do not go with a request of several TrainingJobDefinitions."
        )
    return tuning_request_from_aws(override(document, over))


def _print_result(result: TuningResult) -> None:
    from sm_emulate.cli.metrics import print_training_jobs

    print_training_jobs([job.describe(result.platform) for job in result.sorted])
    because = f" ({result.completed_because})" if result.completed_because else ""
    click.echo(f"\n{result.status.value}{because}  {result.request.name}")
    if result.failure_reason is not None:
        click.echo(f"FailureReason: {result.failure_reason}")
    if result.best is not None:
        objective = result.best.objective_of.metric_name
        click.echo(f"best: {result.best.name}  {objective} {result.best.objective:g}")
        for name, value in result.best.hyperparameters.items():
            click.echo(f"  {name}={value}")
    overall = result.overall_best
    if overall is not None and (result.best is None or overall["TrainingJobName"] != result.best.name):
        value = overall["FinalHyperParameterTuningJobObjectiveMetric"]["Value"]
        click.echo(f"better, of a parent: {overall['TrainingJobName']}  {value:g}")
    click.echo(f"{result.run_folder}")
