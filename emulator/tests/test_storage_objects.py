"""Folders as stores of objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sm_emulate.errors import MachineError
from sm_emulate.storage.s3_place import S3Place
from sm_emulate.storage.stores import store_of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for name in ("data/train.csv", "data/train/b.csv", "data/train/a/z.csv", "data/other.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path / "data"


def _keys(prefix: str, data: Path) -> list[str]:
    found = store_of(prefix, S3Place()).objects(prefix)
    return [each.key.removeprefix(str(data).lstrip("/") + "/") for each in found]


def test_a_prefix_is_text_and_objects_come_in_the_order_of_their_keys(data):
    assert _keys(f"file://{data}/", data) == ["other.csv", "train.csv", "train/a/z.csv", "train/b.csv"]
    assert _keys(f"file://{data}/train", data) == ["train.csv", "train/a/z.csv", "train/b.csv"]
    assert _keys(f"file://{data}/train/", data) == ["train/a/z.csv", "train/b.csv"]
    assert _keys(f"file://{data}/other.csv", data) == ["other.csv"]
    assert _keys(f"file://{data}/none", data) == []


def test_links_in_circles_end(data):
    (data / "train" / "again").symlink_to(data)
    assert _keys(f"file://{data}/train/b", data) == ["train/b.csv"]
    assert len(_keys(f"file://{data}/", data)) == 4


def test_what_is_put_is_found_read_and_gone_when_deleted(tmp_path):
    folder = f"file://{tmp_path}/kept/"
    source = tmp_path / "source"
    source.write_bytes(b"weights")
    store = store_of(folder, S3Place())
    store.put(source, f"{folder}deep/model.bin")
    (found,) = store.objects(folder)
    with store.open(found) as stream:
        assert stream.read() == b"weights"
    store.fetch(found, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"weights"
    assert found.size == 7
    store.delete(found.uri)
    store.delete(found.uri)
    assert list(store.objects(folder)) == []


def test_a_changed_file_has_another_etag(data):
    prefix = f"file://{data}/other.csv"
    (before,) = store_of(prefix, S3Place()).objects(prefix)
    (data / "other.csv").write_text("longer than it was")
    (after,) = store_of(prefix, S3Place()).objects(prefix)
    assert before.etag != after.etag


def test_what_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(MachineError, match="cannot be kept"):
        store_of("file:///", S3Place()).put(tmp_path / "file", f"file://{tmp_path}/file/below")
