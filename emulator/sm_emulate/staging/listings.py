"""Big channels are listed by processes of their own, begun before whatever else a job needs to get ready."""

from __future__ import annotations

import shutil
import subprocess
import sys
from contextlib import ExitStack, suppress
from typing import IO, TYPE_CHECKING

from sm_emulate.request.channel import FULLY_REPLICATED, S3DataSource
from sm_emulate.staging import manifest

if TYPE_CHECKING:
    from pathlib import Path

    from sm_emulate.request.channel import Channel
    from sm_emulate.request.training import TrainingRequest

BIG_BYTES = 256 << 10
"""A folder has this size with about 10,000 entries: to list fewer takes less time than to start a process."""


class Listings:
    """Use it as a context manager, so that no process outlives the job that has begun it."""

    def __init__(self) -> None:
        self._begun: dict[Path, tuple[subprocess.Popen[bytes], IO[bytes]]] = {}

    def begin(self, request: TrainingRequest) -> None:
        """Have the big channels of a request listed that lie on this machine. Returns at once."""
        for channel in request.input_data_config:
            source = channel.data_source
            if not isinstance(source, S3DataSource) or request.input_mode(channel) == "Pipe":
                continue
            if source.distribution != FULLY_REPLICATED and _is_shared_out(request, channel):
                continue
            folder = source.local_path
            if folder is not None and folder not in self._begun and _is_big(folder):
                self._list(folder)

    def write(self, source: Path, target: Path, *others: Path) -> None:
        """Write the manifest of a channel to files, as it was begun or from the start. A listing is taken once.

        Raises:
            OSError: the disk is full, or the channel cannot be read.
        """
        with target.open("wb") as file:
            if not self._taken(source, file):
                file.writelines(manifest.manifest_lines(str(source)))
        for other in others:
            shutil.copyfile(target, other)
        for each in (target, *others):
            each.chmod(0o644)

    def __enter__(self) -> Listings:
        return self

    def __exit__(self, *_: object) -> None:
        for process, listed in self._begun.values():
            process.kill()
            process.wait()
            listed.close()
        self._begun.clear()

    def _list(self, folder: Path) -> None:
        from tempfile import TemporaryFile

        with suppress(OSError), ExitStack() as begun:  # without such luck it is listed when it has to be
            listed = begun.enter_context(TemporaryFile())
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", manifest.__file__, folder],
                stdin=subprocess.DEVNULL,
                stdout=listed,
                stderr=subprocess.DEVNULL,
            )
            self._begun[folder] = process, listed
            begun.pop_all()

    def _taken(self, source: Path, file: IO[bytes]) -> bool:
        process, listed = self._begun.pop(source, (None, None))
        if process is None or listed is None:
            return False
        with listed:
            if process.wait() != 0:
                return False
            listed.seek(0)
            shutil.copyfileobj(listed, file, 1 << 20)
        return True


def _is_shared_out(request: TrainingRequest, channel: Channel) -> bool:
    """Tell whether each host has a part of it, in a folder of its own."""
    # few jobs need these imports, and all wait for what is done here
    from sm_emulate.staging.channel_data import is_sharded
    from sm_emulate.staging.cluster import cluster_of

    return is_sharded(request, channel, cluster_of(request.resource_config))


def _is_big(folder: Path) -> bool:
    if getattr(sys, "frozen", False) or not sys.executable:  # then no Python is at hand to run
        return False
    try:
        return folder.is_dir() and folder.stat().st_size >= BIG_BYTES
    except OSError:
        return False
