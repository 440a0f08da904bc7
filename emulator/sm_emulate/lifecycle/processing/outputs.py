"""What a processing job uploads when its containers have ended: the files of each output, from all hosts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sm_emulate.artifacts.tree import Clash, Entry, LinkRule, Skipped, merge
from sm_emulate.errors import SmEmulateError
from sm_emulate.events import Warned
from sm_emulate.lifecycle.companion import PlatformFailure
from sm_emulate.spec import wordings
from sm_emulate.storage.stores import store_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from sm_emulate.events import Event
    from sm_emulate.request.processing import S3Output
    from sm_emulate.staging.tree import StagedTree
    from sm_emulate.storage.s3_place import S3Place

SHOWN_NAMES = 3


def upload_outputs(
    outputs: Iterable[tuple[str, S3Output]],
    trees: Sequence[StagedTree],
    *,
    s3: S3Place,
    publish: Callable[[Event], None],
) -> None:
    """Put the files of these outputs where the request wants them, under one prefix for all hosts.

    Symlinks are not followed. Where several hosts wrote one name, the first one's file is kept, and that is told.

    Raises:
        PlatformFailure: the store does not take it; the files stay in the run folder.
    """
    for name, output in outputs:
        left_out: dict[str, list[str]] = {}
        prefix = uri_of(output).rstrip("/")
        store = store_of(prefix, s3)
        for found in _files(output, trees):
            if isinstance(found, Skipped):
                left_out.setdefault(found.reason, []).append(found.name)
            elif isinstance(found, Clash):
                left_out.setdefault("several hosts wrote it; the first one's is kept", []).append(found.name)
            else:
                try:
                    store.put(_path(found), f"{prefix}/{found.name}")
                except SmEmulateError as error:
                    words = f"{error.what}: {error.value}" if error.value else error.what
                    raise PlatformFailure(wordings.upload_failed(words)) from error
        for reason, names in left_out.items():
            publish(Warned(message=f"output {name} is without {_some(names)}: {reason}"))


def uri_of(output: S3Output) -> str:
    """Give the URI of an output as stores take it, in which nothing is percent-encoded."""
    return output.s3_uri if output.here is None else f"file://{output.here}"


def _files(output: S3Output, trees: Sequence[StagedTree]) -> Iterator[Entry | Skipped | Clash]:
    """Find what hosts wrote, without what was only there for something to be mounted on."""
    mounted = {tree.path(each.target) for tree in trees for each in tree.placed}
    for found in merge([tree.path(output.local_path) for tree in trees], LinkRule.SKIP):
        if isinstance(found, Clash):
            if _as_path(found.left_out) not in mounted:
                yield found
        elif isinstance(found, Skipped) or (not found.is_folder and _path(found) not in mounted):
            yield found


def _path(entry: Entry) -> Path:
    return _as_path(entry.path)


def _as_path(path: str) -> Path:
    from pathlib import Path

    return Path(path)


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:SHOWN_NAMES])
    return shown if len(names) <= SHOWN_NAMES else f"{shown} and {len(names) - SHOWN_NAMES} more"
