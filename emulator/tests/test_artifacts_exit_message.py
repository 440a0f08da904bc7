"""/opt/ml/output/message of each host, and the ExitMessage that they make."""

from __future__ import annotations

import os

import pytest

from sm_emulate.artifacts.exit_message import NotTextError, exit_message


@pytest.fixture
def hosts(tmp_path):
    def make(*messages):
        folders = []
        for number, message in enumerate(messages):
            folder = tmp_path / str(number)
            folder.mkdir()
            if message is not None:
                (folder / "message").write_bytes(message)
            folders.append(folder)
        return folders

    return make


def test_nobody_left_a_message(hosts):
    assert exit_message(hosts(None, None)) is None


def test_an_empty_message_is_one(hosts):
    assert exit_message(hosts(b"")) == ""


def test_messages_are_joined_in_the_order_of_hosts_and_then_cut(hosts):
    one, none, three, long, longer = hosts(b"one,", None, b"three", b"a" * 1000, b"b" * 1000)
    assert exit_message([one, none, three]) == "one,three"
    assert exit_message([long, longer]) == "a" * 1000 + "b" * 24


def test_a_kilobyte_ends_with_a_whole_character(hosts):
    even, odd = hosts("é".encode() * 600, b"x" + "é".encode() * 600)
    assert exit_message([even]) == "é" * 512
    assert exit_message([odd]) == "x" + "é" * 511


@pytest.mark.parametrize("bad", [b"\xff\xfe", b"fine until here \xe9", b"x" * 4000 + b"\xff", b"caf\xc3"])
def test_what_is_not_utf8_is_told(hosts, bad):
    with pytest.raises(NotTextError):
        exit_message(hosts(b"fine", bad))


def test_what_is_no_file_of_the_folder_is_no_message(hosts, tmp_path):
    link, fifo, folder = hosts(None, None, None)
    (tmp_path / "secret").write_text("of this machine")
    (link / "message").symlink_to(tmp_path / "secret")
    os.mkfifo(fifo / "message")
    (folder / "message").mkdir()
    assert exit_message([link, fifo, folder]) is None
