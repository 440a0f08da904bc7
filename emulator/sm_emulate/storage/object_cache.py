"""Objects of S3 that were fetched once: kept for all runs of this user, under a name that changes when they do."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import threading
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from sm_emulate.errors import MachineError
from sm_emulate.storage.run_folder import locked
from sm_emulate.storage.runs import default_cache
from sm_emulate.storage.trouble import told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from sm_emulate.storage.objects import StoredObject
    from sm_emulate.storage.s3_store import S3Store

THREADS = 16
LARGE = 64 << 20
"""Objects from this size on are fetched in parts, several at a time; a part that has come is never asked for again."""
PART = 16 << 20
BATCH = 64
"""Small objects that one task of the thread pool fetches."""
CHUNK = 1 << 20
ASK_SECONDS = 0.2
"""How often it is asked whether to stop while nothing comes."""


def object_cache(environ: Mapping[str, str]) -> ObjectCache:
    """Give the cache of this user."""
    return ObjectCache(default_cache(environ) / "objects")


class FetchStopped(Exception):  # noqa: N818  # nothing is wrong
    """Somebody wanted it to stop. What has come is kept."""


class _InUse(Exception):  # noqa: N818  # nothing is wrong
    """Another process fetches something now."""


class ObjectCache:
    """A folder of fetched objects, which several processes may use at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, store: S3Store, found: StoredObject) -> Path:
        """Say where an object lies or would lie."""
        what = "\0".join((store.place.endpoint_url or "", found.uri, found.etag, str(found.size)))
        name = hashlib.sha256(what.encode(errors="surrogateescape")).hexdigest()
        return self.folder / name[:2] / name[2:]

    def missing(self, store: S3Store, wanted: Sequence[StoredObject]) -> list[StoredObject]:
        """Give those that have yet to be fetched."""
        return [found for found in wanted if not self.path(store, found).exists()]

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep `remove` of other processes from running."""
        with told("the cache cannot be written", self.folder):
            self._drafts.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            yield
        finally:
            os.close(descriptor)

    @property
    def _drafts(self) -> Path:
        """The folder of small objects that are being fetched."""
        return self.folder / ".drafts"

    def tidy(self) -> None:
        """Remove the drafts of processes that died; parts of large objects are kept for the next run."""
        if not self._drafts.is_dir():
            return
        with suppress(_InUse), told("the cache cannot be tidied", self.folder), self._alone():
            shutil.rmtree(self._drafts)

    def size(self) -> int:
        """Give the bytes that it takes up."""
        total = 0
        for here, _, files in os.walk(self.folder):
            for name in files:
                with suppress(OSError):
                    total += os.lstat(os.path.join(here, name)).st_blocks * 512  # noqa: PTH118  # many names
        return total

    def remove(self) -> None:
        """Remove all of it. Runs keep what they have: their files are links of their own.

        Raises:
            MachineError: a run is fetching objects now.
        """
        if not self.folder.is_dir():
            return
        try:
            with told("the cache cannot be removed", self.folder), self._alone():
                shutil.rmtree(self.folder)
        except _InUse as busy:
            raise MachineError(
                "the cache is in use: a run fetches its channels now",
                value=self.folder,
                hint="`sm-emulate ps` lists the runs",
            ) from busy

    @contextmanager
    def _alone(self) -> Iterator[None]:
        descriptor = os.open(self.folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as busy:
                raise _InUse from busy
            yield
        finally:
            os.close(descriptor)

    def fetch(
        self,
        store: S3Store,
        wanted: Sequence[StoredObject],
        *,
        tell: Callable[[int], None],
        stopping: Callable[[], bool],
    ) -> None:
        """Fetch objects that are not here yet, several at a time.

        Args:
            store: where they lie.
            wanted: the objects.
            tell: given the bytes that have come since it was last called, from any thread.
            stopping: asked now and then whether to stop.

        Raises:
            FetchStopped: `stopping` said so.
            SmEmulateError: one cannot be fetched.
        """
        halt = threading.Event()

        def check() -> None:
            if halt.is_set():
                raise FetchStopped
            if stopping():
                halt.set()
                raise FetchStopped

        small = [found for found in wanted if found.size < LARGE]
        with ThreadPoolExecutor(THREADS, thread_name_prefix="fetch") as pool:
            try:
                tasks = [
                    pool.submit(self._small, store, small[at : at + BATCH], tell, check)
                    for at in range(0, len(small), BATCH)
                ]
                for found in wanted:
                    if found.size >= LARGE:
                        self._large(store, found, pool, tell, check)
                waiting = set(tasks)
                while waiting:
                    done, waiting = wait(waiting, timeout=ASK_SECONDS, return_when=FIRST_EXCEPTION)
                    for task in done:
                        task.result()
                    check()
            except BaseException:
                halt.set()
                store.given_up = True
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _small(
        self,
        store: S3Store,
        batch: Sequence[StoredObject],
        tell: Callable[[int], None],
        check: Callable[[], None],
    ) -> None:
        for found in batch:
            check()
            path = self.path(store, found)
            if not path.exists():
                with told("the cache cannot be written", path):
                    path.parent.mkdir(exist_ok=True)
                draft = (
                    self._drafts / f"{path.parent.name}{path.name}.{os.getpid()}.{threading.get_ident():x}"
                )
                store.fetch(found, draft)
                with told("the cache cannot be written", path):
                    draft.chmod(0o644)
                    draft.replace(path)
            tell(found.size)

    def _large(
        self,
        store: S3Store,
        found: StoredObject,
        pool: ThreadPoolExecutor,
        tell: Callable[[int], None],
        check: Callable[[], None],
    ) -> None:
        path = self.path(store, found)
        draft, note = path.with_name(f"{path.name}.part"), path.with_name(f"{path.name}.parts")
        with told("the cache cannot be written", path):
            path.parent.mkdir(exist_ok=True)
            # another process may be at it: then this one waits, and finds it done
            with locked(path.with_name(f"{path.name}.lock")):
                if path.exists():
                    tell(found.size)
                    return
                count = -(-found.size // PART)
                come = (
                    note.read_bytes().ljust(count, b"\0")
                    if note.exists() and draft.exists()
                    else bytes(count)
                )
                with (
                    draft.open("r+b" if draft.exists() else "w+b", buffering=0) as file,
                    note.open("wb") as marks,
                ):
                    file.truncate(found.size)
                    marks.write(come)
                    marks.flush()

                    def part(number: int) -> None:
                        start = number * PART
                        size = min(PART, found.size - start)
                        if not come[number]:
                            _copy(store, found, start, size, file.fileno(), tell, check)
                            os.pwrite(marks.fileno(), b"\1", number)
                        else:
                            tell(size)

                    tasks = [pool.submit(part, number) for number in range(count)]
                    try:
                        for task in tasks:
                            task.result()
                    except BaseException:
                        for task in tasks:
                            task.cancel()
                        wait(tasks)  # the file must not be closed under them
                        raise
                draft.chmod(0o644)
                draft.replace(path)
                note.unlink(missing_ok=True)
                path.with_name(f"{path.name}.lock").unlink(missing_ok=True)


def _copy(
    store: S3Store,
    found: StoredObject,
    start: int,
    size: int,
    target: int,
    tell: Callable[[int], None],
    check: Callable[[], None],
) -> None:
    with store.open(found, start=start, size=size) as stream:
        at = start
        while chunk := stream.read(CHUNK):
            check()
            os.pwrite(target, chunk, at)
            at += len(chunk)
            tell(len(chunk))
