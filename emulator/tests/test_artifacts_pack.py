"""What a job left behind comes back whole, whoever opens the archive."""

from __future__ import annotations

import errno
import gzip
import os
import random
import socket
import stat
import subprocess
import sys
import tarfile
import threading
import time
from typing import TYPE_CHECKING

import pytest

from sm_emulate.artifacts.deflate import BLOCK, GzipWriter
from sm_emulate.artifacts.pack import LinkRule, pack
from sm_emulate.artifacts.unpack import unpack_model
from sm_emulate.errors import MachineError

if TYPE_CHECKING:
    from pathlib import Path

SIZES = (0, 1, 511, 512, 513, 70_000, BLOCK - 512, BLOCK, BLOCK + 1, 3 * BLOCK + 77)
NAMES = (
    "model.pth",
    "größe",
    "with space",
    "new\nline",
    "-dash",
    "n" * 99,
    "n" * 100,
    "n" * 101,
    "n" * 255,
    os.fsdecode(b"\xff\xfe raw"),
    ".hidden",
    "\u202eright",
)


def make_tree(folder: Path, seed: int) -> None:
    """Write a random tree of odd names, odd sizes, odd modes."""
    chance = random.Random(seed)
    folders = [folder]
    for _ in range(chance.randint(1, 5)):
        below = chance.choice(folders) / ("d" + chance.choice(NAMES)[:200])
        below.mkdir(exist_ok=True, parents=True)
        folders.append(below)
    for number in range(chance.randint(1, 8)):
        path = chance.choice(folders) / (str(number) + chance.choice(NAMES)[:200])
        size = chance.choice(SIZES)
        path.write_bytes(chance.randbytes(size) if chance.random() < 0.5 else b"loss=0.25\n" * (size // 10))
        path.chmod(chance.choice((0o644, 0o600, 0o755, 0o444)))
        os.utime(path, (chance.randrange(1 << 31),) * 2)


def content(folder: Path) -> dict[str, tuple[int, int, bytes | None]]:
    """Give name -> (mode, whole seconds of a file's mtime, bytes)."""
    found = {}
    for path in folder.rglob("*"):
        status = path.lstat()
        is_file = stat.S_ISREG(status.st_mode)
        found[str(path.relative_to(folder))] = (
            stat.S_IMODE(status.st_mode),
            int(status.st_mtime) if is_file else 0,
            path.read_bytes() if is_file else None,
        )
    return found


@pytest.mark.parametrize("seed", range(12))
def test_any_tree_comes_back_through_every_reader(tmp_path, seed):
    made, archive = tmp_path / "model", tmp_path / "model.tar.gz"
    made.mkdir()
    make_tree(made, seed)

    packed = pack([made], archive, threads=1 + seed % 3)

    expected = content(made)
    by_tar = tmp_path / "by-tar"
    by_tar.mkdir()
    subprocess.run(["tar", "-C", by_tar, "-xpzf", archive], check=True)
    with tarfile.open(archive) as opened:
        by_python = {
            member.name: (member.mode, member.mtime, held.read())
            if (held := opened.extractfile(member))
            else (member.mode, 0, None)
            for member in opened
        }
    unpacked = unpack_model(archive, tmp_path / "by-us")
    assert content(by_tar) == expected
    assert by_python == expected
    owned = {name: (mode | 0o600, *rest) for name, (mode, *rest) in expected.items()}
    assert content(tmp_path / "by-us") == owned
    assert packed.members == unpacked.members == len(expected)
    assert packed.files == unpacked.files == sum(one[2] is not None for one in expected.values())
    assert packed.source_bytes == unpacked.bytes == sum(len(one[2] or b"") for one in expected.values())
    assert packed.archive_bytes == unpacked.archive_bytes == archive.stat().st_size
    assert packed.skipped == packed.clashes == ()


def names(archive: Path) -> list[str]:
    with tarfile.open(archive) as opened:
        return [member.name + ("/" if member.isdir() else "") for member in opened]


def test_members_lie_at_the_root_sorted_with_folders_first(tmp_path):
    made = tmp_path / "model"
    for name in ("z/inner", "a/2", "a/b/1", "m.bin", "B.bin"):
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).touch()
    (made / "empty").mkdir()
    pack([made], tmp_path / "model.tar.gz")
    assert names(tmp_path / "model.tar.gz") == [
        "a/", "a/b/", "a/b/1", "a/2", "empty/", "z/", "z/inner", "B.bin", "m.bin",
    ]  # fmt: skip


def test_equal_content_makes_equal_bytes_and_no_name_in_the_header(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "weights").write_bytes(random.Random(1).randbytes(2 * BLOCK))
        os.utime(tmp_path / name / "weights", (7, 7))
    pack([tmp_path / "one"], tmp_path / "one.tar.gz", threads=1)
    pack([tmp_path / "two"], tmp_path / "another-name.tar.gz", threads=4)
    first = (tmp_path / "one.tar.gz").read_bytes()
    assert first == (tmp_path / "another-name.tar.gz").read_bytes()
    assert gzip.decompress(first).endswith(bytes(2 * tarfile.BLOCKSIZE))
    assert first[:10] == b"\x1f\x8b\x08\0\0\0\0\0\0\xff"


def test_owner_and_group_are_kept_as_numbers(tmp_path):
    made = tmp_path / "model"
    made.mkdir()
    (made / "f").touch()
    pack([made], tmp_path / "model.tar.gz")
    with tarfile.open(tmp_path / "model.tar.gz") as opened:
        member = opened.getmember("f")
    status = (made / "f").stat()
    assert (member.uid, member.gid) == (status.st_uid, status.st_gid)


def test_nothing_to_pack_makes_no_archive(tmp_path):
    (tmp_path / "model").mkdir()
    packed = pack([tmp_path / "model"], tmp_path / "model.tar.gz")
    assert (packed.archive, packed.members, packed.archive_bytes) == (None, 0, 0)
    assert os.listdir(tmp_path) == ["model"]


def test_several_hosts_are_merged_and_the_first_keeps_a_name(tmp_path):
    for host, files in (
        ("algo-1", ("same", "one/a", "kind")),
        ("algo-2", ("same", "one/b", "kind/inside", "two")),
    ):
        for name in files:
            path = tmp_path / host / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(host)
    packed = pack([tmp_path / "algo-1", tmp_path / "algo-2"], tmp_path / "model.tar.gz")
    assert names(tmp_path / "model.tar.gz") == ["one/", "one/a", "one/b", "kind", "same", "two"]
    with tarfile.open(tmp_path / "model.tar.gz") as opened:
        kept = opened.extractfile("same")
        assert kept is not None
        assert kept.read() == b"algo-1"
    assert [(clash.name, clash.kept, clash.left_out) for clash in packed.clashes] == [
        (name, str(tmp_path / "algo-1" / name), str(tmp_path / "algo-2" / name)) for name in ("kind", "same")
    ]


@pytest.fixture
def linked(tmp_path):
    made = tmp_path / "model"
    (made / "real").mkdir(parents=True)
    (made / "real" / "weights").write_text("w")
    (tmp_path / "secret").write_text("s")
    for name, target in (
        ("to-file", "real/weights"),
        ("to-folder", "real"),
        ("real/to-parent", ".."),
        ("out", "../secret"),
        ("absolute", "/etc/passwd"),
        ("dangling", "nowhere"),
        ("circle", "circle"),
    ):
        (made / name).symlink_to(target)
    return made


def test_symlinks_stay_symlinks_as_on_the_platform(linked, tmp_path):
    packed = pack([linked], tmp_path / "model.tar.gz")
    with tarfile.open(tmp_path / "model.tar.gz") as opened:
        targets = {member.name: member.linkname for member in opened if member.issym()}
    assert targets == {
        "to-file": "real/weights",
        "to-folder": "real",
        "real/to-parent": "..",
        "out": "../secret",
        "absolute": "/etc/passwd",
        "dangling": "nowhere",
        "circle": "circle",
    }
    assert packed.skipped == ()


def test_followed_symlinks_show_only_what_lies_inside(linked, tmp_path):
    packed = pack([linked], tmp_path / "model.tar.gz", links=LinkRule.FOLLOW)
    assert names(tmp_path / "model.tar.gz") == [
        "real/", "real/weights", "to-folder/", "to-folder/weights", "to-file",
    ]  # fmt: skip
    assert {one.name: one.reason for one in packed.skipped} == {
        "real/to-parent": "it is a symlink to a folder that holds it",
        "to-folder/to-parent": "it is a symlink to a folder that holds it",
        "out": "it is a symlink out of the folder",
        "absolute": "it is a symlink out of the folder",
        "dangling": "it is a symlink to nothing",
        "circle": "it is a symlink to nothing",
    }


def test_symlinks_can_be_left_out(linked, tmp_path):
    packed = pack([linked], tmp_path / "model.tar.gz", links=LinkRule.SKIP)
    assert names(tmp_path / "model.tar.gz") == ["real/", "real/weights"]
    assert {one.reason for one in packed.skipped} == {"it is a symlink"}
    assert len(packed.skipped) == 7


def test_links_to_folders_of_links_do_not_multiply(tmp_path):
    made = tmp_path / "model"
    for number in range(30):
        (made / f"d{number}").mkdir(parents=True)
        (made / f"d{number}" / "a").symlink_to(f"../d{number + 1}")
        (made / f"d{number}" / "b").symlink_to(f"../d{number + 1}")
    (made / "d30").mkdir()
    packed = pack([made], tmp_path / "model.tar.gz", links=LinkRule.FOLLOW)
    assert packed.members < 31 * 3
    assert any("found through another" in one.reason for one in packed.skipped)


def test_both_names_of_a_hard_link_are_whole_files(tmp_path):
    made = tmp_path / "model"
    made.mkdir()
    (made / "best").write_text("weights")
    (made / "last").hardlink_to(made / "best")
    pack([made], tmp_path / "model.tar.gz")
    assert unpack_model(tmp_path / "model.tar.gz", tmp_path / "out").notes == ()
    assert (tmp_path / "out" / "best").read_text() == (tmp_path / "out" / "last").read_text() == "weights"


def test_sockets_fifos_and_devices_are_left_out_and_listed(tmp_path, monkeypatch):
    made = tmp_path / "model"
    made.mkdir()
    (made / "weights").touch()
    os.mkfifo(made / "fifo")
    monkeypatch.chdir(made)  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
    expected = {"fifo": "it is a FIFO", "socket": "it is a socket"}
    if os.geteuid() == 0:
        os.mknod(made / "null", stat.S_IFCHR | 0o600, os.makedev(1, 3))
        expected["null"] = "it is a character device"
    packed = pack([made], tmp_path / "model.tar.gz")
    assert names(tmp_path / "model.tar.gz") == ["weights"]
    assert {one.name: one.reason for one in packed.skipped} == expected


def test_an_archive_inside_its_own_folder_does_not_hold_itself(tmp_path):
    (tmp_path / "weights").touch()
    pack([tmp_path], tmp_path / "model.tar.gz")
    assert names(tmp_path / "model.tar.gz") == ["weights"]


def test_an_earlier_archive_is_replaced_only_by_a_whole_one(tmp_path):
    made, archive = tmp_path / "model", tmp_path / "model.tar.gz"
    made.mkdir()
    (made / "weights").write_bytes(bytes(BLOCK))
    archive.write_text("the earlier one")

    def cancel(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pack([made], archive, progress=cancel)
    assert archive.read_text() == "the earlier one"
    assert sorted(os.listdir(tmp_path)) == ["model", "model.tar.gz"]
    pack([made], archive)
    assert names(archive) == ["weights"]


@pytest.mark.parametrize("threads", [1, 4])
def test_a_cancelled_packing_leaves_no_file_and_no_thread(tmp_path, threads):
    made = tmp_path / "model"
    made.mkdir()
    for number in range(4):
        (made / str(number)).write_bytes(random.Random(number).randbytes(3 * BLOCK))
    seen = []

    def cancel_later(done: int) -> None:
        seen.append(done)
        if len(seen) == 3:
            raise KeyboardInterrupt

    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        pack([made], tmp_path / "model.tar.gz", progress=cancel_later, threads=threads)
    assert os.listdir(tmp_path) == ["model"]
    assert threading.active_count() == before
    assert seen == sorted(seen)


def test_a_full_disk_is_the_machines_fault_and_leaves_nothing(tmp_path, monkeypatch):
    made = tmp_path / "model"
    made.mkdir()
    (made / "weights").touch()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(GzipWriter, "_finish", full)
    with pytest.raises(MachineError, match="the disk is full") as caught:
        pack([made], tmp_path / "model.tar.gz")
    assert caught.value.value == str(tmp_path / "model.tar.gz")
    assert os.listdir(tmp_path) == ["model"]


def test_a_folder_that_a_job_removed_counts_as_empty(tmp_path):
    packed = pack([tmp_path / "gone"], tmp_path / "model.tar.gz")
    assert (packed.archive, packed.skipped) == (None, ())
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("rule", LinkRule)
def test_a_link_in_the_place_of_the_folder_is_never_followed(tmp_path, rule):
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key").write_text("of the host")
    (tmp_path / "data").symlink_to(secret)
    packed = pack([tmp_path / "data"], tmp_path / "output.tar.gz", links=rule)
    assert packed.archive is None
    assert [each.name for each in packed.skipped] == ["data"]


def test_one_host_s_link_does_not_keep_the_others_from_being_packed(tmp_path):
    for host in ("algo-1", "algo-2"):
        (tmp_path / host).mkdir()
    (tmp_path / "algo-1" / "data").write_text("a file")
    (tmp_path / "algo-2" / "data").mkdir()
    (tmp_path / "algo-2" / "data" / "x").write_text("x")
    packed = pack([tmp_path / host / "data" for host in ("algo-1", "algo-2")], tmp_path / "output.tar.gz")
    assert names(packed.archive) == ["x"]
    assert [each.name for each in packed.skipped] == ["data"]


def test_kept_symlinks_are_named(tmp_path):
    made = tmp_path / "model"
    made.mkdir()
    (made / "link").symlink_to("nowhere")
    assert pack([made], tmp_path / "model.tar.gz").links == ("link",)


def test_a_missing_place_for_the_archive_is_named(tmp_path):
    with pytest.raises(MachineError, match="could not be written") as caught:
        pack([tmp_path], tmp_path / "nowhere" / "model.tar.gz")
    assert caught.value.value == str(tmp_path / "nowhere" / "model.tar.gz")
    assert os.listdir(tmp_path) == []


def test_a_file_that_shrinks_while_it_is_read_is_refused(tmp_path):
    made = tmp_path / "model"
    made.mkdir()
    (made / "a").touch()
    (made / "b").write_bytes(b"x")
    large = made / "c"
    large.touch()
    os.truncate(large, 65 << 20)

    def shrink(done: int) -> None:
        if done > 1:
            os.truncate(large, 0)

    with pytest.raises(MachineError, match="changed while it was being packed"):
        pack([made], tmp_path / "model.tar.gz", progress=shrink)
    assert os.listdir(tmp_path) == ["model"]


def test_the_standard_library_packs_and_unpacks_where_isal_is_missing(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "isal", None)
    made = tmp_path / "model"
    made.mkdir()
    (made / "text").write_bytes(b"epoch 1 " * BLOCK)
    pack([made], tmp_path / "model.tar.gz", threads=2)
    with gzip.open(tmp_path / "model.tar.gz") as opened:
        assert len(opened.read()) > 8 * BLOCK
    unpack_model(tmp_path / "model.tar.gz", tmp_path / "out")
    assert content(tmp_path / "out") == content(made)


def test_a_slow_core_holds_the_reader_back(tmp_path, monkeypatch):
    compress, blocks = GzipWriter._compress, set()

    def slowly(self: GzipWriter, block: bytearray, fill: int, tail: bytes) -> bytes:
        blocks.add(id(block))
        time.sleep(0.005)
        return compress(self, block, fill, tail)

    monkeypatch.setattr(GzipWriter, "_compress", slowly)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "sparse").touch()
    os.truncate(tmp_path / "model" / "sparse", 40 * BLOCK)
    pack([tmp_path / "model"], tmp_path / "model.tar.gz", threads=1)
    assert len(blocks) <= 4


MEMORY = """
import resource, sys
from pathlib import Path
from sm_emulate.artifacts.pack import pack
from sm_emulate.artifacts.unpack import unpack_model
folder = Path(sys.argv[1])
def once(name):
    pack([folder / name], folder / (name + ".tar.gz"), threads=2)
    unpack_model(folder / (name + ".tar.gz"), folder / (name + "-out"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
first = once("small")
print(once("large") - first)
"""


def test_memory_does_not_grow_with_the_data(tmp_path):
    for name, count in (("small", 1), ("large", 6)):
        (tmp_path / name).mkdir()
        # noise is the slowest to compress, so blocks would pile up; each name of it is packed as a file
        (tmp_path / name / "0").write_bytes(random.Random(0).randbytes(20 << 20))
        for number in range(1, count):
            (tmp_path / name / str(number)).hardlink_to(tmp_path / name / "0")
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, tmp_path], check=True, capture_output=True, text=True
    )
    assert sum(path.stat().st_size for path in (tmp_path / "large-out").iterdir()) == 120 << 20
    unit = 1 if sys.platform == "darwin" else 1024
    assert int(done.stdout) * unit < 16 << 20
