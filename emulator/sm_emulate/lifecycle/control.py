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
from sm_emulate.spec.training_job import STOP_GRACE_SECONDS
from sm_emulate.spec.wordings import INTERNAL_SERVER_ERROR
from sm_emulate.storage.async_queue import AsyncQueue
from sm_emulate.storage.mounts import mounts_below, unmount
from sm_emulate.storage.trouble import told

if TYPE_CHECKING:
    from collections.abc import Callable

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
    for leftover in engine.leftovers({LABEL_HOME: str(runs.home)}):
        if _orphaned(leftover, runs):
            engine.remove_leftover(leftover)
            removed.append(leftover)
    for run in runs.all():
        if run.abandoned:
            for folder in mounts_below(run.path):
                unmount(folder)
            with told("a run whose process died cannot be marked", run.path):
                mark_abandoned(run)
    for draft in runs.drafts():
        draft.delete()
    return removed


def _orphaned(leftover: Leftover, runs: Runs) -> bool:
    """Whether the process that made it is gone: a run of the same name may live, made by another one."""
    if (gone := owner_is_gone(leftover.labels.get(LABEL_OWNER, ""))) is not None:
        return gone
    run = next((run for run in runs.all() if run.id == leftover.labels.get(LABEL_RUN)), None)
    return run is None or run.owner_pid() is None


def delete(run: RunFolder, engine: Engine) -> None:
    """Remove a run folder, with what a container made in it as root and nobody has handed back.

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
        "LastModifiedTime": now().isoformat(timespec="milliseconds"),
    }
    if "TrainingJobs" in emulator:
        emulator["TrainingJobs"] = [_dead(job) for job in emulator["TrainingJobs"]]
    whole = {"Emulator": emulator | {"Abandoned": True}}
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
