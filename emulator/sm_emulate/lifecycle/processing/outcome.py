"""How a processing job ended, from how its containers ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sm_emulate.artifacts.exit_message import NotTextError, exit_message
from sm_emulate.lifecycle.attempt import Stop
from sm_emulate.spec import wordings
from sm_emulate.spec.processing_job import PROCESSING_LAYOUT, ProcessingJobStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sm_emulate.engine.protocol import Exit
    from sm_emulate.spec.settings import Settings
    from sm_emulate.staging.tree import StagedTree


@dataclass(frozen=True, kw_only=True)
class ProcessingOutcome:
    """The last status of a job, the FailureReason if it failed, and what its containers left to say."""

    status: ProcessingJobStatus
    failure_reason: str | None = None
    exit_message: str | None = None

    @property
    def message(self) -> str:
        """Say it on a terminal."""
        return {
            ProcessingJobStatus.COMPLETED: wordings.PROCESSING_COMPLETED,
            ProcessingJobStatus.STOPPED: wordings.PROCESSING_STOPPED,
        }.get(self.status, wordings.PROCESSING_FAILED)


def failed_by(reason: str, exit_message: str | None = None) -> ProcessingOutcome:
    """Give the outcome of a job that failed for this FailureReason."""
    return ProcessingOutcome(
        status=ProcessingJobStatus.FAILED, failure_reason=reason, exit_message=exit_message
    )


def outcome_of(
    *,
    exits: Mapping[str, Exit],
    refused: str | None,
    companions: str | None,
    trees: Mapping[str, StagedTree],
    stop: Stop | None,
    settings: Settings,
) -> ProcessingOutcome:
    """Judge a job. /opt/ml/output/failure plays no part.

    Args:
        exits: how each host ended, in the order in which they did.
        refused: the engine's words if a program could not be started at all.
        companions: the FailureReason of what works beside the containers, if it failed.
        trees: each host's files, for `/opt/ml/output/message`.
        stop: why the containers were stopped; None when they ended by themselves.
        settings: what is unsure.
    """
    try:
        message = exit_message(tree.path(PROCESSING_LAYOUT.output) for tree in trees.values())
    except NotTextError:
        message = None
        not_text = True
    else:
        not_text = False
    failed = [end for end in exits.values() if end.code != 0]
    if refused is not None:
        return failed_by(wordings.cannot_start(refused), message)
    if companions is not None:
        return failed_by(companions, message)
    stopped = stop in (Stop.ASKED, Stop.MAX_RUNTIME)
    if failed and not (stopped and settings.text("stop-nonzero-exit") == "Stopped"):
        return failed_by(_reason(failed[0], settings), message)
    if not_text:
        return failed_by(wordings.EXIT_MESSAGE_NOT_UTF8)
    if stop is Stop.MAX_RUNTIME and settings.text("processing-max-runtime-status") == "Failed":
        return failed_by(wordings.PROCESSING_TIMED_OUT, message)
    if stopped:
        return ProcessingOutcome(status=ProcessingJobStatus.STOPPED, exit_message=message)
    return ProcessingOutcome(status=ProcessingJobStatus.COMPLETED, exit_message=message)


def _reason(end: Exit, settings: Settings) -> str:
    # a child that was killed for memory leaves the mark, too, though its parent may have handled it
    if end.oom_killed and end.code == 137 and settings.text("out-of-memory-reason") == "platform":
        return wordings.OUT_OF_MEMORY
    return wordings.PROCESSING_FAILURE
