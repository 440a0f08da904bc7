"""What the multi-model probe lays out for a container, without one."""

from __future__ import annotations

import io
import tarfile

import pytest

from sm_contracts.evidence.multi_model import LoadWithPings
from sm_contracts.probes import Workbench
from sm_contracts.probes.multi_model.exhaustion import _tell
from sm_contracts.probes.multi_model.shelf import NO_MODEL, Shelf, stem
from sm_contracts.probes.multi_model.talk import opaque
from sm_contracts.probes.serving import model_folder
from sm_contracts.roles import Role
from sm_contracts.subject import Subject
from sm_emulate.engine.memory import MemoryEngine


@pytest.fixture
def shelf(tmp_path):
    """Make the shelf of a model that is given as a path."""

    def make(model):
        subject = Subject(
            image="image", roles=frozenset({Role.MULTI_MODEL}), roles_found_by="asked for", model=model
        )
        folder = tmp_path / "bench"
        folder.mkdir()
        return Shelf(Workbench(subject=subject, engine=MemoryEngine(), folder=folder))

    return make


def archive(path, words=b"hello", mode=0o600):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as tar:
        info = tarfile.TarInfo("private/words.txt")
        info.size, info.mode = len(words), mode
        tar.addfile(info, io.BytesIO(words))
    return path


def test_two_archives_of_a_folder_are_taken_by_their_keys(shelf, tmp_path):
    for key in ("c.tar.gz", "a.tar.gz", "a/b.tar.gz"):
        archive(tmp_path / "models" / key)
    (tmp_path / "models/notes.txt").write_text("no model")
    found = shelf(tmp_path / "models")
    assert (found.keys, found.trouble) == (("a.tar.gz", "a/b.tar.gz"), None)


def test_a_model_lies_under_each_name_for_any_user_to_read(shelf, tmp_path):
    found = shelf(archive(tmp_path / "one.tar.gz"))
    names = [opaque("one.tar.gz", number) for number in (1, 2)]
    for name in (*names, names[0]):
        found.put("one.tar.gz", name)
    assert sorted(path.name for path in found.folder.iterdir()) == sorted(names)
    for name in names:
        words = found.folder / name / "model/private/words.txt"
        assert words.read_bytes() == b"hello"
        assert [path.stat().st_mode & 0o005 for path in (words.parent, words)] == [0o005, 0o004]


def test_a_folder_without_archives_is_a_model_and_stays_as_it_is(shelf, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model/words.txt").write_text("hello")
    (tmp_path / "model/words.txt").chmod(0o600)
    found = shelf(tmp_path / "model")
    found.put("model.tar.gz", "0a1b")
    assert (found.folder / "0a1b/model/words.txt").read_text() == "hello"
    assert (tmp_path / "model/words.txt").stat().st_mode & 0o777 == 0o600


def test_that_no_model_was_given_is_told(shelf):
    assert shelf(None).trouble is NO_MODEL


def test_an_archive_that_cannot_be_unpacked_is_told(shelf, tmp_path):
    (tmp_path / "noise.tar.gz").write_bytes(b"no archive")
    trouble = shelf(tmp_path / "noise.tar.gz").trouble
    assert trouble is not None
    assert trouble.reason.startswith("the model cannot be unpacked")


@pytest.mark.parametrize("key", ["iris.tar.gz", "teams/a/iris.tar.gz"])
def test_the_name_that_a_container_would_derive(key):
    assert stem(key) == "iris"
    assert opaque(key, 1) != opaque(key, 2)
    assert "iris" not in opaque(key, 1)


def test_meminfo_is_rewritten_in_place_and_reads_as_the_kernels(tmp_path):
    file = tmp_path / "meminfo"
    _tell(file, 200 << 20, 0)
    seen = file.stat().st_ino
    _tell(file, 200 << 20, 150 << 20)
    assert file.stat().st_ino == seen
    rows = {line.split(":")[0]: line.split()[1:] for line in file.read_text().splitlines()}
    assert rows["MemTotal"] == ["204800", "kB"]
    assert rows["MemAvailable"] == ["51200", "kB"]


def test_a_load_without_pings_blocks_none():
    assert not LoadWithPings(seconds=9.0, pings=()).blocked


def test_a_container_that_serves_one_model_as_well_has_the_first_archive(tmp_path):
    for key in ("a.tar.gz", "b.tar.gz"):
        archive(tmp_path / "models" / key, words=key.encode())
    (tmp_path / "bench").mkdir()
    subject = Subject(
        image="image",
        roles=frozenset({Role.MULTI_MODEL, Role.SERVE}),
        roles_found_by="asked for",
        model=tmp_path / "models",
    )
    bench = Workbench(subject=subject, engine=MemoryEngine(), folder=tmp_path / "bench")
    folder = model_folder(bench)
    assert folder is not None
    assert (folder / "private/words.txt").read_bytes() == b"a.tar.gz"
