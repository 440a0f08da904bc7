"""The last acts of a container: a slow body, a killed worker, SIGTERM with a request on its way."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from sm_contracts.evidence import Missing
from sm_contracts.evidence.serving.connections import SlowBody
from sm_contracts.evidence.serving.end import InFlight, Stop
from sm_contracts.evidence.serving.load import Zombies
from sm_contracts.probes.serving_http import wait
from sm_contracts.probes.serving_long import Sample, any_request
from sm_emulate.errors import SmEmulateError

if TYPE_CHECKING:
    from sm_contracts.evidence.serving.exchange import Exchange
    from sm_contracts.probes.serving_life import Life
    from sm_emulate.api import Process

PAUSES = (0.06, 0.07, 0.07, 0.8)
"""Before each piece of a slow body, as parts of the whole: the last shall be longer than what idle servers wait."""
REAPING_S = 1.5
"""In which PID 1 must have waited for a child that ended."""
IN_FLIGHT_S = 0.4
"""A sample that takes longer than this is in flight by itself; for a faster one, its last byte is held back."""


def slow_body(life: Life, sample: Sample | None) -> SlowBody:
    """Send a body in pieces; once more if it was dropped."""
    asked = replace(any_request(sample), what="a body sent slowly", timeout_s=30.0)
    at_once = life.client.send(asked)
    slow: list[Exchange] = []
    pauses = [part * life.bench.subject.limits.slow_body_s for part in PAUSES]
    if not at_once.answered:
        return SlowBody(at_once=at_once, slow=(), seconds=0.0, longest_pause_s=0.0)
    while len(slow) < 2 and not (slow and slow[-1].answered) and not life.bench.stopping():
        slow.append(life.client.send_slowly(asked, pauses, stopping=life.bench.stopping))
        if slow[-1].status == at_once.status:
            break
    return SlowBody(at_once=at_once, slow=tuple(slow), seconds=sum(pauses), longest_pause_s=max(pauses))


def zombies(life: Life) -> Zombies | Missing:
    """Kill a worker, and see whether PID 1 waits for it; also see what was left before."""
    unseen = Missing("the engine does not show the processes of the container from here")
    container = life.container
    if container is None:
        return Missing("the container had ended")
    try:
        before = life.bench.engine.processes(container)
        if before is None:
            return unseen
        left = _lasting(life, container, before)
        victim = _worker(before)
        if left or victim is None:
            return Zombies(names=left, killed="", processes=len(before))
        if not life.bench.engine.kill_process(container, victim.pid):
            return Missing("a worker of the container cannot be killed from here")
        wait(0.2, life.bench.stopping)
        after = life.bench.engine.processes(container)
        if after is None:
            return Zombies(names=(), killed=victim.name, processes=len(before))
        return Zombies(names=_lasting(life, container, after), killed=victim.name, processes=len(before))
    except SmEmulateError:
        # it ended with its worker: then nothing is left behind
        return Zombies(names=(), killed="a worker", processes=0)


def _worker(processes: tuple[Process, ...]) -> Process | None:
    """Choose a process without children, of those PID 1 has itself if there is one."""
    first, *others = processes
    parents = {process.parent for process in processes}
    leaves = [process for process in others if process.pid not in parents and not process.zombie]
    return min(leaves, key=lambda leaf: (leaf.parent != first.pid, leaf.pid), default=None)


def _lasting(life: Life, container: str, seen: tuple[Process, ...]) -> tuple[str, ...]:
    """Give the zombies that PID 1 does not wait for."""
    first = seen[0].pid
    dead = {process.pid for process in seen if process.zombie and process.parent == first}
    if not dead:
        return ()
    wait(REAPING_S, life.bench.stopping)
    again = life.bench.engine.processes(container) or ()
    return tuple(process.name for process in again if process.zombie and process.pid in dead)


def stop(
    life: Life, sample: Sample | None, *, in_flight: bool, window_s: float
) -> tuple[Stop, InFlight | None]:
    """Send SIGTERM, with a request on its way if asked for, and wait for the end."""
    if not in_flight:
        began = time.monotonic()
        life.signal("SIGTERM")
        return life.await_stop(began, window_s), None
    asked = replace(any_request(sample), what="a request in flight at SIGTERM", timeout_s=window_s)
    before = sample.answers[-1] if sample is not None and sample.works else life.client.send(asked)
    held_back = (
        b"" if sample is not None and sample.works and sample.seconds > IN_FLIGHT_S else asked.body[-1:]
    )
    with life.client.connect() as connection:
        if held_back:
            connection.send(connection.head(asked) + asked.body[:-1])
        else:
            connection.request(asked)
        wait(0.15 if held_back else sample.seconds / 3 if sample is not None else 0.0, life.bench.stopping)
        began = time.monotonic()
        life.signal("SIGTERM")
        if held_back:
            wait(0.3, life.bench.stopping)
            connection.send(held_back)
        answer = connection.answer(asked)
    return life.await_stop(began, window_s), InFlight(answer=answer, before=before)
