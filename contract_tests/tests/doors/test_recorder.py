"""What is remembered of a container, however much it writes."""

from sm_contracts.recorder import FIRST_LINES, LAST_LINES, LINE_CHARACTERS, Recorder
from sm_emulate.events import Invoked, Pinged


def test_lines_are_put_together_and_only_first_and_last_are_kept():
    record = Recorder("serving")
    life = record.life("algo-1", 1.0)
    record.hear(life, b"".join(b"line %d\n" % number for number in range(1000)) + b"half")
    record.hear(life, b" a line\nno end")
    record.over(life, 3)
    lines = [line for _, line in life.log()]
    assert lines[0] == "line 0"
    assert lines[FIRST_LINES] == f"... {1001 - FIRST_LINES - LAST_LINES} lines left out ..."
    assert lines[-2:] == ["half a line", "no end"]
    assert len(lines) == FIRST_LINES + LAST_LINES + 2
    assert record.log_tail(2) == ("half a line", "no end")
    assert life.exit_code == 3


def test_an_endless_line_is_cut():
    record = Recorder()
    life = record.life("", 0.0)
    for _ in range(100):
        record.hear(life, b"x" * 1000)
    assert all(len(line) <= LINE_CHARACTERS + 3 for _, line in life.log())
    assert len(life.rest) <= 2 * LINE_CHARACTERS


def test_lives_add_up_and_the_first_end_counts():
    record = Recorder()
    record.life("a", 1.0, 3.0, 0)
    life = record.life("b", 2.0, 2.5)
    record.over(life, 1)
    assert (life.end, life.exit_code) == (2.5, 1)
    assert record.container_seconds() == 2.5
    assert record.containers == 2


def test_events_of_an_endpoint_become_marks():
    record = Recorder("serving")
    hear = record.listener()
    hear(Pinged(status=None, seconds=2.0, failure="timeout"))
    hear(Invoked(path="/invocations", status=424, original_status=500, model_seconds=0.5, overhead_seconds=0.1,
                 bytes_in=1, bytes_out=2))  # fmt: skip
    ping, invocation = sorted(record.timeline(), key=lambda each: each["what"], reverse=True)
    assert (ping["status"], ping["seconds"], ping["failure"]) == (None, 2.0, "timeout")
    assert (invocation["status"], invocation["path"], invocation["probe"]) == (500, "/invocations", "serving")
    assert ping["at"] <= record.now() - 1.9
