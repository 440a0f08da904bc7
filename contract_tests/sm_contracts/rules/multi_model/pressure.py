"""Under pressure: no memory for another model, and a health check beside a load."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sm_contracts.evidence.multi_model import SLOW_LOAD_S, Exhaustion, PingsWhileLoading
from sm_contracts.roles import Role
from sm_contracts.rule import Fail, Inconclusive, Outcome, Pass, Severity, rule
from sm_contracts.rules.multi_model import sources

if TYPE_CHECKING:
    from collections.abc import Iterator

MIB = 1 << 20
PING_LIMIT_S = 2.0
FEWEST_LOADED = 2
"""Copies that must have found room for the next one to be the one too many."""
ENOUGH_BLOCKED = 2
"""Loads in which no ping came through: one alone may have been the machine's fault."""


@rule(
    "SM411",
    "memory-not-507",
    severity=Severity.WARNING,
    roles=Role.MULTI_MODEL,
    needs=Exhaustion,
    source=sources.MEMORY,
)
def memory_not_507(seen: Exhaustion) -> Iterator[Outcome]:
    """A model for which there is no memory is not refused with 507.

    What:
        Copies of a model were loaded into a container with a small memory limit until one was not taken. That one was
        not answered 507, or the container did not survive it. The container sees its limit in its control group and in
        /proc/meminfo.

    Why:
        507 is the word for "no room": the platform then unloads models that are not in use, and tries again. On
        another error, or none, nothing is ever unloaded; the caller sees ModelError, or the whole instance is replaced
        with all the models on it.

    Fix:
        Look at the memory that is left before a load and answer 507 below a margin. Load in a worker of its own, so
        that the kernel kills that and not the server, and answer 507 when it dies.
    """
    refusal = seen.refusal
    shown: dict[str, Any] = {
        "limit_mib": round(seen.limit_bytes / MIB),
        "model_mib": round(seen.model_bytes / MIB, 1),
        "loaded": seen.loaded,
        "oom_killed": seen.oom_killed,
        "exit_code": seen.exit_code,
    }
    where = f"with {seen.loaded} copies of the model in {seen.limit_bytes / MIB:.0f} MiB"
    shown["log_tail"] = list(seen.log_tail)
    end = ""
    if seen.exit_code is not None:
        end = f"exited with code {seen.exit_code}{', killed for memory' if seen.oom_killed else ''}"
    elif not seen.alive:
        end = "answers no ping any more"
    if refusal is None:
        if end:
            yield Fail(f"{where}, the container {end}", shown)
        else:
            fitted = f"{seen.loaded} copies of the model fit into {seen.limit_bytes / MIB:.0f} MiB"
            yield Inconclusive(fitted, "give a larger model")
        return
    shown["answer"] = refusal.as_json()
    then = f", and {end}" if end else ""
    if refusal.status != 507 and seen.loaded < FEWEST_LOADED:
        yield Inconclusive(
            f"{where}, the container {refusal} to the next load: the server itself may need more{then}"
        )
    elif refusal.failure or refusal.status != 507:
        yield Fail(f"{where}, the container {refusal} to the next load, not 507{then}", shown)
    elif end:
        yield Fail(f"{where}, the container answered 507{then}", shown)
    else:
        yield Pass(shown)


@rule(
    "SM412",
    "ping-blocked-by-load",
    severity=Severity.ERROR,
    roles=Role.MULTI_MODEL,
    needs=PingsWhileLoading,
    source=sources.APIS,
)
def ping_blocked_by_load(seen: PingsWhileLoading) -> Iterator[Outcome]:
    """GET /ping waits for a model that is being loaded.

    What:
        GET /ping was sent while models were being loaded. A ping took longer than 2 seconds or was not answered 200; or
        in two loads or more, each of half a second or more, no ping at all was answered before the load had ended.

    Why:
        Loading takes as long as the model is large, up to minutes, and the platform goes on asking for the container's
        health, with a limit of 2 seconds. A load that holds up the health check costs the instance, and all the models
        on it.

    Fix:
        Load in a thread, a process or a worker of its own, and hold no lock that GET /ping or GET /models needs. A
        server that takes one request at a time cannot serve many models.
    """
    slow = [load for load in seen.loads if load.seconds >= SLOW_LOAD_S]
    longest = max((load.seconds for load in seen.loads), default=0.0)
    for load in seen.loads:
        for ping in load.pings:
            answer = ping.answer
            late = answer.failure == "timeout" or answer.seconds > PING_LIMIT_S
            if late or (answer.answered and answer.status != 200):
                yield Fail(
                    f"GET /ping during a load of {load.seconds:.1f} s: the container {answer}"
                    f"{f' after {answer.seconds:.1f} s' if late and answer.answered else ''}",
                    answer.as_json(),
                )
                return
    blocked = [load for load in slow if load.blocked]
    if len(blocked) >= ENOUGH_BLOCKED and len(blocked) == len(slow):
        waited = max(ping.answer.seconds for load in blocked for ping in load.pings)
        yield Fail(
            f"in {len(blocked)} loads of up to {longest:.1f} s no ping was answered before the load had ended; "
            f"one waited for {waited:.1f} s",
            {
                "loads_s": [round(load.seconds, 3) for load in blocked],
                "pings_s": [round(ping.answer.seconds, 3) for load in blocked for ping in load.pings],
            },
        )
    elif beside := [ping.answer.seconds for load in seen.loads for ping in load.pings if ping.in_time]:
        yield Pass(
            {
                "pings": len(beside),
                "slowest_ping_s": round(max(beside), 3),
                "longest_load_s": round(longest, 3),
            }
        )
    else:
        yield Inconclusive(
            f"loads take {longest:.2f} s at most, too short for a ping beside them",
            "give a model that takes half a second or more to load",
        )
