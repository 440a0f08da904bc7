"""A model archive is unpacked as hosting does it, and a bad one is refused in words, leaving nothing."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import random
import stat
import subprocess
import tarfile
import threading
import zipfile
from pathlib import Path

import pytest

from sm_emulate.artifacts.unpack import unpack_model
from sm_emulate.errors import ArchiveError, BugError, ExitCode, MachineError

BLOCK = tarfile.BLOCKSIZE
END = bytes(2 * BLOCK)


def header(
    name: str, kind: bytes = tarfile.REGTYPE, size: int = 0, link: str = "", fmt: int = tarfile.GNU_FORMAT
) -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname = kind, size, link
    return info.tobuf(fmt, "utf-8", "surrogateescape")


def member(name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE, link: str = "") -> bytes:
    return header(name, kind, len(data), link) + data + bytes(-len(data) % BLOCK)


def pax(records: dict[str, str], kind: bytes = tarfile.XHDTYPE) -> bytes:
    data = b""
    for key, value in records.items():
        rest = f" {key}={value}\n".encode()
        length = len(rest) + 1
        while len(str(length)) + len(rest) != length:
            length = len(str(length)) + len(rest)
        data += str(length).encode() + rest
    return member("PaxHeaders/x", data, kind)


def resized(block: bytes, size_field: bytes) -> bytes:
    """Put another size into a header and mend its checksum."""
    block = block[:124] + size_field.ljust(12, b"\0") + block[136:148] + b" " * 8 + block[156:]
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def tar_gz(*parts: bytes) -> bytes:
    return gzip.compress(b"".join(parts) + END, 1)


def zipped() -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("model.pth", "x")
    return held.getvalue()


GOOD = member("model.pth", b"weights")
NOISE = random.Random(3).randbytes(200_000)
LARGE = tar_gz(GOOD, member("large", NOISE))

HOSTILE: dict[str, tuple[bytes, str]] = {
    # names that lead out
    "absolute name": (tar_gz(GOOD, member("/tmp/escaped")), "outside of /opt/ml/model"),
    "parent": (tar_gz(GOOD, member("../escaped")), "outside of /opt/ml/model"),
    "parent in the middle": (tar_gz(GOOD, member("a/../../escaped")), "outside of /opt/ml/model"),
    "parent that comes back in": (tar_gz(GOOD, member("a/../b")), "outside of /opt/ml/model"),
    "parent as a folder": (tar_gz(GOOD, member("..", kind=tarfile.DIRTYPE)), "outside of /opt/ml/model"),
    "parent in a pax name": (tar_gz(pax({"path": "../escaped"}), GOOD), "outside of /opt/ml/model"),
    "absolute pax name": (tar_gz(pax({"path": "/tmp/escaped"}), GOOD), "outside of /opt/ml/model"),
    "parent in a long name": (
        tar_gz(member("././@LongLink", b"../escaped\0", tarfile.GNUTYPE_LONGNAME), GOOD), "outside of /opt/ml/model",
    ),
    "NUL in a name": (tar_gz(pax({"path": "a\0b"}), GOOD), "outside of /opt/ml/model"),
    "file without a name": (tar_gz(GOOD, member("./.")), "outside of /opt/ml/model"),
    # links
    "symlink inside": (tar_gz(GOOD, member("best", kind=tarfile.SYMTYPE, link="model.pth")), "holds a symlink"),
    "symlink out": (tar_gz(GOOD, member("best", kind=tarfile.SYMTYPE, link="/etc/passwd")), "holds a symlink"),
    "file through a symlink": (
        tar_gz(member("d", kind=tarfile.SYMTYPE, link=".."), member("d/escaped")), "holds a symlink",
    ),
    "hard link out": (tar_gz(GOOD, member("best", kind=tarfile.LNKTYPE, link="../secret")), "outside of /opt/ml/model"),
    "absolute hard link": (
        tar_gz(GOOD, member("best", kind=tarfile.LNKTYPE, link="/etc/passwd")), "outside of /opt/ml/model",
    ),
    "hard link to nothing": (tar_gz(GOOD, member("best", kind=tarfile.LNKTYPE, link="later")), "no earlier member"),
    "hard link to a folder": (
        tar_gz(member("d", kind=tarfile.DIRTYPE), member("best", kind=tarfile.LNKTYPE, link="d")), "no earlier member",
    ),
    # what is no file
    "character device": (tar_gz(GOOD, member("null", kind=tarfile.CHRTYPE)), "a character device"),
    "block device": (tar_gz(GOOD, member("disk", kind=tarfile.BLKTYPE)), "a block device"),
    "FIFO": (tar_gz(GOOD, member("pipe", kind=tarfile.FIFOTYPE)), "a FIFO"),
    "unknown kind": (tar_gz(GOOD, member("odd", kind=b"Z")), "an unknown kind"),
    "part of several volumes": (tar_gz(GOOD, member("odd", kind=b"M")), "an unknown kind"),
    "sparse": (tar_gz(GOOD, member("hollow", kind=tarfile.GNUTYPE_SPARSE)), "a sparse file"),
    "pax sparse": (tar_gz(pax({"GNU.sparse.major": "1", "GNU.sparse.name": "hollow"}), GOOD), "a sparse file"),
    # names that cannot be
    "folder in a file": (tar_gz(GOOD, member("model.pth/inside")), "both a file and a folder"),
    "file over a folder": (tar_gz(member("d", kind=tarfile.DIRTYPE), member("d")), "both a file and a folder"),
    "folder over a file": (tar_gz(GOOD, member("model.pth", kind=tarfile.DIRTYPE)), "both a file and a folder"),
    "name too long": (tar_gz(GOOD, member("n" * 256)), "cannot be a file's name"),
    "path too deep": (tar_gz(GOOD, member("d/" * 5000 + "f")), "too deep"),
    # sizes and headers that lie
    "negative size": (tar_gz(GOOD, resized(header("f"), b"\xff" * 12)), "size is negative"),
    "eight exabytes": (tar_gz(GOOD, resized(header("f"), b"\x80\0\0\0\x7f" + b"\xff" * 7)), "too many bytes"),
    "pax size of words": (tar_gz(pax({"size": "-1"}), GOOD), "size is not a number"),
    "endless size of digits": (tar_gz(pax({"size": "9" * 5000}), GOOD), "size is not a number"),
    "extended header of a gigabyte": (
        tar_gz(header("x", tarfile.XHDTYPE, 1 << 30), bytes(1 << 20)), "unreasonably long headers",
    ),
    "extended headers without end": (tar_gz(*[pax({"comment": "x"})] * 50, GOOD), "unreasonably long headers"),
    "extended header of noise": (tar_gz(member("x", b"noise", tarfile.XHDTYPE), GOOD), "cannot be read"),
    "extended record too long": (tar_gz(member("x", b"99 path=a\n", tarfile.XHDTYPE), GOOD), "cannot be read"),
    "global header that renames": (tar_gz(pax({"path": "a"}, tarfile.XGLTYPE), GOOD), "a global header"),
    "wrong checksum": (tar_gz(GOOD, b"x" + header("f")[1:]), "wrong checksum"),
    # damaged
    "gzip cut short": (LARGE[:-5000], "cut short"),
    "gzip cut in its header": (LARGE[:7], "cut short"),
    "gzip without its trailer": (LARGE[:-8], "cut short"),
    "tar cut short": (gzip.compress(GOOD + member("large", NOISE)[:5000]), "cut short"),
    "tar cut in a header": (gzip.compress(GOOD + header("f")[:100]), "cut short"),
    "tar cut after a long name": (gzip.compress(GOOD + pax({"path": "f"})), "cut short"),
    "tar cut in an extended header": (gzip.compress(GOOD + pax({"path": "f" * 600})[:700]), "cut short"),
    "wrong checksum of the content": (LARGE[:-8] + b"\0\0\0\0" + LARGE[-4:], "is damaged"),
    "flipped bytes": (LARGE[:30] + bytes(byte ^ 0x55 for byte in LARGE[30:60]) + LARGE[60:], "damaged"),
    "junk behind the gzip": (LARGE + b"junk" * 10, "is damaged"),
    # something else
    "empty file": (b"", "is empty"),
    "zip": (zipped(), "it is a zip file"),
    "plain tar": (GOOD + END, "a tar that is not compressed"),
    "bzip2": (bz2.compress(GOOD + END), "compressed with bzip2"),
    "xz": (lzma.compress(GOOD + END), "compressed with xz"),
    "zstd": (b"\x28\xb5\x2f\xfd rest", "compressed with zstd"),
    "pickle": (b"\x80\x04\x95 rest", "a Python pickle"),
    "Git LFS pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "a Git LFS pointer"),
    "error page": (b"<?xml version='1.0'?><Error>AccessDenied</Error>", "an XML or HTML page"),
    "text": (b"hello", "something else"),
    "gzip of no tar": (gzip.compress(NOISE), "no tar in it"),
    "gzip of a few bytes": (gzip.compress(b"weights"), "no tar in it"),
    "gzip of a pickle": (gzip.compress(b"\x80\x04\x95 rest" * 100), "its content is a Python pickle"),
    "compressed twice": (gzip.compress(tar_gz(GOOD)), "gzip again"),
    # bombs
    "small file of zeros": (tar_gz(GOOD, member("zeros", bytes(3 << 20))), "too many bytes"),
    "many small files": (tar_gz(*[member(str(number)) for number in range(300)]), "too many members"),
    "much behind the end": (gzip.compress(GOOD + END + bytes(65 << 20), 1), "follows the end of the tar"),
}  # fmt: skip


@pytest.mark.parametrize("made_before", [True, False])
@pytest.mark.parametrize("case", HOSTILE)
def test_a_bad_archive_is_refused_in_words_and_leaves_nothing(tmp_path, case, made_before):
    content, words = HOSTILE[case]
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "secret").write_text("secret")
    (inside / "model.tar.gz").write_bytes(content)
    if made_before:
        (inside / "model").mkdir()
    threads = threading.active_count()

    with pytest.raises(ArchiveError) as caught:
        unpack_model(inside / "model.tar.gz", inside / "model", max_bytes=1 << 20, max_members=200)

    error = caught.value
    assert words in error.what
    assert error.expected
    assert error.hint
    assert error.exit_code == ExitCode.USAGE
    assert all(line.isprintable() for line in error.lines())
    assert sorted(os.listdir(inside)) == (["model"] if made_before else []) + ["model.tar.gz", "secret"]
    assert not made_before or not os.listdir(inside / "model")
    assert os.listdir(tmp_path) == ["inside"]
    assert (inside / "secret").stat().st_nlink == 1
    assert not Path("/tmp/escaped").exists()
    assert threading.active_count() == threads


@pytest.mark.parametrize("name", ["model.tgz", "model.gz", "model.tar", "model.TAR.GZ", "model"])
def test_hosting_downloads_nothing_but_tar_gz(tmp_path, name):
    (tmp_path / name).write_bytes(tar_gz(GOOD))
    with pytest.raises(ArchiveError, match="wrong extension") as caught:
        unpack_model(tmp_path / name, tmp_path / "out")
    assert caught.value.value == name


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: None, "is not there"),
        (Path.mkdir, "is a folder"),
        (os.mkfifo, "is not a file"),
        (lambda path: path.symlink_to("/dev/zero"), "is not a file"),
    ],
)
def test_what_is_no_file_is_refused_without_waiting(tmp_path, make, words):
    make(tmp_path / "model.tar.gz")
    with pytest.raises(ArchiveError, match=words) as caught:
        unpack_model(tmp_path / "model.tar.gz", tmp_path / "out")
    assert caught.value.value == str(tmp_path / "model.tar.gz")
    assert not (tmp_path / "out").exists()


def unpacked(tmp_path: Path, *parts: bytes) -> tuple[dict[str, bytes], tuple[str, ...]]:
    (tmp_path / "model.tar.gz").write_bytes(tar_gz(*parts))
    result = unpack_model(tmp_path / "model.tar.gz", tmp_path / "out")
    files = {
        str(path.relative_to(result.folder)): path.read_bytes()
        for path in result.folder.rglob("*")
        if path.is_file()
    }
    assert result.bytes >= sum(len(one) for one in set(files.values()))
    return files, result.notes


def test_an_ordinary_archive_has_no_notes(tmp_path):
    assert unpacked(tmp_path, member("./", kind=tarfile.DIRTYPE), member("./model.pth", b"w"), member("./code/a.py", b"c")) == (
        {"model.pth": b"w", "code/a.py": b"c"}, (),
    )  # fmt: skip


def test_one_folder_around_everything_is_noted_as_a_likely_mistake(tmp_path):
    files, notes = unpacked(tmp_path, member("model/a", b"1"), member("model/b/c", b"2"))
    assert set(files) == {"model/a", "model/b/c"}
    (note,) = notes
    assert "/opt/ml/model/model/..." in note
    assert "tar -C model -czf model.tar.gz ." in note


def test_a_version_folder_of_tensorflow_serving_is_no_mistake(tmp_path):
    assert unpacked(tmp_path, member("1/saved_model.pb", b"1")) == ({"1/saved_model.pb": b"1"}, ())


def test_an_archive_without_files_is_noted(tmp_path):
    files, (note,) = unpacked(tmp_path, member("empty", kind=tarfile.DIRTYPE))
    assert files == {}
    assert "holds no file" in note


def test_a_hard_link_to_an_earlier_member_is_taken_and_noted(tmp_path):
    files, (note,) = unpacked(tmp_path, GOOD, member("best", kind=tarfile.LNKTYPE, link="./model.pth"))
    assert files == {"model.pth": b"weights", "best": b"weights"}
    assert "1 members are hard links" in note


def test_sidecars_of_macos_are_noted(tmp_path):
    _, (note,) = unpacked(tmp_path, GOOD, member("._model.pth", b"junk"))
    assert "macOS" in note


def test_of_a_name_that_is_there_twice_the_last_counts(tmp_path):
    files, _ = unpacked(
        tmp_path, GOOD, member("best", kind=tarfile.LNKTYPE, link="model.pth"), member("model.pth", b"newer")
    )
    assert files == {"model.pth": b"newer", "best": b"weights"}


def test_long_names_of_every_kind_are_read(tmp_path):
    long = "folder/" * 30 + "n" * 200
    assert unpacked(tmp_path, GOOD, member(long, b"gnu"))[0][long] == b"gnu"
    (tmp_path / "pax").mkdir()
    info = tarfile.TarInfo(long)
    parts = (info.tobuf(tarfile.PAX_FORMAT), pax({"comment": "x"}, tarfile.XGLTYPE), GOOD)
    assert set(unpacked(tmp_path / "pax", *parts)[0]) == {long, "model.pth"}


@pytest.mark.parametrize("form", ["v7", "oldgnu", "gnu", "ustar", "posix"])
def test_every_format_that_tar_writes_is_read(tmp_path, form):
    source = tmp_path / "source"
    (source / "code").mkdir(parents=True)
    (source / "model.bin").write_bytes(NOISE)
    (source / "code" / "größe.py").write_text("x = 1")
    subprocess.run(
        ["tar", "-C", source, f"--format={form}", "-czf", tmp_path / "model.tar.gz", "."], check=True
    )
    result = unpack_model(tmp_path / "model.tar.gz", tmp_path / "out")
    assert (result.folder / "model.bin").read_bytes() == NOISE
    assert (result.folder / "code" / "größe.py").read_text() == "x = 1"
    assert result.notes == ()


def test_several_gzip_members_and_zero_padding_are_one_archive(tmp_path):
    (tmp_path / "model.tar.gz").write_bytes(gzip.compress(GOOD) + gzip.compress(END) + bytes(100))
    assert unpack_model(tmp_path / "model.tar.gz", tmp_path / "out").files == 1


def test_an_archive_without_its_end_blocks_is_taken_as_tar_takes_it(tmp_path):
    (tmp_path / "model.tar.gz").write_bytes(gzip.compress(GOOD))
    assert unpack_model(tmp_path / "model.tar.gz", tmp_path / "out").files == 1


def test_modes_never_lock_the_owner_out_nor_lend_rights(tmp_path):
    made = []
    for name, kind, mode in (
        ("locked", tarfile.DIRTYPE, 0),
        ("locked/f", tarfile.REGTYPE, 0),
        ("s", tarfile.REGTYPE, 0o6755),
    ):
        info = tarfile.TarInfo(name)
        info.type, info.mode, info.mtime, info.uid = kind, mode, 1000, 12345
        made.append(info.tobuf(tarfile.GNU_FORMAT))
    unpacked(tmp_path, *made)
    status = {name: (tmp_path / "out" / name).stat() for name in ("locked", "locked/f", "s")}
    assert {name: stat.S_IMODE(one.st_mode) for name, one in status.items()} == {
        "locked": 0o700, "locked/f": 0o600, "s": 0o755,
    }  # fmt: skip
    assert {(one.st_mtime, one.st_uid) for one in status.values()} == {(1000, os.geteuid())}


def test_a_name_with_terminal_codes_is_shown_harmlessly(tmp_path):
    (tmp_path / "model.tar.gz").write_bytes(tar_gz(member("../\x1b]0;owned\x07\udcff")))
    with pytest.raises(ArchiveError) as caught:
        unpack_model(tmp_path / "model.tar.gz", tmp_path / "out")
    assert caught.value.value == r"../\x1b]0;owned\x07\udcff"


def test_a_cancelled_unpacking_leaves_nothing(tmp_path):
    (tmp_path / "model.tar.gz").write_bytes(LARGE)

    def cancel(done: int) -> None:
        if done > 1000:
            raise KeyboardInterrupt

    threads = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        unpack_model(tmp_path / "model.tar.gz", tmp_path / "out", progress=cancel)
    assert os.listdir(tmp_path) == ["model.tar.gz"]
    assert threading.active_count() == threads


def test_a_model_larger_than_the_disk_is_refused_before_it_fills_it(tmp_path, monkeypatch):
    (tmp_path / "model.tar.gz").write_bytes(LARGE)
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000}))
    with pytest.raises(MachineError, match="does not fit on this disk"):
        unpack_model(tmp_path / "model.tar.gz", tmp_path / "out")
    assert os.listdir(tmp_path) == ["model.tar.gz"]


def test_a_folder_that_is_in_use_is_left_alone(tmp_path):
    (tmp_path / "model.tar.gz").write_bytes(LARGE)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").touch()
    with pytest.raises(BugError):
        unpack_model(tmp_path / "model.tar.gz", tmp_path / "out")
    assert os.listdir(tmp_path / "out") == ["mine"]
    with pytest.raises(MachineError):
        unpack_model(tmp_path / "model.tar.gz", tmp_path / "no" / "parent")
