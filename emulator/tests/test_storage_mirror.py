"""A folder that is brought to a prefix of a store as it changes."""

from __future__ import annotations

import os

import pytest

from sm_emulate.errors import MachineError
from sm_emulate.storage import mirror as mirrors
from sm_emulate.storage.folder_store import FolderStore, remove_drafts
from sm_emulate.storage.mirror import Mirror

SIDECARS = (".sagemaker-uploading", ".sagemaker-uploaded")


class Watched(FolderStore):
    """Remembers what was put, and what lay beside it meanwhile."""

    def __init__(self):
        self.puts, self.beside, self.fail = [], [], None

    def put(self, source, uri):
        self.puts.append(source.name)
        self.beside.append(sorted(path.name for path in source.parent.iterdir()))
        if self.fail is not None:
            raise self.fail
        super().put(source, uri)


@pytest.fixture
def store():
    return Watched()


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "checkpoints"
    made.mkdir()
    return made


@pytest.fixture
def kept(tmp_path):
    made = tmp_path / "kept"
    made.mkdir()
    return made


@pytest.fixture
def mirror(folder, store, kept):
    return Mirror(folder, store, f"file://{kept}/", markers=True, deletes=True)


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_file_is_uploaded_when_it_has_rested_for_one_look(mirror, folder, kept):
    (folder / "a").write_text("1")
    assert not mirror.look()
    (folder / "a").write_text("longer")
    assert not mirror.look()
    assert names(kept) == []
    assert mirror.look()
    assert (kept / "a").read_text() == "longer"


def test_what_never_rests_is_uploaded_all_the_same(mirror, folder, kept, monkeypatch):
    monkeypatch.setattr(mirrors, "RESTLESS_SECONDS", 0.0)
    (folder / "log").write_text("1")
    mirror.look()
    (folder / "log").write_text("12")
    mirror.look()
    assert (kept / "log").read_text() == "12"


def test_sidecars_stand_beside_a_file_during_its_upload_and_after_it_and_are_not_uploaded(
    mirror, folder, kept, store
):
    (folder / "a").write_text("1")
    assert mirror.look(settled=False)
    assert store.beside == [["a", "a.sagemaker-uploading"]]
    assert names(folder) == ["a", "a.sagemaker-uploaded"]
    assert (folder / "a.sagemaker-uploaded").stat().st_size == 0
    assert mirror.look(settled=False)
    assert names(kept) == ["a"]
    assert store.puts == ["a"]
    # a file that changes is uploaded anew
    (folder / "a").write_text("22")
    assert mirror.look(settled=False)
    assert store.beside[1] == ["a", "a.sagemaker-uploading"]
    assert names(folder) == ["a", "a.sagemaker-uploaded"]


def test_what_is_deleted_here_is_deleted_there_with_its_sidecar(mirror, folder, kept):
    for name in ("a", "deep/b"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(name)
    mirror.look(settled=False)
    (folder / "a").unlink()
    (folder / "deep/b").rename(folder / "deep/c")
    assert mirror.look(settled=False)
    assert names(kept) == ["deep/c"]
    assert names(folder) == ["deep/c", "deep/c.sagemaker-uploaded"]


def test_what_others_put_there_later_is_neither_fetched_nor_deleted(mirror, folder, kept):
    (kept / "before").write_text("1")
    assert mirror.fetch() == [f"file://{kept}/before"]
    (kept / "later").write_text("2")
    assert mirror.look(settled=False)
    assert names(folder) == ["before"]
    assert names(kept) == ["before", "later"]
    (folder / "before").unlink()
    mirror.look(settled=False)
    assert names(kept) == ["later"]


def test_what_was_fetched_is_not_uploaded_again_unless_it_changes(mirror, folder, kept, store):
    (kept / "deep").mkdir()
    (kept / "deep/a").write_text("1")
    (kept / "a.sagemaker-uploaded").touch()
    mirror.fetch()
    assert mirror.look(settled=False)
    assert store.puts == []
    assert names(folder) == ["deep/a"]
    assert (folder / "deep").stat().st_mode & 0o777 == 0o755
    (folder / "deep/a").write_text("22")
    mirror.look(settled=False)
    assert (kept / "deep/a").read_text() == "22"


def test_links_are_never_followed_and_unfinished_files_of_xgboost_left(mirror, folder, kept, tmp_path):
    (tmp_path / "secret").write_text("of this machine")
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "away").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe")
    (folder / "tmp1.sagemaker-ignore").write_text("half")
    assert mirror.look(settled=False)
    assert names(kept) == []
    assert mirror.left_out == {
        "link": "it is a symlink",
        "away": "it is a symlink",
        "pipe": "it is no regular file",
    }


def test_a_store_that_refuses_is_tried_again(mirror, folder, kept, store):
    (folder / "a").write_text("1")
    store.fail = MachineError("the disk is full")
    assert not mirror.look(settled=False)
    assert mirror.trouble.what == "the disk is full"
    store.fail = None
    assert mirror.look(settled=False)
    assert mirror.trouble is None
    assert names(kept) == ["a"]


def test_a_key_that_leads_out_of_the_folder_is_not_fetched(mirror, folder, kept, store, monkeypatch):
    from sm_emulate.storage.objects import StoredObject

    bad = StoredObject(uri=f"file://{kept}/../../evil", key="evil", size=1, etag="1")
    monkeypatch.setattr(store, "objects", lambda prefix: iter([bad]))
    assert mirror.fetch() == []
    assert list(mirror.left_out) == ["../../evil"]


def test_a_folder_that_is_not_there_is_empty(store, tmp_path, kept):
    mirror = Mirror(tmp_path / "none", store, f"file://{kept}/", markers=True, deletes=True)
    assert mirror.look(settled=False)
    assert not (tmp_path / "none").exists()


def test_a_file_that_a_killed_process_had_half_written_is_no_object_and_is_removed(tmp_path, kept):
    store, prefix = FolderStore(), f"file://{kept}/"
    (tmp_path / "a").write_text("1")
    store.put(tmp_path / "a", f"{prefix}{'n' * 255}")
    dead, mine = ".sm-emulate-4194304-0123abcd.new", f".sm-emulate-{os.getpid()}-0123abcd.new"
    for name in (dead, mine):
        (kept / name).write_text("half")
    assert [each.key.rpartition("/")[2] for each in store.objects(prefix)] == ["n" * 255]
    remove_drafts(kept)
    assert names(kept) == [mine, "n" * 255]
