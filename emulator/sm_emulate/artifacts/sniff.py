"""What a file that is no model.tar.gz is instead, told from its first bytes and its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sm_emulate.errors import ArchiveError

if TYPE_CHECKING:
    from pathlib import Path

GZIP = b"\x1f\x8b"
_KINDS: tuple[tuple[int, bytes, str], ...] = (
    (0, GZIP, "a gzip file"),
    (0, b"PK\x03\x04", "a zip file"),
    (0, b"PK\x05\x06", "an empty zip file"),
    (0, b"BZh", "compressed with bzip2"),
    (0, b"\xfd7zXZ\0", "compressed with xz"),
    (0, b"\x28\xb5\x2f\xfd", "compressed with zstd"),
    (0, b"\x04\x22\x4d\x18", "compressed with lz4"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z file"),
    (257, b"ustar", "a tar that is not compressed"),
    (0, b"version https://git-lfs", "a Git LFS pointer, not the file itself"),
    (0, b"\x80\x02", "a Python pickle"),
    (0, b"\x80\x03", "a Python pickle"),
    (0, b"\x80\x04", "a Python pickle"),
    (0, b"\x80\x05", "a Python pickle"),
    (0, b"\x89HDF", "an HDF5 file"),
    (0, b"<", "an XML or HTML page"),
)
_EXPECTED = "a gzip-compressed tar, as hosting takes it"
_PACK = "tar -C FOLDER -czf model.tar.gz ."


def _kind(start: bytes) -> str:
    for at, magic, kind in _KINDS:
        if start[at : at + len(magic)] == magic:
            return kind
    return "something else"


def not_gzip(archive: Path, start: bytes) -> ArchiveError | None:
    """Give the error for a file that does not begin as gzip, or that hosting would not even download."""
    if not start:
        return ArchiveError(
            "the model archive is empty",
            value=f"{archive} (0 bytes)",
            expected=_EXPECTED,
            hint=f"pack it: {_PACK}",
        )
    if not start.startswith(GZIP):
        kind = _kind(start)
        if "LFS" in kind:
            hint = "fetch it: git lfs pull"
        elif "not compressed" in kind:
            hint = f"compress it: gzip {archive}"
        else:
            hint = f"pack the model's files anew: {_PACK}"
        return ArchiveError(
            f"the model archive is not gzip: it is {kind}", value=archive, expected=_EXPECTED, hint=hint
        )
    if not archive.name.endswith(".tar.gz"):
        return ArchiveError(
            "the model archive has the wrong extension",
            value=archive.name,
            expected="a name that ends in .tar.gz: hosting downloads no other ModelDataUrl",
            hint="rename it to model.tar.gz",
            link="https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html",
        )
    return None


def not_a_tar(archive: Path, start: bytes) -> ArchiveError:
    """Give the error for a gzip file whose content is no tar."""
    hint = f"pack the model's files: {_PACK}"
    kind = _kind(start)
    if start.startswith(GZIP):
        kind, hint = "gzip again", "it was compressed twice: gzip -d it once"
    return ArchiveError(
        f"the model archive is gzip, but there is no tar in it: its content is {kind}",
        value=archive,
        expected=_EXPECTED,
        hint=hint,
    )
