"""The image of a job or endpoint, here or pulled."""

from __future__ import annotations

import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sm_emulate.engine.owner import owner_label
from sm_emulate.engine.protocol import LABEL_OWNER, LABEL_SESSION, ContainerSpec
from sm_emulate.errors import ImageNotFoundError
from sm_emulate.events import Progress
from sm_emulate.request.image import check_reference
from sm_emulate.spec.wordings import CANNOT_PULL_IMAGE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sm_emulate.engine.protocol import Engine, FileStat, Image
    from sm_emulate.events import Listener


def find_image(engine: Engine, reference: str, listeners: Sequence[Listener] = ()) -> Image:
    """Look an image up on the engine, and pull it if it is not there; listeners hear how far that is.

    Raises:
        RequestError: it is no name of an image.
        ImageNotFoundError: it can be had nowhere.
    """
    check_reference(reference)
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


@dataclass(frozen=True)
class ImageFiles:
    """The files of an image, read without running anything; any thread may ask."""

    engine: Engine
    container: str
    """Made and never started."""

    def stat(self, path: str) -> FileStat | None:
        """Look at one path; a link itself, not what it points to."""
        return self.engine.stat(self.container, path)

    def follow(self, path: str) -> FileStat | None:
        """Look at what a path leads to, links followed inside the image; None if it leads nowhere."""
        found = self.stat(path)
        return found if found is None or found.kind != "link" else self.stat(found.target)

    def read(self, path: str, limit: int) -> bytes | None:
        """Give the first bytes of a file, links followed; None if there is no such file."""
        return self.engine.read(self.container, path, limit)

    def walk(self, under: str = "/") -> Iterator[FileStat]:
        """List everything at and below a folder, links themselves; stop whenever you have seen enough."""
        return self.engine.files(self.container, under)


@contextmanager
def open_image(engine: Engine, reference: str) -> Iterator[ImageFiles]:
    """Open an image's files; works for any image, `FROM scratch` too, because nothing of it is run."""
    container = engine.create(
        ContainerSpec(
            image=reference,
            # Docker wants some command, and this one is never run
            entrypoint=("/never-started",),
            network="none",
            labels={LABEL_SESSION: str(uuid.uuid4()), LABEL_OWNER: owner_label()},
        )
    )
    try:
        yield ImageFiles(engine, container)
    finally:
        engine.remove(container)
