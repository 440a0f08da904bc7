"""The run on the sample data that everything else is compared with, and why it is not always the first one.

A run that fails is tried again under easier conditions. If it then ends well, the condition is at fault, and the
rule about that condition says so; SM202 is kept for programs that fail whatever is done for them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sm_contracts.probes.training.way import Way, is_text, quoted, typed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sm_contracts.evidence.training.run import TrainingRun
    from sm_contracts.probes.training.trained import Trained

    Together = Callable[[Sequence[Way]], list[Trained]]
    """Runs several ways, a few at a time."""

EASIER: Mapping[str, tuple[str, str]] = {
    "open_folders": ("SM216", "with folders that anybody may enter and write"),
    "roomy_shm": ("SM218", "with 1 GiB of shared memory"),
    "plain_config": ("SM219", "without `topology` in resourceconfig.json"),
    "algo_hostname": ("SM215", "with the host name algo-1"),
}
"""Conditions that are lifted: the rule about each, and what to call the run."""


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """The plain run, and what was tried when it failed."""

    first: Trained
    """As the platform runs it."""
    counts: Trained
    """The run that variants are compared with: the first, or the one under easier conditions."""
    eased: Mapping[str, TrainingRun] = field(default_factory=dict)
    """Conditions that had to be lifted, and the run without each."""
    quoted: TrainingRun | None = None
    """With quotes turned around, if that is what it took."""
    typed: TrainingRun | None = None
    """With typed hyperparameters, where the first run failed and this was tried."""

    @property
    def blamed(self) -> tuple[str, ...]:
        """The rules that say why the first run failed."""
        rules = [EASIER[name][0] for name in self.eased]
        if self.quoted is not None:
            rules.append("SM212")
        if self.typed is not None and self.typed.completed:
            rules.append("SM226")
        return tuple(rules)


def find(*, first: Trained, together: Together) -> Baseline:
    """Find out under which conditions training ends well, if under any."""
    if not first.run.failed:
        return Baseline(first=first, counts=first)
    way = first.way
    everything = dict.fromkeys(EASIER, True)
    tries = [way.but("under easier conditions", **everything)]
    given = way.hyperparameters
    turned = any(is_text(value) for value in given.values())
    numbers = typed(given) != dict(given)
    if turned:
        tries.append(way.but("with quotes around strings turned", hyperparameters=quoted(given)))
    if numbers:
        tries.append(way.but("with typed hyperparameters", hyperparameters=typed(given)))
    eased, *others = together(tries)
    if eased.run.completed:
        culprits = _culprits(way, together)
        return Baseline(first=first, counts=eased, eased=culprits)
    other = {each.way.name: each for each in others}
    if turned and (flipped := other[tries[1].name]).run.completed:
        return Baseline(first=first, counts=flipped, quoted=flipped.run)
    return Baseline(
        first=first, counts=first, typed=other["with typed hyperparameters"].run if numbers else None
    )


def _culprits(way: Way, together: Together) -> dict[str, TrainingRun]:
    """Find the condition that alone makes the difference; or, where it takes several, all of those."""
    alone = together([way.but(title, **{name: True}) for name, (_, title) in EASIER.items()])
    suffices = {name: tried.run for name, tried in zip(EASIER, alone, strict=True) if tried.run.completed}
    if suffices:
        return suffices
    lacking = together(
        [
            way.but(f"not {title}", **{other: True for other in EASIER if other != name})
            for name, (_, title) in EASIER.items()
        ]
    )
    return {name: tried.run for name, tried in zip(EASIER, lacking, strict=True) if not tried.run.completed}
