"""A model that is uploaded as it is: OutputDataConfig's CompressionType NONE."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sm_emulate.artifacts.tree import Clash, Entry, LinkRule, Skipped, merge
from sm_emulate.storage.folder_store import FolderStore

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from sm_emulate.storage.objects import ObjectStore

_THREADS = 8


@dataclass(frozen=True, kw_only=True)
class Uploaded:
    """What was put where."""

    files: int
    size: int
    skipped: tuple[Skipped, ...]
    clashes: tuple[Clash, ...]


def upload_files(
    folders: Sequence[Path],
    target: str,
    store: ObjectStore,
    *,
    links: LinkRule,
    progress: Callable[[int], None],
) -> Uploaded:
    """Put each file of some hosts' folders below a URI, several at a time.

    Args:
        folders: the same folder of each host. A name that two hosts have is the first one's.
        target: a URI that ends in a slash.
        store: where it lies.
        links: what becomes of symlinks; where they would be kept they are followed, as an object cannot be a link.
        progress: called with the bytes put so far.

    Raises:
        SmEmulateError: something cannot be read or put.
    """
    from concurrent.futures import ThreadPoolExecutor
    from pathlib import Path

    found = list(merge(folders, LinkRule.FOLLOW if links is LinkRule.KEEP else links))
    files = [each for each in found if isinstance(each, Entry) and not each.is_folder]
    done = 0

    def put(entry: Entry) -> int:
        store.put(Path(entry.path), target + entry.name)
        return os.stat(entry.path).st_size  # noqa: PTH116  # names are strings here

    with ThreadPoolExecutor(1 if isinstance(store, FolderStore) else _THREADS) as pool:
        for size in pool.map(put, files):
            done += size
            progress(done)
    return Uploaded(
        files=len(files),
        size=done,
        skipped=tuple(each for each in found if isinstance(each, Skipped)),
        clashes=tuple(each for each in found if isinstance(each, Clash)),
    )
