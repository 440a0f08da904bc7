"""What brings a job's channels: objects are looked up, fetched, shared out among the hosts, or mounted."""

from __future__ import annotations

import os
import shutil
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

from sm_emulate.errors import MachineError, RequestError
from sm_emulate.events import Noted
from sm_emulate.lifecycle.companion import Companion, PlatformFailure
from sm_emulate.lifecycle.download import Told, ended_early
from sm_emulate.request.channel import S3DataSource
from sm_emulate.spec import wordings
from sm_emulate.spec.training_job import LAYOUT
from sm_emulate.staging.channel_data import channel_data, folder_of, hosts_of, is_brought, is_sharded, shard
from sm_emulate.staging.channel_folder import Origin, channel_folder
from sm_emulate.storage import s3_mount
from sm_emulate.storage.bucket_folders import BucketFolders
from sm_emulate.storage.folder_store import FolderStore
from sm_emulate.storage.linked import copy, link_or_copy
from sm_emulate.storage.object_cache import FetchStopped, object_cache
from sm_emulate.storage.s3_store import S3Store
from sm_emulate.storage.trouble import told

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from sm_emulate.lifecycle.training.companions import TrainingSurroundings
    from sm_emulate.request.training import Channel
    from sm_emulate.staging.channel_data import ChannelData
    from sm_emulate.staging.channel_folder import ChannelFolder
    from sm_emulate.storage.object_cache import ObjectCache
    from sm_emulate.storage.objects import StoredObject

    Wanted = dict[Path, tuple[ChannelFolder, Sequence[StoredObject]]]
    """What goes into which folder."""


class Channels(Companion):
    """Brings the channels whose data does not simply lie here."""

    def __init__(self, around: TrainingSurroundings, *, cache: ObjectCache | None = None) -> None:
        self._around = around
        self._cache = cache or object_cache(os.environ)
        self._open = ExitStack()
        self._folders: set[Path] = set()

    def prepare(self) -> None:
        """Bring them all; a stop that is asked for meanwhile is obeyed.

        Raises:
            PlatformFailure: something cannot be brought.
        """
        with ended_early():
            for channel in self._around.request.input_data_config:
                if is_brought(self._around.request, channel, self._around.cluster):
                    self._bring(channel)

    def close(self) -> None:
        """Unmount what was mounted and remove what was made: the cache still has it."""
        self._open.close()
        for folder in self._folders:
            shutil.rmtree(folder, ignore_errors=True)
            with suppress(OSError):  # another channel is there still
                folder.parent.rmdir()
                folder.parent.parent.rmdir()

    def _bring(self, channel: Channel) -> None:
        around, source = self._around, channel.data_source
        assert isinstance(source, S3DataSource)
        fast = around.request.input_mode(channel) == "FastFile"
        data = channel_data(source, s3=around.platform.s3, whole_folder=fast)
        hosts = hosts_of(around.request, channel, around.cluster)
        wanted: Wanted = {}
        sharded = is_sharded(around.request, channel, around.cluster)
        for host in hosts:
            tree = around.trees[host.name]
            folder = channel_folder(
                around.request,
                channel,
                cluster=around.cluster,
                host=host,
                tree=tree.folder,
                settings=around.platform.settings,
                s3=around.platform.s3,
                file_systems=around.platform.file_systems,
            )
            if folder.origin is not Origin.LOCAL:
                _write(tree.path(LAYOUT.manifest(channel.channel_name)), data.manifest())
            if folder.origin is Origin.FILLED:
                mine = (
                    shard(data.objects, host=host, hosts=hosts, settings=around.platform.settings)
                    if sharded
                    else data.objects
                )
                wanted[folder.path] = (folder, mine)
        self._folders |= set(wanted)
        if not isinstance(data.store, S3Store):
            self._place(data, wanted)
        elif not fast or not self._mounted(channel, data, wanted, sharded=sharded):
            # until the container has its own links, nobody may remove the cache
            with self._cache.held():
                self._fetch(channel, data.store, [found for _, mine in wanted.values() for found in mine])
                self._place(data, wanted)

    def _mounted(self, channel: Channel, data: ChannelData, wanted: Wanted, *, sharded: bool) -> bool:
        """Mount a FastFile channel; where that cannot be done, say so and that it is downloaded instead."""
        reason = self._why_not_mounted()
        if reason is None:
            try:
                with ExitStack() as mounts:
                    for folder, mine in wanted.values():
                        self._mount(mounts, data, folder.path, mine if sharded else None)
                    self._open.push(mounts.pop_all())
            except MachineError as error:
                reason = "; ".join((error.what, *error.evidence[-1:]))
            else:
                return True
        name = channel.channel_name
        self._around.publish(Noted(message=f"channel {name} is downloaded before the start, since {reason}"))
        return False

    def _why_not_mounted(self) -> str | None:
        run = self._around.run_folder.path
        if self._around.engine.shares(str(run)) is False:
            return "the engine does not see the mounts of this machine"
        return s3_mount.why_not()

    def _mount(
        self, mounts: ExitStack, data: ChannelData, target: Path, objects: Sequence[StoredObject] | None
    ) -> None:
        assert isinstance(data.store, S3Store)
        only = None if objects is None else [data.path(found) for found in objects]
        if only == []:
            return  # rclone would take an empty list for everything
        mounts.enter_context(s3_mount.mounted(data.store, folder_of(data.prefix), target, only=only))

    def _fetch(self, channel: Channel, store: S3Store, objects: Sequence[StoredObject]) -> None:
        with told("the cache cannot be written", self._cache.folder):
            missing = self._cache.missing(store, list(dict.fromkeys(objects)))
            total = sum(found.size for found in missing)
            if total > shutil.disk_usage(self._cache.folder).free:
                raise PlatformFailure(wordings.DOWNLOAD_OUT_OF_DISK)
        told_of = Told(self._around.publish, f"Downloading {channel.channel_name}", total)
        self._cache.fetch(store, missing, tell=told_of, stopping=self._around.stopping)

    def _place(self, data: ChannelData, wanted: Wanted) -> None:
        """Give each object its name in the channel's folder, or in each host's."""
        for folder, objects in wanted.values():
            put = link_or_copy if folder.read_only else copy
            made = {folder.path.as_posix()}
            with told("the channel's folder cannot be made", folder.path):
                for found in objects:
                    if self._around.stopping():
                        raise FetchStopped
                    target = f"{folder.path}/{data.path(found)}"
                    try:
                        _make(target.rpartition("/")[0], made)
                        put(self._source(data, found), target)
                    except (FileExistsError, NotADirectoryError, IsADirectoryError) as clash:
                        raise RequestError(
                            "two objects need the same name, or one is the other's folder", value=found.uri
                        ) from clash

    def _source(self, data: ChannelData, found: StoredObject) -> str:
        if isinstance(data.store, S3Store):
            return str(self._cache.path(data.store, found))
        assert isinstance(data.store, (FolderStore, BucketFolders))
        return data.store.local_file(found)


def _make(folder: str, made: set[str]) -> None:
    if folder not in made:
        _make(folder.rpartition("/")[0], made)
        os.mkdir(folder)  # noqa: PTH102  # names come by the thousand
        os.chmod(folder, 0o755)  # noqa: PTH101, S103  # as on the platform, whatever the caller's umask is
        made.add(folder)


def _write(manifest: Path, lines: Iterator[str]) -> None:
    with told("the channel's manifest cannot be written", manifest):
        with manifest.open("w", encoding="utf-8", errors="surrogateescape") as file:
            file.writelines(lines)
        manifest.chmod(0o644)
