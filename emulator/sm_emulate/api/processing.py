"""Processing jobs from Python: `process` runs one, `processing_plan` says what would be run."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sm_emulate.api.engines import engine_for
from sm_emulate.api.host_plan import HostPlan
from sm_emulate.api.images import find_image
from sm_emulate.api.running import forgotten_unless_begun, runs_at
from sm_emulate.engine.gpus import gpu_request
from sm_emulate.errors import MachineError
from sm_emulate.lifecycle.instance_limits import limits_of
from sm_emulate.lifecycle.platform import Platform
from sm_emulate.lifecycle.processing.container import container_spec
from sm_emulate.lifecycle.processing.job import ProcessingJob
from sm_emulate.report.run_files import RunFiles
from sm_emulate.request import processing as jobs
from sm_emulate.request.naming import DEFAULT_INSTANCE_TYPE, DEFAULT_ROLE_ARN, chosen_name
from sm_emulate.request.processing_flags import (
    INPUT_OPTIONS,
    OUTPUT_OPTIONS,
    input_of,
    output_of,
    processing_document,
)
from sm_emulate.request.processing_flags import processing_input as input_of_text
from sm_emulate.request.processing_flags import processing_output as output_of_text
from sm_emulate.request.service_model import load
from sm_emulate.spec.credentials import VARIABLE, credentials_path
from sm_emulate.spec.processing_job import DEFAULT_VOLUME_GB, PROCESSING_LAYOUT, STOP_GRACE_SECONDS
from sm_emulate.staging.processing_scope import check_places
from sm_emulate.staging.processing_tree import host_names, staged_tree
from sm_emulate.staging.processing_tree import place as place_of_input
from sm_emulate.storage.place import check_writable
from sm_emulate.storage.runs import default_cache

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from sm_emulate.engine.protocol import ContainerSpec, Engine
    from sm_emulate.events import Listener
    from sm_emulate.lifecycle.processing.result import ProcessingResult
    from sm_emulate.request.processing import ProcessingRequest
    from sm_emulate.storage.runs import Runs

    Source = str | os.PathLike[str] | Mapping[str, Any]


def process(
    request: ProcessingRequest,
    *,
    engine: Engine | None = None,
    home: Path | None = None,
    platform: Platform | None = None,
    gpus: str = "auto",
    stop_grace_s: float = STOP_GRACE_SECONDS,
    listeners: Sequence[Listener] = (),
    ready: Callable[[ProcessingJob], None] | None = None,
    vary: Callable[[ContainerSpec], ContainerSpec] | None = None,
    vary_files: Callable[[dict[str, bytes]], dict[str, bytes]] | None = None,
) -> ProcessingResult:
    """Run a processing job to its end and give its result; a job that fails is a result, too.

    Args:
        request: from `processing_request` or `processing_request_from_aws`.
        engine: the container engine; the first that answers by default.
        home: the folder of all runs; SM_EMULATE_HOME or the user's state folder by default.
        platform: profile, settings, region and account of the SageMaker that is emulated.
        gpus: `auto`, `none`, `all`, a number, or `device=ID[,ID...]`.
        stop_grace_s: seconds between the first signal and SIGKILL.
        listeners: hear every event, one at a time.
        ready: given the job just before it runs, so that another thread or a signal handler can `stop()` it.
        vary: changes each container before it is made.
        vary_files: changes the config files of each host before they are written.

    Raises:
        RequestError: something asked for is wrong or not emulated; nothing was started.
        ImageNotFoundError: the image is neither here nor can it be pulled; nothing was started.
        MachineError: this machine cannot run it.
    """
    runs = runs_at(home)
    request = _checked(request, runs)
    place = platform or Platform()
    check_places(request, s3=place.s3, region=place.region)
    with engine_for(engine) as used:
        wanted = gpu_request(gpus, instance_type=request.cluster.instance_type, engine=used)
        image = find_image(used, request.app_specification.image_uri, listeners)
        with runs.create("processing-jobs", request.processing_job_name) as run, RunFiles(run) as files:
            job = ProcessingJob(
                request,
                image=image,
                engine=used,
                run=run,
                platform=platform,
                gpus=wanted,
                stop_grace_s=stop_grace_s,
                listeners=(files, *listeners),
                vary=vary,
                vary_files=vary_files,
            )
            if ready is not None:
                ready(job)
            with forgotten_unless_begun(job, MachineError):
                return job.run()


def processing_plan(
    request: ProcessingRequest, *, home: Path | None = None, platform: Platform | None = None
) -> list[HostPlan]:
    """Say what `process` would do, host by host, without an engine and without making anything.

    Raises:
        RequestError: something asked for is wrong or not emulated.
    """
    runs = runs_at(home)
    request = _checked(request, runs)
    platform = platform or Platform()
    run = runs.folder("processing-jobs", request.processing_job_name)
    # whether an engine can give them is not asked here
    without = request.isolated or platform.credentials == "none"
    plain = platform.settings.text("processing-pipe-name") == "plain"
    pipes = tuple(
        PROCESSING_LAYOUT.pipe(place_of_input(source.local_path), 0, plain=plain)
        for _, source in request.managed_inputs
        if source.mode == "Pipe"
    )
    instance_type = request.cluster.instance_type
    limits = limits_of(
        [instance_type],
        chosen=request.cluster.chosen,
        engine=None,
        settings=platform.settings,
        publish=lambda _: None,
    )[instance_type]
    planned = []
    for host in host_names(request):
        tree = staged_tree(
            run.opt_ml(host),
            request,
            host=host,
            settings=platform.settings,
            region=platform.region,
            account=platform.account,
        )
        container = container_spec(
            request,
            host=host,
            tree=tree,
            image=request.app_specification.image_uri,
            platform=platform,
            beside={} if without else {VARIABLE: credentials_path("TOKEN")},
            network=None if request.cluster.instance_count == 1 else request.processing_job_name,
            gpus=None,
            labels={},
            limits=limits,
        )
        parents = (PROCESSING_LAYOUT.config, PROCESSING_LAYOUT.output_data)
        planned.append(
            HostPlan(
                host=host,
                files=tree.files,
                directories=tuple(
                    each for each in tree.directories if each not in parents or each == tree.directories[-1]
                ),
                container=container,
                pipes=pipes,
            )
        )
    return planned


def processing_request(
    image: str,
    *,
    inputs: Mapping[str, Source] | Sequence[str] = (),
    outputs: Mapping[str, Source] | Sequence[str] = (),
    entrypoint: Sequence[str] = (),
    arguments: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    job_name: str | None = None,
    instance_type: str | None = None,
    instance_count: int = 1,
    volume_size_in_gb: int = DEFAULT_VOLUME_GB,
    max_runtime_in_seconds: int | None = None,
    enable_network_isolation: bool = False,
    role_arn: str = DEFAULT_ROLE_ARN,
    tags: Mapping[str, str] | None = None,
) -> ProcessingRequest:
    """Give a processing job, checked against the limits of CreateProcessingJob.

    Args:
        image: as `docker run` takes it.
        inputs: by name, a path or what `processing_input` gives; or texts, as `--input` takes them.
        outputs: by name, a path or what `processing_output` gives; or texts, as `--processing-output` takes them.
        entrypoint: ContainerEntrypoint; the image's own by default.
        arguments: ContainerArguments.
        environment: the job's Environment.
        job_name: its name; by default the image's, and the time.
        instance_type: also limits vCPUs and memory, and where GPUs are given, their number; without one, ml.m5.large
            stands there and nothing is limited.
        instance_count: hosts, named algo-1 to algo-N.
        volume_size_in_gb: a number only.
        max_runtime_in_seconds: a day by default.
        enable_network_isolation: no way out of the containers.
        role_arn: a name only.
        tags: of the job.

    Raises:
        RequestError: the first thing that is wrong, with the others as evidence.
    """
    document = processing_document(
        image=image,
        job_name=chosen_name(job_name, image),
        role_arn=role_arn,
        instance_type=instance_type or DEFAULT_INSTANCE_TYPE,
        instance_count=instance_count,
        volume_size_in_gb=volume_size_in_gb,
        inputs=[_named(name, source, processing_input, "InputName") for name, source in inputs.items()]
        if isinstance(inputs, Mapping)
        else [input_of_text(text) for text in inputs],
        outputs=[_named(name, target, processing_output, "OutputName") for name, target in outputs.items()]
        if isinstance(outputs, Mapping)
        else [output_of_text(text) for text in outputs],
        environment=environment,
        entrypoint=entrypoint,
        arguments=arguments,
        max_runtime_in_seconds=max_runtime_in_seconds,
        network_isolation=enable_network_isolation,
        tags=tags,
    )
    request = processing_request_from_aws(with_output_folders(document, runs_at(None)))
    return request if instance_type is not None else jobs.unsized(request)


def processing_request_from_aws(
    document: Mapping[str, Any], *, base_dir: Path | None = None
) -> ProcessingRequest:
    """Give the processing job of a CreateProcessingJob document, as boto3 takes it.

    Args:
        document: the JSON of the API. Where it names S3, a path or `file://` is taken too.
        base_dir: the folder that relative paths start from; the current one by default.

    Raises:
        RequestError: the first thing that is wrong, with the others as evidence.
    """
    model = load(jobs.OPERATION, cache_dir=default_cache(os.environ))
    return jobs.from_aws(document, base_dir=base_dir, model=model)


def processing_input(source: str | os.PathLike[str], **options: str) -> dict[str, Any]:
    """Give an input with more than a path.

    Args:
        source: a folder or file, `file://` or `s3://`.
        **options: as those of `--input`: `to="/opt/ml/processing/input/data"`, `mode`, `type`, `distribution`,
            `compression`.
    """
    return input_of(_PLACEHOLDER, os.fspath(source), _known(options, INPUT_OPTIONS, "processing_input"))


def processing_output(target: str | os.PathLike[str] = "", **options: str) -> dict[str, Any]:
    """Give an output with more than a path.

    Args:
        target: a folder, `file://` or `s3://`; the run folder by default.
        **options: as those of `--processing-output`: `from_="/opt/ml/processing/result"`, `upload="Continuous"`.
    """
    plain = {name.rstrip("_"): value for name, value in options.items()}
    return output_of(_PLACEHOLDER, os.fspath(target), _known(plain, OUTPUT_OPTIONS, "processing_output"))


_PLACEHOLDER = "{name}"


def _known(options: Mapping[str, str], known: Mapping[str, str], function: str) -> Mapping[str, str]:
    for name in options:
        if name not in known:
            raise TypeError(
                f"{function}() got an unexpected keyword argument {name!r}; there are {', '.join(known)}"
            )
    return options


def _named(name: str, given: Source, make: Callable[[str], dict[str, Any]], member: str) -> dict[str, Any]:
    import json

    made = make(os.fspath(given)) if isinstance(given, (str, os.PathLike)) else dict(given)
    if made.get(member, _PLACEHOLDER) == _PLACEHOLDER:
        # the name is part of the LocalPath that nobody chose
        kind = "S3Input" if member == "InputName" else "S3Output"
        place = {**made.get(kind, {})}
        place["LocalPath"] = place.get("LocalPath", "").replace(_PLACEHOLDER, name)
        made = json.loads(json.dumps(made)) | {member: name, kind: place}
    return made


def with_output_folders(document: dict[str, Any], runs: Runs) -> dict[str, Any]:
    """Give the document with a folder of its run for each output that names no place."""
    run = runs.folder("processing-jobs", str(document.get("ProcessingJobName")))
    for output in document.get("ProcessingOutputConfig", {}).get("Outputs", ()):
        target = output.get("S3Output", {})
        if target.get("S3Uri") == "":
            target["S3Uri"] = str(run.output(output["OutputName"]))
    return document


def _checked(request: ProcessingRequest, runs: Runs) -> ProcessingRequest:
    """Refuse what cannot be run; outputs without a place of their own go into the request's own run folder."""
    jobs.check_local(request)
    name = request.processing_job_name
    here = runs.folder("processing-jobs", name).path
    anywhere = runs_at(None).folder("processing-jobs", name).path
    config = request.processing_output_config
    if config is None:
        return request
    outputs = []
    for each in config.outputs:
        target = each.s3_output
        if target is not None and target.here is not None:
            if target.here.is_relative_to(anywhere):
                moved = here / target.here.relative_to(anywhere)
                each = replace(each, s3_output=replace(target, s3_uri=moved.as_uri()))  # noqa: PLW2901  # the same one
            elif not target.here.is_relative_to(here) and not each.app_managed:
                check_writable(target.here, what=f"output {each.output_name}")
        outputs.append(each)
    return replace(request, processing_output_config=replace(config, outputs=tuple(outputs)))
