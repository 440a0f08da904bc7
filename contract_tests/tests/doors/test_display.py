"""Progress on stderr: plain lines, and a bar only on a terminal."""

import io

from sm_contracts.reports.display import Display


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Gone(io.StringIO):
    def write(self, _):
        raise BrokenPipeError


def tell(stream, **more):
    with Display(stream, **more) as display:
        display.said("pulling the image")
        display.planned(["serving", "training"])
        display.began("serving")
        display.doing("serving", "serving: waits \x1b[2Jfor [a] ping")
        display.ended("serving", 2.0)


def test_plain_lines_where_no_terminal_is():
    stream = io.StringIO()
    tell(stream)
    assert [line[10:] for line in stream.getvalue().splitlines()] == [
        "pulling the image",
        "serving: begins",
        "serving: waits \ufffd[2Jfor [a] ping",
        "serving: done in 2.0 s (1 of 2)",
    ]


def test_a_terminal_sees_what_every_probe_does_and_no_colours_if_it_wants_none():
    stream = Terminal()
    tell(stream, colour=False)
    assert "for [a] ping" in stream.getvalue()
    assert "\x1b[3" not in stream.getvalue()
    assert "\x1b[2J" not in stream.getvalue()


def test_a_dumb_terminal_sees_plain_lines():
    stream = Terminal()
    tell(stream, bars=False)
    assert "\x1b" not in stream.getvalue()
    assert "serving: begins" in stream.getvalue()


def test_a_reader_who_leaves_does_not_end_the_check():
    tell(Gone())


def test_it_is_told_when_probes_are_about_to_run():
    begun = []
    with Display(io.StringIO(), planned=lambda: begun.append(1)) as display:
        display.said("pulling")
        assert begun == []
        display.planned([])
    assert begun == [1]
