"""What a serving container finds of its model: data is fetched, unpacked or named, and mounted read-only."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from sm_emulate.engine.protocol import Mount
from sm_emulate.errors import ArchiveError, MachineError
from sm_emulate.events import Progress, Warned
from sm_emulate.spec.endpoint import ADDITIONAL_MODELS_DIRECTORY, MODEL_DIRECTORY
from sm_emulate.storage.trouble import told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sm_emulate.events import Event
    from sm_emulate.request.hosted_model import ContainerDefinition, ModelData
    from sm_emulate.storage.object_cache import ObjectCache
    from sm_emulate.storage.objects import ObjectStore, StoredObject
    from sm_emulate.storage.s3_place import S3Place


def model_mounts(
    container: ContainerDefinition,
    opt_ml: Path,
    *,
    s3: S3Place,
    publish: Callable[[Event], None],
    heed_stop: Callable[[], None],
) -> tuple[Mount, ...]:
    """Give the mounts of a container's model data: its own folder where it is one, else one made below `opt_ml`.

    Args:
        container: whose data.
        opt_ml: a folder of ours; made if need be.
        s3: which S3 is meant.
        publish: hears how far it is, and what hosting would not have liked.
        heed_stop: called now and then, from any thread; raises when somebody wants to stop.

    Raises:
        RequestError: hosting would refuse the data, or it is not there.
        MachineError: it cannot be fetched or unpacked.
    """

    def mounts() -> Iterator[Mount]:
        for data, here, target in _places(container, opt_ml):
            work = _Bringing(data, here, s3=s3, publish=publish, heed_stop=heed_stop)
            yield Mount(source=str(work.folder()), target=target, read_only=True)

    return tuple(mounts())


def planned_mounts(container: ContainerDefinition, opt_ml: Path) -> tuple[Mount, ...]:
    """Give the mounts that `model_mounts` would give, and bring nothing."""
    return tuple(
        Mount(source=str(_own_folder(data) or here), target=target, read_only=True)
        for data, here, target in _places(container, opt_ml)
    )


def _places(container: ContainerDefinition, opt_ml: Path) -> Iterator[tuple[ModelData, Path, str]]:
    """Give each source of model data, where it is brought, and where the container finds it."""
    for data in container.all_data:
        name, target = "model", MODEL_DIRECTORY
        if data.channel_name is not None:
            name = f"additional-model-data-sources/{data.channel_name}"
            target = f"{ADDITIONAL_MODELS_DIRECTORY}/{data.channel_name}"
        yield data, opt_ml / name, target


def _own_folder(data: ModelData) -> Path | None:
    """Give the folder that is mounted as it is, if there is one."""
    return data.path if data.is_prefix and not data.is_archive else None


class _Bringing:
    """Brings one source of model data."""

    def __init__(
        self,
        data: ModelData,
        target: Path,
        *,
        s3: S3Place,
        publish: Callable[[Event], None],
        heed_stop: Callable[[], None],
    ) -> None:
        self._data, self._target, self._s3 = data, target, s3
        self._publish, self._heed_stop = publish, heed_stop

    def folder(self) -> Path:
        """Give its folder."""
        data, here = self._data, self._data.path
        if (own := _own_folder(data)) is not None:
            return own
        if here is None:
            self._from_store()
        elif data.is_archive:
            self._unpack(here)
        else:
            self._place({here.name: str(here)})
        return self._target

    def _from_store(self) -> None:
        from sm_emulate.staging.model_files import files_of, stored_object
        from sm_emulate.storage.object_cache import object_cache
        from sm_emulate.storage.stores import store_of

        data = self._data
        store = store_of(data.uri, self._s3)
        files = {"": stored_object(data, store)} if data.is_archive else files_of(data, store)
        cache = object_cache(os.environ)
        with cache.held():
            paths = self._fetched(store, cache, files)
            if data.is_archive:
                self._unpack_fetched(paths[""])
            else:
                self._place(paths)

    def _fetched(
        self, store: ObjectStore, cache: ObjectCache, files: dict[str, StoredObject]
    ) -> dict[str, str]:
        """Give the file on this machine of each object."""
        from sm_emulate.lifecycle.download import Told
        from sm_emulate.storage.bucket_folders import BucketFolders
        from sm_emulate.storage.object_cache import FetchStopped
        from sm_emulate.storage.s3_store import S3Store

        if isinstance(store, BucketFolders):
            return {path: store.local_file(found) for path, found in files.items()}
        assert isinstance(store, S3Store)
        missing = cache.missing(store, list(dict.fromkeys(files.values())))
        total = sum(found.size for found in missing)
        with told("the cache cannot be written", cache.folder):
            free = shutil.disk_usage(cache.folder).free
        if total > free:
            raise MachineError(
                "the model does not fit on this disk",
                value=f"{total} bytes are to be downloaded",
                expected=f"at most the {free} bytes that are free",
                hint="set XDG_CACHE_HOME to a folder on another disk, or `sm-emulate clean --cache`",
            )
        tell = Told(self._publish, "Downloading the model", total)
        try:
            cache.fetch(store, missing, tell=tell, stopping=self._stopping)
        except FetchStopped:
            self._heed_stop()
            raise
        return {path: str(cache.path(store, found)) for path, found in files.items()}

    def _stopping(self) -> bool:
        from sm_emulate.lifecycle.hosting.serving_container import StopAskedError

        try:
            self._heed_stop()
        except StopAskedError:
            return True
        return False

    def _place(self, files: dict[str, str]) -> None:
        """Give each file its name in the folder, which the container cannot write to."""
        from sm_emulate.storage.linked import link_or_copy

        with told("the model's folder cannot be made", self._target):
            for path, source in files.items():
                self._heed_stop()
                target = self._target / path
                target.parent.mkdir(parents=True, exist_ok=True)
                link_or_copy(os.path.realpath(source), str(target))
            for here, _, _ in os.walk(self._target):
                os.chmod(here, 0o755)  # noqa: PTH101, S103  # as on the platform, whatever the caller's umask is

    def _unpack_fetched(self, source: str) -> None:
        """Unpack a file of the cache under a name that says what it is; errors name the object."""
        archive = self._target.with_name("model.tar.gz")
        with told("the model cannot be unpacked", archive):
            archive.parent.mkdir(parents=True, exist_ok=True)
            archive.unlink(missing_ok=True)
            archive.symlink_to(source)
        try:
            self._unpack(archive)
        except ArchiveError as error:
            error.value = None if error.value is None else error.value.replace(str(archive), self._data.uri)
            raise
        finally:
            archive.unlink(missing_ok=True)

    def _unpack(self, archive: Path) -> None:
        from sm_emulate.artifacts.unpack import unpack_model

        def tell(done: int) -> None:
            self._heed_stop()
            self._publish(Progress(task="Unpacking the model", done_bytes=done, total_bytes=0))

        with told("the model cannot be unpacked", self._target):
            self._target.parent.mkdir(parents=True, exist_ok=True)
            unpacked = unpack_model(archive, self._target, progress=tell)
        for note in unpacked.notes:
            self._publish(Warned(message=note))
