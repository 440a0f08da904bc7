"""The course of the training probe: which runs there are, and what follows from each."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING

from sm_contracts.evidence import Missing
from sm_contracts.evidence.training.devices import GpuUse, PipeReads
from sm_contracts.evidence.training.ending import (
    Endings,
    Failures,
    Metrics,
    TrainingEnd,
    TrainingLog,
    TrainingStart,
)
from sm_contracts.evidence.training.folders import (
    Clashes,
    InputWrites,
    ModelFolder,
    OutputFolder,
    WritableLayer,
)
from sm_contracts.evidence.training.stop import Resumed, Sidecars, Stopped
from sm_contracts.evidence.training.variants import (
    ConfigVariants,
    Isolated,
    Permissions,
    Quoting,
    SharedMemory,
    TuningJob,
    TwoHosts,
    TypedHyperparameters,
)
from sm_contracts.probes.training import baseline, variants
from sm_contracts.probes.training.trainer import Trainer
from sm_contracts.probes.training.way import Way, strings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Executor

    from sm_contracts.evidence.training.run import TrainingRun
    from sm_contracts.probes import Evidences, Workbench
    from sm_contracts.probes.training.baseline import Baseline
    from sm_contracts.probes.training.trained import Trained

_VARIANTS = frozenset(
    {
        InputWrites, Clashes, Quoting, TuningJob, Isolated, ConfigVariants, TwoHosts, Stopped, Resumed, Sidecars,
    }
)  # fmt: skip
"""Evidence that takes more runs, and only if the plain one ends well."""
_OF_PLAIN = frozenset({TrainingLog, Metrics, ModelFolder, OutputFolder, WritableLayer})


class Session:
    """One use of the training probe.

    Args:
        bench: the image, the sample input, the engine.
        wanted: types of evidence.
        found: evidence is put here as it comes, so that an interruption loses little.
        pool: runs training jobs, a few at a time.
    """

    def __init__(
        self, bench: Workbench, wanted: frozenset[type], found: dict[type, object], pool: Executor
    ) -> None:
        self._bench, self._wanted, self._found, self._pool = bench, wanted, found, pool
        self._trainer = Trainer(bench)

    def run(self) -> None:
        trainer, sample = self._trainer, self._bench.subject.training
        way = Way(hyperparameters=sample.hyperparameters)
        weigh, gpu = WritableLayer in self._wanted, GpuUse in self._wanted and self._has_gpu()
        first = trainer.run(way, weigh=weigh, gpu=gpu, gently=True)
        self._give({TrainingStart: TrainingStart(run=first.run), PipeReads: self._pipe_reads(first)})
        self._give({GpuUse: self._gpu_use(first, gpu)})
        if not first.run.started:
            self._all(Missing("the program could not be started; see SM201"))
            return
        if first.run.timed_out:
            window = self._bench.subject.limits.train_stop_grace_s
            self._give({Stopped: variants.stop_evidence(first, window)})
            self._all(
                Missing(
                    f"training did not end within {first.run.seconds:.0f} s",
                    "give sample data that trains faster",
                )
            )
            return
        if trainer.sample.pipes and not all(first.pipes.values()):
            self._after(baseline.Baseline(first=first, counts=first), blamed=("SM222",))
            return
        self._after(baseline.find(first=first, together=self._together))

    def _after(self, base: Baseline, blamed: tuple[str, ...] = ()) -> None:
        """Go on from the plain run."""
        plain = base.counts
        blamed = blamed or base.blamed
        self._of_first(base, blamed)
        if not plain.run.completed or plain.run.hidden_failure:
            self._give(self._endings(base, None))
        if not plain.run.completed:
            see = " and ".join(blamed) or "SM202"
            self._all(Missing(f"training on the sample data fails; see {see}"))
            return
        if plain.run.hidden_failure:
            self._all(Missing("training fails, though its exit code is 0; see SM205"))
            return
        self._trainer.usual_s = plain.run.seconds
        self._of_plain(plain, blamed)
        self._vary(base)

    # what one run shows

    def _of_first(self, base: Baseline, blamed: tuple[str, ...]) -> None:
        first, eased = base.first.run, base.eased
        ends = first.completed or base.counts.run.completed
        unknown = Missing("training on the sample data fails for another reason; see SM202")
        user = self._bench.engine.image(self._bench.subject.image).user
        self._give(
            {
                TrainingEnd: TrainingEnd(
                    run=first, blamed=blamed, sample_data=bool(self._trainer.sample.channels)
                ),
                TrainingLog: TrainingLog(bytes=base.counts.run.log_bytes),
                Permissions: Permissions(user=user, strict=first, open=eased.get("open_folders"))
                if ends
                else unknown,
                SharedMemory: SharedMemory(run=first, roomy=eased["roomy_shm"])
                if "roomy_shm" in eased
                else SharedMemory(run=base.counts.run)
                if ends
                else unknown,
                TypedHyperparameters: self._typed(base),
            }
        )
        if "plain_config" in eased:
            self._give({ConfigVariants: ConfigVariants(runs={'"topology":null': first})})
        if "algo_hostname" in eased:
            self._give({TwoHosts: TwoHosts(run=first, at_ease=eased["algo_hostname"], alone=True)})
        if base.quoted is not None:
            names = strings(self._trainer.sample.hyperparameters)
            self._give({Quoting: Quoting(names=names, plain=first, quoted=base.quoted)})

    def _typed(self, base: Baseline) -> object:
        if not self._trainer.sample.hyperparameters:
            return Missing(
                "there are no sample hyperparameters", "give some with --hyperparameter NAME=VALUE"
            )
        if base.counts.run.failed and base.typed is None:
            return Missing("training on the sample data fails for another reason; see SM202")
        return TypedHyperparameters(strings=base.counts.run, typed=base.typed)

    def _of_plain(self, plain: Trained, blamed: tuple[str, ...]) -> None:
        uncounted = "this engine does not tell how much a container wrote"
        if blamed:  # only the first run is weighed
            uncounted = f"training on the sample data fails; see {' and '.join(blamed)}"
        metrics = self._trainer.sample.metrics or self._trainer.sample.broken_metrics
        self._give(
            {
                ModelFolder: ModelFolder(folder=plain.model),
                OutputFolder: OutputFolder(folder=plain.output),
                WritableLayer: Missing(uncounted)
                if plain.written is None
                else WritableLayer(bytes=plain.written),
                Metrics: Metrics(matches=dict(plain.matches), broken=self._trainer.sample.broken_metrics)
                if metrics
                else Missing("no metric definition was given", applies=False),
            }
        )

    def _pipe_reads(self, first: Trained) -> object:
        if not self._trainer.sample.pipes:
            return Missing("no channel is read in Pipe mode", applies=False)
        return PipeReads(opened=dict(first.pipes), run=first.run)

    def _has_gpu(self) -> bool:
        """Tell whether runs are given a GPU: where none is there, they are not, or end before they begin."""
        subject = self._bench.subject
        if subject.gpus in {"none", "0"}:
            return False
        if subject.gpus != "auto":
            return True
        info = self._bench.engine.info()
        family = subject.instance_type.removeprefix("ml.")[:1]
        return family in {"p", "g"} and bool("nvidia" in info.runtimes or info.cdi_devices)

    def _gpu_use(self, first: Trained, gpu: bool) -> object:
        subject = self._bench.subject
        if not gpu:
            asked = subject.instance_type.removeprefix("ml.")[:1] in {"p", "g"} and subject.gpus == "auto"
            if asked:
                return Missing("there is no GPU here", "run the check on a machine with an NVIDIA GPU")
            return Missing("no GPU was asked for", applies=False)
        return GpuUse(looks=first.gpu_looks, opened=first.gpu_devices, run=first.run)

    # other runs

    def _vary(self, base: Baseline) -> None:
        """Run everything that does not depend on each other, a few containers at a time."""
        plain, together, wanted = base.counts, self._together, self._wanted - set(self._found)
        isolated = self._bench.subject.network_isolation
        groups: list[Callable[[], Evidences]] = []
        if wanted & {Stopped, Resumed, Sidecars}:
            groups.append(lambda: self._stops(plain))
        if wanted & {TwoHosts, Clashes}:
            groups.append(lambda: variants.two_hosts(plain, together=together))
        if wanted & {InputWrites, Quoting, TuningJob, Isolated, ConfigVariants}:
            groups.append(lambda: variants.conditions(plain, wanted, isolated=isolated, together=together))
        if wanted & {Endings, Failures}:
            groups.append(lambda: self._endings(base, self._provoked(plain)))
        with ThreadPoolExecutor(max_workers=max(1, len(groups)), thread_name_prefix="group") as threads:
            begun = [threads.submit(group) for group in groups]
        for each in begun:
            self._give(each.result())

    def _stops(self, plain: Trained) -> Evidences:
        tried = variants.stopped(plain, together=self._together)
        window = self._bench.subject.limits.train_stop_grace_s
        seen: dict[type, object] = {Stopped: variants.stop_evidence(tried, window)}
        if self._wanted & {Resumed, Sidecars}:
            seen |= variants.resumed(plain, tried, together=self._together)
        return seen

    def _provoked(self, plain: Trained) -> TrainingRun | None:
        """Have it fail on empty channels; None where there are none, or it does not end."""
        if len(self._trainer.sample.channels) == len(self._trainer.sample.pipes):
            return None
        (tried,) = self._together([plain.way.but("on empty channels", empty_channels=True)])
        return None if tried.run.timed_out else tried.run

    def _endings(self, base: Baseline, provoked: TrainingRun | None) -> Evidences:
        runs = tuple(each for each in (base.first.run, provoked) if each is not None)
        # who may not write to /opt/ml/output can leave no failure text: that is SM216's business
        mute = base.first.run if "SM216" in base.blamed else None
        if failed := tuple(each for each in runs if each.failed and each is not mute):
            failures: object = Failures(runs=failed)
        else:
            channels = self._trainer.sample.channels
            failures = Missing(
                "it never failed, so what it says when it fails was not seen",
                "" if channels else "give --channel NAME=PATH: it is then also run on empty channels",
            )
        return {Endings: Endings(runs=runs), Failures: failures}

    def _together(self, ways: Sequence[Way]) -> list[Trained]:
        futures = [self._pool.submit(self._trainer.run, way) for way in ways]
        wait(futures)
        return [each.result() for each in futures]

    def _give(self, evidence: Evidences) -> None:
        """Keep what is new."""
        for kind, value in evidence.items():
            self._found.setdefault(kind, value)

    def _all(self, reason: Missing) -> None:
        """Give the same reason for everything that is not there."""
        self._give(dict.fromkeys(self._wanted, reason))
