"""What brings a processing job's inputs: objects are looked up, fetched, and shared out among the hosts."""

from __future__ import annotations

import os
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

from sm_emulate.errors import RequestError
from sm_emulate.lifecycle.companion import Companion
from sm_emulate.lifecycle.download import Told, ended_early
from sm_emulate.staging.channel_data import shard
from sm_emulate.staging.processing_data import objects_of
from sm_emulate.storage.linked import copy
from sm_emulate.storage.object_cache import FetchStopped, object_cache
from sm_emulate.storage.s3_store import S3Store
from sm_emulate.storage.trouble import told

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from sm_emulate.lifecycle.processing.companions import ProcessingSurroundings
    from sm_emulate.request.processing import S3Input
    from sm_emulate.staging.channel_data import ChannelData
    from sm_emulate.storage.objects import StoredObject


class Inputs(Companion):
    """Copies to each host what it gets. The copies are the container's own: it may write to them."""

    def __init__(self, around: ProcessingSurroundings, inputs: Iterable[tuple[str, S3Input]]) -> None:
        self._around, self._inputs = around, tuple(inputs)
        self._cache = object_cache(os.environ)
        self._open = ExitStack()
        self._made: list[Path] = []

    def prepare(self) -> None:
        """Bring them all; a stop that is asked for meanwhile is obeyed.

        Raises:
            PlatformFailure: something cannot be brought.
        """
        with ended_early():
            for name, source in self._inputs:
                self._bring(name, source)

    def close(self) -> None:
        """Remove the copies: what they were made from is still there."""
        self._open.close()
        for each in self._made:
            with suppress(OSError):
                each.unlink()

    def _bring(self, name: str, source: S3Input) -> None:
        around = self._around
        data = objects_of(source, s3=around.platform.s3)
        hosts = list(around.trees)
        sharded = source.distribution != "FullyReplicated" and len(hosts) > 1
        parts = {
            host: shard(data.objects, host=host, hosts=hosts, settings=around.platform.settings)
            if sharded
            else data.objects
            for host in hosts
        }
        if isinstance(data.store, S3Store):
            self._fetch(name, data.store, data.objects)
        for host, objects in parts.items():
            self._place(data, around.trees[host].path(source.local_path), objects)

    def _fetch(self, name: str, store: S3Store, objects: Sequence[StoredObject]) -> None:
        with told("the cache cannot be written", self._cache.folder):
            self._open.enter_context(self._cache.held())
            missing = self._cache.missing(store, list(dict.fromkeys(objects)))
        total = sum(found.size for found in missing)
        tell = Told(self._around.publish, f"Downloading {name}", total)
        self._cache.fetch(store, missing, tell=tell, stopping=self._around.stopping)

    def _place(self, data: ChannelData, folder: Path, objects: Sequence[StoredObject]) -> None:
        """Give each object its name below the LocalPath of a host."""
        with told("the input's folder cannot be made", folder):
            for found in objects:
                if self._around.stopping():
                    raise FetchStopped
                target = folder / data.path(found)
                try:
                    for parent in reversed(target.relative_to(folder).parents[:-1]):
                        if not (folder / parent).is_dir():
                            (folder / parent).mkdir()
                            (folder / parent).chmod(
                                0o755
                            )  # as on the platform, whatever the caller's umask is
                    if isinstance(data.store, S3Store):
                        copy(str(self._cache.path(data.store, found)), str(target))
                    else:
                        data.store.fetch(found, target)
                        target.chmod(0o644)
                except (FileExistsError, NotADirectoryError, IsADirectoryError) as clash:
                    raise RequestError(
                        "two objects need the same name, or one is the other's folder", value=found.uri
                    ) from clash
                self._made.append(target)
