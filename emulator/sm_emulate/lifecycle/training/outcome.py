"""How a training job ended, from how its containers ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sm_emulate.spec import wordings
from sm_emulate.spec.training_job import LAYOUT, SecondaryStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sm_emulate.engine.protocol import Exit
    from sm_emulate.spec.settings import Settings
    from sm_emulate.staging.tree import StagedTree


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The last status of a job, its message, and the FailureReason if it failed."""

    secondary: SecondaryStatus
    message: str
    failure_reason: str | None = None

    @classmethod
    def none(cls) -> Outcome:
        """The outcome of a job that still runs."""
        return cls(secondary=SecondaryStatus.STARTING, message="")


def outcome_of(
    *,
    exits: Mapping[str, Exit],
    refused: str | None,
    companions: str | None = None,
    trees: Mapping[str, StagedTree],
    stopped: bool,
    timed_out: bool,
    waited: bool = False,
    settings: Settings,
) -> Outcome:
    """Judge a job.

    Args:
        exits: how each host ended, in the order in which they did.
        refused: the engine's words if a program could not be started at all.
        companions: the FailureReason of what works beside the containers, if it failed.
        trees: each host's files, for `/opt/ml/output/failure`.
        stopped: somebody asked for a stop.
        timed_out: MaxRuntimeInSeconds has passed.
        waited: MaxWaitTimeInSeconds has passed.
        settings: what is unsure.
    """
    if refused is not None:
        return failed_by(wordings.cannot_start(refused))
    if companions is not None:
        return failed_by(companions)
    failed = [host for host, end in exits.items() if end.code != 0]
    if waited:
        return waited_too_long()
    if timed_out:
        return Outcome(secondary=SecondaryStatus.MAX_RUNTIME_EXCEEDED, message=wordings.MAX_RUNTIME_EXCEEDED)
    if stopped and not (failed and settings.text("stop-nonzero-exit") == "Failed"):
        return Outcome(secondary=SecondaryStatus.STOPPED, message=wordings.STOPPED)
    if failed:
        host = failed[0] if settings.text("failure-host") == "first-to-fail" else min(failed, key=_number)
        return failed_by(_reason(exits[host], _failure_text(trees[host]), settings))
    if settings.text("failure-file-on-exit-zero") == "fails-job":
        for tree in trees.values():
            if text := _failure_text(tree):
                return failed_by(wordings.algorithm_error(text, 0))
    return Outcome(secondary=SecondaryStatus.COMPLETED, message=wordings.COMPLETED)


def failed_by(reason: str) -> Outcome:
    """Give the outcome of a job that failed for this FailureReason."""
    return Outcome(secondary=SecondaryStatus.FAILED, message=wordings.FAILED, failure_reason=reason)


def waited_too_long() -> Outcome:
    """Give the outcome of a spot job that did not end within MaxWaitTimeInSeconds."""
    return Outcome(secondary=SecondaryStatus.MAX_WAIT_TIME_EXCEEDED, message=wordings.MAX_WAIT_TIME_EXCEEDED)


def _reason(end: Exit, text: str, settings: Settings) -> str:
    # a child that was killed for memory leaves the mark, too, though its parent may have handled it
    if end.oom_killed and end.code == 137 and settings.text("out-of-memory-reason") == "platform":
        return wordings.OUT_OF_MEMORY
    return wordings.algorithm_error(text, end.code)


def _failure_text(tree: StagedTree) -> str:
    from sm_emulate.artifacts.failure import read_failure

    return read_failure(tree.path(LAYOUT.output)) or ""


def _number(host: str) -> int:
    return int(host.rpartition("-")[2])
