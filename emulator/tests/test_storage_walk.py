"""A folder in which others have closed what is ours."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from sm_emulate.storage.walk import walk


def mode(path):
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.fixture
def closed(tmp_path):
    folder = tmp_path / "run"
    (folder / "shut" / "deep").mkdir(parents=True)
    (folder / "shut" / "deep" / "file").write_text("x")
    (folder / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").mkdir(mode=0o000)
    (folder / "shut" / "deep" / "file").chmod(0o000)
    (folder / "shut").chmod(0o000)
    return folder


@pytest.mark.skipif(os.geteuid() == 0, reason="root may enter every folder as it is")
def test_what_is_ours_is_opened_up(closed, tmp_path):
    assert {Path(path).name for path, _ in walk(closed)} == {"run", "shut", "deep", "file", "link"}
    assert (closed / "shut" / "deep" / "file").read_text() == "x"
    assert mode(tmp_path / "elsewhere") == 0, "links are not followed"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may enter every folder as it is")
def test_root_finds_everything_and_changes_no_mode(closed, tmp_path):
    assert {Path(path).name for path, _ in walk(closed)} == {"run", "shut", "deep", "file", "link"}
    assert [mode(closed / "shut"), mode(closed / "shut" / "deep" / "file"), mode(tmp_path / "elsewhere")] == [
        0,
        0,
        0,
    ]
