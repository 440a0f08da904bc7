"""Probes run an image in a stated way and give evidence. They alone need an engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from sm_contracts.recorder import Recorder

if TYPE_CHECKING:
    from pathlib import Path

    from sm_contracts.evidence import Missing
    from sm_contracts.subject import Subject
    from sm_emulate.api import Engine

Evidences = Mapping[type, "object | Missing"]


@dataclass(frozen=True, kw_only=True)
class Workbench:
    """What a probe works with.

    Args:
        subject: the image and the sample input.
        engine: the container engine; any thread may use it.
        folder: a temporary folder of this probe, removed afterwards.
        say: told what the probe does now, in a few words, for the progress display.
        stopping: true when the user has pressed Ctrl-C: the probe ends its containers and returns what it has.
        record: told of pings and invocations, for the timeline; containers are recorded by the engine itself.
    """

    subject: Subject
    engine: Engine
    folder: Path
    say: Callable[[str], None] = field(default=lambda _: None)
    stopping: Callable[[], bool] = field(default=lambda: False)
    record: Recorder = field(default_factory=Recorder)


class Probe(Protocol):
    """One way to look at an image.

    Attributes:
        name: a word or two, for progress and timings.
        gives: the types of evidence that it can give.
        lives: about how many containers it starts; longer probes are begun first.
        alone: it measures time, so nothing else runs beside it.
    """

    name: str
    gives: tuple[type, ...]
    lives: int
    alone: bool

    def run(self, bench: Workbench, wanted: frozenset[type]) -> Evidences:
        """Give each wanted type of evidence, or `Missing` in its place.

        Only what `wanted` needs is done. An image's misbehaviour is evidence, never an exception; what is raised is
        reported as SM002.
        """
        ...
