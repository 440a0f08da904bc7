"""A container with little memory, and models until it takes no more."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sm_contracts.evidence import Missing
from sm_contracts.evidence.multi_model import TOLD_MIB, Exhaustion, accepted
from sm_contracts.probes.multi_model.surroundings import vary
from sm_contracts.probes.multi_model.talk import LOAD_LIMIT_S, EndedError, Talk, opaque
from sm_contracts.probes.serving_http import wait
from sm_contracts.probes.serving_life import Conditions, Life, endpoint_request

if TYPE_CHECKING:
    from pathlib import Path

    from sm_contracts.evidence.serving.exchange import Exchange
    from sm_contracts.probes import Workbench
    from sm_contracts.probes.multi_model.shelf import Shelf
    from sm_contracts.probes.serving_long import Sample

MIB = 1 << 20
ROOM = 3
"""Models that fit beside those that one container is known to have taken."""
SLACK_BYTES = 16 * MIB
MOST_COPIES = 40
MOST_S = 120.0
"""For all loads together."""
SETTLED_S = 3.0
"""In which the end of a container that was killed is heard of."""
HEALTHY_AGAIN_S = 15.0
_OF_MACHINE = 0.8


def exhaust(
    bench: Workbench,
    shelf: Shelf,
    sample: Sample | None,
    *,
    resident: int,
    model_bytes: int,
    load_s: float,
    window_s: float,
) -> Exhaustion | Missing:
    """Load copies of the last model until one is not taken.

    Args:
        bench: the image, the sample input, the engine.
        shelf: the files of models.
        sample: the sample payload.
        resident: bytes that a container with two models was seen to hold.
        model_bytes: of one more model.
        load_s: that a load took at most.
        window_s: for the first healthy ping.
    """
    if model_bytes < TOLD_MIB * MIB:
        return Missing(
            f"a loaded model takes {model_bytes / MIB:.1f} MiB of memory, too little to fill a container with",
            "give a larger model",
        )
    limit = resident + ROOM * model_bytes + SLACK_BYTES
    if limit > bench.engine.info().memory_bytes * _OF_MACHINE:
        return Missing("this machine has too little memory to fill a container with models")
    copies = min(MOST_COPIES, limit // model_bytes + 2)
    if copies * load_s > MOST_S:
        return Missing(
            f"a load takes {load_s:.1f} s, too long to repeat it {copies} times",
            "give a model that loads quickly",
        )
    told = bench.folder / "meminfo"
    # an engine that lets nothing lie over /proc/meminfo starts it without
    for each in (told, None):
        _tell(told, limit, 0)
        name = "little memory" if each is not None else "little memory once more"
        conditions = Conditions(name=name, window_s=window_s, vary=vary(shelf, memory_bytes=limit, told=each))
        with Life(bench, endpoint_request(bench), conditions) as life:
            start = life.begin()
            if start.healthy:
                return _fill(life, Talk(life, shelf, sample), shelf, told, limit, model_bytes, copies)
            if start.outcome != "not-started":
                break
    return Missing(f"the container did not become healthy with {limit / MIB:.0f} MiB of memory")


def _fill(
    life: Life, talk: Talk, shelf: Shelf, told: Path, limit: int, model_bytes: int, copies: int
) -> Exhaustion:
    loaded = 0
    refusal: Exchange | None = None
    key = shelf.keys[-1]
    began = time.monotonic()
    while loaded < copies and refusal is None and time.monotonic() - began < MOST_S:
        life.bench.say(f"multi-model: little memory, model {loaded + 1}")
        _tell(told, limit, _resident(life))
        try:
            # of opaque names that the shelf has files for already there are a few
            answer = talk.load(opaque(key, 100 + loaded), key, limit_s=min(LOAD_LIMIT_S, MOST_S))
        except EndedError:
            break
        if accepted(answer):
            loaded += 1
        else:
            refusal = answer
    if refusal is None:
        wait(0.0 if life.container is not None else SETTLED_S, life.bench.stopping)
    alive = _alive(life)
    if life.exit_code is not None:
        life.await_log()
    return Exhaustion(
        limit_bytes=limit,
        model_bytes=model_bytes,
        loaded=loaded,
        refusal=refusal,
        alive=alive,
        oom_killed=life.oom_killed,
        exit_code=life.exit_code,
        log_tail=life.log_tail,
    )


def _alive(life: Life) -> bool:
    """Tell whether it still answers its pings, or does again soon: a server may start its workers anew."""
    life.ended_within(SETTLED_S if not life.client.ping().ok else 0.0)
    until = time.monotonic() + HEALTHY_AGAIN_S
    while life.container is not None and not life.bench.stopping():
        if life.client.ping().ok:
            return True
        if time.monotonic() > until:
            break
        wait(0.3, life.bench.stopping)
    return False


def _resident(life: Life) -> int:
    container = life.container
    return (life.bench.engine.memory(container) if container is not None else None) or 0


def _tell(told: Path, limit: int, resident: int) -> None:
    """Write what /proc/meminfo says on a machine of this size; in place, for the container has this very file."""
    total, free = limit // 1024, max(0, limit - resident) // 1024
    rows = {"MemTotal": total, "MemFree": free, "MemAvailable": free, "Buffers": 0, "Cached": 0}
    rows |= {"SwapCached": 0, "Active": total - free, "Inactive": 0, "Shmem": 0, "Slab": 0, "SReclaimable": 0}
    rows |= {"SwapTotal": 0, "SwapFree": 0}
    with told.open("r+" if told.exists() else "w", encoding="ascii") as file:
        file.write("".join(f"{f'{name}:':<16}{value:>8} kB\n" for name, value in rows.items()))
        file.truncate()
