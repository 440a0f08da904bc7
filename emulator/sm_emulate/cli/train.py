"""`sm-emulate train`."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sm_emulate.cli.job import follow
from sm_emulate.cli.options import (
    Seconds,
    engine_option,
    gpus_option,
    home_option,
    instance_type_option,
    isolation_option,
    output_option,
    platform_of,
    platform_options,
    quiet_option,
    role_option,
    runs_of,
    terminal,
)

if TYPE_CHECKING:
    from sm_emulate.lifecycle.platform import Platform
    from sm_emulate.lifecycle.training.interruptions import Interruptions
    from sm_emulate.lifecycle.training.result import TrainingResult
    from sm_emulate.request.training import TrainingRequest

EXAMPLES = """\b
Examples:
  sm-emulate train my-image --channel train=./data
  sm-emulate train my-image --channel train=./data,mode=FastFile --hyperparameter epochs=3 \\
      --metric 'loss=loss: ([0-9.]+)' --output-path ./models
  sm-emulate train my-image --channel train=./data,mode=Pipe,compression=Gzip,record-wrapper=RecordIO
  sm-emulate train my-image --channel train=s3://bucket/data/ --s3 http://127.0.0.1:9000
  sm-emulate train my-image --instance-count 2 --instance-type ml.c5.xlarge
  sm-emulate train my-image --instance-group data=ml.c5.xlarge:2 --instance-group gpu=ml.g5.xlarge:1 \\
      --channel train=./data,instance-groups=data
  sm-emulate train --request job.json --channel train=./data --output json
  sm-emulate train my-image --checkpoint-path ./checkpoints --spot --interrupt-after 20,15
  jq '.StoppingCondition.MaxRuntimeInSeconds = 600' job.json | sm-emulate train --request - --channel train=./data
  sm-emulate train my-image --s3 embedded --role-arn arn:aws:iam::111122223333:role/mine
  sm-emulate train my-image --channel train=./data --dry-run
\b
Ctrl-C stops the job as StopTrainingJob does (SIGTERM, 120 s, SIGKILL); a second one kills it at once.
"""


@click.command(epilog=EXAMPLES)
@click.argument("image", required=False)
@click.option("--request", "request_file", type=click.Path(path_type=Path), metavar="FILE",
              help="CreateTrainingJob's JSON, - for stdin; other flags are put over it.")  # fmt: skip
@click.option("--job-name", metavar="NAME", help="Name of the job.  [default: image and time]")
@click.option("--channel", "channels", multiple=True, metavar="NAME=PATH[,OPTION=VALUE...]",
              help="Input channel: a folder, file or s3://; options such as mode=FastFile.")  # fmt: skip
@click.option(
    "--hyperparameter", "hyperparameters", multiple=True, metavar="KEY=VALUE", help="One hyperparameter."
)
@click.option("--hyperparameters", "hyperparameters_file", type=click.Path(path_type=Path), metavar="FILE",
              help="JSON object of hyperparameters.")  # fmt: skip
@click.option(
    "--environment", multiple=True, metavar="KEY=VALUE", help="One variable of the job's Environment."
)
@instance_type_option
@click.option("--instance-count", type=int, metavar="N", help="Hosts, named algo-1 to algo-N.  [default: 1]")
@click.option("--file-system", "file_systems", multiple=True, metavar="ID=DIR",
              help="Folder that stands for an EFS or FSx file system of the request.")  # fmt: skip
@click.option("--instance-group", "instance_groups", multiple=True, metavar="NAME=TYPE:COUNT",
              help="A group of a heterogeneous cluster.")  # fmt: skip
@click.option("--volume-size", type=int, metavar="GB", help="VolumeSizeInGB: warn where the job needs more.")
@click.option("--input-mode", metavar="MODE", help="TrainingInputMode of all channels.  [default: File]")
@click.option("--entrypoint", multiple=True, metavar="WORD", help="ContainerEntrypoint, one word each.")
@click.option(
    "--argument", "arguments", multiple=True, metavar="WORD", help="ContainerArguments, one word each."
)
@gpus_option
@click.option("--max-run", metavar="DURATION", help="MaxRuntimeInSeconds: 90, 15m, 2h.  [default: 1 day]")
@click.option("--checkpoint-path", metavar="DIR", help="CheckpointConfig's S3Uri: a folder, or s3://...")
@click.option("--checkpoint-local-path", metavar="PATH",
              help="The checkpoint directory in the container.  [default: /opt/ml/checkpoints]")  # fmt: skip
@click.option("--tensorboard-output", metavar="DIR",
              help="TensorBoardOutputConfig: DIR/JOB/tensorboard-output/ is kept like its LocalPath.")  # fmt: skip
@click.option("--debug-output", metavar="DIR",
              help="DebugHookConfig: DIR/JOB/debug-output/ is kept like its LocalPath.")  # fmt: skip
@click.option("--profiler-output", metavar="DIR",
              help="ProfilerConfig: DIR/JOB/profiler-output/ is kept like /opt/ml/output/profiler.")  # fmt: skip
@click.option("--spot", "--enable-managed-spot-training", "spot", is_flag=True,
              help="EnableManagedSpotTraining.")  # fmt: skip
@click.option("--max-wait", metavar="DURATION",
              help="MaxWaitTimeInSeconds of a spot job.  [default: that of --max-run]")  # fmt: skip
@click.option("--interrupt-after", metavar="SECONDS[,SECONDS...]",
              help="Take a spot job's instances away after so many seconds of Training, once for each.")  # fmt: skip
@click.option("--interrupted-for", type=Seconds(min=0), default=0.0, show_default=True, metavar="SECONDS",
              help="How long the job is Interrupted then, before it starts again.")  # fmt: skip
@click.option("--keep-alive", metavar="DURATION",
              help="KeepAlivePeriodInSeconds: leave a warm pool for the next job that matches.")  # fmt: skip
@click.option("--max-retries", type=int, metavar="N",
              help="RetryStrategy: start again after an InternalServerError: an engine that breaks.")  # fmt: skip
@click.option("--stop-grace", type=Seconds(min=0), default=120.0, show_default=True, metavar="SECONDS",
              help="Between SIGTERM and SIGKILL.")  # fmt: skip
@isolation_option
@click.option("--metric", "metrics", multiple=True, metavar="NAME=REGEX",
              help="Metric definition: group 1 of the regex is the number.")  # fmt: skip
@click.option("--output-path", metavar="DIR",
              help="Put archives at DIR/JOB/output/; may be s3://.  [default: run folder]")  # fmt: skip
@role_option
@click.option(
    "--dry-run", is_flag=True, help="Print /opt/ml, environment and a docker run line; start nothing."
)
@quiet_option
@platform_options
@home_option
@engine_option
@output_option
def train(**flags: Any) -> int:
    """Run a training job on IMAGE as SageMaker would, and leave model.tar.gz."""
    platform = replace(platform_of(flags), file_systems=_file_systems(flags))
    request = _request(flags)
    interruptions = _interruptions(flags)
    interruptions.check(request)
    if flags["dry_run"]:
        from sm_emulate.api.training import plan
        from sm_emulate.cli.plan import print_plan

        print_plan(plan(request, home=flags["home"], platform=platform), as_json=flags["output"] == "json")
        return 0
    return _run(request, platform, interruptions, flags)


def _file_systems(flags: dict[str, Any]) -> dict[str, Path]:
    from sm_emulate.request.flags import key_values

    given = key_values(flags["file_systems"], what="file system")
    return {name: Path(folder).expanduser().absolute() for name, folder in given.items()}


def _request(flags: dict[str, Any]) -> TrainingRequest:
    """Build the request from the file, the flags, or both."""
    from sm_emulate.request import flags as read
    from sm_emulate.request.json_file import read_object
    from sm_emulate.request.naming import DEFAULT_INSTANCE_TYPE, DEFAULT_ROLE_ARN, chosen_name
    from sm_emulate.request.override import override, wait_as_long_as_it_runs
    from sm_emulate.request.service_model import load
    from sm_emulate.request.training import OPERATION, from_aws, unsized
    from sm_emulate.storage.runs import default_cache

    hyperparameters = (
        read.hyperparameters_file(flags["hyperparameters_file"]) if flags["hyperparameters_file"] else {}
    )
    hyperparameters |= read.key_values(flags["hyperparameters"], what="hyperparameter")
    max_run = flags["max_run"]
    given: dict[str, Any] = {
        "channels": [read.channel(text) for text in flags["channels"]],
        "hyperparameters": hyperparameters,
        "environment": read.key_values(flags["environment"], what="environment variable", secret=True),
        "entrypoint": flags["entrypoint"],
        "arguments": flags["arguments"],
        "metrics": [read.metric(text) for text in flags["metrics"]],
        "max_runtime_in_seconds": None if max_run is None else read.duration(max_run, what="--max-run"),
        "network_isolation": flags["enable_network_isolation"],
        "spot": flags["spot"],
        "max_wait_time_in_seconds": None
        if flags["max_wait"] is None
        else read.duration(flags["max_wait"], what="--max-wait"),
        "maximum_retry_attempts": flags["max_retries"],
        "keep_alive_period_in_seconds": None
        if flags["keep_alive"] is None
        else read.duration(flags["keep_alive"], what="--keep-alive"),
        "checkpoints": flags["checkpoint_path"],
        "checkpoint_local_path": flags["checkpoint_local_path"],
        "tensorboard_output": flags["tensorboard_output"],
        "debug_output": flags["debug_output"],
        "profiler_output": flags["profiler_output"],
        "instance_groups": [read.instance_group(text) for text in flags["instance_groups"]],
        "volume_size_in_gb": flags["volume_size"],
    }
    if flags["request_file"] is None:
        if flags["image"] is None:
            raise click.UsageError("Missing argument 'IMAGE' (or --request FILE).")
        document: dict[str, Any] = {}
        name = chosen_name(flags["job_name"], flags["image"])
    else:
        document = read_object(flags["request_file"], what="the request file")
        name = flags["job_name"]
    home = runs_of(flags["home"]).home
    output_path = flags["output_path"]
    if output_path is None and not document:
        output_path = str(home / "training-jobs" / str(name))
    # groups, or the document, say how many of what
    told = bool(document) or bool(flags["instance_groups"])
    over = read.training_document(
        image=flags["image"],
        job_name=name,
        role_arn=flags["role_arn"] or (None if document else DEFAULT_ROLE_ARN),
        output_path=output_path,
        instance_type=flags["instance_type"] or (None if told else DEFAULT_INSTANCE_TYPE),
        instance_count=1 if flags["instance_count"] is None and not told else flags["instance_count"],
        input_mode=flags["input_mode"] or (None if document else "File"),
        **given,
    )
    model = load(OPERATION, cache_dir=default_cache(os.environ))
    whole = override(document, over)
    if flags["spot"]:
        wait_as_long_as_it_runs(whole)
    request = from_aws(whole, model=model)
    return request if told or flags["instance_type"] else unsized(request)


def _interruptions(flags: dict[str, Any]) -> Interruptions:
    from sm_emulate.lifecycle.training.interruptions import Interruptions
    from sm_emulate.request.flags import seconds_each

    after = flags["interrupt_after"]
    return Interruptions(
        after_s=() if after is None else seconds_each(after, what="--interrupt-after"),
        wait_s=flags["interrupted_for"],
    )


def _run(
    request: TrainingRequest, platform: Platform, interruptions: Interruptions, flags: dict[str, Any]
) -> int:
    from sm_emulate.api.training import train as run_job

    several = request.resource_config.total_instances > 1
    return follow(
        run_job,
        request,
        flags,
        platform=platform,
        told=terminal(mark_hosts=several, quiet=flags["quiet"]),
        show=_print_result,
        interruptions=interruptions,
    )


def _print_result(result: TrainingResult) -> None:
    from sm_emulate.report.terminal import size

    status, secondary = result.status.value, result.secondary_status.value
    shown = status if secondary == status else f"{status} ({secondary})"
    click.echo(f"{shown}  {result.request.training_job_name}")
    if result.failure_reason is not None:
        click.echo(f"FailureReason: {result.failure_reason}")
    for metric in result.final_metrics:
        click.echo(f"{metric['MetricName']}: {metric['Value']:g}")
    for archive, uri in (
        (result.model_archive, result.model_uri),
        (result.output_archive, result.output_uri),
    ):
        if uri:
            place = uri if archive is None or uri.startswith("s3:") else archive
            click.echo(f"{place}  {size(archive.stat().st_size)}" if archive else place)
    click.echo(f"{result.run_folder}")
