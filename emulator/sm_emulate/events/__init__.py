"""What happens while a job runs or an endpoint lives, as frozen values without logic.

`lifecycle` publishes them, `report` listens. A new kind of event is a class here and a branch in the
listeners that care.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def now() -> datetime:
    """The time of an event: UTC, aware."""
    return datetime.now(timezone.utc)


@dataclass(frozen=True, kw_only=True)
class Event:
    at: datetime = field(default_factory=now)


@dataclass(frozen=True, kw_only=True)
class StatusChanged(Event):
    """A job or endpoint entered a new status; for jobs, one of its SecondaryStatusTransitions."""

    status: str
    """`InProgress`, `Completed` ... for jobs; `Creating`, `InService` ... for endpoints."""
    secondary: str = ""
    """`Downloading`, `Training` ...; empty for endpoints."""
    message: str = ""


@dataclass(frozen=True, kw_only=True)
class LogLines(Event):
    """Whole lines as a container wrote them, in order: bytes that end with a newline.

    Many lines travel together, since a container can write 100,000 of them in a second.
    """

    host: str
    data: bytes
    shown: int = 0
    """How many bytes at the beginning were told by LogParts before."""
    stream: Literal["stdout", "stderr"] = "stdout"
    """Which one they were written to. Between the two the order is that in which they were read."""


@dataclass(frozen=True, kw_only=True)
class LogPart(Event):
    """More of a line that is not finished: a prompt, or a progress display. LogLines have all of it in the end."""

    host: str
    data: bytes


@dataclass(frozen=True, kw_only=True)
class ContainerStarted(Event):
    host: str
    container: str


@dataclass(frozen=True, kw_only=True)
class ContainerExited(Event):
    host: str
    container: str
    code: int
    oom_killed: bool = False


@dataclass(frozen=True, kw_only=True)
class Progress(Event):
    """How far a long piece of our own work is: an image pulled, a model unpacked, an archive packed."""

    task: str
    done_bytes: int
    total_bytes: int
    """0 while unknown."""


@dataclass(frozen=True, kw_only=True)
class EpochStreamed(Event):
    """A host has opened a FIFO of a Pipe channel, and it is closed again."""

    host: str
    channel: str
    epoch: int
    """From 0."""
    sent_bytes: int
    """What went into the pipe; a reader that left early has not seen the last of it."""
    whole: bool
    """False when the reader left, or the job ended, before everything was sent."""


@dataclass(frozen=True, kw_only=True)
class MetricRecorded(Event):
    """A metric regex met a log line."""

    name: str
    value: float
    host: str = ""
    step: int = 0
    """The how manieth value of this metric on this host, from 1 on."""


@dataclass(frozen=True, kw_only=True)
class ArtifactPacked(Event):
    """`model.tar.gz` or `output.tar.gz` is complete."""

    name: str
    path: str
    members: int
    packed_bytes: int
    skipped: Mapping[str, str] = field(default_factory=dict)
    """What was left out, and why."""
    clashes: tuple[str, ...] = ()
    """Names that several hosts wrote; the first host's file is kept."""


@dataclass(frozen=True, kw_only=True)
class Pinged(Event):
    """One health check of an endpoint's container."""

    status: int | None
    seconds: float
    failure: str = ""
    host: str = ""


@dataclass(frozen=True, kw_only=True)
class Invoked(Event):
    """One finished invocation."""

    path: str
    status: int
    original_status: int | None
    model_seconds: float
    overhead_seconds: float
    bytes_in: int
    bytes_out: int
    failure: str = ""
    variant: str = ""
    """Who was asked; a shadow variant's status is 0, since its answer is given to nobody."""


@dataclass(frozen=True, kw_only=True)
class ModelLoaded(Event):
    """A multi-model container has loaded a model."""

    target_model: str
    model_name: str
    """The container's name of it."""
    seconds: float
    bytes: int
    """Unpacked."""


@dataclass(frozen=True, kw_only=True)
class ModelUnloaded(Event):
    """A multi-model container has unloaded a model."""

    target_model: str
    model_name: str
    reason: str
    """`evicted` for another model's sake, `disk` for its files, `not-cached` with ModelCacheSetting Disabled."""


@dataclass(frozen=True, kw_only=True)
class Warned(Event):
    """Something that the user should know, though the run goes on."""

    message: str


@dataclass(frozen=True, kw_only=True)
class Noted(Event):
    """What is going on while there is nothing to do but wait."""

    message: str


@dataclass(frozen=True, kw_only=True)
class JobLaunched(Event):
    """A tuning job launched a training job."""

    job: str
    number: int
    hyperparameters: Mapping[str, str]
    """Those that were searched for."""


@dataclass(frozen=True, kw_only=True)
class JobEvent(Event):
    """What happened in one training job of a tuning job."""

    job: str
    number: int
    event: Event


@dataclass(frozen=True, kw_only=True)
class JobEnded(Event):
    """A training job of a tuning job is over."""

    job: str
    number: int
    status: str
    objective: float | None
    """None when it never printed the objective metric."""
    best: bool = False
    """Whether it is the best so far."""
    early_stopped: bool = False
    failure_reason: str = ""


class Listener(Protocol):
    """Hears every event of one run, one at a time, in order, from whichever thread it happened in."""

    def __call__(self, event: Event) -> None: ...


class PatientListener(Listener, Protocol):
    """A listener to whom what came together, such as a busy endpoint's invocations, may be told together."""

    def hear_all(self, events: Sequence[Event]) -> None:
        """Hear events, in order."""
