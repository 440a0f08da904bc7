"""A training job, from its request to its result."""

from __future__ import annotations

import queue
import threading
import time
from contextlib import contextmanager, suppress
from enum import Enum
from typing import TYPE_CHECKING
from uuid import uuid4

from sm_emulate.engine.protocol import LABEL_HOME, LABEL_HOST, LABEL_RUN, LABEL_SESSION, ContainerSpec, Mount
from sm_emulate.errors import BugError, SmEmulateError, StartError
from sm_emulate.events import ContainerExited, ContainerStarted, LogLines, MetricRecorded, StatusChanged, now
from sm_emulate.lifecycle.container import Broken, ContainerLife, Ended, Started
from sm_emulate.lifecycle.outcome import Outcome, outcome_of
from sm_emulate.lifecycle.platform import Platform
from sm_emulate.lifecycle.publisher import Publisher
from sm_emulate.lifecycle.status import StatusMachine
from sm_emulate.lifecycle.training_result import TrainingResult
from sm_emulate.request.training import to_aws
from sm_emulate.spec import wordings
from sm_emulate.spec.training_job import (
    STOP_GRACE_SECONDS,
    SecondaryStatus,
    command_for,
    environment,
    hostname,
    private_address,
)
from sm_emulate.staging.cluster import cluster_of
from sm_emulate.staging.config_files import config_files
from sm_emulate.staging.tree import local_checkpoints, stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from sm_emulate.artifacts.metrics import MetricWatcher
    from sm_emulate.engine.protocol import Engine, GpuRequest, Image
    from sm_emulate.events import Listener
    from sm_emulate.lifecycle.container import News
    from sm_emulate.request.training import TrainingRequest
    from sm_emulate.staging.cluster import Host
    from sm_emulate.staging.tree import StagedTree
    from sm_emulate.storage.runs import RunFolder

POLL_SECONDS = 0.2
"""How often a request to stop that another process left in the run folder is looked for."""


class Stop(Enum):
    """Why a job is stopped before its end."""

    ASKED = "asked"
    MAX_RUNTIME = "max-runtime"
    HOST_FAILED = "host-failed"


class TrainingJob:
    """One training job.

    Args:
        request: what to run, checked.
        image: the image as the engine knows it.
        engine: runs the containers.
        run: a new run folder; it holds everything that the job leaves.
        platform: which SageMaker.
        gpus: the GPUs of each host.
        stop_grace_s: between SIGTERM and SIGKILL.
        listeners: hear what happens.
        vary: changes each container before it is made; the contract's probes ask this way what would happen if.
        vary_files: likewise for the config files of each host, by name.
    """

    def __init__(
        self,
        request: TrainingRequest,
        *,
        image: Image,
        engine: Engine,
        run: RunFolder,
        platform: Platform | None = None,
        gpus: GpuRequest | None = None,
        stop_grace_s: float = STOP_GRACE_SECONDS,
        listeners: Sequence[Listener] = (),
        vary: Callable[[ContainerSpec], ContainerSpec] | None = None,
        vary_files: Callable[[dict[str, bytes]], dict[str, bytes]] | None = None,
    ) -> None:
        self._vary, self._vary_files = vary, vary_files
        self.request, self.image, self.run_folder = request, image, run
        self.platform = platform or Platform()
        self.cluster = cluster_of(request.resource_config)
        self.created = now()
        self.session = uuid4().hex
        self._engine, self._gpus, self._grace = engine, gpus, stop_grace_s
        self._publish = Publisher((self._note_standing, *listeners))
        self._status = StatusMachine(self._publish)
        self._news: queue.SimpleQueue[Ended | Broken | Stop] = queue.SimpleQueue()
        self._exits: dict[str, Ended] = {}
        self._broken: dict[str, Broken] = {}
        self._lives: dict[str, ContainerLife] = {}
        self._stop: Stop | None = None
        self._kill_at: float | None = None
        self._killing = False
        self.began = False
        """Whether a container was ever started."""
        self._turning = threading.Lock()
        """Held while a status follows from news: containers tell their start from threads of their own."""
        self._metrics = _watcher(request)

    def stop(self) -> None:
        """Stop it as StopTrainingJob does; a second time, kill at once. Signal handlers may call it."""
        self._news.put(Stop.ASKED)

    def run(self) -> TrainingResult:
        """Run it to its end.

        Raises:
            SmEmulateError: the machine could not run it; the run folder then says Failed.
        """
        folder = self.run_folder
        folder.write(folder.request, to_aws(self.request))
        with folder.owned():
            try:
                return self._run()
            except BaseException as error:
                self._fail(error)
                raise

    def _run(self) -> TrainingResult:
        self._status.enter(SecondaryStatus.STARTING, wordings.STARTING)
        self._status.enter(SecondaryStatus.DOWNLOADING, wordings.DOWNLOADING_INPUT)
        trees = {host.name: self._stage(host) for host in self.cluster.hosts}
        self._status.enter(SecondaryStatus.TRAINING, wordings.DOWNLOADING_IMAGE)
        try:
            with self._network() as network:
                for host in self.cluster.hosts:
                    self._begin(host, trees[host.name], network)
                # what it imports is read while the containers start
                from sm_emulate.lifecycle.upload import upload

                self._follow()
                outcome = self._outcome(trees)
                self._status.enter(SecondaryStatus.UPLOADING, wordings.UPLOADING)
                archives = upload(
                    self.request,
                    list(trees.values()),
                    run=self.run_folder,
                    engine=self._engine,
                    image=self.image,
                    settings=self.platform.settings,
                    publish=self._publish,
                )
                for life in self._lives.values():
                    life.join()
        finally:
            self._abandon_containers()
        # set before the last status, so that who hears it finds the result
        self._status.enter(outcome.secondary, outcome.message)
        result = self._result(outcome, archives.model, archives.output)
        self.run_folder.write(self.run_folder.result, result.describe())
        return result

    def _stage(self, host: Host) -> StagedTree:
        platform = self.platform
        files = config_files(
            self.request,
            cluster=self.cluster,
            host=host,
            profile=platform.profile,
            settings=platform.settings,
            region=platform.region,
            account=platform.account,
        )
        if (checkpoints := local_checkpoints(self.request)) is not None:
            checkpoints.mkdir(parents=True, exist_ok=True)
        if self._vary_files is not None:
            files = self._vary_files(files)
        folder = self.run_folder.opt_ml(host.name)
        return stage(folder, self.request, host=host, files=files, settings=platform.settings)

    @contextmanager
    def _network(self) -> Iterator[str | None]:
        """Give the network of the containers: one of their own where they have to meet.

        A single host needs none: it finds itself as algo-1 in /etc/hosts, and making a network costs more than
        starting the container.
        """
        isolated = self.request.enable_network_isolation
        if len(self.cluster.hosts) == 1:
            yield "none" if isolated else None
            return
        name = f"sm-emulate-{self.session[:12]}"
        network = self._engine.create_network(name, internal=isolated, labels=self._labels())
        try:
            yield name
        finally:
            for life in self._lives.values():
                life.join()
            self._engine.remove_network(network)

    def _begin(self, host: Host, tree: StagedTree, network: str | None) -> None:
        spec = container_spec(
            self.request,
            host=host,
            mounts=[
                Mount(source=str(each.source), target=each.target, read_only=each.read_only)
                for each in tree.placed
            ],
            image=self.image.id,
            platform=self.platform,
            network=network,
            alone=len(self.cluster.hosts) == 1,
            gpus=self._gpus,
            labels=self._labels() | {LABEL_HOST: host.name},
            name=f"sm-emulate-{host.name}-{self.session[:12]}",
        )
        life = ContainerLife(
            self._engine,
            spec if self._vary is None else self._vary(spec),
            host=host.name,
            lines=self._lines,
            post=self._post,
            warn=self._publish,
        )
        self._lives[host.name] = life
        life.begin()

    def _labels(self) -> dict[str, str]:
        return {
            LABEL_SESSION: self.session,
            LABEL_RUN: self.run_folder.id,
            LABEL_HOME: str(self.run_folder.home),
        }

    def _lines(self, host: str, data: bytes) -> None:
        self._publish(LogLines(host=host, data=data))
        if self._metrics is not None:
            moment = now()
            for line in data.decode("utf-8", "replace").splitlines():
                for metric in self._metrics.feed(line, moment):
                    self._publish(MetricRecorded(at=moment, name=metric.name, value=metric.value))

    def _follow(self) -> None:
        """Wait until every container has ended, and stop them when there is a reason to."""
        limit = time.monotonic() + self.request.stopping_condition.max_runtime_in_seconds
        while len(self._exits) + len(self._broken) < len(self._lives):
            moment = time.monotonic()
            if self._stop is None and moment >= limit:
                self._begin_stop(Stop.MAX_RUNTIME)
            if self._kill_at is not None and moment >= self._kill_at:
                with self._turning:
                    self._kill_at, self._killing = None, True
                    self._signal_all("SIGKILL")
            try:
                self._hear(self._news.get(timeout=POLL_SECONDS))
            except queue.Empty:
                if self._stop is None and self.run_folder.stop_request.exists():
                    self._begin_stop(Stop.ASKED)

    def _hear(self, news: Ended | Broken | Stop) -> None:
        if isinstance(news, Stop):
            if self._stop is None:
                self._begin_stop(news)
            else:
                self._kill_at = 0.0
        elif isinstance(news, Ended):
            self._exits[news.host] = news
            self._publish(
                ContainerExited(
                    host=news.host,
                    container=news.container,
                    code=news.exit.code,
                    oom_killed=news.exit.oom_killed,
                )
            )
            if news.exit.code and self._stop is None:
                self._begin_stop(Stop.HOST_FAILED)
        else:
            self._broken[news.host] = news
            if self._stop is None:
                self._begin_stop(Stop.HOST_FAILED)

    def _post(self, news: News) -> None:
        """Hear a start in the container's own thread, before its first line; all else in ours."""
        if isinstance(news, Started):
            with self._turning:
                self._hear_start(news)
        else:
            self._news.put(news)

    def _hear_start(self, news: Started) -> None:
        self.began = True
        self._publish(ContainerStarted(host=news.host, container=news.container))
        if self._stop is not None:
            # it came too late for the signal that the others got
            self._lives[news.host].signal("SIGKILL" if self._killing else "SIGTERM")
        elif self._status.transitions[-1].message != wordings.TRAINING:
            self._status.enter(SecondaryStatus.TRAINING, wordings.TRAINING)

    def _begin_stop(self, reason: Stop) -> None:
        with self._turning:
            self._stop = reason
            self._kill_at = time.monotonic() + self._grace
            if reason is not Stop.HOST_FAILED:
                self._status.enter(SecondaryStatus.STOPPING, wordings.STOPPING)
            self._signal_all("SIGTERM")

    def _signal_all(self, name: str) -> None:
        for life in self._lives.values():
            if life.host not in self._exits:
                life.signal(name)

    def _outcome(self, trees: dict[str, StagedTree]) -> Outcome:
        for broken in self._broken.values():
            if not isinstance(broken.error, StartError):
                raise broken.error
        refused = next(iter(self._broken.values()), None)
        return outcome_of(
            exits={host: ended.exit for host, ended in self._exits.items()},
            refused=None if refused is None else str(refused.error),
            trees=trees,
            stopped=self._stop is Stop.ASKED,
            timed_out=self._stop is Stop.MAX_RUNTIME,
            settings=self.platform.settings,
        )

    def _result(self, outcome: Outcome, model: Path | None, output: Path | None) -> TrainingResult:
        return TrainingResult(
            request=self.request,
            platform=self.platform,
            image=self.image,
            run_folder=self.run_folder.path,
            status=self._status.status,
            secondary_status=self._status.secondary,
            failure_reason=outcome.failure_reason,
            transitions=tuple(self._status.transitions),
            created=self.created,
            container_exit_codes={
                host.name: self._exits[host.name].exit.code
                for host in self.cluster.hosts
                if host.name in self._exits
            },
            model_archive=model,
            output_archive=output,
            final_metrics=tuple(self._metrics.final()) if self._metrics else (),
        )

    def _note_standing(self, event: object) -> None:
        """Keep run.json true, for `ps` and `describe` of other processes."""
        if isinstance(event, StatusChanged) and not self._status.over:
            standing = self._result(Outcome.none(), None, None)
            self.run_folder.write(self.run_folder.standing, standing.describe())

    def _fail(self, error: BaseException) -> None:
        """Leave a result that says what stopped us."""
        words = error.what if isinstance(error, SmEmulateError) else f"{type(error).__name__}: {error}"
        if self._status.transitions and not self._status.over:
            with suppress(BugError):  # the job fails for its own reason; that one is reported
                self._status.enter(SecondaryStatus.FAILED, wordings.FAILED)
        outcome = Outcome(
            secondary=SecondaryStatus.FAILED,
            message=wordings.FAILED,
            failure_reason=f"InternalServerError: {words}",
        )
        if self._status.transitions:
            self.run_folder.write(self.run_folder.result, self._result(outcome, None, None).describe())

    def _abandon_containers(self) -> None:
        """Whatever made us leave: kill what still runs. Each life removes its own container."""
        for life in self._lives.values():
            with suppress(SmEmulateError):  # the engine is gone; `clean` finds what is left by its labels
                life.signal("SIGKILL")
        for life in self._lives.values():
            life.join()


def container_spec(
    request: TrainingRequest,
    *,
    host: Host,
    mounts: list[Mount],
    image: str,
    platform: Platform,
    network: str | None,
    alone: bool,
    gpus: GpuRequest | None,
    labels: dict[str, str],
    name: str | None = None,
) -> ContainerSpec:
    """Describe one host's container."""
    algorithm, settings = request.algorithm_specification, platform.settings
    entrypoint, command = command_for(algorithm.container_entrypoint, algorithm.container_arguments)
    address = private_address(request.training_job_name, host.name)
    variables = environment(
        settings,
        job_name=request.training_job_name,
        region=platform.region,
        account=platform.account,
        gpu=gpus is not None,
    )
    return ContainerSpec(
        image=image,
        name=name,
        entrypoint=entrypoint,
        command=command,
        environment=variables | dict(request.environment),
        hostname=hostname(address, settings=settings, region=platform.region),
        working_dir="/" if settings.text("working-directory") == "root" else None,
        mounts=tuple(mounts),
        network=network,
        aliases=() if alone else (host.name,),
        extra_hosts=(f"{host.name}:127.0.0.1",) if alone else (),
        gpus=gpus,
        shm_bytes=settings.number("shm-size"),
        labels=labels,
    )


def _watcher(request: TrainingRequest) -> MetricWatcher | None:
    definitions = request.algorithm_specification.metric_definitions
    if not definitions:
        return None
    from sm_emulate.artifacts.metrics import MetricDefinition, MetricWatcher

    return MetricWatcher([MetricDefinition(name=each.name, regex=each.regex) for each in definitions])
