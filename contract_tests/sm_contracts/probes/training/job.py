"""Runs a training job one way and looks at everything that it leaves."""

from __future__ import annotations

import itertools
import re
import shutil
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, cast

from sm_contracts.evidence.training.folders import Clashes, Folder
from sm_contracts.evidence.training.run import TrainingRun
from sm_contracts.probes.training import trees
from sm_contracts.probes.training.pipes import PipeFeeder
from sm_contracts.probes.training.watched import LABEL_HOST, WatchedEngine
from sm_emulate import api
from sm_emulate.errors import SmEmulateError
from sm_emulate.events import ContainerExited, ContainerStarted, LogLines, MetricRecorded, StatusChanged

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sm_contracts.probes import Workbench
    from sm_contracts.probes.training.way import Way
    from sm_emulate.api import ContainerSpec, Engine, Mount, TrainingJob, TrainingRequest
    from sm_emulate.events import Event

COPIED_BYTES = 256 << 20
"""Sample data up to this size is copied, so that a run may write into it as it may on the platform."""
LOG_LINES = 200
_DATA, _MODEL, _CHECKPOINTS = "/opt/ml/input/data", "/opt/ml/model", "/opt/ml/checkpoints"
_HARD_STOP_S = 2.0
_LOOK_S = 0.02
_LIFE_S = 5.0
"""A program that has said nothing for so long is taken to be at work."""
_MARKERS = (".sagemaker-uploading", ".sagemaker-uploaded")
_EXEC_FAILED = re.compile(
    r"exec (user process caused|\S+): ?\"?(exec format error|no such file or directory|permission denied)"
    r"|exec \S+ failed: (No such file|Permission denied|Exec format)"
    r"|^\S*env: .*: (No such file or directory|Permission denied)$|exec: \S+: (not found|Permission denied)$",
    re.IGNORECASE | re.MULTILINE,
)
"""What runc, tini, dumb-init, env and shells print when the program itself cannot be run."""


class InterruptedCheckError(Exception):
    """The user has asked for an end."""


@dataclass(frozen=True, kw_only=True)
class StopSeen:
    """What was seen of a stop in the middle of a run."""

    sent_after_s: float | None = None
    lived_on_s: float = 0.0
    killed: bool = False
    handled: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Trained:
    """One run, and all that was seen of it."""

    way: Way
    run: TrainingRun
    model: Folder
    output: Folder
    wrote_input: tuple[str, ...] = ()
    copied: bool = False
    written: int | None = None
    matches: Mapping[str, int] = field(default_factory=dict)
    pipes: Mapping[str, int] = field(default_factory=dict)
    clashes: Clashes | None = None
    stop: StopSeen = field(default_factory=StopSeen)
    checkpoints: Path | None = None
    """A copy of what lay in /opt/ml/checkpoints at the end."""
    gpu_looks: int = 0
    gpu_devices: tuple[str, ...] = ()


class Trainer:
    """Runs training jobs on the sample input of a check; any thread may use it."""

    def __init__(self, bench: Workbench) -> None:
        self.bench = bench
        sample, subject = bench.subject.training, bench.subject
        self.metrics, self.broken_metrics = _definitions(sample.metrics)
        bucket = bench.folder / "checkpoints"
        bucket.mkdir()
        request = api.training_request(
            subject.image,
            job_name="check",
            channels=sample.channels,
            hyperparameters=sample.hyperparameters,
            environment=sample.environment,
            metrics=self.metrics,
            instance_type=subject.instance_type,
            checkpoints=bucket,
        )
        piped = [each for each in request.input_data_config if request.input_mode(each) == "Pipe"]
        self._pipes = {each.channel_name: each for each in piped}
        self._request = replace(
            request,
            input_data_config=tuple(each for each in request.input_data_config if each not in piped),
        )
        sources = [each.data_source.local_path for each in self._request.input_data_config]
        self._small = sum(trees.total_bytes(each) for each in sources if each is not None) <= COPIED_BYTES
        self._numbers = itertools.count(1)
        self.usual_s = 0.0
        """How long a run takes that ends well; 0 until one is known."""

    @property
    def channels(self) -> tuple[str, ...]:
        return self.bench.subject.training.channels

    @property
    def pipes(self) -> tuple[str, ...]:
        return tuple(self._pipes)

    @property
    def unfed_pipes(self) -> tuple[str, ...]:
        """Pipe channels whose bytes would not be the platform's."""
        return tuple(
            name
            for name, each in self._pipes.items()
            if (each.record_wrapper_type or "None") != "None"
            or (each.compression_type or "None") != "None"
            or getattr(each.data_source, "s3_data_type", "S3Prefix") != "S3Prefix"
            or each.data_source.local_path is None
        )

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
        if self.bench.stopping():
            raise InterruptedCheckError
        self.bench.say(f"training {way.name}")
        return _Job(self, way, number=next(self._numbers), weigh=weigh, gpu=gpu, gently=gently).run()

    def time_limit(self, way: Way) -> float:
        """Say how long a run may take: a variant far longer than the plain run is stuck."""
        whole = self.bench.subject.limits.train_timeout_s
        if not self.usual_s or way.stop_after_s is not None:
            return whole
        return min(whole, max(60.0, 20 * self.usual_s))

    def request(self, way: Way, name: str, home: Path) -> TrainingRequest:
        request = self._request
        path = home / "training-jobs" / name
        return replace(
            request,
            training_job_name=name,
            resource_config=replace(request.resource_config, instance_count=way.hosts),
            enable_network_isolation=way.isolated,
            checkpoint_config=request.checkpoint_config if way.checkpoints else None,
            output_data_config=replace(request.output_data_config, s3_output_path=path.as_uri()),
            stopping_condition=replace(
                request.stopping_condition, max_runtime_in_seconds=max(1, round(self.time_limit(way)))
            ),
        )


class _Job:
    """One run in the making."""

    def __init__(
        self, trainer: Trainer, way: Way, *, number: int, weigh: bool, gpu: bool, gently: bool
    ) -> None:
        self._gently = gently or way.stop_after_s is not None
        self._trainer, self._way, self._gpu = trainer, way, gpu
        self._bench = trainer.bench
        self._name = f"check-{number}"
        self._home = self._bench.folder / "home"
        self._engine = WatchedEngine(
            self._bench.engine,
            late_s=min(10.0, 2.0 + trainer.usual_s) if way.late_names else 0.0,
            together=1 if way.late_names else way.hosts,
            weigh=weigh,
        )
        self._trees: dict[str, Path] = {}
        self._before: dict[Path, dict[str, tuple[int, int, int]]] = {}
        self._copied = trainer._small and not way.read_only and not way.empty_channels  # noqa: SLF001  # its own part
        self._feeders: list[PipeFeeder] = []
        self._job: TrainingJob | None = None
        self._log: deque[str] = deque(maxlen=LOG_LINES)
        self._log_bytes = 0
        self._matches: dict[str, int] = dict.fromkeys(trainer.metrics, 0)
        self._began: float | None = None
        self._ended: float | None = None
        self._exits: dict[str, ContainerExited] = {}
        self._sent: float | None = None
        self._handled: bool | None = None
        self._gpu_looks, self._gpu_devices = 0, set[str]()
        self._over = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name=f"watch {self._name}", daemon=True)

    def run(self) -> Trained:
        window = self._bench.subject.limits.train_stop_grace_s
        try:
            result = api.train(
                self._trainer.request(self._way, self._name, self._home),
                engine=cast("Engine", self._engine),
                home=self._home,
                platform=self._platform(),
                gpus=self._bench.subject.gpus,
                stop_grace_s=window if self._gently else _HARD_STOP_S,
                listeners=(self._hear,),
                ready=self._begin,
                vary=self._vary,
                vary_files=self._files,
            )
            self._over.set()
            if self._bench.stopping():
                raise InterruptedCheckError
            for feeder in self._feeders:
                feeder.close()
            return self._look(result, window)
        finally:
            self._over.set()
            if self._job is not None:
                self._watcher.join()
            self._engine.close()
            for feeder in self._feeders:
                feeder.close()
            for tree in self._trees.values():
                with suppress(OSError):  # a mode that keeps its owner from removing it
                    (tree / "input" / "config").chmod(0o755)
            shutil.rmtree(self._home / "training-jobs" / self._name, ignore_errors=True)

    # before

    def _platform(self) -> api.Platform:
        profile = api.Platform().profile
        given = {"shm-size": "1g"} if self._way.roomy_shm else {"shm-size": "64m"}
        if self._way.open_folders:
            given["config-directory-mode"] = "0755"
        return api.Platform(settings=api.Settings(profile, given))

    def _files(self, files: dict[str, bytes]) -> dict[str, bytes]:
        import json

        channels = json.loads(files["inputdataconfig.json"])
        for name, channel in self._trainer._pipes.items():  # noqa: SLF001  # its own part
            kind = {"ContentType": channel.content_type} if channel.content_type else {}
            channels[name] = kind | {
                "TrainingInputMode": "Pipe",
                "S3DistributionType": "FullyReplicated",
                "RecordWrapperType": "None",
            }
        files = files | {"inputdataconfig.json": json.dumps(channels, separators=(",", ":")).encode()}
        return self._way.config_files(files)

    def _vary(self, spec: ContainerSpec) -> ContainerSpec:
        host = spec.labels[LABEL_HOST]
        tree = Path(next(each.source for each in spec.mounts if each.target == _MODEL)).parent
        self._trees[host] = tree
        mounts = tuple(self._mount(each, tree) for each in spec.mounts)
        if self._way.open_folders:
            for folder in (tree / "model", tree / "output"):
                for path in (folder, *(each for each in folder.rglob("*") if each.is_dir())):
                    path.chmod(0o777)
        if self._copied:
            for folder in (tree / "channels", tree / "input" / "data"):
                self._before[folder] = trees.snapshot(folder)
        for name, channel in self._trainer._pipes.items():  # noqa: SLF001  # its own part
            source = channel.data_source.local_path
            if source is not None:
                self._feeders.append(PipeFeeder(tree / "input" / "data", name, source))
        hostname = host if self._way.algo_hostname else spec.hostname
        return replace(spec, mounts=mounts, hostname=hostname)

    def _mount(self, mount: Mount, tree: Path) -> Mount:
        if mount.target == _CHECKPOINTS:
            kept = tree / "checkpoints"
            kept.mkdir(exist_ok=True)
            if self._way.resume_from is not None:
                trees.copy(self._way.resume_from, kept)
            if self._way.sidecars:
                _mark(kept)
            return replace(mount, source=str(kept))
        if not mount.target.startswith(f"{_DATA}/"):
            return mount
        if not (self._copied or self._way.empty_channels):
            # read-only is how the emulator mounts the user's own folders
            return replace(mount, read_only=True)
        source = Path(mount.source)
        target = PurePosixPath(mount.target) if source.is_dir() else PurePosixPath(mount.target).parent
        folder = tree / "channels" / target.name
        folder.mkdir(parents=True)
        if not self._way.empty_channels:
            trees.copy(source, folder if source.is_dir() else folder / source.name)
        return replace(mount, source=str(folder), target=str(target), read_only=False)

    # meanwhile

    def _hear(self, event: Event) -> None:
        if isinstance(event, LogLines):
            self._log_bytes += len(event.data)
            mark = f"{event.host}: " if self._way.hosts > 1 else ""
            self._log.extend(mark + line for line in event.data.decode("utf-8", "replace").splitlines())
        elif isinstance(event, ContainerStarted):
            self._began = self._began or time.monotonic()
        elif isinstance(event, ContainerExited):
            self._exits[event.host] = event
            self._ended = time.monotonic()
        elif isinstance(event, StatusChanged) and event.secondary == "Stopping" and self._sent is None:
            self._see_handler()  # its time is up
            self._sent = time.monotonic()
        elif isinstance(event, MetricRecorded):
            self._matches[event.name] = self._matches.get(event.name, 0) + 1

    def _begin(self, job: TrainingJob) -> None:
        self._job = job
        self._watcher.start()

    def _watch(self) -> None:
        """Do what is to be done while it runs: stop it, mark checkpoints, look for open devices."""
        job = self._job
        assert job is not None
        while not self._over.wait(_LOOK_S):
            if self._bench.stopping():
                job.stop()  # a second time: at once
                continue
            if (
                self._way.stop_after_s is not None
                and self._sent is None
                and self._due(self._way.stop_after_s)
            ):
                self._sent = time.monotonic()
                job.stop()
            if self._way.sidecars:
                for tree in list(self._trees.values()):
                    _mark(tree / "checkpoints")
            if self._way.hosts > 1:
                with suppress(SmEmulateError):  # only a help
                    self._engine.keep_names(tuple(self._exits))
            if self._gpu:
                self._look_for_devices()

    def _due(self, after_s: float) -> bool:
        """Tell whether it is at work and can be stopped: it has said something, and has had time to set up."""
        container = self._engine.containers.get("algo-1")
        if container is None or self._began is None or self._ended is not None:
            return False
        lived = time.monotonic() - self._began
        if lived < after_s or not (self._log_bytes or lived >= _LIFE_S):
            return False
        self._see_handler()
        return self._handled is not False or lived >= 1.5 * after_s

    def _see_handler(self) -> None:
        container = self._engine.containers.get("algo-1")
        if container is not None:
            with suppress(SmEmulateError):
                self._handled = self._bench.engine.catches(container, "SIGTERM")

    def _look_for_devices(self) -> None:
        container = self._engine.containers.get("algo-1")
        if container is None or self._ended is not None:
            return
        with suppress(SmEmulateError):
            devices = self._bench.engine.devices(container)
            if devices is not None:
                self._gpu_looks += 1
                self._gpu_devices |= {each for each in devices if each.startswith("/dev/nvidia")}

    # after

    def _look(self, result: Any, window: float) -> Trained:
        first = self._trees.get("algo-1")
        kept = None
        if self._way.checkpoints and first is not None:
            kept = self._bench.folder / f"{self._name}-checkpoints"
            shutil.move(first / "checkpoints", kept)
        both = None
        if len(self._trees) == 2:
            one, other = (self._trees[host] for host in sorted(self._trees))
            both = trees.clashes(
                [
                    (_MODEL, one / "model", other / "model"),
                    ("/opt/ml/output/data", one / "output" / "data", other / "output" / "data"),
                ]
            )
        pipes: dict[str, int] = {}
        for feeder in self._feeders:
            pipes[feeder.channel] = max(pipes.get(feeder.channel, 0), feeder.opened)
        return Trained(
            way=self._way,
            run=self._run(result),
            model=Folder(files=0) if first is None else trees.look(first / "model"),
            output=Folder(files=0) if first is None else trees.look(first / "output" / "data"),
            wrote_input=self._input_writes(),
            copied=self._copied,
            written=self._engine.written,
            matches=self._matches,
            pipes=pipes,
            clashes=both,
            stop=self._stop_seen(window),
            checkpoints=kept,
            gpu_looks=self._gpu_looks,
            gpu_devices=tuple(sorted(self._gpu_devices)),
        )

    def _run(self, result: Any) -> TrainingRun:
        codes = dict(result.container_exit_codes)
        code = next((each for each in codes.values() if each), 0) if codes else None
        log = tuple(self._log)
        error = "" if codes else (result.failure_reason or "")
        if code in {1, 126, 127, 255} and log and (said := _EXEC_FAILED.search("\n".join(log[-3:]))):
            error = said.string.strip()
        seconds = 0.0
        if self._began is not None:
            seconds = (self._ended or time.monotonic()) - self._began
        texts = [trees.failure(tree / "output") for _, tree in sorted(self._trees.items())]
        return TrainingRun(
            way=self._way.name,
            exit_code=code,
            start_error=error,
            timed_out=result.secondary_status.value == "MaxRuntimeExceeded",
            seconds=seconds,
            failure=next((each for each in texts if each is not None), None),
            log=log,
            log_bytes=self._log_bytes,
            oom_killed=any(each.oom_killed for each in self._exits.values()),
        )

    def _input_writes(self) -> tuple[str, ...]:
        wrote: list[str] = []
        for folder, before in self._before.items():
            wrote += [
                f"{_DATA}/{name}"
                for name in trees.changed(before, trees.snapshot(folder))
                if name.rpartition("_")[0] not in self._trainer.pipes
            ]
        return tuple(dict.fromkeys(wrote))

    def _stop_seen(self, window: float) -> StopSeen:
        # a stop that came when it had ended already stopped nothing
        if self._sent is None or self._began is None or self._ended is None or self._sent >= self._ended:
            return StopSeen(handled=self._handled)
        lived_on = self._ended - self._sent
        code = max((each.code for each in self._exits.values()), default=0)
        return StopSeen(
            sent_after_s=self._sent - self._began,
            lived_on_s=lived_on,
            killed=code == 137 and lived_on >= window - 0.1,
            handled=self._handled,
        )


def _mark(folder: Path) -> None:
    """Put the upload markers of the platform's sync agent beside every file that has none."""
    with suppress(OSError):  # a file that goes while we look
        for file in list(folder.rglob("*")):
            if file.is_file() and not file.name.endswith(_MARKERS):
                for marker in _MARKERS:
                    file.with_name(file.name + marker).touch()


def markers(folder: Path) -> tuple[str, ...]:
    """Name the upload markers in a folder."""
    return tuple(sorted(each.name for each in folder.rglob("*") if each.name.endswith(_MARKERS)))


def _definitions(texts: tuple[str, ...]) -> tuple[dict[str, str], dict[str, str]]:
    """Tell metric definitions that can find a number from those that never can, with the reason."""
    sound, broken = {}, {}
    for text in texts:
        name, _, regex = text.partition("=")
        try:
            groups = re.compile(regex).groups
        except re.error as error:
            broken[name] = f"its regex {regex!r} cannot be read: {error}"
            continue
        if groups and regex:
            sound[name] = regex
        else:
            broken[name] = f"its regex {regex!r} has no group, and the number is group 1"
    return sound, broken
