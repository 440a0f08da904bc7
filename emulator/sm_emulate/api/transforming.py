"""Batch transform jobs from Python: `transform` runs one, `transform_plan` says what that would be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sm_emulate.api.engines import engine_for
from sm_emulate.api.host_plan import HostPlan
from sm_emulate.api.images import find_image
from sm_emulate.api.running import forgotten_unless_begun, runs_at
from sm_emulate.engine.gpus import gpu_request
from sm_emulate.errors import MachineError, RequestError
from sm_emulate.lifecycle.hosting.image_labels import check_labels
from sm_emulate.lifecycle.hosting.instance import in_network_of
from sm_emulate.lifecycle.hosting.model_folder import planned_mounts
from sm_emulate.lifecycle.hosting.neighbours import neighbours_of
from sm_emulate.lifecycle.instance_limits import limits_of
from sm_emulate.lifecycle.platform import Platform
from sm_emulate.lifecycle.transform.container import (
    container_hosts,
    hosts,
    model_folder,
    transform_container,
)
from sm_emulate.lifecycle.transform.job import TransformJob
from sm_emulate.report.run_files import RunFiles
from sm_emulate.request.location import as_stored
from sm_emulate.request.transform import check_local
from sm_emulate.spec.credentials import VARIABLE, credentials_path
from sm_emulate.spec.endpoint import STOP_GRACE_SECONDS
from sm_emulate.spec.transform_job import START_WINDOW_SECONDS
from sm_emulate.staging.model_files import check_stored
from sm_emulate.staging.transform_input import check_input
from sm_emulate.storage.stores import store_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from sm_emulate.engine.protocol import ContainerSpec, Engine
    from sm_emulate.events import Listener
    from sm_emulate.lifecycle.transform.result import TransformResult
from sm_emulate.request.transform import TransformRequest


def transform(
    request: TransformRequest,
    *,
    engine: Engine | None = None,
    home: Path | None = None,
    platform: Platform | None = None,
    gpus: str = "auto",
    start_window_s: float = START_WINDOW_SECONDS,
    stop_grace_s: float = STOP_GRACE_SECONDS,
    listeners: Sequence[Listener] = (),
    ready: Callable[[TransformJob], None] | None = None,
    vary: Callable[[ContainerSpec], ContainerSpec] | None = None,
) -> TransformResult:
    """Run a batch transform job to its end and give its result; a job that fails is a result, too.

    Args:
        request: from `transform_request`.
        engine: the container engine; the first that answers by default.
        home: the folder of all runs; SM_EMULATE_HOME or the user's state folder by default.
        platform: settings, region, account and S3 of the SageMaker that is emulated.
        gpus: `auto`, `none`, `all`, a number, or `device=ID[,ID...]`.
        start_window_s: seconds in which each container has to answer its first ping.
        stop_grace_s: seconds between SIGTERM and SIGKILL.
        listeners: hear every event, one at a time.
        ready: given the job just before it runs, so that another thread or a signal handler can `stop()` it.
        vary: changes each container before it is made.

    Raises:
        RequestError: something asked for is wrong or not emulated; nothing was started.
        ImageNotFoundError: the image is neither here nor can it be pulled; nothing was started.
        MachineError: this machine cannot run it.
    """
    platform = platform or Platform()
    check_local(request)
    check_stored(request.model, platform.s3)
    check_input(request, s3=platform.s3, region=platform.region)
    neighbours_of(request.model, platform.settings)  # there have to be ports for all
    place = as_stored(request.transform_output.s3_output_path)
    store_of(place, platform.s3).check_writable(place)
    runs = runs_at(home)
    with engine_for(engine) as used:
        wanted = gpu_request(gpus, instance_type=request.transform_resources.instance_type, engine=used)
        images = {name: find_image(used, name, listeners) for name in request.model.images}
        check_labels(request.model, images)
        with runs.create("transform-jobs", request.transform_job_name) as run, RunFiles(run) as files:
            job = TransformJob(
                request,
                images=images,
                engine=used,
                run=run,
                platform=platform,
                gpus=wanted,
                start_window_s=start_window_s,
                stop_grace_s=stop_grace_s,
                listeners=(files, *listeners),
                vary=vary,
            )
            if ready is not None:
                ready(job)
            with forgotten_unless_begun(job, RequestError, MachineError):
                return job.run()


def transform_plan(
    request: TransformRequest, *, home: Path | None = None, platform: Platform | None = None
) -> list[HostPlan]:
    """Say what `transform` would start, container by container, without an engine and without making anything.

    Raises:
        RequestError: something asked for is wrong or not emulated.
    """
    platform = platform or Platform()
    check_local(request)
    run = runs_at(home).folder("transform-jobs", request.transform_job_name)
    isolated = request.model.enable_network_isolation
    # whether an engine can give them is not asked here
    without = (
        isolated
        or platform.credentials == "none"
        or platform.settings.text("endpoint-aws-variables") == "unset"
    )
    wanted = request.transform_resources
    limits = limits_of(
        [wanted.instance_type],
        chosen=wanted.chosen,
        engine=None,
        settings=platform.settings,
        publish=lambda _: None,
    )[wanted.instance_type]
    neighbours = neighbours_of(request.model, platform.settings)
    environment = {} if without else {VARIABLE: credentials_path("TOKEN")}
    plans = []
    for instance in hosts(request):
        names = container_hosts(request, instance)
        first = names[0].replace("/", "-")
        for number, (host, container) in enumerate(zip(names, request.model.containers, strict=True)):
            described = transform_container(
                request,
                number,
                neighbours=neighbours,
                image=container.image,
                platform=platform,
                beside=environment,
                mounts=planned_mounts(container, model_folder(request, run.path / "opt-ml", number)),
                limits=limits,
                network=request.transform_job_name if isolated else None,
                gpus=None,
                labels={},
                name=first if neighbours.shared and not number else None,
            )
            if neighbours.asker(number) != number:
                described = in_network_of(first, described)
            plans.append(HostPlan(host=host, files={}, directories=(), container=described))
    return plans
