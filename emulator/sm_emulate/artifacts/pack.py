"""Packing what a job left behind: model.tar.gz and output.tar.gz."""

from __future__ import annotations

import errno
import os
import secrets
import stat
import tarfile
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sm_emulate.artifacts.deflate import GzipWriter
from sm_emulate.artifacts.regular import open_regular
from sm_emulate.artifacts.tree import Clash, Entry, LinkRule, Skipped, merge
from sm_emulate.errors import MachineError

if TYPE_CHECKING:
    import io
    from collections.abc import Callable, Sequence
    from pathlib import Path

_END_OF_TAR = bytes(2 * tarfile.BLOCKSIZE)


@dataclass(frozen=True, kw_only=True)
class Packed:
    """An archive that was made, and what is in it."""

    archive: Path | None
    """None when there was nothing to pack: then no archive is written."""
    members: int
    files: int
    source_bytes: int
    """Bytes of file content."""
    archive_bytes: int
    seconds: float
    skipped: tuple[Skipped, ...] = ()
    clashes: tuple[Clash, ...] = ()
    links: tuple[str, ...] = ()
    """Names of the symlinks that are in it as such."""


def pack(
    folders: Sequence[Path],
    archive: Path,
    *,
    links: LinkRule = LinkRule.KEEP,
    progress: Callable[[int], None] | None = None,
    threads: int | None = None,
) -> Packed:
    """Pack the content of the folders, host by host, into one gzip tar.

    Members lie at the root with relative names; owner, group, mode and mtime (whole seconds) are as found.
    Sockets, devices and FIFOs are left out and listed. The archive gets its name only when it is whole.

    Args:
        folders: the same folder of each host, `algo-1` first. A name that two hosts have is the first one's. One that
            is missing counts as empty; one that is a link is never followed.
        archive: where it will lie; its folder exists.
        links: what becomes of symlinks.
        progress: called with the bytes packed so far, now and then; what it raises cancels the packing.
        threads: how many cores; all by default.

    Raises:
        MachineError: the disk is full, a file cannot be read, or one changed while it was read.
    """
    started = time.perf_counter()
    partial = archive.with_name(f".{archive.name}.{secrets.token_hex(4)}.part")
    try:
        try:
            with partial.open("xb", buffering=0) as raw:
                work = _Packing(raw, progress)
                with GzipWriter(raw, threads=threads) as writer:
                    work.write_tree(writer, folders, links)
            if work.members:
                partial.replace(archive)
        except OSError as error:
            raise _machine_error(error, partial, archive) from error
    finally:
        with suppress(FileNotFoundError):
            partial.unlink()
    return Packed(
        archive=archive if work.members else None,
        members=work.members,
        files=work.files,
        source_bytes=work.source_bytes,
        archive_bytes=writer.written if work.members else 0,
        seconds=time.perf_counter() - started,
        skipped=tuple(work.skipped),
        clashes=tuple(work.clashes),
        links=tuple(work.links),
    )


class _Packing:
    """The counters of one archive in the making."""

    def __init__(self, raw: io.FileIO, progress: Callable[[int], None] | None) -> None:
        self._itself = os.fstat(raw.fileno())
        self._progress = progress
        self.members = 0
        self.files = 0
        self.source_bytes = 0
        self.skipped: list[Skipped] = []
        self.clashes: list[Clash] = []
        self.links: list[str] = []

    def write_tree(self, writer: GzipWriter, folders: Sequence[Path], links: LinkRule) -> None:
        for found in merge(folders, links):
            if isinstance(found, Skipped):
                self.skipped.append(found)
            elif isinstance(found, Clash):
                self.clashes.append(found)
            elif found.is_folder or found.is_link:
                self._write_header(writer, found, os.lstat(found.path))
            else:
                self._write_file(writer, found)
        writer.write(_END_OF_TAR)

    def _write_header(self, writer: GzipWriter, entry: Entry, found: os.stat_result) -> None:
        info = tarfile.TarInfo(entry.name)
        info.mode = stat.S_IMODE(found.st_mode)
        info.uid, info.gid = found.st_uid, found.st_gid
        info.mtime = int(found.st_mtime)
        if entry.is_folder:
            info.type = tarfile.DIRTYPE
        elif entry.is_link:
            info.type = tarfile.SYMTYPE
            info.linkname = os.readlink(entry.path)
            self.links.append(entry.name)
        else:
            info.size = found.st_size
        # GNU's format holds any name as the bytes it has on the disk, any size, and is read by everyone
        writer.write(info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape"))
        self.members += 1

    def _write_file(self, writer: GzipWriter, entry: Entry) -> None:
        with open_regular(entry.path) as descriptor:
            if descriptor is None:
                raise _changed(entry)
            found = os.fstat(descriptor)
            if os.path.samestat(found, self._itself):
                self.skipped.append(Skipped(name=entry.name, reason="it is the archive itself"))
                return
            self._write_header(writer, entry, found)
            left = found.st_size
            while left:
                piece = min(left, 64 << 20)
                if writer.write_from(descriptor, piece) != piece:
                    raise _changed(entry)
                left -= piece
                self._report(piece)
            self._report(0)
            writer.write(bytes(-found.st_size % tarfile.BLOCKSIZE))
        self.files += 1

    def _report(self, count: int) -> None:
        self.source_bytes += count
        if self._progress:
            self._progress(self.source_bytes)


def _changed(entry: Entry) -> MachineError:
    return MachineError(
        "a file changed while it was being packed",
        value=entry.path,
        expected="files that nobody writes to after the container has ended",
        hint="stop whatever still writes into this folder",
    )


def _machine_error(error: OSError, partial: Path, archive: Path) -> MachineError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return MachineError(
            "the disk is full: the archive could not be written",
            value=archive,
            expected="free space for the packed files",
            hint="free some space on this disk, or choose another folder for the run",
        )
    at_fault = error.filename if error.filename not in (None, os.fspath(partial)) else archive
    verb = "written" if at_fault == archive else "read"
    return MachineError(
        f"a file could not be {verb} while packing: {error.strerror or error}",
        value=at_fault,
        expected="a folder that the current user may write to"
        if verb == "written"
        else "files that the current user may read",
        hint="check its owner and mode",
    )
