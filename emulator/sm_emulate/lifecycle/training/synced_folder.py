"""Checkpoints, tensors, TensorBoard and profiler files: a folder of each host, kept like a place in S3."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sm_emulate.errors import SmEmulateError
from sm_emulate.events import Warned
from sm_emulate.lifecycle.companion import PlatformFailure
from sm_emulate.lifecycle.uploader import UploadedFolder, Uploader
from sm_emulate.spec import wordings
from sm_emulate.spec.training_job import LAYOUT
from sm_emulate.staging.synced import CHECKPOINTS, synced_paths
from sm_emulate.storage.mirror import Mirror
from sm_emulate.storage.stores import store_of
from sm_emulate.storage.walk import delete_tree

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sm_emulate.lifecycle.companion import Companion
    from sm_emulate.lifecycle.training.companions import TrainingSurroundings
    from sm_emulate.staging.synced import SyncedPath


def synced_folders(around: TrainingSurroundings) -> Iterator[Companion]:
    """Give a companion for each folder that the job keeps like a place in S3."""
    for path in synced_paths(around.request, around.platform.settings):
        yield SyncedFolder(path, around)


class SyncedFolder(UploadedFolder):
    """One such folder, on every host. All hosts share one prefix, as on the platform."""

    def __init__(self, path: SyncedPath, around: TrainingSurroundings) -> None:
        self._path, self._around = path, around
        store = store_of(path.uri, around.platform.s3)
        super().__init__(
            {
                host: Uploader(
                    Mirror(tree.mounted(path.inside), store, path.uri, markers=True, deletes=path.both_ways),
                    hand_back=around.hand_back,
                    publish=around.publish,
                )
                for host, tree in around.trees.items()
            },
            left_out=lambda file, host, reason: f"{path.inside}/{file} of {host} was not uploaded: {reason}",
            publish=around.publish,
        )

    def prepare(self) -> None:
        """Bring back what was kept, and list it in checkpoints-manifest."""
        if not self._path.both_ways:
            self._ask()
            return
        for host, each in self._hosts.items():
            try:
                found = each.mirror.fetch(stopped=self._around.stopping)
            except SmEmulateError as error:
                raise PlatformFailure(wordings.download_failed(error.what)) from error
            prefix = self._path.uri.removeprefix("file:///")
            if prefix.startswith("s3://"):
                prefix = prefix.removeprefix("s3://").partition("/")[2]
            manifest = self._around.trees[host].path(LAYOUT.manifest(CHECKPOINTS))
            lines = [prefix, *found]
            manifest.write_text("".join(f"{line}\n" for line in lines), "utf-8", "surrogateescape")
            manifest.chmod(0o644)

    def _ask(self) -> None:
        """Find out now, and not when the job has run for hours, that nothing can be put there."""
        try:
            for _ in store_of(self._path.uri, self._around.platform.s3).objects(self._path.uri):
                return
        except SmEmulateError as error:
            self._around.publish(Warned(message=f"{self._path.inside} cannot be uploaded: {error.what}"))

    def _uploaded(self, mirror: Mirror) -> None:
        if self._path.mounted:
            delete_tree(mirror.folder)  # the store has it all: no second copy is kept
