"""What a person sees of a run, on a terminal and elsewhere."""

from __future__ import annotations

import io
from datetime import datetime, timezone

import pytest

from sm_emulate.events import (
    ArtifactPacked,
    ContainerStarted,
    LogLines,
    LogPart,
    ModelLoaded,
    ModelUnloaded,
    Pinged,
    Progress,
    StatusChanged,
    Warned,
)
from sm_emulate.report.terminal import Terminal, size

AT = datetime(2026, 1, 31, 12, 0, 0, tzinfo=timezone.utc)
MOMENT = f"{AT.astimezone():%Y-%m-%d %H:%M:%S}"


class Screen(io.TextIOWrapper):
    """A stream that says whether it is a terminal, and can be read back."""

    def __init__(self, *, tty=False):
        super().__init__(io.BytesIO(), encoding="utf-8", write_through=True)
        self.tty = tty

    def isatty(self):
        return self.tty

    @property
    def text(self):
        return self.buffer.getvalue().decode()


def shown(*events, tty=False, **options):
    screen = Screen(tty=tty)
    with Terminal(screen, **options) as terminal:
        for event in events:
            terminal(event)
    return screen.text


def part(host, text):
    return LogPart(host=host, data=text.encode())


def lines(host, text, before=0):
    return LogLines(host=host, data=text.encode(), shown=before)


@pytest.mark.parametrize(
    ("mark", "events", "text"),
    [
        (False, [part("a", "10%"), part("a", "\r20%"), lines("a", "10%\r20%\nx\n", 7)], "10%\r20%\nx\n"),
        (True, [part("a", "10%"), lines("a", "10% done\nx\n", 3)], "a | 10% done\na | x\n"),
        (True, [part("a", "1"), lines("b", "2\n"), lines("a", "1 done\n", 1)], "a | 1\nb | 2\na |  done\n"),
        (True, [part("a", "1"), part("b", "2"), part("a", "3")], "a | 1\nb | 2\na | 3"),
        (False, [part("a", "1"), lines("a", "error\n"), lines("a", "1 done\n", 1)], "1\nerror\n done\n"),
        (False, [part("a", "1"), Warned(message="w"), part("a", "2")], "1\nwarning: w\n2"),
    ],
)
def test_an_unfinished_line_is_shown_at_once_and_never_mixed_with_another(mark, events, text):
    assert shown(*events, mark_hosts=mark) == text


def test_a_status_is_one_plain_line_where_there_is_no_terminal():
    event = StatusChanged(at=AT, status="InProgress", secondary="Training", message="In progress.")
    assert shown(event) == f"{MOMENT} Training - In progress.\n"


def test_an_endpoint_has_no_secondary_status_and_a_status_may_be_without_message():
    assert shown(StatusChanged(at=AT, status="InService", message="here")) == f"{MOMENT} InService - here\n"
    assert shown(StatusChanged(at=AT, status="InService")) == f"{MOMENT} InService\n"


def test_colours_only_on_a_terminal_and_where_they_are_allowed():
    event = Warned(message="careful")
    assert shown(event) == "warning: careful\n"
    assert shown(event, tty=True) == "\x1b[33mwarning: careful\x1b[0m\n"
    assert shown(event, tty=True, colour=False) == "warning: careful\n"
    assert shown(event, colour=True) == "warning: careful\n"


def test_log_lines_are_passed_on_byte_for_byte():
    screen = Screen()
    Terminal(screen)(LogLines(host="algo-1", data=b"\xff\x1b[31mred\r\n"))
    assert screen.buffer.getvalue() == b"\xff\x1b[31mred\r\n"


def test_log_lines_reach_a_stream_without_bytes_too():
    stream = io.StringIO()
    Terminal(stream)(LogLines(host="algo-1", data=b"\xffx\n"))
    assert stream.getvalue() == "\ufffdx\n"


def test_with_several_hosts_each_line_is_marked():
    assert shown(LogLines(host="algo-2", data=b"a\n\nb\n"), mark_hosts=True) == (
        "algo-2 | a\nalgo-2 | \nalgo-2 | b\n"
    )


def test_statuses_and_lines_stay_in_order():
    text = shown(LogLines(host="h", data=b"1\n"), Warned(message="2"), LogLines(host="h", data=b"3\n"))
    assert text == "1\nwarning: 2\n3\n"


def test_quiet_leaves_lines_and_warnings():
    text = shown(
        StatusChanged(status="InProgress", secondary="Training"),
        LogLines(host="h", data=b"line\n"),
        Warned(message="careful"),
        quiet=True,
    )
    assert text == "line\nwarning: careful\n"


def test_what_was_left_out_of_an_archive_is_told():
    event = ArtifactPacked(
        name="model.tar.gz",
        path="/x",
        members=1,
        packed_bytes=1,
        skipped={"s": "it is a socket"},
        clashes=("both",),
    )
    assert shown(event) == (
        "warning: model.tar.gz is without s: it is a socket\n"
        "warning: several hosts wrote both; model.tar.gz holds the first one's\n"
    )


def test_events_that_nobody_has_to_read_are_not_shown():
    assert shown(ContainerStarted(host="h", container="c"), Pinged(status=200, seconds=0.1)) == ""


def test_bars_only_on_a_terminal_and_gone_before_the_next_line():
    progress = [Progress(task="Pulling", done_bytes=done, total_bytes=100) for done in (10, 100)]
    line = LogLines(host="h", data=b"line\n")
    assert shown(*progress, line) == "line\n"
    assert shown(*progress, line, tty=True, quiet=True) == "line\n"
    live = shown(*progress, line, tty=True)
    assert "Pulling" in live
    assert live.endswith("line\n")


class Closed(Screen):
    """A pipe whose reader has left."""

    def write(self, _text):
        raise BrokenPipeError

    def flush(self):
        raise BrokenPipeError


def test_a_reader_that_left_does_not_end_the_run():
    stream = Closed(tty=True)
    with Terminal(stream) as terminal:
        terminal(Progress(task="Pulling", done_bytes=1, total_bytes=2))
        for _ in range(3):
            terminal(LogLines(host="h", data=b"line\n"))
        terminal(Warned(message="x"))
    assert terminal._deaf


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (1360, "1.36 kB"),
        (999_499, "999 kB"),
        (999_500, "1 MB"),
        (25_000_000_000, "25 GB"),
        (5 * 10**15, "5e+03 TB"),
    ],
)
def test_sizes_have_three_digits(count, text):
    assert size(count) == text


def test_models_of_a_multi_model_container_are_told_as_they_come_and_go():
    loaded = ModelLoaded(target_model="a.tar.gz", model_name="0f", seconds=0.1234, bytes=1)
    unloaded = ModelUnloaded(target_model="b.tar.gz", model_name="1e", reason="evicted")
    assert shown(loaded, unloaded) == "loaded a.tar.gz as 0f in 0.12 s\nunloaded b.tar.gz: evicted\n"
    assert shown(loaded, unloaded, quiet=True) == ""
