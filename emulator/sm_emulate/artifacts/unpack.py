"""Unpacking model data the way hosting does, from archives that nobody has to trust."""

from __future__ import annotations

import errno
import os
import shutil
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from sm_emulate.artifacts.deflate import DamagedGzipError, GzipReader
from sm_emulate.artifacts.regular import open_regular
from sm_emulate.artifacts.sniff import not_a_tar, not_gzip
from sm_emulate.artifacts.untar import CutShortError, Member, NotATarError, members, shown
from sm_emulate.errors import ArchiveError, BugError, MachineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MAX_BYTES = 512 << 30
"""The largest volume that an endpoint can have (ProductionVariant VolumeSizeInGB)."""
MAX_MEMBERS = 1_000_000
_MOST_PADDING = 64 << 20
"""Bytes after the end of the tar: tar pads to 10 KiB; what is far beyond is a bomb."""


@dataclass(frozen=True, kw_only=True)
class Unpacked:
    """What was in the archive, now in `folder`."""

    folder: Path
    members: int
    files: int
    archive_bytes: int
    bytes: int
    seconds: float
    notes: tuple[str, ...] = ()
    """What works but is probably not meant, one sentence each."""


def unpack_model(
    archive: Path,
    folder: Path,
    *,
    max_bytes: int = MAX_BYTES,
    max_members: int = MAX_MEMBERS,
    progress: Callable[[int], None] | None = None,
) -> Unpacked:
    """Unpack a model.tar.gz into `folder`, which is new or empty and is left so after any error.

    Symlinks are refused, as hosting does; devices and names that lead out are refused for safety. A hard link
    to an earlier member is taken (AWS does not say) and noted. Files belong to the caller; their permission
    bits are the archive's, plus the owner's right to read, write and delete.

    Args:
        archive: its name ends in `.tar.gz`; hosting downloads nothing else.
        folder: where the content goes; its parent exists.
        max_bytes: the most that the unpacked files may take.
        max_members: the most files and folders.
        progress: called with the bytes unpacked so far, now and then; what it raises cancels.

    Raises:
        ArchiveError: hosting would refuse it, or it is damaged, unsafe or too large.
        MachineError: the disk is full, or the folder cannot be written.
    """
    started = time.perf_counter()
    with _emptied_on_error(folder), _opened(archive) as raw:
        work = _Unpacking(folder, max_bytes, max_members, progress)
        try:
            with GzipReader(raw) as reader:
                work.take(reader)
        except NotATarError as error:
            raise not_a_tar(archive, error.block) from None
        except CutShortError:
            raise _cut_short(archive, "its last member is not whole") from None
        except DamagedGzipError as error:
            if error.cut_short:
                raise _cut_short(archive, "its gzip stream does not end") from None
            raise ArchiveError(
                "the model archive is damaged",
                value=archive,
                expected="a gzip file whose content has the checksum that it states",
                hint="copy or pack it again; gzip -t tells whether a copy is whole",
                evidence=(str(error),),
            ) from None
        except OSError as error:
            raise _machine_error(error, folder) from error
        return Unpacked(
            folder=folder,
            members=work.members,
            files=work.files,
            archive_bytes=os.fstat(raw.fileno()).st_size,
            bytes=work.bytes,
            seconds=time.perf_counter() - started,
            notes=work.notes(),
        )


class _Unpacking:
    """The folder as it fills, and the guards on it."""

    def __init__(
        self, folder: Path, max_bytes: int, max_members: int, progress: Callable[[int], None] | None
    ) -> None:
        self._root = os.fspath(folder)
        self._max_bytes = max_bytes
        self._max_members = max_members
        self._free = shutil.disk_usage(folder).free
        self._progress = progress
        self._folders: dict[str, Member] = {}
        self._tops: set[str] = set()
        self._top_files = False
        self._hard_links = 0
        self._sidecars = 0
        self.members = 0
        self.files = 0
        self.bytes = 0

    def take(self, reader: GzipReader) -> None:
        for member in members(reader):
            self.members += 1
            if self.members > self._max_members:
                raise ArchiveError(
                    "the model archive holds too many members",
                    value=f"more than {self._max_members}",
                    expected=f"at most {self._max_members} files and folders",
                    hint="pack fewer, larger files",
                )
            try:
                self._take_member(reader, member)
            except OSError as error:
                raise _member_error(error, member, self._root) from error
        trailing = sum(len(piece) for piece in reader.pieces(_MOST_PADDING + 1))
        if trailing > _MOST_PADDING:
            raise ArchiveError(
                "much data follows the end of the tar in the model archive",
                value=f"more than {_MOST_PADDING >> 20} MiB",
                expected="nothing after the last member",
                hint="pack it again",
            )
        # last, so that a folder without the right to write could be filled, and keeps its time
        for name, member in sorted(self._folders.items(), reverse=True):
            path = os.path.join(self._root, name)
            os.chmod(path, member.mode | 0o700)
            os.utime(path, (member.mtime, member.mtime))

    def _take_member(self, reader: GzipReader, member: Member) -> None:
        if not member.name:
            return
        path = os.path.join(self._root, member.name)
        top, slash, _ = member.name.partition("/")
        self._tops.add(top)
        self._top_files |= not slash and not member.is_folder
        self._sidecars += os.path.basename(member.name).startswith("._")
        if member.is_folder:
            os.makedirs(path, exist_ok=True)
            self._folders[member.name] = member
            return
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if member.hard_link is not None:
            self._link(member, path)
            return
        self._guard(member)
        if os.path.lexists(path):
            # one name twice: the last one counts, as in tar
            os.unlink(path)
        # no symlink is ever made in this folder, so no part of the path can lead out of it
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            self._copy(reader, descriptor, member.size)
            os.fchmod(descriptor, member.mode | 0o600)
            os.utime(descriptor, (member.mtime, member.mtime))
        finally:
            os.close(descriptor)
        self.files += 1

    def _copy(self, reader: GzipReader, descriptor: int, size: int) -> None:
        # a file that ends too early is noticed when its padding is skipped
        for piece in reader.pieces(size):
            self.bytes += len(piece)
            rest = piece
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            if self._progress:
                self._progress(self.bytes)

    def _guard(self, member: Member) -> None:
        """Refuse a file by what its header claims, before a byte of it is written."""
        if self.bytes + member.size > self._max_bytes:
            raise ArchiveError(
                "the model archive unpacks to too many bytes",
                value=f"{shown(member.name)} brings it to {self.bytes + member.size}",
                expected=f"at most {self._max_bytes} bytes",
                hint="is this the right archive? A small file that unpacks to very much is a bomb",
            )
        if self.bytes + member.size > self._free:
            raise MachineError(
                "the model does not fit on this disk",
                value=f"{shown(member.name)} brings it to {self.bytes + member.size} bytes",
                expected=f"at most the {self._free} bytes that were free",
                hint="free some space, or choose another folder for the run",
            )

    def _link(self, member: Member, path: str) -> None:
        source = os.path.join(self._root, member.hard_link or "")
        if not os.path.isfile(source):
            raise ArchiveError(
                "a hard link in the model archive points to no earlier member",
                value=f"{shown(member.name)} -> {shown(member.hard_link or '')}",
                expected="a file that comes before it in the archive",
                hint="pack without links: tar -C FOLDER --hard-dereference -czf model.tar.gz .",
            )
        if source == path:
            return
        if os.path.lexists(path):
            os.unlink(path)
        os.link(source, path)
        self._hard_links += 1
        self.files += 1

    def notes(self) -> tuple[str, ...]:
        notes = []
        if not self.files:
            notes.append("the archive holds no file: the container sees an empty /opt/ml/model")
        elif len(self._tops) == 1 and not self._top_files:
            (top,) = self._tops
            if not top.isdigit():  # TensorFlow Serving wants a version number as the top folder
                notes.append(
                    f'everything lies under "{shown(top)}/", so the container sees '
                    f"/opt/ml/model/{shown(top)}/...; to have the files at /opt/ml/model itself, "
                    f"pack the folder's content: tar -C {shown(top)} -czf model.tar.gz ."
                )
        if self._hard_links:
            notes.append(
                f"{self._hard_links} members are hard links; AWS does not say whether hosting takes them "
                "(tar --hard-dereference packs files instead)"
            )
        if self._sidecars:
            notes.append(
                f'{self._sidecars} members are sidecar files of macOS ("._NAME"); '
                "COPYFILE_DISABLE=1 tar ... leaves them out"
            )
        return tuple(notes)


@contextmanager
def _opened(archive: Path) -> Iterator[IO[bytes]]:
    """Open the archive, after a look at what it is."""
    expected = "a model.tar.gz that the current user may read"
    try:
        with open_regular(os.path.realpath(archive)) as descriptor:
            if descriptor is None:
                is_folder = archive.is_dir()
                raise ArchiveError(
                    "the model archive is a folder" if is_folder else "the model archive is not a file",
                    value=archive,
                    expected=expected,
                    hint=f"pack it: tar -C {archive} -czf model.tar.gz ." if is_folder else None,
                )
            with open(descriptor, "rb", buffering=0, closefd=False) as raw:
                start = raw.read(512) or b""
                refused = not_gzip(archive, start)
                if refused:
                    raise refused
                raw.seek(0)
                yield raw
    except FileNotFoundError:
        raise ArchiveError("the model archive is not there", value=archive, expected=expected) from None
    except PermissionError:
        raise ArchiveError(
            "the model archive may not be read",
            value=archive,
            expected=expected,
            hint="check its owner and mode",
        ) from None


@contextmanager
def _emptied_on_error(folder: Path) -> Iterator[None]:
    try:
        made = not folder.is_dir()
        if made:
            folder.mkdir()
        elif any(folder.iterdir()):
            raise BugError("a model was to be unpacked into a folder that is not empty", value=folder)
    except OSError as error:
        raise _machine_error(error, folder) from error
    try:
        yield
    except BaseException:
        # what cannot be removed must not hide why
        with suppress(OSError):
            for path in folder.iterdir():
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)
            if made:
                folder.rmdir()
        raise


def _cut_short(archive: Path, why: str) -> ArchiveError:
    return ArchiveError(
        f"the model archive is cut short: {why}",
        value=f"{archive} ({archive.stat().st_size} bytes)",
        expected="a whole file",
        hint="the copy or upload was not finished; gzip -t tells whether a copy is whole",
    )


def _member_error(error: OSError, member: Member, root: str) -> ArchiveError | MachineError:
    if error.errno in (errno.ENOTDIR, errno.EISDIR, errno.EEXIST):
        return ArchiveError(
            "a name in the model archive is both a file and a folder",
            value=shown(member.name),
            expected="one of the two",
            hint="pack it again",
        )
    if error.errno in (errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL):
        return ArchiveError(
            "a name in the model archive cannot be a file's name here",
            value=shown(member.name),
            expected="at most 255 bytes between slashes and 4096 in all",
            hint="rename it before packing",
        )
    return _machine_error(error, root)


def _machine_error(error: OSError, folder: Path | str) -> MachineError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return MachineError(
            "the disk is full: the model could not be unpacked",
            value=folder,
            expected="free space for the unpacked files",
            hint="free some space, or choose another folder for the run",
        )
    return MachineError(
        f"the model could not be unpacked: {error.strerror or error}",
        value=error.filename or folder,
        expected="a folder that the current user may write to",
        hint="check its owner and mode",
    )
