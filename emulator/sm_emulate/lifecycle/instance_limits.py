"""What an instance type leaves a container of this machine."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sm_emulate.events import Noted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sm_emulate.engine.protocol import Engine, EngineInfo
    from sm_emulate.events import Event
    from sm_emulate.spec.instance_types import InstanceSize
    from sm_emulate.spec.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Limits:
    """None is all that this machine has."""

    cpus: float | None = None
    memory_bytes: int | None = None


def limits_of(
    instance_types: Iterable[str],
    *,
    chosen: bool,
    engine: Engine | None,
    settings: Settings,
    publish: Callable[[Event], None],
) -> dict[str, Limits]:
    """Give the limits of a container on each of these instance types.

    What the engine's machine does not have cannot be given: such a type gets all that there is, and a note says so.

    Args:
        instance_types: of all hosts.
        chosen: somebody named them; nothing is limited by a type that stands there by default.
        engine: tells how large its machine is. It is asked only where that matters; None means
            that none is there.
        settings: `instance-limits` and `memory-limit`.
        publish: hears the notes.
    """
    memory = settings["memory-limit"]
    own = memory if isinstance(memory, int) else None
    types = dict.fromkeys(instance_types)
    if not chosen or settings.text("instance-limits") == "none":
        return {each: Limits(memory_bytes=own) for each in types}
    # the catalogue is read by those only who name a type
    from sm_emulate.spec.instance_types import instance_size

    machine = None if engine is None else engine.info()
    limits = {}
    for each in types:
        size = instance_size(each)
        limits[each] = Limits(memory_bytes=own) if size is None else _within(size, machine, own)
        if machine is not None and (words := _shortage(each, size, machine, own)):
            publish(Noted(message=words))
    return limits


def _within(size: InstanceSize, machine: EngineInfo | None, own: int | None) -> Limits:
    memory = own if own is not None else size.memory_bytes
    if machine is None:
        # Docker refuses more than there are; the engine is most often on this machine
        there = size.vcpus <= (os.cpu_count() or 1)
        return Limits(cpus=float(size.vcpus) if there else None, memory_bytes=memory)
    return Limits(
        cpus=float(size.vcpus) if size.vcpus < machine.cpus else None,
        memory_bytes=memory if memory < machine.memory_bytes or own is not None else None,
    )


def _shortage(name: str, size: InstanceSize | None, machine: EngineInfo, own: int | None) -> str | None:
    if size is None:
        return f"how large {name} is is not known: its containers have all of this machine"
    lacks = []
    if size.vcpus > machine.cpus:
        lacks.append((f"{size.vcpus} vCPUs", f"{machine.cpus}"))
    # an instance's own system takes a part of its memory, as a virtual machine's does here
    if own is None and size.memory_bytes * 0.9 > machine.memory_bytes:
        lacks.append((f"{_gib(size.memory_bytes)} of memory", _gib(machine.memory_bytes)))
    if not lacks:
        return None
    wanted, there = (" and ".join(words) for words in zip(*lacks, strict=True))
    return f"{name} has {wanted}; this machine has {there}"


def _gib(size: int) -> str:
    return f"{size / (1 << 30):.3g} GiB" if size < 1000 << 30 else f"{size >> 30} GiB"
