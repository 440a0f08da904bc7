"""Whether processing starts, how it ends, and what it takes for granted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sm_contracts.evidence.processing import ProcessingEnd, ProcessingStart, TrainingHabits
from sm_contracts.roles import Role
from sm_contracts.rule import Fail, Inconclusive, Outcome, Pass, Severity, rule
from sm_contracts.rules.processing import sources

if TYPE_CHECKING:
    from collections.abc import Iterator


@rule(
    "SM701",
    "does-not-start",
    severity=Severity.ERROR,
    roles=Role.PROCESSING,
    needs=ProcessingStart,
    source=sources.RUN,
)
def does_not_start(start: ProcessingStart) -> Iterator[Outcome]:
    """The processing container cannot be started.

    What:
        The container was made as `docker run IMAGE` makes it, and the engine could not run its program, or the image
        names none.

    Why:
        A processing job runs the image's own ENTRYPOINT and CMD and appends no word. If there is no such program, or
        it is not executable or of another architecture, the job fails before it has done anything.

    Fix:
        Give the image an exec-form ENTRYPOINT, or a CMD; or give ContainerEntrypoint with every job. Check the
        program's first line (`#!`), its line ends (no CR), and that the image is built for linux/amd64.
    """
    if not start.run.started:
        words = start.run.start_error or "the program never ran"
        yield Fail(f"the processing container cannot be started: {words}", start.run.as_evidence())


@rule(
    "SM702",
    "processing-failed",
    severity=Severity.ERROR,
    roles=Role.PROCESSING,
    needs=ProcessingEnd,
    source=sources.RUN,
)
def processing_failed(end: ProcessingEnd) -> Iterator[Outcome]:
    """Processing fails on the sample data.

    What:
        With the inputs that were given, the program exits with a code other than 0, also when it is given a training
        job's variables and folders.

    Why:
        A processing job completes if all containers exit with 0, and fails if one does not. Nothing else counts:
        /opt/ml/output/failure is not read.

    Fix:
        The evidence has the last lines of the log and the exit message. Run it again by itself with
        `sm-emulate process IMAGE --input NAME=PATH`. If the sample data is what is wrong, give other data.
    """
    run = end.run
    if run.completed:
        yield Pass({"seconds": round(run.seconds, 2)})
    elif end.blamed:
        yield Inconclusive(
            f"processing {run.outcome} for a reason of its own: see {' and '.join(end.blamed)}"
        )
    elif not end.sample_data:
        yield Inconclusive(
            f"processing without any data {run.outcome}", "give sample data with --input NAME=PATH"
        )
    else:
        yield Fail(f"processing the sample data {run.outcome}", run.as_evidence())


@rule(
    "SM706",
    "needs-training-environment",
    severity=Severity.WARNING,
    roles=Role.PROCESSING,
    needs=TrainingHabits,
    source=sources.CONFIG,
)
def needs_training_environment(habits: TrainingHabits) -> Iterator[Outcome]:
    """Processing needs what only a training job has.

    What:
        The program fails as the platform runs it, and completes with TRAINING_JOB_NAME, SM_* variables, /opt/ml/input
        and /opt/ml/model.

    Why:
        A processing container has none of them. Its environment is what the request says, AWS_REGION and the address
        of the role's credentials; who the job is stands in /opt/ml/config/processingjobconfig.json, which hosts there
        are in /opt/ml/config/resourceconfig.json, and data lies below /opt/ml/processing.

    Fix:
        Read /opt/ml/config, take paths from arguments or the Environment of the request, and write to the LocalPath
        of an output. A program that serves both kinds of jobs looks which of the two folders is there.
    """
    eased = habits.with_training
    if eased is not None and eased.completed:
        yield Fail(
            f"processing {habits.run.outcome}, and completes with a training job's variables and folders",
            habits.run.as_evidence(),
        )
    elif eased is not None:
        yield Inconclusive("processing fails with and without them; see SM702")
