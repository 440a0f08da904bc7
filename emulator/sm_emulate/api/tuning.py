"""Tuning jobs from Python: `tune` runs one."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from sm_emulate.api.engines import engine_for
from sm_emulate.api.images import find_image
from sm_emulate.api.running import runs_at
from sm_emulate.api.training import train
from sm_emulate.lifecycle.platform import Platform
from sm_emulate.lifecycle.tuning.autotune import autotuned
from sm_emulate.lifecycle.tuning.job import TuningJob
from sm_emulate.lifecycle.tuning.search import check_installed
from sm_emulate.lifecycle.tuning.tuned_job import training_request
from sm_emulate.lifecycle.tuning.warm_start import parents_of
from sm_emulate.report.run_files import RunFiles
from sm_emulate.request import training, tuning
from sm_emulate.request.service_model import load
from sm_emulate.request.training import check_local
from sm_emulate.request.tuning_flags import USUAL_JOBS, default_tuning_job_name, tuning_document
from sm_emulate.spec.training_job import STOP_GRACE_SECONDS
from sm_emulate.storage.place import check_writable
from sm_emulate.storage.runs import default_cache

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from sm_emulate.engine.protocol import Engine
    from sm_emulate.events import Listener
    from sm_emulate.lifecycle.training.result import TrainingResult
    from sm_emulate.lifecycle.tuning.result import TuningResult
    from sm_emulate.lifecycle.tuning.tuned_job import Stoppable
    from sm_emulate.request.training import TrainingRequest
    from sm_emulate.request.tuning import TuningRequest
    from sm_emulate.storage.runs import Runs


def tuning_request_from_aws(document: Mapping[str, Any], *, base_dir: Path | None = None) -> TuningRequest:
    """Give the tuning job of a CreateHyperParameterTuningJob document, as boto3 takes it.

    Args:
        document: the JSON of the API. Where it names S3, a path or `file://` is taken too.
        base_dir: the folder that relative paths start from; the current one by default.

    Raises:
        RequestError: the first thing that is wrong, with the others as evidence.
    """
    model = load(tuning.OPERATION, cache_dir=default_cache(os.environ))
    return tuning.from_aws(document, base_dir=base_dir, model=model)


def tuning_request(
    job: TrainingRequest,
    *,
    objective: str,
    maximize: bool,
    ranges: Mapping[str, tuple[float, float] | tuple[float, float, str]] | None = None,
    choices: Mapping[str, Sequence[str]] | None = None,
    name: str | None = None,
    strategy: str = "Bayesian",
    max_jobs: int | None = None,
    parallel: int = 1,
    max_runtime_in_seconds: int | None = None,
    early_stopping: bool = False,
    resource: tuple[int | None, int | None] = (None, None),
    target: float | None = None,
    seed: int | None = None,
    parents: Sequence[str] = (),
    warm_start_type: str = "IdenticalDataAndAlgorithm",
) -> TuningRequest:
    """Give a tuning job over a training job, checked against the limits of CreateHyperParameterTuningJob.

    Args:
        job: what all training jobs have in common, from `training_request`; its hyperparameters are the static ones.
        objective: one of the job's metrics.
        maximize: whether more of it is better.
        ranges: by hyperparameter, its ends and, if it matters, its ScalingType; two ints are an integer range.
        choices: by hyperparameter, its values.
        name: of the tuning job, at most 32 characters; the image's name and the time by default.
        strategy: Bayesian, Random, Hyperband or Grid.
        max_jobs: how many training jobs; 10 by default, or as many as there are combinations. A grid has all of them.
        parallel: how many at the same time.
        max_runtime_in_seconds: of the tuning job, at least 120.
        early_stopping: stop training jobs that do not look good enough.
        resource: Hyperband's MinResource and MaxResource.
        target: the objective that is good enough.
        seed: makes it choose the same again.
        parents: earlier tuning jobs to learn from.
        warm_start_type: IdenticalDataAndAlgorithm or TransferLearning.

    Raises:
        RequestError: the first thing that is wrong, with the others as evidence.
    """
    document = training.to_aws(job)
    output = runs_at(None).folder("training-jobs", job.training_job_name).path
    if job.output_data_config.local_path == output:
        document["OutputDataConfig"] = {"S3OutputPath": output.parent.as_uri()}
    document.setdefault(
        "StoppingCondition", {"MaxRuntimeInSeconds": job.stopping_condition.max_runtime_in_seconds}
    )
    image = job.algorithm_specification.training_image
    return tuning_request_from_aws(
        tuning_document(
            document,
            name=name or default_tuning_job_name(image, datetime.now(timezone.utc)),
            objective=objective,
            maximize=maximize,
            ranges=[_range(each, span) for each, span in (ranges or {}).items()],
            choices=[{"Name": each, "Values": list(values)} for each, values in (choices or {}).items()],
            strategy=strategy,
            max_jobs=max_jobs,
            usual_jobs=None if strategy == "Grid" else USUAL_JOBS,
            parallel=parallel,
            max_runtime_in_seconds=max_runtime_in_seconds,
            early_stopping=early_stopping,
            resource=resource,
            target=target,
            seed=seed,
            parents=parents,
            warm_start_type=warm_start_type,
        )
    )


def _range(name: str, span: tuple[float, float] | tuple[float, float, str]) -> tuple[str, dict[str, str]]:
    low, high, *scale = span
    whole = isinstance(low, int) and isinstance(high, int)
    found = {"Name": name, "MinValue": str(low), "MaxValue": str(high)}
    if scale:
        found["ScalingType"] = str(scale[0])
    return "IntegerParameterRanges" if whole else "ContinuousParameterRanges", found


def tune(
    request: TuningRequest,
    *,
    engine: Engine | None = None,
    home: Path | None = None,
    platform: Platform | None = None,
    gpus: str = "auto",
    stop_grace_s: float = STOP_GRACE_SECONDS,
    listeners: Sequence[Listener] = (),
    ready: Callable[[TuningJob], None] | None = None,
) -> TuningResult:
    """Run a tuning job to its end and give its result; one that fails is a result, too.

    Its training jobs run in threads of this process, on one engine, each with a run folder of its own.

    Args:
        request: from `tuning_request` or `tuning_request_from_aws`.
        engine: the container engine; the first that answers by default.
        home: the folder of all runs; SM_EMULATE_HOME or the user's state folder by default.
        platform: profile, settings, region and account of the SageMaker that is emulated.
        gpus: of each training job: `auto`, `none`, `all`, a number, or `device=ID[,ID...]`.
        stop_grace_s: seconds between SIGTERM and SIGKILL.
        listeners: hear every event, one at a time; those of training jobs as JobEvents.
        ready: given the job just before it runs, so that another thread or a signal handler can `stop()` it.

    Raises:
        RequestError: something asked for is wrong or not emulated; nothing was started.
        ImageNotFoundError: an image is neither here nor can it be pulled; nothing was started.
        MachineError: this machine cannot run it, or Optuna is not installed.
    """
    check_installed()
    runs = runs_at(home)
    platform = platform or Platform()
    model = load(training.OPERATION, cache_dir=default_cache(os.environ))
    request = _at_home(request, runs)
    for definition in request.definitions:
        probe = training_request(
            definition,
            name=f"{request.name}-000-00000000",
            hyperparameters=dict(definition.static),
            tags=request.tags,
            model=model,
        )
        check_local(probe)
        output = probe.output_data_config.local_path
        if output is not None and output != runs.home / "training-jobs":
            check_writable(output, what="the output path")
    parents = parents_of(autotuned(request, platform.settings), runs)
    with engine_for(engine) as used:
        for image in dict.fromkeys(definition.image for definition in request.definitions):
            find_image(used, image, listeners)

        def run_one(
            one: TrainingRequest, /, *, listener: Listener, ready: Callable[[Stoppable], None]
        ) -> TrainingResult:
            return train(
                one,
                engine=used,
                home=runs.home,
                platform=platform,
                gpus=gpus,
                stop_grace_s=stop_grace_s,
                listeners=(listener,),
                ready=ready,
            )

        with runs.create("hyper-parameter-tuning-jobs", request.name) as run, RunFiles(run) as files:
            job = TuningJob(
                request,
                run=run,
                train=run_one,
                model=model,
                platform=platform,
                parents=parents,
                listeners=(files, *listeners),
            )
            if ready is not None:
                ready(job)
            return job.run()


def _at_home(request: TuningRequest, runs: Runs) -> TuningRequest:
    """Put what has no output path of its own into the run folders of the training jobs of this home."""
    anywhere = (runs_at(None).home / "training-jobs").as_uri()
    here = (runs.home / "training-jobs").as_uri()

    def moved(definition: tuning.Definition) -> tuning.Definition:
        output = definition.raw["OutputDataConfig"]
        if output["S3OutputPath"] != anywhere:
            return definition
        raw = {**definition.raw, "OutputDataConfig": {**output, "S3OutputPath": here}}
        return replace(definition, raw=raw)

    return replace(
        request,
        definition=None if request.definition is None else moved(request.definition),
        several=tuple(moved(each) for each in request.several),
    )
