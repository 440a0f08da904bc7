"""One life of a training job on instances of its own: files, companions and containers of all hosts.

A job that is interrupted or breaks down has several; each begins with a fresh /opt/ml.
"""

from __future__ import annotations

import threading
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sm_emulate.errors import EngineError, EngineNotFoundError, StartError
from sm_emulate.events import ContainerExited, ContainerStarted, Warned
from sm_emulate.lifecycle.attempt import Attempt, Interruption, Stop
from sm_emulate.lifecycle.companion import Companions
from sm_emulate.lifecycle.hand_back import HandBack
from sm_emulate.lifecycle.instance_limits import limits_of
from sm_emulate.lifecycle.training.companions import TrainingSurroundings, companions_of
from sm_emulate.lifecycle.training.container import container_spec
from sm_emulate.spec.training_job import LAYOUT
from sm_emulate.staging.tree import Placed, list_channels, staged_tree
from sm_emulate.storage.trouble import told
from sm_emulate.storage.walk import delete_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sm_emulate.engine.protocol import ContainerSpec, Engine, Exit, GpuRequest, Image
    from sm_emulate.events import Event
    from sm_emulate.lifecycle.containers import Containers
    from sm_emulate.lifecycle.host_names import HostNames
    from sm_emulate.lifecycle.platform import Platform
    from sm_emulate.lifecycle.stop_request import StopRequest
    from sm_emulate.lifecycle.training.warm_pool import WarmPool
    from sm_emulate.request.training import TrainingRequest
    from sm_emulate.staging.cluster import Cluster
    from sm_emulate.staging.listings import Listings
    from sm_emulate.staging.tree import StagedTree
    from sm_emulate.storage.run_folder import RunFolder


@dataclass(frozen=True, kw_only=True)
class JobParts:
    """What all lives of a job have in common."""

    request: TrainingRequest
    cluster: Cluster
    platform: Platform
    image: Image
    engine: Engine
    gpus: Mapping[str, GpuRequest | None]
    run_folder: RunFolder
    listings: Listings
    session: str
    labels: Mapping[str, str]
    stop_grace_s: float
    vary: Callable[[ContainerSpec], ContainerSpec] | None
    vary_files: Callable[[dict[str, bytes]], dict[str, bytes]] | None
    asked: StopRequest
    publish: Callable[[Event], None]


class TrainingAttempt:
    """One life, from fresh folders to the end of its `with`, when no container is left.

    Args:
        parts: of the job.
        number: counts from 1.
        run_number: what its containers are told of that.
        heard: given what its containers do, from their threads.
        on_stop: given the reason before the containers are stopped.
        interruption: when its instances are taken away; None is never.
        pool: that the job has; it brings the cache of each host.
    """

    def __init__(
        self,
        parts: JobParts,
        *,
        number: int,
        run_number: int,
        heard: Callable[[Event], None],
        on_stop: Callable[[Stop], None],
        interruption: Interruption | None,
        pool: WarmPool | None = None,
    ) -> None:
        self._parts, self._number, self._run_number = parts, number, run_number
        self._heard, self._pool = heard, pool
        self._names: HostNames | None = None
        self._companions = Companions(wake=self.wake)
        self._attempt = Attempt(
            parts.engine,
            publish=self._hear,
            asked=parts.asked,
            grace_s=parts.stop_grace_s,
            companion_failed=lambda: self._companions.failure is not None,
            on_stop=on_stop,
            interruption=interruption,
        )
        self._resources = ExitStack()
        self.trees: dict[str, StagedTree] = {}

    @property
    def containers(self) -> Containers:
        return self._attempt.containers

    @property
    def exits(self) -> Mapping[str, Exit]:
        """How each host ended, in the order in which they did."""
        return self.containers.exits

    @property
    def stop(self) -> Stop | None:
        """Why its containers were stopped."""
        return self._attempt.stop

    @property
    def companion_failure(self) -> str | None:
        """The FailureReason of what works beside the containers."""
        return self._companions.failure

    @property
    def refused(self) -> str | None:
        """The engine's words if a program could not be started.

        Raises:
            SmEmulateError: the engine could not start or follow a container for any other reason.
        """
        return self.containers.refused

    def wake(self) -> None:
        """Have it look for reasons to stop now. Signal handlers may call it."""
        self.containers.wake()

    def prepare(self) -> None:
        """Make the files of every host, and have the companions fetch what belongs there.

        Raises:
            PlatformFailure: a companion could not.
            MachineError: the disk is full, or a channel cannot be read.
        """
        parts = self._parts
        self.trees = {host.name: self._tree(host.name) for host in parts.cluster.hosts}
        if self._number > 1:
            self.take_back()
            with told("the files of the last instances cannot be removed", parts.run_folder.path):
                delete_tree(parts.run_folder.path / "opt-ml")
        for tree in self.trees.values():
            tree.make()
        self._companions.prepare(companions_of(self._surroundings()))

    def follow(self, network: str | None, *, deadlines: Mapping[Stop, float]) -> None:
        """Run the containers to their ends.

        Args:
            network: that they are on.
            deadlines: by `time.monotonic`, when they are stopped for which reason.
        """
        if network is not None and len(self._parts.cluster.hosts) > 1:
            self._names = self._host_names(network)
            self._resources.callback(self._names.close)
        self._resources.callback(self.containers.close)
        self._attempt.follow(lambda containers: self._begin(containers, network), deadlines=deadlines)

    def warn_of_volume(self, *, at_the_end: bool = False) -> None:
        """Compare the volume that was asked for with the disk here, or with what lies in the trees at the end."""
        parts = self._parts
        if parts.request.resource_config.volume_size_in_gb is None:
            return
        from sm_emulate.lifecycle.training.volume import overfull, room_wanting

        told_of = (
            overfull(parts.request, parts.cluster, self.trees)
            if at_the_end
            else room_wanting(parts.request, parts.run_folder.path)
        )
        for words in told_of:
            parts.publish(Warned(message=words))

    def take_back(self) -> None:
        """Have what containers made as root belong to the calling user, before anything of it is read."""
        self._hand_back.or_warn(self._parts.run_folder.path / "opt-ml", self._parts.publish)

    def finish(self) -> None:
        """Have the companions bring the rest home. Raises PlatformFailure where one cannot."""
        self._companions.finish()

    def __enter__(self) -> TrainingAttempt:
        self._resources.callback(self._companions.close)
        return self

    def __exit__(self, *_: object) -> None:
        self._resources.close()

    def _begin(self, containers: Containers, network: str | None) -> None:
        parts = self._parts
        again = f"-{self._number}" if self._number > 1 else ""
        limits = limits_of(
            [host.instance_type for host in parts.cluster.hosts],
            chosen=parts.request.resource_config.chosen,
            engine=parts.engine,
            settings=parts.platform.settings,
            publish=parts.publish,
        )
        # channels are listed while the engine makes the containers; but who varies these finds all of their files
        listed = threading.Event()
        if parts.vary is not None:
            list_channels(self.trees.values(), parts.listings)
            listed.set()
        for host in parts.cluster.hosts:
            spec = container_spec(
                parts.request,
                cluster=parts.cluster,
                host=host,
                tree=self.trees[host.name],
                image=parts.image.id,
                platform=parts.platform,
                beside=self._companions.environment(host.name),
                network=network,
                gpus=parts.gpus.get(host.instance_type),
                limits=limits[host.instance_type],
                labels=parts.labels,
                name=f"sm-emulate-{host.name}-{parts.session[:12]}{again}",
            )
            containers.begin(host.name, spec if parts.vary is None else parts.vary(spec), ready=listed)
        try:
            if not listed.is_set():
                list_channels(self.trees.values(), parts.listings)
        except BaseException:
            containers.signal("SIGKILL")  # none of them is ever started
            raise
        finally:
            listed.set()
        # so that its import takes its time while the containers start
        import sm_emulate.lifecycle.training.upload  # noqa: F401  # see above

    def _hear(self, event: Event) -> None:
        self._heard(event)
        if isinstance(event, ContainerStarted):
            self._companions.started(event.host, event.container)
            if self._names is not None:
                self._names.started(event.host, event.container)
        elif isinstance(event, ContainerExited) and self._names is not None:
            self._names.ended(event.host)

    def _host_names(self, network: str) -> HostNames:
        from sm_emulate.lifecycle.host_names import HostNames

        parts = self._parts
        return HostNames(
            parts.engine,
            network,
            image=parts.image.id,
            hosts=[host.name for host in parts.cluster.hosts],
            delay_s=parts.platform.settings.number("host-name-delay"),
            labels=parts.labels,
            publish=parts.publish,
        )

    def _tree(self, host: str) -> StagedTree:
        parts = self._parts
        tree = staged_tree(
            parts.run_folder.opt_ml(host),
            parts.request,
            cluster=parts.cluster,
            host=parts.cluster.host(host),
            profile=parts.platform.profile,
            settings=parts.platform.settings,
            region=parts.platform.region,
            account=parts.platform.account,
            s3=parts.platform.s3,
            file_systems=parts.platform.file_systems,
            run_number=self._run_number,
        )
        if self._pool is not None:
            cache = Placed(source=self._pool.cache(host), target=LAYOUT.warm_pool_cache, made_if_missing=True)
            tree = replace(tree, placed=(*tree.placed, cache))
        return tree if parts.vary_files is None else tree.with_files(parts.vary_files)

    def _surroundings(self) -> TrainingSurroundings:
        parts = self._parts
        return TrainingSurroundings(
            request=parts.request,
            cluster=parts.cluster,
            trees=self.trees,
            platform=parts.platform,
            engine=parts.engine,
            image=parts.image,
            run_folder=parts.run_folder,
            publish=parts.publish,
            fail=self._companions.fail,
            stopping=lambda: parts.asked.times > 0,
            hand_back=self._hand_back,
        )

    @property
    def _hand_back(self) -> HandBack:
        parts = self._parts
        return HandBack(parts.engine, parts.image, parts.labels)


def engine_broke(error: Exception) -> bool:
    """Whether this is no fault of the job's own: what SageMaker calls an InternalServerError."""
    return isinstance(error, (EngineError, EngineNotFoundError)) and not isinstance(error, StartError)
