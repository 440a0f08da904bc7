"""How fast a container's output is read: gathered where it trickles, at once where there is plenty."""

from __future__ import annotations

import pytest

from sm_emulate.engine.protocol import LogChunk
from sm_emulate.events import LogLines
from sm_emulate.lifecycle import container
from sm_emulate.lifecycle.container import ContainerLife

GATHER_S = 0.1


class Clock:
    """A clock that only waiting moves on."""

    def __init__(self):
        self.now = 1000.0
        self.slept = []

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(container, "time", clock)
    return clock


@pytest.fixture
def read(clock):
    """Read lines that come `every_s` seconds, from stdout and stderr in turns; give them as they were told."""

    def read(count, every_s):
        told = []
        life = ContainerLife(
            None, None, host="algo-1", publish=told.append, post=lambda _: None, gather_s=GATHER_S
        )

        def stream():
            for number in range(count):
                # what was written during a sleep is there at once
                clock.now = max(clock.now, 1000.0 + number * every_s)
                yield LogChunk(stream=("stdout", "stderr")[number % 2], data=b"%d\n" % number)

        life._read(stream())
        assert {type(event) for event in told} == {LogLines}
        return b"".join(event.data for event in told).split()

    return read


def test_lines_that_are_there_already_are_read_without_a_rest(read, clock):
    assert read(3000, 0.0) == [b"%d" % number for number in range(3000)]
    assert clock.slept == []


def test_lines_that_trickle_are_left_to_gather(read, clock):
    assert read(1000, 0.002) == [b"%d" % number for number in range(1000)]
    # two seconds of lines
    assert 10 <= len(clock.slept) <= 20


def test_a_quiet_container_is_told_of_at_once(read, clock):
    assert read(100, 0.5) == [b"%d" % number for number in range(100)]
    assert clock.slept == []
