"""Many invocations: answers, memory, processes."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from sm_contracts.evidence.serving.load import MemoryReadings, ParallelAnswers, Zombies
from sm_contracts.roles import SERVING
from sm_contracts.rule import Fail, Inconclusive, Outcome, Pass, Severity, rule
from sm_contracts.rules.serving import INFERENCE_CODE

if TYPE_CHECKING:
    from collections.abc import Iterator

MIB = 1 << 20
LEAST_GROWTH = 64 * MIB
"""Less is what allocators, caches and young generations of a garbage collector do."""
LEAST_GROWTH_OF_A_LAZY_COLLECTOR = 256 * MIB
SMALL_GROWTH = 6 * MIB
"""Over the second half of the readings: less is nothing to speak of."""


@rule(
    "SM333",
    "concurrency",
    severity=Severity.ERROR,
    roles=SERVING,
    needs=ParallelAnswers,
    source=INFERENCE_CODE,
)
def concurrency(parallel: ParallelAnswers) -> Iterator[Outcome]:
    """Invocations that run side by side fail, or get each other's answers.

    What:
        Several clients sent payloads at the same time. One was not answered with 200, or was answered with what belongs
        to another payload. Each payload's answer was learnt before, alone.

    Why:
        SageMaker does not queue: as many invocations reach the container at once as callers send.

    Fix:
        Keep nothing of a request in global variables. Where the model is not safe for threads, hold a lock around it or
        use processes.
    """
    numbers = {
        "clients": parallel.clients,
        "invocations": parallel.invocations,
        "distinct_payloads": parallel.distinct,
    }
    if parallel.mixups:
        mixup = parallel.mixups[0]
        yield Fail(
            f"of {parallel.invocations} invocations by {parallel.clients} clients, one got another's answer: "
            f"{mixup.payload[:60]!r} was answered {mixup.got[:60]!r} instead of {mixup.expected[:60]!r}",
            numbers | {"payload": mixup.payload, "expected": mixup.expected, "got": mixup.got},
        )
    if parallel.failures:
        yield Fail(
            f"of {parallel.invocations} invocations by {parallel.clients} clients at once, one failed: the container "
            f"{parallel.failures[0]}",
            numbers | {"answer": parallel.failures[0].as_json()},
        )
    yield Pass(numbers)


@rule(
    "SM339",
    "memory-growth",
    severity=Severity.WARNING,
    roles=SERVING,
    needs=MemoryReadings,
    source=INFERENCE_CODE,
)
def memory_growth(memory: MemoryReadings) -> Iterator[Outcome]:
    """Resident memory grows steadily over repeated invocations.

    What:
        The sample payload was sent over and over. The container's resident memory rose from reading to reading, and not
        slower at the end than at the beginning.

    Why:
        An endpoint lives for months. Sooner or later the kernel kills the process for memory, in the middle of
        invocations.

    Fix:
        Look for what grows with every request: a list or cache without a bound, results that are kept, a session or
        graph made anew each time. Workers that are replaced now and then (`--max-requests` in gunicorn) hide it.
    """
    readings = memory.readings
    shown = {"resident_mib": [round(each / MIB, 1) for each in readings], "invocations_between": memory.batch}
    if len(readings) < 7:
        yield Inconclusive("memory was not read often enough")
        return
    steps = [after - before for before, after in itertools.pairwise(readings)]
    half = len(steps) // 2
    early, late = sum(steps[:half]), sum(steps[-half:])
    rising = sum(step > 0 for step in steps) >= len(steps) - 1 and late >= SMALL_GROWTH and late >= early / 2
    grown = readings[-1] - readings[0]
    grew = (
        f"resident memory grew from {readings[0] / MIB:.0f} to {readings[-1] / MIB:.0f} MiB over "
        f"{(len(readings) - 1) * memory.batch} invocations"
    )
    if rising and grown >= (LEAST_GROWTH_OF_A_LAZY_COLLECTOR if memory.collector else LEAST_GROWTH):
        yield Fail(f"{grew}, and at the end no slower than at the beginning", shown)
    elif rising:
        yield Inconclusive(f"{grew}: too little to tell it from garbage that is yet to be collected")
    else:
        yield Pass(shown)


@rule("SM337", "orphans", severity=Severity.WARNING, roles=SERVING, needs=Zombies, source=INFERENCE_CODE)
def orphans(zombies: Zombies) -> Iterator[Outcome]:
    """PID 1 does not wait for children that end.

    What:
        Processes that had ended stayed in the process table with PID 1 as their parent: after invocations, or after a
        worker was killed.

    Why:
        Workers die: out of memory, a crash, a restart after so many requests. Each one that nobody waits for keeps its
        place in the process table, until no process can be started any more.

    Fix:
        Let PID 1 be a program that waits for its children: the server itself through `exec`, or a supervisor that
        handles SIGCHLD.
    """
    if zombies.names:
        after = f" after {zombies.killed} was killed" if zombies.killed else ""
        yield Fail(
            f"{len(zombies.names)} ended process{'es' if len(zombies.names) > 1 else ''} "
            f"({', '.join(sorted(set(zombies.names)))}) stayed as zombies of PID 1{after}",
            {"zombies": list(zombies.names), "killed": zombies.killed},
        )
    else:
        yield Pass({"processes": zombies.processes, "killed": zombies.killed})
