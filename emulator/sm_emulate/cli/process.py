"""`sm-emulate process`: one processing job."""

from __future__ import annotations

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
    from sm_emulate.lifecycle.processing.result import ProcessingResult
    from sm_emulate.request.processing import ProcessingRequest

EXAMPLES = """\b
Examples:
  sm-emulate process my-image --input data=./in --processing-output result=./out
  sm-emulate process my-image --input code=./job.py,to=/opt/ml/processing/input/code \\
      --entrypoint python3 --entrypoint /opt/ml/processing/input/code/job.py --argument --fast
  sm-emulate process my-image --processing-output state=./state,from=/opt/ml/processing/state,upload=Continuous
  sm-emulate process my-image --input data=./in,distribution=ShardedByS3Key --instance-count 2
  sm-emulate process --request job.json --input data=./in --output json
  sm-emulate process my-image --input data=./in --dry-run
\b
An input is found at /opt/ml/processing/input/NAME and an output is taken from
/opt/ml/processing/output/NAME unless `to=` and `from=` say otherwise.
Ctrl-C stops the job as StopProcessingJob does; a second one kills it at once.
"""


@click.command(epilog=EXAMPLES)
@click.argument("image", required=False)
@click.option("--request", "request_file", type=click.Path(path_type=Path), metavar="FILE",
              help="CreateProcessingJob's JSON; other flags are put over it.")  # fmt: skip
@click.option("--job-name", metavar="NAME", help="Name of the job.  [default: image and time]")
@click.option("--input", "--processing-input", "inputs", multiple=True, metavar="NAME=PATH[,OPTION=VALUE...]",
              help="Input: a folder or file; options are to, mode, type, distribution, compression.")  # fmt: skip
@click.option("--processing-output", "outputs", multiple=True, metavar="NAME[=DIR][,OPTION=VALUE...]",
              help="Output, put into DIR; options are from, upload.  [default DIR: run folder]")  # fmt: skip
@click.option(
    "--environment", multiple=True, metavar="KEY=VALUE", help="One variable of the job's Environment."
)
@instance_type_option
@click.option("--instance-count", type=int, metavar="N", help="Hosts, named algo-1 to algo-N.  [default: 1]")
@click.option("--entrypoint", multiple=True, metavar="WORD", help="ContainerEntrypoint, one word each.")
@click.option(
    "--argument", "arguments", multiple=True, metavar="WORD", help="ContainerArguments, one word each."
)
@gpus_option
@click.option("--max-run", metavar="DURATION", help="MaxRuntimeInSeconds: 90, 15m, 2h.  [default: 1 day]")
@click.option("--stop-grace", type=Seconds(min=0), default=120.0, show_default=True, metavar="SECONDS",
              help="Between the first signal and SIGKILL.")  # fmt: skip
@isolation_option
@role_option
@click.option(
    "--dry-run", is_flag=True, help="Print /opt/ml, environment and a docker run line; start nothing."
)
@quiet_option
@platform_options
@home_option
@engine_option
@output_option
def process(**flags: Any) -> int:
    """Run a processing job on IMAGE as SageMaker would: its own command, inputs and outputs."""
    platform = platform_of(flags)
    request = _request(flags)
    if flags["dry_run"]:
        from sm_emulate.api.processing import processing_plan
        from sm_emulate.cli.plan import print_plan

        hosts = processing_plan(request, home=flags["home"], platform=platform)
        print_plan(hosts, as_json=flags["output"] == "json")
        return 0
    return _run(request, platform, flags)


def _request(flags: dict[str, Any]) -> ProcessingRequest:
    """Build the request from the file, the flags, or both."""
    from sm_emulate.api.processing import processing_request_from_aws, with_output_folders
    from sm_emulate.request import flags as read
    from sm_emulate.request.json_file import read_object
    from sm_emulate.request.naming import DEFAULT_INSTANCE_TYPE, DEFAULT_ROLE_ARN, chosen_name
    from sm_emulate.request.override import override
    from sm_emulate.request.processing import unsized
    from sm_emulate.request.processing_flags import (
        processing_document,
        processing_input,
        processing_output,
    )
    from sm_emulate.spec.processing_job import DEFAULT_VOLUME_GB

    max_run = flags["max_run"]
    given: dict[str, Any] = {
        "inputs": [processing_input(text) for text in flags["inputs"]],
        "outputs": [processing_output(text) for text in flags["outputs"]],
        "environment": read.key_values(flags["environment"], what="environment variable", secret=True),
        "entrypoint": flags["entrypoint"],
        "arguments": flags["arguments"],
        "max_runtime_in_seconds": None if max_run is None else read.duration(max_run, what="--max-run"),
        "network_isolation": flags["enable_network_isolation"],
    }
    if flags["request_file"] is None:
        if flags["image"] is None:
            raise click.UsageError("Missing argument 'IMAGE' (or --request FILE).")
        document: dict[str, Any] = {}
        name = chosen_name(flags["job_name"], flags["image"])
    else:
        document = read_object(flags["request_file"], what="the request file")
        name = flags["job_name"]
    over = processing_document(
        image=flags["image"],
        job_name=name,
        role_arn=flags["role_arn"] or (None if document else DEFAULT_ROLE_ARN),
        instance_type=flags["instance_type"] or (None if document else DEFAULT_INSTANCE_TYPE),
        instance_count=flags["instance_count"],
        volume_size_in_gb=None if document else DEFAULT_VOLUME_GB,
        **given,
    )
    merged = override(document, over)
    request = processing_request_from_aws(with_output_folders(merged, runs_of(flags["home"])))
    return request if document or flags["instance_type"] else unsized(request)


def _run(request: ProcessingRequest, platform: Platform, flags: dict[str, Any]) -> int:
    from sm_emulate.api.processing import process as run_job

    several = request.cluster.instance_count > 1
    return follow(
        run_job,
        request,
        flags,
        platform=platform,
        told=terminal(mark_hosts=several, quiet=flags["quiet"]),
        show=_print_result,
    )


def _print_result(result: ProcessingResult) -> None:
    click.echo(f"{result.status.value}  {result.request.processing_job_name}")
    if result.failure_reason is not None:
        click.echo(f"FailureReason: {result.failure_reason}")
    if result.exit_message is not None:
        click.echo(f"ExitMessage: {result.exit_message}")
    for name, output in result.request.managed_outputs:
        click.echo(f"{name}  {output.here or output.s3_uri}")
    click.echo(f"{result.run_folder}")
