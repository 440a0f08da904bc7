"""`sm-emulate transform`."""

from __future__ import annotations

import os
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
    runs_of,
    terminal,
    values,
)

if TYPE_CHECKING:
    from sm_emulate.lifecycle.transform.result import TransformResult
    from sm_emulate.request.containers import ContainerFlags
    from sm_emulate.request.transform import TransformRequest

EXAMPLES = """\b
Examples:
  sm-emulate transform my-image --model model.tar.gz --input ./payloads --content-type text/csv
  sm-emulate transform my-image --model model.tar.gz --input rows.csv --content-type text/csv \\
      --split-type Line --strategy MultiRecord --assemble-with Line --output-path ./predictions
  sm-emulate transform my-image --input rows.csv --content-type text/csv --accept text/csv --split-type Line \\
      --assemble-with Line --input-filter '$[1:]' --join-source Input --output-filter '$[0,-1]'
  sm-emulate transform my-image --model model.tar.gz --request job.json
  sm-emulate transform my-image --model model.tar.gz --input ./payloads --dry-run
  sm-emulate transform --container prepare=prepare:1 --container predict=predict:1,model=model.tar.gz \\
      --input rows.csv --content-type text/csv --split-type Line --assemble-with Line
\b
Each input object becomes OUTPUT_PATH/NAME.out. Ctrl-C stops the job; a second one kills its containers.
"""


@click.command(epilog=EXAMPLES)
@click.argument("image", required=False)
@click.option("--request", "request_file", type=click.Path(path_type=Path), metavar="FILE",
              help="CreateTransformJob's JSON, or an object with CreateModel and CreateTransformJob; other flags are "
              "put over it.")  # fmt: skip
@click.option("--job-name", metavar="NAME", help="Name of the job.  [default: image and time]")
@click.option("--model", metavar="PATH", help="Folder or .tar.gz that the container finds at /opt/ml/model.")
@click.option("--container", "containers", multiple=True, metavar="[NAME=]IMAGE[,OPTION=VALUE...]",
              help="Instead of IMAGE: a container of a pipeline, 2 to 15, asked in this order; options: model=PATH, "
                   "env.KEY=VALUE.")  # fmt: skip
@click.option("--input", "input_path", metavar="PATH", help="Folder, file, manifest or s3:// prefix.")
@click.option(
    "--input-type",
    shell_complete=values("S3Prefix", "ManifestFile"),
    metavar="TYPE",
    help="S3Prefix or ManifestFile.  [default: S3Prefix]",
)
@click.option("--content-type", metavar="TYPE", help="MIME type of the input.")
@click.option(
    "--compression",
    shell_complete=values("None", "Gzip"),
    metavar="TYPE",
    help="None or Gzip.  [default: None]",
)
@click.option(
    "--split-type",
    shell_complete=values("None", "Line", "RecordIO", "TFRecord"),
    metavar="TYPE",
    help="None, Line, RecordIO or TFRecord.  [default: None]",
)
@click.option(
    "--strategy",
    shell_complete=values("SingleRecord", "MultiRecord"),
    metavar="NAME",
    help="SingleRecord or MultiRecord.  [default: the container's]",
)
@click.option("--max-payload", type=int, metavar="MB", help="MaxPayloadInMB; 0 sends chunks.  [default: 6]")
@click.option("--max-concurrent", type=int, metavar="N", help="MaxConcurrentTransforms.  [default: 1]")
@click.option("--accept", metavar="TYPE", help="MIME type that is wanted back.")
@click.option(
    "--assemble-with",
    shell_complete=values("None", "Line"),
    metavar="HOW",
    help="None or Line.  [default: None]",
)
@click.option("--input-filter", metavar="PATH", help="What of each record is sent, as '$[1:]'.")
@click.option("--output-filter", metavar="PATH", help="What of each result is kept, as '$[0,-1]'.")
@click.option(
    "--join-source",
    shell_complete=values("None", "Input"),
    metavar="SOURCE",
    help="None or Input: put answers beside their records.",
)
@click.option("--output-path", metavar="PATH", help="Folder or s3:// prefix.  [default: run folder]")
@click.option("--environment", multiple=True, metavar="KEY=VALUE", help="One variable of the container.")
@instance_type_option
@click.option("--instance-count", type=int, metavar="N", help="Instances; objects are shared out among them.")
@click.option("--invocation-timeout", type=int, metavar="SECONDS", help="Of one call.  [default: 600]")
@click.option("--invocation-retries", type=int, metavar="N", help="How often it is sent again.  [default: 3]")
@gpus_option
@click.option("--startup-timeout", type=Seconds(min=1), default=1800.0, show_default=True, metavar="SECONDS",
              help="Time for the first healthy ping.")  # fmt: skip
@click.option("--stop-grace", type=Seconds(min=0), default=30.0, show_default=True, metavar="SECONDS",
              help="Between SIGTERM and SIGKILL.")  # fmt: skip
@isolation_option
@click.option("--dry-run", is_flag=True, help="Print environment and a docker run line; start nothing.")
@quiet_option
@platform_options
@home_option
@engine_option
@output_option
def transform(**flags: Any) -> int:
    """Run a batch transform job on IMAGE as SageMaker would: every input object becomes an output object."""
    platform = platform_of(flags)
    request = _request(flags)
    if flags["dry_run"]:
        from sm_emulate.api.transforming import transform_plan
        from sm_emulate.cli.plan import print_plan

        hosts = transform_plan(request, home=flags["home"], platform=platform)
        print_plan(hosts, as_json=flags["output"] == "json")
        return 0
    from sm_emulate.api.transforming import transform as run_job

    several = request.transform_resources.instance_count > 1 or request.model.several
    return follow(
        run_job,
        request,
        flags,
        platform=platform,
        told=terminal(mark_hosts=several, quiet=flags["quiet"]),
        show=_print_result,
        start_window_s=flags["startup_timeout"],
    )


def _request(flags: dict[str, Any]) -> TransformRequest:
    """Build the request from the file, the flags, or both."""
    from sm_emulate.errors import RequestError
    from sm_emulate.request.containers import container_flags
    from sm_emulate.request.flags import key_values
    from sm_emulate.request.json_file import read_object
    from sm_emulate.request.naming import DEFAULT_INSTANCE_TYPE, chosen_name
    from sm_emulate.request.override import override
    from sm_emulate.request.transform import from_aws, load_models, transform_document, unsized
    from sm_emulate.storage.runs import default_cache

    given: dict[str, Any] = {}
    if flags["request_file"] is not None:
        given = read_object(flags["request_file"], what="the request file")
    both = "CreateTransformJob" in given
    document = given.get("CreateTransformJob", {}) if both else given
    model = given.get("CreateModel", {}) if both else {}
    if not isinstance(document, dict) or not isinstance(model, dict):
        raise RequestError(
            "the request file has an operation that is no JSON object",
            value=flags["request_file"],
            expected="CreateModel and CreateTransformJob, each an object",
        )
    several = tuple(container_flags(text) for text in flags["containers"])
    _check_containers(flags, model)
    image = flags["image"] or next((each.image for each in several), None)
    if image is None and not model:
        raise click.UsageError(
            "Missing argument 'IMAGE' (or --container, or --request FILE with CreateModel)."
        )
    if flags["input_path"] is None and "TransformInput" not in document:
        raise click.UsageError("Missing option '--input' (or --request FILE with TransformInput).")
    job_name = document.get("TransformJobName") if flags["job_name"] is None else flags["job_name"]
    name = chosen_name(job_name, image or "job")
    model_name = document.get("ModelName") or model.get("ModelName") or name
    over_model = _model(flags, several, model, model_name=model_name)
    home = runs_of(flags["home"]).home
    output_path = flags["output_path"]
    if output_path is None and "TransformOutput" not in document:
        output_path = str(home / "transform-jobs" / str(name) / "output")
    fresh = not document
    over = transform_document(
        job_name=name,
        model_name=model_name,
        input_path=flags["input_path"],
        data_type=flags["input_type"] or ("S3Prefix" if fresh else None),
        content_type=flags["content_type"],
        compression_type=flags["compression"],
        split_type=flags["split_type"],
        output_path=output_path,
        accept=flags["accept"],
        assemble_with=flags["assemble_with"],
        batch_strategy=flags["strategy"],
        max_payload_in_mb=flags["max_payload"],
        max_concurrent_transforms=flags["max_concurrent"],
        input_filter=flags["input_filter"],
        output_filter=flags["output_filter"],
        join_source=flags["join_source"],
        environment=key_values(flags["environment"], what="environment variable", secret=True),
        instance_type=flags["instance_type"] or (DEFAULT_INSTANCE_TYPE if fresh else None),
        instance_count=1 if flags["instance_count"] is None and fresh else flags["instance_count"],
        invocation_timeout=flags["invocation_timeout"],
        invocation_retries=flags["invocation_retries"],
    )
    models = load_models(cache_dir=default_cache(os.environ))
    request = from_aws(override(document, over), override(model, over_model), models=models)
    return unsized(request) if fresh and flags["instance_type"] is None else request


def _check_containers(flags: dict[str, Any], model: dict[str, Any]) -> None:
    """Refuse what a single container has where there are several."""
    for name, words in (("image", "IMAGE"), ("model", "--model")):
        if flags[name] is None:
            continue
        if flags["containers"]:
            raise click.UsageError(
                f"{words} and --container exclude each other: each --container has its own."
            )
        if "Containers" in model:
            raise click.UsageError(
                f"{words} is for a model of one container: name all of this one's with --container."
            )


def _model(
    flags: dict[str, Any], several: tuple[ContainerFlags, ...], model: dict[str, Any], *, model_name: str
) -> dict[str, Any]:
    """Give what is put over the file's CreateModel, and take from that what is replaced."""
    from sm_emulate.request.containers import create_pipeline
    from sm_emulate.request.hosted_model import create_model

    isolated = flags["enable_network_isolation"]
    if several:
        for member in ("PrimaryContainer", "Containers"):
            model.pop(member, None)
        return create_pipeline(several, model_name=model_name, network_isolation=isolated)
    if flags["model"] is not None:  # whichever way the file names its own
        container = model.get("PrimaryContainer")
        if isinstance(container, dict):
            container.pop("ModelDataUrl", None)
            container.pop("ModelDataSource", None)
    over = create_model(
        flags["image"], model_name=model_name, model_data=flags["model"], network_isolation=isolated
    )
    if "Containers" in model:
        del over["PrimaryContainer"]
    elif flags["image"] is None:
        del over["PrimaryContainer"]["Image"]
    return over


def _print_result(result: TransformResult) -> None:
    click.echo(f"{result.status.value}  {result.request.transform_job_name}")
    if result.failure_reason is not None:
        click.echo(f"FailureReason: {result.failure_reason}")
    for uri, words in result.failures.items():
        click.echo(f"{uri}: {words}")
    for uri in result.outputs:
        click.echo(uri.removeprefix("file://"))
    click.echo(f"{result.run_folder}")
