"""What a person should know about a processing job that is over, beyond SageMaker's own words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sm_emulate.lifecycle.advice import is_ordinary, words_about_the_start
from sm_emulate.spec.processing_job import PROCESSING_LAYOUT, ProcessingJobStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sm_emulate.engine.protocol import Image
    from sm_emulate.lifecycle.processing.outcome import ProcessingOutcome
    from sm_emulate.request.processing import ProcessingRequest
    from sm_emulate.staging.tree import StagedTree


def advice(
    outcome: ProcessingOutcome,
    request: ProcessingRequest,
    *,
    image: Image,
    trees: Sequence[StagedTree],
    refused: str | None,
    last_words: Iterable[bytes],
) -> Iterator[str]:
    """Give sentences that help.

    Args:
        outcome: how the job ended.
        request: what was asked for.
        image: what ran.
        trees: each host's files.
        refused: the engine's words if the program could not be started.
        last_words: the end of each host's log.
    """
    layout = PROCESSING_LAYOUT
    failed = outcome.status is ProcessingJobStatus.FAILED
    if refused is not None:
        yield (
            "expected: an ENTRYPOINT or a CMD that can be run, or ContainerEntrypoint: a processing job appends no word"
        )
        return
    if failed:
        yield from words_about_the_start(last_words)
    if any(tree.path(f"{layout.output}/failure").exists() for tree in trees):
        yield (
            f"{layout.output}/failure is not read in a processing job: the exit code says whether it failed, and "
            f"{layout.message} becomes ExitMessage"
        )
    for name, output in request.managed_outputs:
        folders = [tree.path(output.local_path) for tree in trees]
        if not failed and not any(folder.is_dir() and any(folder.iterdir()) for folder in folders):
            yield f"output {name} is empty: nothing was written to {output.local_path}"
    mode = trees[0].config_mode
    if failed and is_ordinary(image.user) and mode & 0o005 != 0o005:
        yield (
            f"the image's USER is {image.user}: it cannot read {layout.config}, whose mode is {mode:04o} as on the "
            "platform, nor write to what belongs to root; --setting config-directory-mode=0755 shows whether the "
            "first is the reason"
        )
