"""FIFOs fed for whoever opens them, without a container."""

from __future__ import annotations

import errno
import io
import os
import stat
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from sm_emulate.errors import MachineError
from sm_emulate.lifecycle.training.pipe_feeder import PipeFeeder
from sm_emulate.staging.pipe_content import Span
from sm_emulate.storage.fifo import Fifo

WAIT_SECONDS = 180


def opened(folder):
    """What is open here of pipes and of the files of a test; others of this process come and go."""
    found = set()
    for number in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            target = str(Path(f"/proc/self/fd/{number}").readlink())
            if target.startswith(("pipe:", str(folder))):
                found.add((number, target))
    return found


@pytest.fixture
def feed(tmp_path):
    feeders, before = [], set(threading.enumerate())
    descriptors = opened(tmp_path)

    class Feed:
        def __init__(self, content, **more):
            self.ended, self.failed = [], []
            self.feeder = PipeFeeder(
                lambda epoch: tmp_path / f"x_{epoch}",
                content,
                ended=lambda *epoch: self.ended.append(epoch),
                failed=self.failed.append,
                **more,
            )
            feeders.append(self.feeder)

    yield Feed
    for each in feeders:
        each.close()
    assert set(threading.enumerate()) <= before
    assert opened(tmp_path) - descriptors == set()
    assert list(tmp_path.glob("x_*")) == []


def pieces(*given):
    """Content that is the same in every epoch; what has to be made anew each time is a function."""
    return lambda epoch: (piece() if callable(piece) else piece for piece in given)


def wait_for(true):
    for _ in range(WAIT_SECONDS * 100):
        if true():
            return
        time.sleep(0.01)
    raise AssertionError("it never came true")


def test_the_next_fifo_is_there_when_the_last_is_taken(feed, tmp_path):
    fed = feed(pieces(b"abc"))
    assert [path.name for path in tmp_path.glob("x_*")] == ["x_0"]
    assert stat.filemode((tmp_path / "x_0").stat().st_mode) == "prw-r--r--"
    with (tmp_path / "x_0").open("rb", buffering=0) as pipe:
        wait_for((tmp_path / "x_1").exists)
        assert pipe.read() == b"abc"
    assert (tmp_path / "x_1").read_bytes() == b"abc"
    wait_for(lambda: len(fed.ended) == 2)
    assert fed.ended == [(0, 3, True), (1, 3, True)]


def test_large_and_small_pieces_keep_their_order(feed, tmp_path):
    file = tmp_path / "big"
    big = os.urandom(3_000_000)
    file.write_bytes(big)
    with file.open("rb", buffering=0) as raw:
        spans = (
            b"<",
            lambda: Span(file=raw, size=2_500_000),
            b"|" * 70_000,
            lambda: Span(file=raw, size=10),
            lambda: Span(file=raw, size=None),
            lambda: Span(file=io.BytesIO(big), size=2_000_000),
            b">",
        )
        feed(pieces(*spans))
        whole = b"<" + big[:2_500_000] + b"|" * 70_000 + big[2_500_000:] + big[:2_000_000] + b">"
        assert (tmp_path / "x_0").read_bytes() == whole


def test_a_file_system_without_splice_is_read_instead(feed, tmp_path, monkeypatch):
    splice, times = os.splice, []

    def refused(*given):
        times.append(given)
        if len(times) > 1:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return splice(*given)

    monkeypatch.setattr(os, "splice", refused)
    file = tmp_path / "big"
    file.write_bytes(os.urandom(2_000_000))
    with file.open("rb", buffering=0) as raw:
        feed(pieces(lambda: Span(file=raw, size=1_900_000), lambda: Span(file=raw, size=None)))
        assert (tmp_path / "x_0").read_bytes() == file.read_bytes()
    assert len(times) > 1


def test_an_epoch_of_nothing_ends_at_once(feed, tmp_path):
    feed(pieces())
    assert (tmp_path / "x_0").read_bytes() == b""
    assert (tmp_path / "x_1").read_bytes() == b""


def test_a_reader_that_leaves_gets_the_next_epoch_from_its_beginning(feed, tmp_path):
    fed = feed(pieces(b"begin" + bytes(5_000_000)))
    for epoch in range(3):
        wait_for((tmp_path / f"x_{epoch}").exists)
        with (tmp_path / f"x_{epoch}").open("rb", buffering=0) as pipe:
            assert pipe.read(5) == b"begin"
    wait_for(lambda: len(fed.ended) == 3)
    assert [(epoch, whole) for epoch, _, whole in fed.ended] == [(0, False), (1, False), (2, False)]


def test_the_source_is_closed_when_the_reader_leaves(feed, tmp_path):
    closed = threading.Event()

    def content(epoch):
        try:
            while True:
                yield bytes(100_000)
        finally:
            closed.set()

    feed(content)
    with (tmp_path / "x_0").open("rb", buffering=0) as pipe:
        pipe.read(1)
    assert closed.wait(WAIT_SECONDS)


@pytest.mark.parametrize("when", ["nobody has come", "a reader does not read", "an epoch was read"])
def test_it_can_be_closed_at_any_time(feed, tmp_path, when):
    fed = feed(pieces(bytes(5_000_000 if when == "a reader does not read" else 10)))
    if when == "an epoch was read":
        assert len((tmp_path / "x_0").read_bytes()) == 10
    if when == "a reader does not read":
        with (tmp_path / "x_0").open("rb", buffering=0) as pipe:
            assert pipe.read(1) == b"\0"
            fed.feeder.close()
            # the reader sees an end, no more
            while pipe.read(1 << 20):
                pass
    fed.feeder.close()
    assert fed.failed == []


def test_it_tells_since_when_nobody_drains_it(feed, tmp_path):
    fed = feed(pieces(bytes(5_000_000)))
    begun = time.monotonic()
    wait_for(lambda: fed.feeder.blocked_since(next_epoch=False) is not None)
    with (tmp_path / "x_0").open("rb", buffering=0) as pipe:
        pipe.read(1)
        wait_for(lambda: (fed.feeder.blocked_since(next_epoch=False) or 0) > begun)
        while pipe.read(1 << 20):
            pass
    wait_for(lambda: fed.feeder.blocked_since(next_epoch=True) is not None)
    assert fed.feeder.blocked_since(next_epoch=False) is None


def test_an_error_in_the_content_is_told(feed, tmp_path):
    def content(epoch):
        yield b"abc"
        raise ValueError("broken")

    fed = feed(content)
    (tmp_path / "x_0").read_bytes()
    wait_for(lambda: fed.failed)
    assert [str(error) for error in fed.failed] == ["broken"]


def test_a_program_that_puts_something_in_the_place_of_a_fifo_is_told(feed, tmp_path):
    (tmp_path / "x_1").write_text("mine")
    fed = feed(pieces(b"abc"))
    (tmp_path / "x_0").read_bytes()
    wait_for(lambda: fed.failed)
    assert isinstance(fed.failed[0], MachineError)
    assert "the pipe cannot be made" in str(fed.failed[0])
    fed.feeder.close()
    assert (tmp_path / "x_1").read_text() == "mine"
    (tmp_path / "x_1").unlink()


def test_a_fifo_whose_name_is_gone_can_still_be_given_up(feed, tmp_path):
    fed = feed(pieces(b"abc"))
    (tmp_path / "x_0").unlink()
    fed.feeder.close()
    assert fed.ended == []


def test_what_is_no_longer_a_fifo_is_never_opened(tmp_path):
    (tmp_path / "x").write_text("mine")
    with pytest.raises(MachineError, match="File exists"):
        Fifo(tmp_path / "x")
    assert (tmp_path / "x").read_text() == "mine"
