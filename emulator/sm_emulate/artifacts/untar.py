"""Reading a tar that may be hostile: every length is bounded before it is believed."""

from __future__ import annotations

import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sm_emulate.errors import ArchiveError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sm_emulate.artifacts.deflate import GzipReader

_BLOCK = tarfile.BLOCKSIZE
_MOST_EXTRA = 1 << 20
"""Long names and extended headers are read into memory; paths end at 4096 bytes anyway."""
_MOST_EXTRA_HEADERS = 8
_MOST_PARTS = 128
"""Folders in folders; far deeper ones can be made, but hardly deleted."""
_PAX = (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE)
_FILE_TYPES = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE)
_SPECIAL = {
    tarfile.CHRTYPE: "a character device",
    tarfile.BLKTYPE: "a block device",
    tarfile.FIFOTYPE: "a FIFO",
}
_REPACK = "pack the files themselves: tar -C FOLDER -czf model.tar.gz ."


@dataclass(frozen=True, kw_only=True)
class Member:
    """One safe member: its name has no leading slash, no `.` or `..` parts, and is empty for the root."""

    name: str
    size: int
    mode: int
    mtime: float
    is_folder: bool = False
    hard_link: str | None = None
    """The (safe) name of an earlier member that this is one more name of."""


class CutShortError(Exception):
    """The tar ends in the middle of a member."""


class NotATarError(Exception):
    """The first block is no tar header; it is kept to tell what it is instead."""

    def __init__(self, block: bytes) -> None:
        super().__init__("not a tar header")
        self.block = block


def members(reader: GzipReader) -> Iterator[Member]:
    """Give the members in order. The caller takes the content of a file before it asks for the next.

    Raises:
        ArchiveError: hosting would refuse the member, or it would write outside of the folder.
        CutShortError: no more bytes where a header says that there are some.
        NotATarError: the content is something else.
    """
    extra: dict[str, str] = {}
    extra_headers = 0
    count = 0
    while True:
        block = reader.read(_BLOCK)
        if not block.strip(b"\0"):
            # two empty blocks end a tar; one, or none at all, is taken as its end too, as GNU tar does
            if len(block) not in (0, _BLOCK) or extra:
                raise CutShortError
            return
        info = _header(block, first=count == 0 and not extra_headers)
        count += 1
        if info.type in (*_PAX, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK):
            extra_headers += 1
            if extra_headers > _MOST_EXTRA_HEADERS or info.size > _MOST_EXTRA:
                raise _damaged("a member has unreasonably long headers", info.name)
            extra.update(_extra(info, _content(reader, info.size)))
            continue
        end = reader.position + _safe_size(info, extra)
        end += -end % _BLOCK
        member = _member(info, extra)
        extra, extra_headers = {}, 0
        if member is not None:
            yield member
        _skip(reader, end - reader.position)


def _header(block: bytes, *, first: bool) -> tarfile.TarInfo:
    if len(block) < _BLOCK and not first:
        raise CutShortError
    try:
        return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except (tarfile.HeaderError, ValueError, OverflowError):
        if first:
            raise NotATarError(block) from None
        raise _damaged("the archive is damaged: a member's header has a wrong checksum", None) from None


def _safe_size(info: tarfile.TarInfo, extra: dict[str, str]) -> int:
    """Give the bytes that follow the header; anything but a file has none, whatever it claims."""
    size = info.size
    if "size" in extra:
        if not (extra["size"].isascii() and extra["size"].isdigit() and len(extra["size"]) < 20):
            raise _damaged("a member's size is not a number", info.name)
        size = int(extra["size"])
    if size < 0:
        raise _damaged("a member's size is negative", info.name)
    return size if info.type in _FILE_TYPES or info.type not in tarfile.SUPPORTED_TYPES else 0


def _content(reader: GzipReader, size: int) -> bytes:
    if size < 0:
        raise _damaged("a header's size is negative", None)
    data = reader.read(size)
    padding = reader.read(-size % _BLOCK)
    if len(data) < size or len(padding) < -size % _BLOCK:
        raise CutShortError
    return data


def _skip(reader: GzipReader, count: int) -> None:
    if sum(len(piece) for piece in reader.pieces(count)) < count:
        raise CutShortError


def _extra(info: tarfile.TarInfo, data: bytes) -> dict[str, str]:
    """Give what an extended header says of the next member, in pax's words."""
    text = data.decode("utf-8", "surrogateescape")
    if info.type == tarfile.GNUTYPE_LONGNAME:
        return {"path": text.split("\0", 1)[0]}
    if info.type == tarfile.GNUTYPE_LONGLINK:
        return {"linkpath": text.split("\0", 1)[0]}
    records = _records(data)
    if info.type == tarfile.XGLTYPE:
        if records.keys() & {"path", "linkpath", "size"}:
            raise _damaged("a global header renames or resizes all members", info.name)
        return {}
    if any(key.startswith("GNU.sparse.") for key in records):
        raise _sparse(records.get("GNU.sparse.name", records.get("path", info.name)))
    return records


def _records(data: bytes) -> dict[str, str]:
    """Read pax records: `LENGTH KEY=VALUE` and a newline, where LENGTH counts the whole record."""
    records = {}
    rest = data
    while rest.strip(b"\0"):
        length, _, _ = rest.partition(b" ")
        if not length.isdigit() or len(length) > 9 or not len(length) + 1 < int(length) <= len(rest):
            raise _damaged("the archive is damaged: an extended header cannot be read", None)
        key, equals, value = rest[len(length) + 1 : int(length) - 1].partition(b"=")
        if not equals:
            raise _damaged("the archive is damaged: an extended header cannot be read", None)
        records[key.decode("utf-8", "surrogateescape")] = value.decode("utf-8", "surrogateescape")
        rest = rest[int(length) :]
    return records


def _member(info: tarfile.TarInfo, extra: dict[str, str]) -> Member | None:
    given = extra.get("path", info.name)
    if info.type == tarfile.GNUTYPE_SPARSE:
        raise _sparse(given)
    if info.type == b"V":  # a volume label of GNU tar
        return None
    if info.type == tarfile.SYMTYPE:
        target = extra.get("linkpath", info.linkname)
        raise ArchiveError(
            "the model archive holds a symlink",
            value=f"{shown(given)} -> {shown(target)}",
            expected="files and folders only: hosting refuses an archive with symlinks",
            hint="pack what the links point to: tar -C FOLDER --dereference -czf model.tar.gz .",
            link="https://docs.aws.amazon.com/sagemaker/latest/dg/deploy-model-troubleshoot.html",
        )
    if info.type in _SPECIAL:
        raise ArchiveError(
            f"the model archive holds {_SPECIAL[info.type]}",
            value=shown(given),
            expected="files and folders only",
            hint=_REPACK,
        )
    if info.type not in (*_FILE_TYPES, tarfile.DIRTYPE, tarfile.LNKTYPE):
        raise ArchiveError(
            "the model archive holds a member of an unknown kind",
            value=f"{shown(given)} (type {info.type!r})",
            expected="files and folders only",
            hint=_REPACK,
        )
    is_folder = info.type == tarfile.DIRTYPE
    name = safe_name(given)
    if not name and not is_folder:
        raise _outside(given)
    return Member(
        name=name,
        size=_safe_size(info, extra),
        mode=info.mode & 0o777,
        mtime=_mtime(info, extra),
        is_folder=is_folder,
        hard_link=safe_name(extra.get("linkpath", info.linkname)) if info.type == tarfile.LNKTYPE else None,
    )


def _mtime(info: tarfile.TarInfo, extra: dict[str, str]) -> float:
    try:
        found = float(extra.get("mtime", info.mtime))
    except ValueError:
        return 0.0
    return found if 0 <= found < 1 << 33 else 0.0


def safe_name(given: str) -> str:
    """Give a member's name relative to the folder, or refuse one that leads out of it."""
    parts = [part for part in given.split("/") if part not in ("", ".")]
    if given.startswith("/") or ".." in parts or "\0" in given:
        raise _outside(given)
    if len(parts) > _MOST_PARTS:
        raise ArchiveError(
            "a member of the model archive lies too deep",
            value=shown(given),
            expected=f"at most {_MOST_PARTS} folders in one another",
            hint=_REPACK,
        )
    return "/".join(parts)


def shown(name: str) -> str:
    """Give a name that is safe to print: hostile archives hold terminal codes and broken UTF-8."""
    printable = repr(name)[1:-1]
    return printable if len(printable) <= 200 else printable[:200] + "..."


def _outside(given: str) -> ArchiveError:
    return ArchiveError(
        "a member of the model archive would lie outside of /opt/ml/model",
        value=shown(given),
        expected='relative names without ".."',
        hint=_REPACK,
    )


def _sparse(given: str) -> ArchiveError:
    return ArchiveError(
        "the model archive holds a sparse file, which sm-emulate does not unpack",
        value=shown(given),
        expected="ordinary files",
        hint="pack without --sparse: tar -C FOLDER -czf model.tar.gz .",
    )


def _damaged(what: str, given: str | None) -> ArchiveError:
    return ArchiveError(
        what,
        value=None if given is None else shown(given),
        expected="a tar as tar and Python's tarfile write it",
        hint="pack or copy it again",
    )
