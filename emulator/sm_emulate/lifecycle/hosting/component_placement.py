"""Where copies of inference components find room: the instances of a variant, and what is reserved of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sm_emulate.engine.protocol import Engine
    from sm_emulate.request.inference_component import InferenceComponent
    from sm_emulate.request.variant import Variant

_TOLERANCE = 1e-6


@dataclass(frozen=True, kw_only=True)
class Room:
    """What one instance has."""

    cpus: float
    memory_mb: int
    accelerators: int


@dataclass(frozen=True, kw_only=True)
class Seat:
    """What one copy has of an instance."""

    instance: int
    cpus: float
    memory_mb: int
    accelerators: tuple[int, ...]
    """Which of the instance's."""


class Placement:
    """The instances of a variant, and the seats that are taken. Not for two threads at once.

    Args:
        instances: how many there are.
        room: what each of them has.
    """

    def __init__(self, instances: int, room: Room) -> None:
        self.room = room
        self._seats: list[list[Seat]] = [[] for _ in range(instances)]

    def place(self, component: InferenceComponent) -> Seat | None:
        """Reserve what a copy needs; None if no instance has it.

        SPREAD takes the instance with the fewest copies, BINPACK the fullest that has room.
        """
        cpus = component.cpus or 0.0
        fit = [
            number
            for number, seats in enumerate(self._seats)
            if self._fits(seats, cpus, component.min_memory_mb, component.accelerators)
        ]
        if not fit:
            return None
        sign = 1 if component.strategy == "SPREAD" else -1
        number = min(fit, key=lambda number: sign * len(self._seats[number]))
        taken = {device for seat in self._seats[number] for device in seat.accelerators}
        free = [device for device in range(self.room.accelerators) if device not in taken]
        seat = Seat(
            instance=number,
            cpus=cpus,
            memory_mb=component.min_memory_mb,
            accelerators=tuple(free[: component.accelerators]),
        )
        self._seats[number].append(seat)
        return seat

    def leave(self, seat: Seat) -> None:
        """Give back what a copy had."""
        self._seats[seat.instance].remove(seat)

    def _fits(self, seats: list[Seat], cpus: float, memory_mb: int, accelerators: int) -> bool:
        return (
            sum(seat.cpus for seat in seats) + cpus <= self.room.cpus + _TOLERANCE
            and sum(seat.memory_mb for seat in seats) + memory_mb <= self.room.memory_mb
            and sum(len(seat.accelerators) for seat in seats) + accelerators <= self.room.accelerators
        )


def placement_of(variant: Variant, *, chosen: bool, engine: Engine) -> Placement:
    """Give the instances of a variant: as its type has them, or as this machine where nobody named a type."""
    from sm_emulate.engine.gpus import gpu_count
    from sm_emulate.spec.instance_types import instance_size

    size = instance_size(variant.instance_type) if chosen else None
    if size is not None:
        room = Room(cpus=size.vcpus, memory_mb=size.memory_mib, accelerators=size.gpus)
    else:
        info = engine.info()
        room = Room(cpus=info.cpus, memory_mb=info.memory_bytes >> 20, accelerators=gpu_count(info) or 0)
    return Placement(variant.initial_instance_count, room)
