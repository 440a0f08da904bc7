"""The image of a job or endpoint, here or pulled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sm_emulate.errors import ImageNotFoundError
from sm_emulate.events import Progress
from sm_emulate.spec.wordings import CANNOT_PULL_IMAGE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sm_emulate.engine.protocol import Engine, Image
    from sm_emulate.events import Listener


def find_image(engine: Engine, reference: str, listeners: Sequence[Listener] = ()) -> Image:
    """Look an image up on the engine, and pull it if it is not there; listeners hear how far that is.

    Raises:
        ImageNotFoundError: it can be had nowhere.
    """
    try:
        return engine.image(reference)
    except ImageNotFoundError:
        pass

    def tell(layer: str, done: int, total: int) -> None:
        for listener in listeners:
            listener(Progress(task=f"Pulling {reference} {layer}", done_bytes=done, total_bytes=total))

    try:
        return engine.pull(reference, tell)
    except ImageNotFoundError as error:
        raise ImageNotFoundError(
            "the image is not on this engine and cannot be pulled",
            value=reference,
            expected="an image of this engine (`docker images`), or one that its registry gives us",
            hint=error.hint,
            evidence=(*error.evidence, f"SageMaker would say: {CANNOT_PULL_IMAGE}"),
        ) from error
