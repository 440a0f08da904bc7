"""One processing job of a check: run one way, watched, and looked at when it is over."""

from __future__ import annotations

import shutil
import threading
import time
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sm_contracts.evidence.processing import ProcessingRun
from sm_contracts.probes.training import trees
from sm_contracts.probes.training.job import start_failure
from sm_contracts.probes.training.trained import InterruptedCheckError
from sm_emulate import api
from sm_emulate.errors import SmEmulateError
from sm_emulate.events import ContainerExited, ContainerStarted, LogLines, StatusChanged

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sm_contracts.evidence.training.folders import Folder
    from sm_contracts.probes import Workbench
    from sm_emulate.api import ContainerSpec, ProcessingJob, ProcessingResult
    from sm_emulate.events import Event

LOG_LINES = 200
_LOOK_S = 0.02
_LIFE_S = 5.0
"""A program that has said nothing for so long is taken to be at work."""
_SETUP_S = 1.0
"""One that has no handler for the signal yet is given so much longer."""
_OPT_ML = "/opt/ml"


@dataclass(frozen=True, kw_only=True)
class Way:
    """What is special about a run."""

    name: str
    training: bool = False
    """With the variables and folders of a training job."""
    stop_after_s: float | None = None
    signal: str = "SIGINT"


@dataclass(frozen=True, kw_only=True)
class Processed:
    """One run, and all that was seen of it."""

    run: ProcessingRun
    outputs: Mapping[str, Folder] = field(default_factory=dict)
    """By name of the output."""
    places: Mapping[str, str] = field(default_factory=dict)
    """LocalPath by name of the output."""
    sent_after_s: float | None = None
    """When it was stopped; None if it ended before."""
    lived_on_s: float = 0.0
    killed: bool = False
    handled: bool | None = None


class Job:
    """One run in the making."""

    def __init__(self, bench: Workbench, way: Way, *, name: str) -> None:
        self._bench, self._way, self._name = bench, way, name
        bench.record.names[name] = way.name
        self._home = bench.folder / "home"
        subject = bench.subject
        self._request = api.processing_request(
            subject.image,
            job_name=name,
            inputs=subject.processing.inputs,
            outputs=subject.processing.outputs,
            environment=subject.processing.environment,
            instance_type=subject.instance_type,
            max_runtime_in_seconds=max(1, round(subject.limits.train_timeout_s)),
        )
        self._window_s = subject.limits.train_stop_grace_s
        self._log: deque[str] = deque(maxlen=LOG_LINES)
        self._log_bytes = 0
        self._container: str | None = None
        self._began: float | None = None
        self._exit: ContainerExited | None = None
        self._ended: float | None = None
        self._sent: float | None = None
        self._handled: bool | None = None
        self._over = threading.Event()

    def run(self) -> Processed:
        """Run it to its end, look at what it left, and remove that.

        Raises:
            InterruptedCheckError: the check was interrupted.
            MachineError: this machine cannot run it.
        """
        if self._bench.stopping():
            raise InterruptedCheckError
        watcher: list[threading.Thread] = []

        def ready(job: ProcessingJob) -> None:
            watcher.append(
                threading.Thread(target=self._watch, args=(job,), name=f"watch {self._name}", daemon=True)
            )
            watcher[0].start()

        try:
            result = api.process(
                self._request,
                engine=self._bench.engine,
                home=self._home,
                platform=api.platform(settings={"processing-stop-signal": self._way.signal}),
                gpus=self._bench.subject.gpus,
                stop_grace_s=self._window_s,
                listeners=(self._hear,),
                ready=ready,
                vary=self._as_in_training if self._way.training else None,
            )
            if self._bench.stopping():
                raise InterruptedCheckError
            return self._look(result)
        finally:
            self._over.set()
            for thread in watcher:
                thread.join()
            shutil.rmtree(self._home / "processing-jobs" / self._name, ignore_errors=True)

    def _as_in_training(self, spec: ContainerSpec) -> ContainerSpec:
        """Give the container what a training job's has: names that code written for training takes for granted."""
        folder = self._bench.folder / "training" / self._name
        inputs = dict(self._request.managed_inputs)
        for part in ("input/config", "input/data", "model"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        (folder / "input/config/hyperparameters.json").write_text("{}")
        (folder / "input/config/inputdataconfig.json").write_text("{}")
        (folder / "input/config/resourceconfig.json").write_text(
            '{"current_host":"algo-1","hosts":["algo-1"],"network_interface_name":"eth0"}'
        )
        mounts = [
            api.Mount(source=str(folder / part), target=f"{_OPT_ML}/{part}", read_only=False)
            for part in ("input", "model")
        ]
        for name, source in inputs.items():
            if source.here is not None and source.here.is_dir():
                (folder / "input/data" / name).mkdir(exist_ok=True)
                target = f"{_OPT_ML}/input/data/{name}"
                mounts.append(api.Mount(source=str(source.here), target=target, read_only=True))
        variables = {
            "TRAINING_JOB_NAME": self._name,
            "TRAINING_JOB_ARN": f"arn:aws:sagemaker:us-east-1:123456789012:training-job/{self._name}",
            "SM_HOSTS": '["algo-1"]',
            "SM_CURRENT_HOST": "algo-1",
            "SM_NUM_CPUS": "1",
            "SM_NUM_GPUS": "0",
            "SM_MODEL_DIR": f"{_OPT_ML}/model",
            "SM_OUTPUT_DIR": f"{_OPT_ML}/output",
            "SM_OUTPUT_DATA_DIR": f"{_OPT_ML}/output/data",
            "SM_INPUT_DIR": f"{_OPT_ML}/input",
            "SM_HPS": "{}",
            **{f"SM_CHANNEL_{name.upper()}": f"{_OPT_ML}/input/data/{name}" for name in inputs},
        }
        return replace(spec, environment=variables | dict(spec.environment), mounts=(*spec.mounts, *mounts))

    # meanwhile

    def _hear(self, event: Event) -> None:
        if isinstance(event, LogLines):
            self._log_bytes += len(event.data)
            self._log.extend(event.data.decode("utf-8", "replace").splitlines())
        elif isinstance(event, ContainerStarted):
            self._began, self._container = time.monotonic(), event.container
        elif isinstance(event, ContainerExited):
            self._exit, self._ended = event, time.monotonic()
        elif isinstance(event, StatusChanged) and event.status == "Stopping" and self._sent is None:
            self._handled = self._has_handler()  # its time is up
            self._sent = time.monotonic()

    def _watch(self, job: ProcessingJob) -> None:
        """Stop it when it is time to."""
        while not self._over.wait(_LOOK_S):
            if self._bench.stopping():
                job.stop()  # a second time: at once
            elif self._sent is None and self._due():
                self._sent = time.monotonic()
                job.stop()

    def _due(self) -> bool:
        """Tell whether it is at work and can be stopped: it has said something, and has had time to set up."""
        after_s = self._way.stop_after_s
        if after_s is None or self._began is None or self._ended is not None:
            return False
        lived = time.monotonic() - self._began
        if lived < after_s or not (self._log_bytes or lived >= _LIFE_S):
            return False
        self._handled = self._has_handler()
        return self._handled is not False or lived >= after_s + min(after_s, _SETUP_S)

    def _has_handler(self) -> bool | None:
        """Tell whether PID 1 handles the signal by now; None if that cannot be seen."""
        if self._container is None:
            return None
        try:
            return self._bench.engine.catches(self._container, self._way.signal)
        except SmEmulateError:
            return None  # it has ended meanwhile

    # after

    def _look(self, result: ProcessingResult) -> Processed:
        root = result.run_folder / "opt-ml" / "algo-1"
        places = {name: output.local_path for name, output in self._request.managed_outputs}
        lived_on = 0.0
        in_time = self._sent is not None and self._ended is not None and self._sent < self._ended
        if in_time and self._sent is not None and self._ended is not None:
            lived_on = self._ended - self._sent
        code = None if self._exit is None else self._exit.code
        return Processed(
            run=self._run(result, root, code),
            outputs={name: trees.look(_inside(root, path)) for name, path in places.items()},
            places=places,
            sent_after_s=self._sent - self._began if in_time and self._sent and self._began else None,
            lived_on_s=lived_on,
            killed=in_time and code == 137 and lived_on >= self._window_s - 0.1,
            handled=self._handled,
        )

    def _run(self, result: ProcessingResult, root: Path, code: int | None) -> ProcessingRun:
        log = tuple(self._log)
        error = (result.failure_reason or "") if code is None else start_failure(code, log)
        seconds = 0.0 if self._began is None else (self._ended or time.monotonic()) - self._began
        stopped = self._sent is not None and self._way.stop_after_s is None
        return ProcessingRun(
            way=self._way.name,
            exit_code=code,
            start_error=error,
            timed_out=stopped,
            seconds=seconds,
            log=log,
            log_bytes=self._log_bytes,
            oom_killed=self._exit is not None and self._exit.oom_killed,
            message=trees.small_file(root / "output", "message"),
        )


def _inside(root: Path, path: str) -> Path:
    return root / path.removeprefix(f"{_OPT_ML}/")
