"""One training job of a tuning job: its request, and what its thread and the tuning job's say to each other."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from sm_emulate.request import training as training_jobs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sm_emulate.events import Listener
    from sm_emulate.lifecycle.training.result import TrainingResult
    from sm_emulate.lifecycle.tuning.early_stopping import MedianRule
    from sm_emulate.lifecycle.tuning.result import TrainingJobSummary
    from sm_emulate.lifecycle.tuning.search import Search, Suggestion
    from sm_emulate.request.service_model import OperationModel
    from sm_emulate.request.training import TrainingRequest
    from sm_emulate.request.tuning import Definition, Objective


class Stoppable(Protocol):
    """A training job that runs."""

    def stop(self) -> None: ...


class Train(Protocol):
    """Runs one training job to its end, in the thread that calls it."""

    def __call__(
        self, request: TrainingRequest, /, *, listener: Listener, ready: Callable[[Stoppable], None]
    ) -> TrainingResult: ...


@dataclass
class Kind:
    """The training jobs of one definition."""

    definition: Definition
    objective: Objective
    search: Search
    rule: MedianRule | None


@dataclass(eq=False)
class TunedJob:
    """One training job, from its launch on."""

    number: int
    kind: Kind
    suggestion: Suggestion
    summary: TrainingJobSummary
    values: list[float] = field(default_factory=list)
    """Of the objective, so far."""
    running: Stoppable | None = None
    stops: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def stop(self) -> None:
        """Stop it, or once more."""
        with self.lock:
            self.stops += 1
            running = self.running
        if running is not None:
            running.stop()

    def ready(self, running: Stoppable) -> None:
        """It can be stopped from now on, and is if that was asked for before."""
        with self.lock:
            self.running, asked = running, self.stops
        for _ in range(asked):
            running.stop()


@dataclass(frozen=True, kw_only=True)
class News:
    """What a training job's thread has to tell."""

    job: TunedJob
    value: float | None = None
    began: bool = False
    result: TrainingResult | None = None
    error: BaseException | None = None


def training_request(
    definition: Definition,
    *,
    name: str,
    hyperparameters: dict[str, str],
    tags: Sequence[dict[str, str]] = (),
    shared_checkpoints: bool = False,
    training_jobs_folder: str = "",
    model: OperationModel,
) -> TrainingRequest:
    """Give the request of one training job, checked as CreateTrainingJob's.

    Args:
        definition: what all training jobs have in common.
        name: of this one.
        hyperparameters: all of them.
        tags: those of the tuning job.
        shared_checkpoints: keep the checkpoints of all training jobs in one place, not in a folder for each.
        training_jobs_folder: as an output path, it stands for the run folder of each training job.
        model: of CreateTrainingJob.

    Raises:
        RequestError: CreateTrainingJob would refuse it.
    """
    document: dict[str, Any] = definition.training_document() | {
        "TrainingJobName": name,
        "HyperParameters": hyperparameters,
    }
    if tags:
        document["Tags"] = list(tags)
    output = document["OutputDataConfig"]
    if training_jobs_folder and output["S3OutputPath"] == training_jobs_folder:
        document["OutputDataConfig"] = output | {"S3OutputPath": f"{training_jobs_folder}/{name}"}
    checkpoints = document.get("CheckpointConfig")
    if checkpoints is not None and not shared_checkpoints:
        own = f"{checkpoints['S3Uri'].rstrip('/')}/{name}"
        document["CheckpointConfig"] = checkpoints | {"S3Uri": own}
    return training_jobs.from_aws(document, model=model)
