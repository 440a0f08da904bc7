"""Runs training jobs on the sample input of a check."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from sm_contracts.probes.training.job import Job
from sm_contracts.probes.training.sample import Sample
from sm_contracts.probes.training.trained import InterruptedCheckError

if TYPE_CHECKING:
    from sm_contracts.probes import Workbench
    from sm_contracts.probes.training.trained import Trained
    from sm_contracts.probes.training.way import Way

_SHORTEST_LIMIT_S = 60.0
_MANY_TIMES = 20


class Trainer:
    """Runs the job one way or another; any thread may use it."""

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench
        bucket = bench.folder / "checkpoints"
        bucket.mkdir()
        self.sample = Sample(bench.subject, bucket)
        self._numbers = itertools.count(1)
        self.usual_s = 0.0
        """How long a run takes that ends well; 0 until one is known."""

    def run(self, way: Way, *, weigh: bool = False, gpu: bool = False, gently: bool = False) -> Trained:
        """Run the job this way, to its end or to ours.

        Args:
            way: what is special about it.
            weigh: count what it writes into its own layer.
            gpu: look for open GPU devices.
            gently: if it takes too long, give it the whole stop window.

        Raises:
            InterruptedCheckError: the check was interrupted.
            MachineError: this machine cannot run it.
        """
        if self._bench.stopping():
            raise InterruptedCheckError
        self._bench.say(f"training {way.name}")
        job = Job(
            self._bench,
            self.sample,
            way,
            name=f"check-{next(self._numbers)}",
            limit_s=self._limit(way),
            usual_s=self.usual_s,
            gently=gently or way.stop_after_s is not None,
            weigh=weigh,
            gpu=gpu,
        )
        return job.run()

    def _limit(self, way: Way) -> float:
        """Say how long a run may take: a variant far longer than the plain run is stuck."""
        whole = self._bench.subject.limits.train_timeout_s
        if not self.usual_s or way.stop_after_s is not None:
            return whole
        return min(whole, max(_SHORTEST_LIMIT_S, _MANY_TIMES * self.usual_s))
