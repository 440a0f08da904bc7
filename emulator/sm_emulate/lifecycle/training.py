"""A training job, from its request to its result."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING
from uuid import uuid4

from sm_emulate.errors import MachineError, SmEmulateError, StartError
from sm_emulate.events import (
    ContainerExited,
    ContainerStarted,
    EpochStreamed,
    LogLines,
    StatusChanged,
    Warned,
    now,
)
from sm_emulate.lifecycle.advice import advice
from sm_emulate.lifecycle.archives import Archives
from sm_emulate.lifecycle.attempt import Attempt, Stop
from sm_emulate.lifecycle.companion import Companions, PlatformFailure, Surroundings
from sm_emulate.lifecycle.companions import companions_of
from sm_emulate.lifecycle.instance_limits import limits_of
from sm_emulate.lifecycle.labels import labels_of
from sm_emulate.lifecycle.network import private_network
from sm_emulate.lifecycle.outcome import Outcome, failed_by, outcome_of
from sm_emulate.lifecycle.platform import Platform
from sm_emulate.lifecycle.publisher import Publisher
from sm_emulate.lifecycle.status import StatusMachine
from sm_emulate.lifecycle.stop_request import StopRequest
from sm_emulate.lifecycle.training_container import container_spec
from sm_emulate.lifecycle.training_result import PipeUse, TrainingResult
from sm_emulate.request.training import to_aws
from sm_emulate.spec import wordings
from sm_emulate.spec.training_job import STOP_GRACE_SECONDS, SecondaryStatus
from sm_emulate.staging.cluster import cluster_of
from sm_emulate.staging.tree import staged_tree
from sm_emulate.storage.trouble import told

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sm_emulate.engine.protocol import ContainerSpec, Engine, GpuRequest, Image
    from sm_emulate.events import Event, Listener
    from sm_emulate.lifecycle.containers import Containers
    from sm_emulate.lifecycle.host_names import HostNames
    from sm_emulate.lifecycle.log_metrics import LogMetrics
    from sm_emulate.request.training import TrainingRequest
    from sm_emulate.staging.tree import StagedTree
    from sm_emulate.storage.run_folder import RunFolder


LAST_WORDS = 1024
"""Bytes of each host's log that are kept in mind."""


class TrainingJob:
    """One training job.

    Args:
        request: what to run, checked.
        image: the image as the engine knows it.
        engine: runs the containers.
        run: a new run folder that this process holds; it keeps everything that the job leaves.
        platform: which SageMaker.
        gpus: the GPUs of a host, by its instance type.
        stop_grace_s: between SIGTERM and SIGKILL.
        listeners: hear what happens.
        vary: changes each container before it is made; the contract's probes ask this way what would happen if.
        vary_files: likewise for the config files of each host, by name.

    Raises:
        RequestError: the regex of a metric cannot be read.
    """

    def __init__(
        self,
        request: TrainingRequest,
        *,
        image: Image,
        engine: Engine,
        run: RunFolder,
        platform: Platform | None = None,
        gpus: Mapping[str, GpuRequest | None] | None = None,
        stop_grace_s: float = STOP_GRACE_SECONDS,
        listeners: Sequence[Listener] = (),
        vary: Callable[[ContainerSpec], ContainerSpec] | None = None,
        vary_files: Callable[[dict[str, bytes]], dict[str, bytes]] | None = None,
    ) -> None:
        self._vary, self._vary_files = vary, vary_files
        self.request, self.image, self.run_folder = request, image, run
        self.platform = platform or Platform()
        self.cluster = cluster_of(
            request.resource_config, mixed=self.platform.settings.text("host-numbers") == "mixed"
        )
        self.created = now()
        self.session = uuid4().hex
        self._engine, self._gpus = engine, gpus or {}
        self._publish = Publisher((self._keep, *listeners))
        self._status = StatusMachine(self._publish)
        self._asked = StopRequest(run, wake=self._wake)
        self._companions = Companions(wake=self._wake)
        self._attempt = Attempt(
            engine,
            publish=self._heard,
            asked=self._asked,
            grace_s=stop_grace_s,
            companion_failed=lambda: self._companions.failure is not None,
            on_stop=self._stopping,
        )
        self._metrics = _metrics(request, self._publish)
        self._names: HostNames | None = None
        self._last_words: dict[str, bytes] = {}
        self._outcome = Outcome.none()
        self._archives = Archives()
        self._pipes: dict[str, dict[str, PipeUse]] = {}
        self.began = False
        """Whether a container was ever started."""

    def stop(self) -> None:
        """Stop it as StopTrainingJob does; a second time, kill at once. Signal handlers may call it."""
        self._asked.ask()

    def run(self) -> TrainingResult:
        """Run it to its end.

        Raises:
            SmEmulateError: the machine could not run it; the run folder then says Failed.
        """
        folder = self.run_folder
        try:
            with told("the job cannot be written down", folder.path):
                folder.write(folder.request, to_aws(self.request))
            self._run()
        except BaseException as error:
            self._fail(error)
            raise
        return self.result()

    def result(self) -> TrainingResult:
        """Say how it stands."""
        exits = self._attempt.containers.exits
        return TrainingResult(
            request=self.request,
            platform=self.platform,
            image=self.image,
            run_folder=self.run_folder.path,
            status=self._status.status,
            secondary_status=self._status.secondary,
            failure_reason=self._outcome.failure_reason,
            transitions=tuple(self._status.transitions),
            created=self.created,
            container_exit_codes={
                host.name: exits[host.name].code for host in self.cluster.hosts if host.name in exits
            },
            model_archive=self._archives.model,
            output_archive=self._archives.output,
            model_uri=self._archives.model_uri,
            output_uri=self._archives.output_uri,
            final_metrics=self._metrics.final() if self._metrics else (),
            pipes=self._pipes,
        )

    def _run(self) -> None:
        self._status.enter(SecondaryStatus.STARTING, wordings.STARTING)
        self._status.enter(SecondaryStatus.DOWNLOADING, wordings.DOWNLOADING_INPUT)
        trees = {host.name: self._tree(host.name) for host in self.cluster.hosts}
        for tree in trees.values():
            tree.make()
        with ExitStack() as resources:
            resources.callback(self._companions.close)
            try:
                self._companions.prepare(companions_of(self._surroundings(trees)))
            except PlatformFailure as failure:
                self._over(failed_by(failure.reason))
                return
            self._warn_of_volume()
            self._status.enter(SecondaryStatus.TRAINING, wordings.DOWNLOADING_IMAGE)
            network = self._network(resources)
            if network is not None and len(self.cluster.hosts) > 1:
                self._names = self._host_names(network)
                resources.callback(self._names.close)
            resources.callback(self._attempt.containers.close)
            self._follow(trees, network)
            self._take_back(trees)
            outcome = self._judge(trees)
            self._warn_of_volume(trees)
            self._status.enter(SecondaryStatus.UPLOADING, wordings.UPLOADING)
            from sm_emulate.lifecycle.upload import upload

            self._companions.finish()
            # the engine takes its time to remove containers: archives are packed meanwhile
            try:
                self._archives = upload(
                    self.request,
                    list(trees.values()),
                    run=self.run_folder,
                    settings=self.platform.settings,
                    s3=self.platform.s3,
                    publish=self._publish,
                )
            except PlatformFailure as failure:
                outcome = failed_by(failure.reason)
        for name in self._metrics.given_up() if self._metrics else ():
            self._publish(Warned(message=f"metric {name}: its regex takes too long and was given up"))
        for words in advice(
            outcome,
            image=self.image,
            settings=self.platform.settings,
            archives=self._archives,
            refused=self._refused,
            last_words=self._last_words.values(),
        ):
            self._publish(Warned(message=words))
        self._over(outcome)

    def _over(self, outcome: Outcome) -> None:
        self._outcome = outcome
        self._status.enter(outcome.secondary, outcome.message)

    def _wake(self) -> None:
        self._attempt.containers.wake()

    def _surroundings(self, trees: dict[str, StagedTree]) -> Surroundings:
        return Surroundings(
            request=self.request,
            cluster=self.cluster,
            trees=trees,
            platform=self.platform,
            engine=self._engine,
            image=self.image,
            run_folder=self.run_folder,
            publish=self._publish,
            fail=self._companions.fail,
            stopping=lambda: bool(self._asked.times),
        )

    @property
    def _labels(self) -> dict[str, str]:
        return labels_of(self.run_folder, self.session)

    def _tree(self, host: str) -> StagedTree:
        platform = self.platform
        tree = staged_tree(
            self.run_folder.opt_ml(host),
            self.request,
            cluster=self.cluster,
            host=self.cluster.host(host),
            profile=platform.profile,
            settings=platform.settings,
            region=platform.region,
            account=platform.account,
            s3=platform.s3,
            file_systems=platform.file_systems,
        )
        return tree if self._vary_files is None else tree.with_files(self._vary_files)

    def _network(self, resources: ExitStack) -> str | None:
        """Give the network of the containers: one of their own where they have to meet.

        A single host needs none: it finds itself as algo-1 in /etc/hosts, and making a network costs more than
        starting the container.
        """
        isolated = self.request.enable_network_isolation
        if len(self.cluster.hosts) == 1:
            return "none" if isolated else None
        return resources.enter_context(
            private_network(
                self._engine,
                f"sm-emulate-{self.session[:12]}",
                internal=isolated,
                with_host=not isolated,
                labels=self._labels,
                publish=self._publish,
            )
        )

    def _warn_of_volume(self, trees: dict[str, StagedTree] | None = None) -> None:
        """Compare the volume that was asked for with the disk here, or with what lies in the trees at the end."""
        if self.request.resource_config.volume_size_in_gb is None:
            return
        from sm_emulate.lifecycle.volume import overfull, room_wanting

        told = (
            room_wanting(self.request, self.run_folder.path)
            if trees is None
            else overfull(self.request, self.cluster, trees)
        )
        for words in told:
            self._publish(Warned(message=words))

    def _host_names(self, network: str) -> HostNames:
        from sm_emulate.lifecycle.host_names import HostNames

        return HostNames(
            self._engine,
            network,
            image=self.image.id,
            hosts=[host.name for host in self.cluster.hosts],
            delay_s=self.platform.settings.number("host-name-delay"),
            labels=self._labels,
            publish=self._publish,
        )

    def _follow(self, trees: dict[str, StagedTree], network: str | None) -> None:
        def begin(containers: Containers) -> None:
            limits = limits_of(
                [host.instance_type for host in self.cluster.hosts],
                chosen=self.request.resource_config.chosen,
                engine=self._engine,
                settings=self.platform.settings,
                publish=self._publish,
            )
            for host in self.cluster.hosts:
                spec = container_spec(
                    self.request,
                    cluster=self.cluster,
                    host=host,
                    tree=trees[host.name],
                    image=self.image.id,
                    platform=self.platform,
                    beside=self._companions.environment(host.name),
                    network=network,
                    gpus=self._gpus.get(host.instance_type),
                    limits=limits[host.instance_type],
                    labels=self._labels,
                    name=f"sm-emulate-{host.name}-{self.session[:12]}",
                )
                containers.begin(host.name, spec if self._vary is None else self._vary(spec))
            # so that its import takes its time while the containers start
            import sm_emulate.lifecycle.upload  # noqa: F401

        limit = self.request.stopping_condition.max_runtime_in_seconds
        self._attempt.follow(begin, deadline=time.monotonic() + limit)

    def _stopping(self, reason: Stop) -> None:
        if reason in (Stop.ASKED, Stop.MAX_RUNTIME):
            self._status.enter(SecondaryStatus.STOPPING, wordings.STOPPING)

    def _heard(self, event: Event) -> None:
        """Pass on what a container does, from its own thread."""
        self._publish(event)
        if isinstance(event, ContainerStarted):
            self.began = True
            self._status.say(SecondaryStatus.TRAINING, wordings.TRAINING)
            self._companions.started(event.host, event.container)
            if self._names is not None:
                self._names.started(event.host, event.container)
        elif isinstance(event, ContainerExited):
            if self._names is not None:
                self._names.ended(event.host)
        elif isinstance(event, LogLines):
            self._last_words[event.host] = event.data[-LAST_WORDS:]
            if self._metrics is not None:
                self._metrics.search(event)

    def _take_back(self, trees: dict[str, StagedTree]) -> None:
        """Have what containers made as root belong to the calling user, before anything of it is read."""
        from sm_emulate.engine.ownership import hand_back

        folder = next(iter(trees.values())).folder.parent
        try:
            hand_back(
                self._engine, self.image.id, folder, uid=os.getuid(), gid=os.getgid(), labels=self._labels
            )
        except MachineError as error:  # what cannot be read will say so when it is
            self._publish(Warned(message=f"{error.what}; {error.hint}" if error.hint else error.what))

    @property
    def _refused(self) -> str | None:
        """The engine's words if a program could not be started."""
        refused = None
        for error in self._attempt.containers.broken.values():
            if not isinstance(error, StartError):
                raise error
            refused = refused or str(error)
        return refused

    def _judge(self, trees: dict[str, StagedTree]) -> Outcome:
        return outcome_of(
            exits=self._attempt.containers.exits,
            refused=self._refused,
            companions=self._companions.failure,
            trees=trees,
            stopped=self._attempt.stop is Stop.ASKED,
            timed_out=self._attempt.stop is Stop.MAX_RUNTIME,
            settings=self.platform.settings,
        )

    def _keep(self, event: Event) -> None:
        """Keep run.json true for other processes, and write result.json before anybody hears of the end."""
        if isinstance(event, EpochStreamed):
            hosts = self._pipes.setdefault(event.channel, {})
            hosts[event.host] = hosts.get(event.host, PipeUse()).and_then(event.sent_bytes)
        elif isinstance(event, StatusChanged):
            folder = self.run_folder
            with told("the job's status cannot be written down", folder.path):
                folder.write(
                    folder.result if self._status.over else folder.standing, self.result().describe()
                )

    def _fail(self, error: BaseException) -> None:
        """Leave a result that says what stopped us; nothing here may hide the error itself."""
        if self._status.over:
            return
        words = error.what if isinstance(error, SmEmulateError) else f"{type(error).__name__}: {error}"
        self._outcome = Outcome(
            secondary=SecondaryStatus.FAILED,
            message=wordings.FAILED,
            failure_reason=f"InternalServerError: {words}",
        )
        with suppress(Exception):
            if not self._status.transitions:
                self._status.enter(SecondaryStatus.STARTING, wordings.STARTING)
            self._status.enter(SecondaryStatus.FAILED, wordings.FAILED)


def _metrics(request: TrainingRequest, publish: Publisher) -> LogMetrics | None:
    if not request.algorithm_specification.metric_definitions:
        return None
    from sm_emulate.lifecycle.log_metrics import LogMetrics

    return LogMetrics(request, publish)
