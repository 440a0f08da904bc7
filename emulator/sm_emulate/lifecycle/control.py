"""Runs seen from outside: stop one that another process owns, and clear up after processes that died."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from sm_emulate.engine.owner import owner_is_gone
from sm_emulate.engine.ownership import hand_back
from sm_emulate.engine.protocol import LABEL_HOME, LABEL_OWNER, LABEL_RUN
from sm_emulate.errors import MachineError, RequestError
from sm_emulate.events import now
from sm_emulate.lifecycle.iso_time import iso
from sm_emulate.lifecycle.training.warm_pool import is_kept, terminate
from sm_emulate.request.location import local_path
from sm_emulate.spec.training_job import STOP_GRACE_SECONDS
from sm_emulate.spec.wordings import INTERNAL_SERVER_ERROR
from sm_emulate.storage.async_queue import AsyncQueue
from sm_emulate.storage.folder_store import remove_drafts
from sm_emulate.storage.mounts import mounts_below, unmount
from sm_emulate.storage.trouble import told
from sm_emulate.storage.warm_pools import WarmPools

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sm_emulate.engine.protocol import Engine, Leftover
    from sm_emulate.storage.run_folder import RunFolder
    from sm_emulate.storage.runs import Runs

POLL_SECONDS = 0.05


def stop(
    run: RunFolder, runs: Runs, engine: Callable[[], Engine], *, wait_s: float = STOP_GRACE_SECONDS + 60
) -> dict[str, Any]:
    """Stop a run and give its final description; one that is over already has it.

    Its own process does the work, with its own grace period. A run whose process died is cleared up instead.

    Raises:
        MachineError: it has not stopped after `wait_s` seconds.
    """
    if run.result.exists():
        return run.description()
    ask_to_stop(run)
    deadline = time.monotonic() + wait_s
    while run.owner_pid() is not None:
        if time.monotonic() > deadline:
            raise MachineError(
                f"it has not stopped within {wait_s:g} seconds",
                value=run.id,
                hint="its process is busy; `sm-emulate logs` shows what it does",
            )
        time.sleep(POLL_SECONDS)
    if not run.result.exists():
        sweep(runs, engine())
    return run.description()


def ask_to_stop(run: RunFolder) -> None:
    """Have its own process stop it, and do not wait."""
    with told("the request to stop cannot be written down", run.path):
        run.stop_request.touch()


def sweep(runs: Runs, engine: Engine) -> list[Leftover]:
    """Remove what runs without a living process left on the engine, and mark those runs as failed.

    Runs that live, of this or any other process, are not touched. Gives what was removed.
    """
    removed = []
    pools = WarmPools(runs.home)
    for leftover in engine.leftovers({LABEL_HOME: str(runs.home)}):
        if not is_kept(leftover, pools) and _orphaned(leftover, runs):
            engine.remove_leftover(leftover)
            removed.append(leftover)
    if pools.all():
        removed += terminate(pools, engine)  # after the containers on their networks
    for run in runs.all():
        if run.abandoned:
            for folder in mounts_below(run.path):
                unmount(folder)
            with told("a run whose process died cannot be marked", run.path):
                mark_abandoned(run)
            for place in _synced_to(run.description()):
                remove_drafts(place)
    for draft in runs.drafts():
        draft.delete()
    return removed


def _synced_to(description: dict[str, Any]) -> Iterator[Path]:
    """Give the folders of this machine that a job kept others like."""
    for name in ("CheckpointConfig", "DebugHookConfig", "TensorBoardOutputConfig", "ProfilerConfig"):
        config = description.get(name) or {}
        uri = config.get("S3Uri") or config.get("S3OutputPath")
        if uri is not None and (folder := local_path(uri)) is not None:
            yield folder


def _orphaned(leftover: Leftover, runs: Runs) -> bool:
    """Whether the process that made it is gone: a run of the same name may live, made by another one."""
    if (gone := owner_is_gone(leftover.labels.get(LABEL_OWNER, ""))) is not None:
        return gone
    run = next((run for run in runs.all() if run.id == leftover.labels.get(LABEL_RUN)), None)
    return run is None or run.owner_pid() is None


def delete(run: RunFolder, engine: Engine) -> None:
    """Remove a run folder, with what a container made in it as root and nobody has handed back, and its warm pool.

    Raises:
        RequestError: the run is alive.
        MachineError: it cannot be removed.
    """
    if run.owner_pid() is not None:
        raise RequestError("this run is alive", value=run.id, hint=f"`sm-emulate stop {run.name}` first")
    image = run.description().get("Emulator", {}).get("ImageId")
    if image is not None:
        with suppress(MachineError):  # the image may be gone; what cannot be removed is told with its name
            hand_back(engine, image, run.path, uid=os.getuid(), gid=os.getgid())
    if run.kind == "endpoints":
        AsyncQueue(run.home, run.name).clear()
    if "WarmPoolStatus" in run.description():
        terminate(WarmPools(run.home), engine, jobs=frozenset({run.name}))
    run.delete()


def mark_abandoned(run: RunFolder) -> None:
    """Write the result that its process could not write: failed, by no fault of the image."""
    description = run.description()
    emulator = description.get("Emulator") or {"RunFolder": str(run.path)}
    named, failed = {
        "training-jobs": (
            {"TrainingJobName": run.name},
            {"TrainingJobStatus": "Failed", "SecondaryStatus": "Failed"},
        ),
        "processing-jobs": (
            {"ProcessingJobName": run.name},
            {"ProcessingJobStatus": "Failed"},
        ),
        "endpoints": ({"EndpointName": run.name}, {"EndpointStatus": "Failed"}),
        "hyper-parameter-tuning-jobs": (
            {"HyperParameterTuningJobName": run.name},
            {"HyperParameterTuningJobStatus": "Failed"} | _without_living(description),
        ),
        "transform-jobs": ({"TransformJobName": run.name}, {"TransformJobStatus": "Failed"}),
    }[run.kind]
    reason = {
        "FailureReason": INTERNAL_SERVER_ERROR,
        "LastModifiedTime": iso(now()),
    }
    if "TrainingJobs" in emulator:
        emulator["TrainingJobs"] = [_dead(job) for job in emulator["TrainingJobs"]]
    whole: dict[str, Any] = {"Emulator": emulator | {"Abandoned": True}}
    if "WarmPoolStatus" in description:  # it went with its process
        whole["WarmPoolStatus"] = {"Status": "Terminated", "ResourceRetainedBillableTimeInSeconds": 0}
    run.write(run.result, named | description | failed | reason | whole)


def _without_living(description: dict[str, Any]) -> dict[str, Any]:
    """Give a tuning job's counters when none of its training jobs is alive any more."""
    moves = (
        ("TrainingJobStatusCounters", "InProgress", "RetryableError"),
        ("ObjectiveStatusCounters", "Pending", "Failed"),
    )
    counted = {}
    for name, alive, dead in moves:
        counters = description.get(name) or {}
        counted[name] = counters | {alive: 0, dead: counters.get(dead, 0) + counters.get(alive, 0)}
    return counted


def _dead(job: dict[str, Any]) -> dict[str, Any]:
    """Give a training job of a tuning job whose process died, as it stands then."""
    if job["TrainingJobStatus"] not in ("InProgress", "Stopping"):
        return job
    ended = {"TrainingJobStatus": "Failed", "ObjectiveStatus": "Failed"}
    return job | ended | {"FailureReason": INTERNAL_SERVER_ERROR}
