"""Training jobs from Python: `train` runs one, `plan` says what would be run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sm_emulate.api.running import forgotten_unless_begun, runs_at
from sm_emulate.errors import MachineError, RequestError
from sm_emulate.request.training import check_local
from sm_emulate.spec.training_job import LAYOUT, STOP_GRACE_SECONDS
from sm_emulate.staging.listings import Listings
from sm_emulate.storage.run_folder import WARM_POOLS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sm_emulate.api.host_plan import HostPlan
    from sm_emulate.engine.protocol import ContainerSpec, Engine
    from sm_emulate.events import Listener
    from sm_emulate.lifecycle.platform import Platform
    from sm_emulate.lifecycle.training.interruptions import Interruptions
    from sm_emulate.lifecycle.training.job import TrainingJob
    from sm_emulate.lifecycle.training.result import TrainingResult
    from sm_emulate.request.training import TrainingRequest
    from sm_emulate.storage.runs import Runs


def train(
    request: TrainingRequest,
    *,
    engine: Engine | None = None,
    home: Path | None = None,
    platform: Platform | None = None,
    gpus: str = "auto",
    stop_grace_s: float = STOP_GRACE_SECONDS,
    interruptions: Interruptions | None = None,
    listeners: Sequence[Listener] = (),
    ready: Callable[[TrainingJob], None] | None = None,
    vary: Callable[[ContainerSpec], ContainerSpec] | None = None,
    vary_files: Callable[[dict[str, bytes]], dict[str, bytes]] | None = None,
) -> TrainingResult:
    """Run a training job to its end and give its result; a job that fails is a result, too.

    Args:
        request: from `training_request` or `training_request_from_aws`.
        engine: the container engine; the first that answers by default.
        home: the folder of all runs; SM_EMULATE_HOME or the user's state folder by default.
        platform: profile, settings, region and account of the SageMaker that is emulated.
        gpus: `auto`, `none`, `all`, a number, or `device=ID[,ID...]`.
        stop_grace_s: seconds between SIGTERM and SIGKILL.
        interruptions: when its managed spot instances are taken away.
        listeners: hear every event, one at a time.
        ready: given the job just before it runs, so that another thread or a signal handler can `stop()` it.
        vary: changes each container before it is made.
        vary_files: changes the config files of each host before they are written.

    Raises:
        RequestError: something asked for is wrong or not emulated; nothing was started.
        ImageNotFoundError: the image is neither here nor can it be pulled; nothing was started.
        MachineError: this machine cannot run it.
    """
    with Listings() as listings:
        listings.begin(
            request
        )  # the longest wait, where there is any: all else is done meanwhile, imports too
        from sm_emulate.api.engines import engine_for
        from sm_emulate.api.images import find_image
        from sm_emulate.engine.gpus import gpu_request
        from sm_emulate.lifecycle.training.job import TrainingJob
        from sm_emulate.report.run_files import RunFiles

        runs = runs_at(home)
        platform = platform or _platform(home)
        request = _checked(request, runs, platform)
        if interruptions is not None:
            interruptions.check(request)
        with engine_for(engine) as used:
            wanted = {
                each: gpu_request(gpus, instance_type=each, engine=used)
                for each in request.resource_config.instance_types
            }
            image = find_image(used, request.algorithm_specification.training_image, listeners)
            if (runs.home / WARM_POOLS).is_dir():
                from sm_emulate.lifecycle.training.warm_pool import terminate
                from sm_emulate.storage.warm_pools import WarmPools

                terminate(WarmPools(runs.home), used)
            with runs.create("training-jobs", request.training_job_name) as run, RunFiles(run) as files:
                job = TrainingJob(
                    request,
                    image=image,
                    engine=used,
                    run=run,
                    platform=platform,
                    gpus=wanted,
                    stop_grace_s=stop_grace_s,
                    interruptions=interruptions,
                    listings=listings,
                    listeners=(files, *listeners),
                    vary=vary,
                    vary_files=vary_files,
                )
                if ready is not None:
                    ready(job)
                with forgotten_unless_begun(job, MachineError):
                    return job.run()


def plan(
    request: TrainingRequest, *, home: Path | None = None, platform: Platform | None = None
) -> list[HostPlan]:
    """Say what `train` would do, host by host, without an engine and without making anything.

    Raises:
        RequestError: something asked for is wrong or not emulated.
    """
    from sm_emulate.api.host_plan import HostPlan
    from sm_emulate.lifecycle.instance_limits import limits_of
    from sm_emulate.lifecycle.training.channel_plan import channel_plans
    from sm_emulate.lifecycle.training.container import container_spec
    from sm_emulate.spec.credentials import VARIABLE, credentials_path
    from sm_emulate.staging.cluster import cluster_of
    from sm_emulate.staging.config_files import channels_of
    from sm_emulate.staging.tree import staged_tree

    runs = runs_at(home)
    platform = platform or _platform(home)
    request = _checked(request, runs, platform, writes=False)
    run = runs.folder("training-jobs", request.training_job_name)
    cluster = cluster_of(request.resource_config, mixed=platform.settings.text("host-numbers") == "mixed")
    # the token is another one in each run
    without = request.enable_network_isolation or platform.credentials == "none"
    limits = limits_of(
        request.resource_config.instance_types,
        chosen=request.resource_config.chosen,
        engine=None,
        settings=platform.settings,
        publish=lambda _: None,
    )
    planned = []
    for host in cluster.hosts:
        tree = staged_tree(
            run.opt_ml(host.name),
            request,
            cluster=cluster,
            host=host,
            profile=platform.profile,
            settings=platform.settings,
            region=platform.region,
            account=platform.account,
            s3=platform.s3,
            file_systems=platform.file_systems,
        )
        container = container_spec(
            request,
            cluster=cluster,
            host=host,
            tree=tree,
            image=request.algorithm_specification.training_image,
            platform=platform,
            beside={} if without else {VARIABLE: credentials_path("TOKEN")},
            network=None if len(cluster.hosts) == 1 else request.training_job_name,
            gpus=None,
            labels={},
            limits=limits[host.instance_type],
        )
        planned.append(
            HostPlan(
                host=host.name,
                files=tree.files,
                directories=tuple(each for each in tree.directories if each not in _PARENTS),
                pipes=tuple(
                    LAYOUT.pipe(channel.channel_name, 0)
                    for channel in channels_of(request, host)
                    if request.input_mode(channel) == "Pipe"
                ),
                container=container,
                channels=tuple(
                    channel_plans(request, cluster=cluster, host=host, tree=tree.folder, platform=platform)
                ),
            )
        )
    return planned


_PARENTS = (LAYOUT.config, LAYOUT.data)
"""Directories that hold something: the files and channels in them are shown instead."""


def _platform(home: Path | None) -> Platform:
    from sm_emulate.api.requests import platform

    return platform(home=home)


def _checked(
    request: TrainingRequest, runs: Runs, platform: Platform, *, writes: bool = True
) -> TrainingRequest:
    """Refuse what cannot be run; a request without an output path of its own goes into its run folder."""
    from sm_emulate.staging.places import check_places
    from sm_emulate.staging.synced import synced_paths
    from sm_emulate.storage.place import check_writable
    from sm_emulate.storage.stores import store_of

    check_local(request)
    for path in synced_paths(request, platform.settings):
        store_of(path.uri, platform.s3)
        if path.inside.strip("/") == "":
            raise RequestError(
                f"the folder for {path.name} cannot be the root of the container",
                value=path.inside,
                expected="a folder below it, such as /opt/ml/checkpoints",
            )
        if path.uri.startswith("file://"):
            check_writable(Path(path.uri.removeprefix("file://")), what=f"the folder for {path.name}")
    limit = int(platform.settings.text("warm-pool-limit"))
    kept = request.resource_config.keep_alive_period_in_seconds or 0
    if kept > limit:
        raise RequestError(
            "ResourceConfig.KeepAlivePeriodInSeconds is too large",
            value=kept,
            expected=f"at most {limit}",
            hint="the setting warm-pool-limit decides",
        )
    check_places(
        request, s3=platform.s3, file_systems=platform.file_systems, region=platform.region, writes=writes
    )
    name, output = request.training_job_name, request.output_data_config
    anywhere = runs_at(None).folder("training-jobs", name).path
    if output.local_path != anywhere:
        if output.local_path is not None and output.local_path != runs.folder("training-jobs", name).path:
            check_writable(output.local_path, what="the output path")
        return request
    here = runs.folder("training-jobs", name).path
    return replace(request, output_data_config=replace(output, s3_output_path=here.as_uri()))
