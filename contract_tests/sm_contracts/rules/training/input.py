"""Hyperparameters, config files and channels."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sm_contracts.evidence.training.devices import PipeReads
from sm_contracts.evidence.training.variants import ConfigVariants, Quoting, TuningJob, TypedHyperparameters
from sm_contracts.roles import Role
from sm_contracts.rule import Fail, Inconclusive, Outcome, Severity, rule
from sm_contracts.rules.training import sources

if TYPE_CHECKING:
    from collections.abc import Iterator

_TYPE_ERROR = re.compile(r"TypeError: .*", re.IGNORECASE)


@rule(
    "SM212",
    "hyperparameter-quoting",
    severity=Severity.WARNING,
    roles=Role.TRAIN,
    needs=Quoting,
    source=sources.SDK_QUOTES,
)
def hyperparameter_quoting(quoting: Quoting) -> Iterator[Outcome]:
    r"""String hyperparameters work with JSON quotes or without them, but not both.

    What:
        A run with the sample's string hyperparameters was repeated with quotes turned: `adam` as `"adam"`, or the
        other way. One of the two completes and the other fails.

    Why:
        The console, boto3 and built-in tuning send the bare text. The SageMaker SDK JSON-encodes every value, so
        that the same hyperparameter arrives as `"\"adam\""`. Which of them an image meets is up to its caller.

    Fix:
        Read every value with a fallback: `try: value = json.loads(text)`, `except ValueError: value = text`.
    """
    if quoting.plain.completed != quoting.quoted.completed:
        worse = quoting.quoted if quoting.plain.completed else quoting.plain
        works = "as they were given" if quoting.plain.completed else "with their quotes turned"
        yield Fail(
            f"string hyperparameters ({', '.join(quoting.names)}) work only {works}; otherwise training "
            f"{worse.outcome}",
            worse.as_evidence(),
        )


@rule(
    "SM213",
    "unknown-hyperparameter",
    severity=Severity.WARNING,
    roles=Role.TRAIN,
    needs=TuningJob,
    source=sources.TUNING,
)
def unknown_hyperparameter(tuning: TuningJob) -> Iterator[Outcome]:
    """Training fails in a tuning job.

    What:
        A run with one more hyperparameter, `_tuning_objective_metric`, fails.

    Why:
        Automatic model tuning adds this hyperparameter to every job it starts. Programs that turn hyperparameters
        into arguments of a strict parser, or into fields of a class, fail on it.

    Fix:
        Skip names that begin with `_tuning` or `sagemaker_`, or use `parser.parse_known_args()`.
    """
    if not tuning.run.completed:
        yield Fail(
            f"with the hyperparameter _tuning_objective_metric training {tuning.run.outcome}",
            tuning.run.as_evidence(),
        )


@rule(
    "SM226",
    "typed-hyperparameters",
    severity=Severity.ERROR,
    roles=Role.TRAIN,
    needs=TypedHyperparameters,
    source=sources.RUNNING,
)
def typed_hyperparameters(hyperparameters: TypedHyperparameters) -> Iterator[Outcome]:
    """Training takes hyperparameters for numbers.

    What:
        Training fails on the sample's hyperparameters, and does not fail when numbers and booleans are written into
        hyperparameters.json as such.

    Why:
        Every value in hyperparameters.json is a string, whatever it was in the request: `{"epochs":"3"}`.

    Fix:
        Convert where it is read: `epochs = int(hyperparameters["epochs"])`.
    """
    strings, typed = hyperparameters.strings, hyperparameters.typed
    if strings.completed:
        return
    if typed is not None and typed.completed:
        said = _TYPE_ERROR.findall(strings.text)
        yield Fail(
            f"training {strings.outcome} because hyperparameters are strings"
            + (f": {said[-1]}" if said else "; with numbers in their place it completes"),
            strings.as_evidence(),
        )
    else:
        yield Inconclusive("training on the sample data fails for another reason; see SM202")


@rule(
    "SM219",
    "empty-config",
    severity=Severity.ERROR,
    roles=Role.TRAIN,
    needs=ConfigVariants,
    source=sources.RUNNING,
)
def empty_config(variants: ConfigVariants) -> Iterator[Outcome]:
    """Training fails on config files that are empty, or have more in them than it knows.

    What:
        A run fails with `{}` as hyperparameters, with `"topology":null` in resourceconfig.json, or with keys in the
        config files that no documentation names.

    Why:
        A job without hyperparameters has `{}`. The platform's files grow: `topology` came without notice in 2025 and
        is null on most instances; other keys will follow. A program that takes absence or null for an error, or
        refuses unknown keys, fails from one day to the next.

    Fix:
        Use defaults (`hyperparameters.get("epochs", "3")`), treat null like absence, and ignore unknown keys.
    """
    for title, run in variants.runs.items():
        if not run.completed:
            yield Fail(f"with {title} training {run.outcome}", run.as_evidence())


@rule(
    "SM222",
    "pipe-not-read",
    severity=Severity.ERROR,
    roles=Role.TRAIN,
    needs=PipeReads,
    source=sources.DATA,
)
def pipe_not_read(pipes: PipeReads) -> Iterator[Outcome]:
    """A Pipe channel is never opened.

    What:
        A channel was given in Pipe mode, and during the whole run nobody opened `/opt/ml/input/data/<channel>_0`.

    Why:
        In Pipe mode there is no folder for the channel. Its data comes through a FIFO named `<channel>_<epoch>`,
        from 0 upward. A pipe that is not drained fails the job after about an hour with `Platform Error: SageMaker
        pipe channel timed out`.

    Fix:
        Open `/opt/ml/input/data/<channel>_0` for reading, read it to its end, and go on with `_1` for the next
        epoch; wait for a FIFO that is not there yet. Or use FastFile mode.
    """
    for channel, opened in pipes.opened.items():
        if not opened:
            yield Fail(
                f"nobody opened /opt/ml/input/data/{channel}_0; training {pipes.run.outcome}",
                {"channel": channel} | pipes.run.as_evidence(),
            )
