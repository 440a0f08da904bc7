"""Whether training starts, and how it ends."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sm_contracts.evidence.training.ending import Endings, Failures, TrainingEnd, TrainingLog, TrainingStart
from sm_contracts.roles import Role
from sm_contracts.rule import Fail, Inconclusive, Outcome, Pass, Severity, rule
from sm_contracts.rules.training import sources

if TYPE_CHECKING:
    from collections.abc import Iterator

_NOT_THE_DATA = re.compile(
    r"ModuleNotFoundError|ImportError|SyntaxError|NameError|error while loading shared libraries"
    r"|cannot open shared object file|symbol lookup error|GLIBC_|command not found|Illegal instruction"
    r"|ClassNotFoundException|NoClassDefFoundError|Cannot find module"
)
"""Failures that no sample data would mend."""
_SHOWN = 1024


@rule(
    "SM201",
    "train-does-not-start",
    severity=Severity.ERROR,
    roles=Role.TRAIN,
    needs=TrainingStart,
    source=sources.IMAGE,
)
def train_does_not_start(start: TrainingStart) -> Iterator[Outcome]:
    """The training container cannot be started.

    What:
        The container was made as `docker run IMAGE train` makes it, and the engine could not run its program.

    Why:
        SageMaker keeps the image's ENTRYPOINT and passes it the one word `train` in place of CMD. With no ENTRYPOINT
        a program called `train` is looked for on the image's PATH. If it is not there, is not executable, or is of
        another architecture, the job fails with `OCI runtime create failed` or `exec format error`.

    Fix:
        Give the image an exec-form ENTRYPOINT, or put an executable named `train` on its PATH:
        `COPY --chmod=755 train /usr/local/bin/train`. Check its first line (`#!`), its line ends (no CR), and that
        the image is built for linux/amd64.
    """
    if not start.run.started:
        words = start.run.start_error or "the program never ran"
        yield Fail(f"the training container cannot be started: {words}", start.run.as_evidence())


@rule(
    "SM202",
    "train-failed",
    severity=Severity.ERROR,
    roles=Role.TRAIN,
    needs=TrainingEnd,
    source=sources.SIGNALS,
)
def train_failed(end: TrainingEnd) -> Iterator[Outcome]:
    """Training fails on the sample data.

    What:
        With the channels and hyperparameters that were given, the program exits with a code other than 0, also when
        it is given more shared memory, open permissions and its host name.

    Why:
        A program that exits 0 makes the job Completed; any other exit code makes it Failed.

    Fix:
        The evidence has the last lines of the log and the failure text. Run it again by itself with
        `sm-emulate train IMAGE --channel NAME=PATH`. If the sample data is what is wrong, give other data.
    """
    run = end.run
    if run.completed:
        yield Pass({"seconds": round(run.seconds, 2)})
    elif end.blamed:
        yield Inconclusive(f"training {run.outcome} for a reason of its own: see {' and '.join(end.blamed)}")
    elif not end.sample_data and not _NOT_THE_DATA.search(run.text):
        yield Inconclusive(
            f"training without any data {run.outcome}", "give sample data with --channel NAME=PATH"
        )
    else:
        yield Fail(f"training on the sample data {run.outcome}", run.as_evidence())


@rule(
    "SM204",
    "silent-failure",
    severity=Severity.WARNING,
    roles=Role.TRAIN,
    needs=Failures,
    source=sources.OUTPUT,
)
def silent_failure(failures: Failures) -> Iterator[Outcome]:
    """Training fails without saying why.

    What:
        A run failed (on the sample data, or on empty channels) and there was nothing in /opt/ml/output/failure.

    Why:
        The first 1024 characters of that file become the FailureReason of the job. Without it DescribeTrainingJob
        and every tool above it say `AlgorithmError: , exit code: 1`, and somebody has to look for the log.

    Fix:
        Catch every exception at the top of the program, write it to /opt/ml/output/failure, and exit with a code
        other than 0.
    """
    for run in failures.runs:
        if not (run.failure or b"").strip():
            yield Fail(f"{run.way}, training {run.outcome} and wrote no failure file", run.as_evidence())
            return


@rule(
    "SM205",
    "swallowed-failure",
    severity=Severity.ERROR,
    roles=Role.TRAIN,
    needs=Endings,
    source=sources.SIGNALS,
)
def swallowed_failure(endings: Endings) -> Iterator[Outcome]:
    """Training fails and reports success.

    What:
        A run (on the sample data, or on empty channels) wrote /opt/ml/output/failure, or ended its log in a
        traceback (its stderr, if it left no model), and yet exited with code 0.

    Why:
        The exit code alone decides: the job is Completed, a pipeline goes on with no model or half a model, and the
        failure file is ignored.

    Fix:
        Let the exception leave the program after it is written down, or call `sys.exit(1)`. In a shell script use
        `set -e`, and `exec` the program so that its exit code is the container's.
    """
    for run in endings.runs:
        if sign := run.hidden_failure:
            yield Fail(f"{run.way}, {sign}, and yet it ended with exit code 0", run.as_evidence())
            return


@rule(
    "SM206",
    "failure-text",
    severity=Severity.INFO,
    roles=Role.TRAIN,
    needs=Failures,
    source=sources.OUTPUT,
)
def failure_text(failures: Failures) -> Iterator[Outcome]:
    """The failure text is cut or garbled.

    What:
        A failed run wrote more than 1024 characters to /opt/ml/output/failure, or bytes that are not UTF-8.

    Why:
        FailureReason is at most 1024 characters; the rest is cut off, which with a traceback is the exception itself.

    Fix:
        Write the exception first and the traceback behind it, in UTF-8, and no more than 1024 characters.
    """
    written = [run for run in failures.runs if run.failure]
    if not written:
        yield Inconclusive("no failed run wrote a failure text; see SM204")
    for run in written:
        data = run.failure or b""
        try:
            length = len(data.decode("utf-8"))
        except UnicodeDecodeError as error:
            yield Fail(
                f"the failure text is not UTF-8: byte {data[error.start]:#04x} at {error.start}",
                run.as_evidence(),
            )
            return
        if length > _SHOWN:
            yield Fail(
                f"the failure text has {length} characters, of which {_SHOWN} are shown",
                run.as_evidence() | {"characters": length},
            )
            return


@rule(
    "SM221",
    "no-logs",
    severity=Severity.WARNING,
    roles=Role.TRAIN,
    needs=TrainingLog,
    source=sources.LOGS,
)
def no_logs(log: TrainingLog) -> Iterator[Outcome]:
    """Training says nothing.

    What:
        A whole run wrote not one byte to stdout or stderr.

    Why:
        CloudWatch gets what the container writes to stdout and stderr, and nothing else. A job without a log cannot
        be followed, gives no metrics, and leaves nothing to look at when it fails.

    Fix:
        Print to stdout, unbuffered (`ENV PYTHONUNBUFFERED=1`). Log frameworks that write to a file need a handler
        for the console.
    """
    if not log.bytes:
        yield Fail("nothing was written to stdout or stderr", {"bytes": 0})
    else:
        yield Pass({"bytes": log.bytes})
