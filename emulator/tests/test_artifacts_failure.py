"""The failure file becomes the failure reason, whatever the container put in its place."""

from __future__ import annotations

import os

import pytest

from sm_emulate.artifacts.failure import read_failure


def test_the_text_is_given_as_it_is(tmp_path):
    (tmp_path / "failure").write_text("ExecuteUserScriptError:\nExitCode 1\n")
    assert read_failure(tmp_path) == "ExecuteUserScriptError:\nExitCode 1\n"


def test_an_empty_file_is_not_the_same_as_none(tmp_path):
    assert read_failure(tmp_path) is None
    (tmp_path / "failure").touch()
    assert read_failure(tmp_path) == ""


@pytest.mark.parametrize("letter", ["x", "ß", "€", "🙂"])
def test_it_ends_after_1024_characters_not_bytes(tmp_path, letter):
    (tmp_path / "failure").write_text(letter * 1023 + "!?", encoding="utf-8")
    assert read_failure(tmp_path) == letter * 1023 + "!"


def test_bytes_that_are_no_utf8_are_replaced(tmp_path):
    (tmp_path / "failure").write_bytes(b"bad \xff\xfe bytes")
    assert read_failure(tmp_path) == "bad \ufffd\ufffd bytes"


def test_a_huge_file_is_read_only_at_its_start(tmp_path):
    (tmp_path / "failure").write_text("start")
    os.truncate(tmp_path / "failure", 1 << 40)
    assert read_failure(tmp_path) == "start" + "\0" * 1019


def test_what_is_no_file_counts_as_none_and_does_not_block(tmp_path):
    os.mkfifo(tmp_path / "failure")
    assert read_failure(tmp_path) is None
    (tmp_path / "failure").unlink()
    (tmp_path / "failure").mkdir()
    assert read_failure(tmp_path) is None


def test_a_link_is_followed_inside_the_folder_only(tmp_path):
    output = tmp_path / "output"
    (output / "data").mkdir(parents=True)
    (output / "data" / "reason").write_text("inside")
    (tmp_path / "secret").write_text("secret")
    (output / "failure").symlink_to("data/reason")
    assert read_failure(output) == "inside"
    for target in ("../secret", tmp_path / "secret", "failure", "nowhere", "/dev/zero", "data/../../secret"):
        (output / "failure").unlink()
        (output / "failure").symlink_to(target)
        assert read_failure(output) is None, target


def test_a_folder_that_is_gone_has_no_failure(tmp_path):
    assert read_failure(tmp_path / "gone") is None
