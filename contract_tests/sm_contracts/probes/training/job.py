"""One training job of a check: run one way, watched, and looked at when it is over."""

from __future__ import annotations

import re
import shutil
import threading
import time
from collections import Counter, deque
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from sm_contracts.evidence.training.folders import Folder
from sm_contracts.evidence.training.run import TrainingRun
from sm_contracts.probes.training import trees
from sm_contracts.probes.training.hosts import Hosts
from sm_contracts.probes.training.trained import InterruptedCheckError, StopSeen, Trained
from sm_contracts.probes.training.watched import WatchedEngine
from sm_emulate import api
from sm_emulate.errors import SmEmulateError
from sm_emulate.events import (
    ContainerExited,
    ContainerStarted,
    EpochStreamed,
    LogLines,
    MetricRecorded,
    StatusChanged,
)

if TYPE_CHECKING:
    from sm_contracts.probes import Workbench
    from sm_contracts.probes.training.sample import Sample
    from sm_contracts.probes.training.way import Way
    from sm_emulate.api import Engine, TrainingJob, TrainingResult
    from sm_emulate.events import Event

LOG_LINES = 200
_HARD_STOP_S = 2.0
_LOOK_S = 0.02
_LIFE_S = 5.0
"""A program that has said nothing for so long is taken to be at work."""
_SETUP_S = 1.0
"""One that has no handler for SIGTERM yet is given so much longer, at most."""
_LOOK_AGAIN_S = 0.2
_LATE_S, _LATEST_S = 2.0, 10.0
_EXEC_FAILED = re.compile(
    r"exec (container process `\S+`|user process caused|\S+): ?\"?"
    r"(exec format error|no such file or directory|permission denied)"
    r"|exec \S+ failed: (No such file|Permission denied|Exec format)"
    r"|^\S*env: .*: (No such file or directory|Permission denied)$|exec: \S+: (not found|Permission denied)$",
    re.IGNORECASE | re.MULTILINE,
)
"""What runc, crun, tini, dumb-init, env and shells print when the program itself cannot be run."""
_EXEC_LINES = 3


class Job:
    """One run in the making.

    Args:
        bench: the engine, and the folder that it all lies in.
        sample: the sample input.
        way: what is special about it.
        name: of the job.
        limit_s: after which it is stopped.
        usual_s: how long a run takes; 0 if not known.
        gently: give it the whole stop window.
        weigh: count what it writes into its own layer.
        gpu: look for open GPU devices.
    """

    def __init__(
        self,
        bench: Workbench,
        sample: Sample,
        way: Way,
        *,
        name: str,
        limit_s: float,
        usual_s: float,
        gently: bool,
        weigh: bool,
        gpu: bool,
    ) -> None:
        self._bench, self._way, self._name, self._gpu = bench, way, name, gpu
        bench.record.names[name] = way.name
        self._home = bench.folder / "home"
        self._pipes = sample.pipes
        self._request = sample.request(way, name=name, home=self._home, limit_s=limit_s)
        self._window_s = bench.subject.limits.train_stop_grace_s if gently else _HARD_STOP_S
        self._engine = WatchedEngine(
            bench.engine,
            late_s=min(_LATEST_S, _LATE_S + usual_s) if way.late_names else 0.0,
            together=1 if way.late_names else way.hosts,
            weigh=weigh,
        )
        self._hosts = Hosts(sample, way)
        self._job: TrainingJob | None = None
        self._log: deque[str] = deque(maxlen=LOG_LINES)
        self._errors: deque[str] = deque(maxlen=LOG_LINES)
        """Those lines of the log that it wrote to stderr."""
        self._log_bytes = 0
        self._matches: dict[str, int] = dict.fromkeys(sample.metrics, 0)
        self._began: float | None = None
        self._ended: float | None = None
        self._exits: dict[str, ContainerExited] = {}
        """In the order in which they came."""
        self._opened: Counter[tuple[str, str]] = Counter()
        """FIFOs of Pipe channels that a host has opened."""
        self._sent: float | None = None
        self._handled: bool | None = None
        self._too_early_s: float | None = None
        self._look_again = 0.0
        self._gpu_looks, self._gpu_devices = 0, set[str]()
        self._over = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name=f"watch {name}", daemon=True)

    def run(self) -> Trained:
        """Run it to its end, look at what it left, and remove that.

        Raises:
            InterruptedCheckError: the check was interrupted.
            MachineError: this machine cannot run it.
        """
        try:
            result = api.train(
                self._request,
                engine=cast("Engine", self._engine),
                home=self._home,
                platform=self._platform(),
                gpus=self._bench.subject.gpus,
                stop_grace_s=self._window_s,
                listeners=(self._hear,),
                ready=self._ready,
                vary=self._hosts.container,
                vary_files=self._hosts.config_files,
            )
            self._over.set()
            if self._bench.stopping():
                raise InterruptedCheckError
            return self._look(result)
        finally:
            self._over.set()
            if self._job is not None:
                self._watcher.join()
            self._hosts.unlock()
            shutil.rmtree(self._home / "training-jobs" / self._name, ignore_errors=True)

    def _platform(self) -> api.Platform:
        given = {
            "shm-size": "1g" if self._way.roomy_shm else "64m",
            # an image is judged, not a size: the same on every machine, and as fast
            "instance-limits": "none",
            # the probe has a folder of its own for each run's checkpoints, and puts the sidecars there itself
            "checkpoint-folder": "shared",
        }
        if self._way.open_folders:
            given["config-directory-mode"] = "0755"
        # a check gives nobody's keys to an image that it only judges
        return api.platform(settings=given, credentials="none")

    # meanwhile

    def _hear(self, event: Event) -> None:
        if isinstance(event, LogLines):
            self._log_bytes += len(event.data)
            mark = f"{event.host}: " if self._way.hosts > 1 else ""
            lines = [mark + line for line in event.data.decode("utf-8", "replace").splitlines()]
            self._log.extend(lines)
            if event.stream == "stderr":
                self._errors.extend(lines)
        elif isinstance(event, EpochStreamed):
            self._opened[event.channel, event.host] += 1
        elif isinstance(event, ContainerStarted):
            self._began = self._began or time.monotonic()
        elif isinstance(event, ContainerExited):
            self._exits[event.host] = event
            self._ended = time.monotonic()
        elif isinstance(event, StatusChanged) and event.secondary == "Stopping" and self._sent is None:
            self._handled = self._has_handler()  # its time is up
            self._sent = time.monotonic()
        elif isinstance(event, MetricRecorded):
            self._matches[event.name] = self._matches.get(event.name, 0) + 1

    def _ready(self, job: TrainingJob) -> None:
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
            if self._came_too_early():
                job.stop()  # a second time: at once
            if self._way.sidecars:
                self._hosts.mark_checkpoints()
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
        self._handled = self._has_handler()
        return self._handled is not False or lived >= after_s + min(after_s / 2, _SETUP_S)

    def _came_too_early(self) -> bool:
        """Notice a handler that was not there yet when SIGTERM came: the run then shows nothing."""
        if self._way.stop_after_s is None or self._sent is None or self._began is None:
            return False
        if self._handled is not False or self._ended is not None or self._too_early_s is not None:
            return False
        moment = time.monotonic()
        if moment < self._look_again:
            return False
        self._look_again = moment + _LOOK_AGAIN_S
        if self._has_handler():
            self._too_early_s = moment - self._began
        return self._too_early_s is not None

    def _has_handler(self) -> bool | None:
        """Tell whether PID 1 handles SIGTERM by now; None if that cannot be seen."""
        container = self._engine.containers.get("algo-1")
        if container is None:
            return None
        try:
            return self._bench.engine.catches(container, "SIGTERM")
        except SmEmulateError:
            return None  # it has ended meanwhile

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

    def _look(self, result: TrainingResult) -> Trained:
        first, kept = self._hosts.first, None
        model = Folder(files=0) if first is None else trees.look(first / "model")
        if self._way.checkpoints and first is not None:
            kept = self._bench.folder / f"{self._name}-checkpoints"
            shutil.move(first / "checkpoints", kept)
        return Trained(
            way=self._way,
            run=self._run(result, model),
            model=model,
            output=Folder(files=0) if first is None else trees.look(first / "output" / "data"),
            wrote_input=self._hosts.input_writes(),
            copied=self._hosts.copied,
            written=self._engine.written,
            matches=self._matches,
            pipes=self._pipes_opened(),
            clashes=self._hosts.clashes(),
            stop=self._stop_seen(),
            checkpoints=kept,
            gpu_looks=self._gpu_looks,
            gpu_devices=tuple(sorted(self._gpu_devices)),
        )

    def _pipes_opened(self) -> dict[str, int]:
        """Count the FIFOs of each channel that were opened, on the host that opened most."""
        return {
            name: max((count for (channel, _), count in self._opened.items() if channel == name), default=0)
            for name in self._pipes
        }

    def _run(self, result: TrainingResult, model: Folder) -> TrainingRun:
        code = next((each.code for each in self._exits.values() if each.code), 0) if self._exits else None
        log = tuple(self._log)
        error = "" if self._exits else (result.failure_reason or "")
        error = error or start_failure(code, log)
        seconds = 0.0
        if self._began is not None:
            seconds = (self._ended or time.monotonic()) - self._began
        return TrainingRun(
            way=self._way.name,
            exit_code=code,
            start_error=error,
            timed_out=result.secondary_status.value == "MaxRuntimeExceeded",
            seconds=seconds,
            failure=self._hosts.failure(),
            log=log,
            errors=tuple(self._errors),
            log_bytes=self._log_bytes,
            left_model=bool(model.files),
            oom_killed=any(each.oom_killed for each in self._exits.values()),
        )

    def _stop_seen(self) -> StopSeen:
        # a stop that came when it had ended already stopped nothing
        if self._sent is None or self._began is None or self._ended is None or self._sent >= self._ended:
            return StopSeen(handled=self._handled)
        lived_on = self._ended - self._sent
        code = max((each.code for each in self._exits.values()), default=0)
        return StopSeen(
            sent_after_s=self._sent - self._began,
            lived_on_s=lived_on,
            killed=code == 137 and lived_on >= self._window_s - 0.1,
            handled=self._handled,
            too_early_s=self._too_early_s,
        )


def start_failure(code: int | None, log: tuple[str, ...]) -> str:
    """Give what an init or a shell said of a program that it could not run; empty if it ran."""
    said = "\n".join(log)
    unrun = code in {1, 126, 127, 255} and len(log) <= _EXEC_LINES and _EXEC_FAILED.search(said)
    return said.strip() if unrun else ""
