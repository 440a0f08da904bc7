"""Stops in mid-run, and what comes after them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sm_contracts.evidence.training.stop import Resumed, Sidecars, Stopped
from sm_contracts.roles import Role
from sm_contracts.rule import Fail, Inconclusive, Outcome, Pass, Severity, rule
from sm_contracts.rules.training import sources

if TYPE_CHECKING:
    from collections.abc import Iterator

_LONGER = "give sample input that trains longer, for example --hyperparameter epochs=1000"


@rule(
    "SM207",
    "sigterm-ignored",
    severity=Severity.ERROR,
    roles=Role.TRAIN,
    needs=Stopped,
    source=sources.IMAGE,
)
def sigterm_ignored(stopped: Stopped) -> Iterator[Outcome]:
    """Training goes on after SIGTERM until it is killed.

    What:
        A run was sent SIGTERM in the middle and was still alive at the end of the stop window (120 seconds unless
        --stop-grace says otherwise).

    Why:
        StopTrainingJob, a reached MaxRuntimeInSeconds and a reclaimed spot instance all do `docker stop -t 120`:
        SIGTERM to PID 1, SIGKILL 120 seconds later. PID 1 has no default handler: what does not handle SIGTERM
        never notices it. A shell in front does not pass it on.

    Fix:
        Handle SIGTERM: save to /opt/ml/model and exit. Use the exec form of ENTRYPOINT, and `exec` in shell scripts,
        so that the program itself is PID 1.
    """
    about = _about(stopped)
    if stopped.killed:
        handler = " PID 1 has no handler for it." if stopped.handled is False else ""
        yield Fail(
            f"{stopped.window_s:g} s after SIGTERM the program was still alive and was killed.{handler}".rstrip(
                "."
            ),
            about | stopped.run.as_evidence(),
        )
    elif stopped.ended_by_itself:
        yield _too_short(stopped)
    else:
        yield Pass(about)


@rule(
    "SM208",
    "no-model-after-stop",
    severity=Severity.WARNING,
    roles=Role.TRAIN,
    needs=Stopped,
    source=sources.IMAGE,
)
def no_model_after_stop(stopped: Stopped) -> Iterator[Outcome]:
    """A stopped run leaves no model.

    What:
        A run that was sent SIGTERM in the middle ended in time, and /opt/ml/model was empty.

    Why:
        What lies in /opt/ml/model after a stop is packed and uploaded, and is a valid model. Automatic model tuning
        stops jobs early and counts on it; without it hours of training are lost.

    Fix:
        In the SIGTERM handler, or soon after it, save the model as it is to /opt/ml/model; or save the best model so
        far after every epoch.
    """
    if stopped.killed:
        yield Inconclusive("it did not end in time; see SM207")
    elif stopped.ended_by_itself:
        yield _too_short(stopped)
    elif not stopped.model_files:
        yield Fail(
            f"stopped {stopped.sent_after_s or 0:.1f} s after its start, training left /opt/ml/model empty",
            _about(stopped) | stopped.run.as_evidence(),
        )
    else:
        yield Pass({"model_files": stopped.model_files})


@rule("SM225", "no-resume", severity=Severity.WARNING, roles=Role.TRAIN, needs=Resumed, source=sources.SPOT)
def no_resume(resumed: Resumed) -> Iterator[Outcome]:
    """Training does not go on from its own checkpoints.

    What:
        A run was interrupted and started again with the checkpoints that it had left in /opt/ml/checkpoints. The
        second run did not end well.

    Why:
        With managed spot training a job is interrupted at any time and restarted with its checkpoints in place. A
        program that trips over them never completes, however often it is restarted.

    Fix:
        Write checkpoints under another name and rename them when they are whole; skip what cannot be read; start
        from the beginning where there is none.
    """
    names = list(resumed.checkpoints[:5])
    if not resumed.run.completed:
        how = "interrupted" if resumed.interrupted else "run to its end"
        yield Fail(
            f"{how} and started again with its checkpoints, training {resumed.run.outcome}",
            {"checkpoints": names} | resumed.run.as_evidence(),
        )
    else:
        yield Pass({"checkpoints": names, "interrupted": resumed.interrupted})


@rule(
    "SM224",
    "checkpoint-sidecars",
    severity=Severity.WARNING,
    roles=Role.TRAIN,
    needs=Sidecars,
    source=sources.DEBUGGER_SIDECARS,
)
def checkpoint_sidecars(sidecars: Sidecars) -> Iterator[Outcome]:
    """Training trips over the platform's upload markers.

    What:
        With files named `*.sagemaker-uploading` and `*.sagemaker-uploaded` beside its checkpoints, a run fails that
        completes without them.

    Why:
        While SageMaker copies /opt/ml/checkpoints to S3 it puts such files beside what it uploads. Programs that
        list the folder and take every name for a checkpoint fail on them, or try to load them.

    Fix:
        List by pattern (`checkpoint-*.pt`), not by folder, and expect files to come and go.
    """
    if not sidecars.run.completed:
        yield Fail(
            f"with upload markers beside its checkpoints training {sidecars.run.outcome}",
            {"markers": list(sidecars.markers[:5])} | sidecars.run.as_evidence(),
        )


def _too_short(stopped: Stopped) -> Inconclusive:
    if stopped.sent_after_s is None:
        return Inconclusive(
            f"it ended by itself after {stopped.run.seconds:.1f} s, before it could be stopped", _LONGER
        )
    return Inconclusive(
        "PID 1 has no handler for SIGTERM, so the kernel discards it; "
        f"it ended by itself {stopped.lived_on_s:.1f} s later",
        _LONGER,
    )


def _about(stopped: Stopped) -> dict[str, object]:
    return {
        "window_s": stopped.window_s,
        "sigterm_after_s": None if stopped.sent_after_s is None else round(stopped.sent_after_s, 2),
        "lived_on_s": round(stopped.lived_on_s, 2),
        "handler": stopped.handled,
    }
