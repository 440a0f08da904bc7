"""The course of the processing probe: which runs there are, and what follows from each."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from sm_contracts.evidence import Missing
from sm_contracts.evidence.processing import (
    ExitMessages,
    ProcessingEnd,
    ProcessingOutputs,
    ProcessingStart,
    ProcessingStopped,
    TrainingHabits,
)
from sm_contracts.probes.processing.job import Job, Way

if TYPE_CHECKING:
    from sm_contracts.probes import Workbench
    from sm_contracts.probes.processing.job import Processed

_SOONEST_S, _LATEST_S = 0.2, 5.0
"""However long a run takes, it is stopped about then."""


class Session:
    """One use of the processing probe.

    Args:
        bench: the image, the sample input, the engine.
        wanted: types of evidence.
        found: evidence is put here as it comes, so that an interruption loses little.
    """

    def __init__(self, bench: Workbench, wanted: frozenset[type], found: dict[type, object]) -> None:
        self._bench, self._wanted, self._found = bench, wanted, found
        self._numbers = itertools.count(1)
        self._window_s = bench.subject.limits.train_stop_grace_s

    def run(self) -> None:
        first = self._run(Way(name="as the platform runs it"))
        run = first.run
        self._found[ProcessingStart] = ProcessingStart(run=run)
        if not run.started:
            self._rest(Missing("the program could not be started; see SM701"))
            return
        if run.timed_out:
            self._found[ProcessingStopped] = self._evidence(first)
            self._rest(
                Missing(
                    f"processing did not end within {run.seconds:.0f} s",
                    "give sample data that takes less time",
                )
            )
            return
        self._found[ExitMessages] = ExitMessages(runs=(run,))
        given = bool(self._bench.subject.processing.inputs)
        if run.failed:
            eased = self._run(Way(name="with a training job's variables and folders", training=True)).run
            blamed = ("SM706",) if eased.completed else ()
            self._found[TrainingHabits] = TrainingHabits(run=run, with_training=eased)
            self._found[ProcessingEnd] = ProcessingEnd(run=run, blamed=blamed, sample_data=given)
            self._rest(Missing("it fails on the sample data", "see SM702"))
            return
        self._found[TrainingHabits] = TrainingHabits(run=run)
        self._found[ProcessingEnd] = ProcessingEnd(run=run, sample_data=given)
        self._found[ProcessingOutputs] = ProcessingOutputs(folders=first.outputs, places=first.places)
        if ProcessingStopped in self._wanted:
            self._found[ProcessingStopped] = self._stopped(run.seconds)

    def _stopped(self, whole_s: float) -> object:
        """Stop a run on the way: SIGINT, and in another run SIGTERM if that was ignored."""
        after_s = min(_LATEST_S, max(_SOONEST_S, whole_s / 4))
        tried = self._run(Way(name="stopped in mid-run", stop_after_s=after_s))
        if tried.killed:
            other = self._run(
                Way(name="stopped in mid-run by SIGTERM", stop_after_s=after_s, signal="SIGTERM")
            )
            return self._evidence(tried, heeds_sigterm=other.sent_after_s is not None and not other.killed)
        return self._evidence(tried)

    def _evidence(self, tried: Processed, *, heeds_sigterm: bool | None = None) -> ProcessingStopped:
        return ProcessingStopped(
            run=tried.run,
            window_s=self._window_s,
            sent_after_s=tried.sent_after_s,
            lived_on_s=tried.lived_on_s,
            killed=tried.killed,
            handled=tried.handled,
            heeds_sigterm=heeds_sigterm,
        )

    def _run(self, way: Way) -> Processed:
        self._bench.say(f"processing {way.name}")
        return Job(self._bench, way, name=f"check-{next(self._numbers)}").run()

    def _rest(self, reason: Missing) -> None:
        """Give the same reason for everything that is not there."""
        for kind in self._wanted:
            self._found.setdefault(kind, reason)
