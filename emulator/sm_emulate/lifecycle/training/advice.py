"""What a person should know about a training job that is over, beyond SageMaker's own words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sm_emulate.lifecycle.advice import is_ordinary, words_about_the_start
from sm_emulate.spec.training_job import LAYOUT, SecondaryStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sm_emulate.engine.protocol import Image
    from sm_emulate.lifecycle.training.archives import Archives
    from sm_emulate.lifecycle.training.outcome import Outcome
    from sm_emulate.spec.settings import Settings

_NOT_ON_PATH = re.compile(
    r"executable file not found|no such file or directory|permission denied", re.IGNORECASE
)


def advice(
    outcome: Outcome,
    *,
    image: Image,
    settings: Settings,
    archives: Archives,
    refused: str | None,
    last_words: Iterable[bytes],
) -> Iterator[str]:
    """Give sentences that help.

    Args:
        outcome: how the job ended.
        image: what ran.
        settings: what is unsure about the platform.
        archives: what was packed.
        refused: the engine's words if the program could not be started.
        last_words: the end of each host's log.
    """
    failed = outcome.secondary is SecondaryStatus.FAILED
    if refused is not None and _NOT_ON_PATH.search(refused):
        yield "expected: an ENTRYPOINT that takes the argument `train`, or an executable `train` on PATH"
    if failed:
        yield from words_about_the_start(last_words)
    empty = (
        outcome.secondary is SecondaryStatus.COMPLETED and archives.model is None and not archives.model_uri
    )
    if empty:
        yield f"nothing was written to {LAYOUT.model}: there is no model.tar.gz"
    mode = settings.number("config-directory-mode")
    if (empty or failed) and refused is None and is_ordinary(image.user) and mode & 0o005 != 0o005:
        yield (
            f"the image's USER is {image.user}: it cannot read {LAYOUT.config}, whose mode is {mode:04o} as on the "
            "platform; --setting config-directory-mode=0755 shows whether that is the reason"
        )
