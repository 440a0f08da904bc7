"""A processing job, from its request to its result."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from sm_emulate.events import ContainerStarted, LogLines, Warned
from sm_emulate.lifecycle.advice import LAST_WORDS
from sm_emulate.lifecycle.attempt import Attempt, Stop
from sm_emulate.lifecycle.companion import Companions, PlatformFailure
from sm_emulate.lifecycle.hand_back import HandBack
from sm_emulate.lifecycle.instance_limits import limits_of
from sm_emulate.lifecycle.job import Job
from sm_emulate.lifecycle.network import network_of_hosts
from sm_emulate.lifecycle.processing.advice import advice
from sm_emulate.lifecycle.processing.companions import ProcessingSurroundings, companions_of
from sm_emulate.lifecycle.processing.container import container_spec
from sm_emulate.lifecycle.processing.outcome import ProcessingOutcome, failed_by, outcome_of
from sm_emulate.lifecycle.processing.result import ProcessingResult
from sm_emulate.lifecycle.processing.status import ProcessingStatus
from sm_emulate.request.processing import to_aws
from sm_emulate.spec import wordings
from sm_emulate.spec.processing_job import STOP_GRACE_SECONDS, ProcessingJobStatus
from sm_emulate.staging.processing_tree import host_names, staged_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sm_emulate.engine.protocol import ContainerSpec, Engine, GpuRequest, Image
    from sm_emulate.events import Event, Listener
    from sm_emulate.lifecycle.containers import Containers
    from sm_emulate.lifecycle.platform import Platform
    from sm_emulate.request.processing import ProcessingRequest
    from sm_emulate.staging.tree import StagedTree
    from sm_emulate.storage.run_folder import RunFolder


class ProcessingJob(Job[ProcessingResult]):
    """One processing job.

    Args:
        request: what to run, checked.
        image: the image as the engine knows it.
        engine: runs the containers.
        run: a new run folder that this process holds; it keeps everything that the job leaves.
        platform: which SageMaker.
        gpus: the GPUs of each host.
        stop_grace_s: between the first signal and SIGKILL.
        listeners: hear what happens.
        vary: changes each container before it is made; the contract's probes ask this way what would happen if.
        vary_files: likewise for the config files of each host, by name.
    """

    def __init__(
        self,
        request: ProcessingRequest,
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
        super().__init__(run, platform=platform, listeners=listeners)
        self._vary, self._vary_files = vary, vary_files
        self.request, self.image = request, image
        self.hosts = host_names(request)
        self._engine, self._gpus = engine, gpus
        self._status = ProcessingStatus(self._publish)
        self._companions = Companions(wake=self._wake)
        self._attempt = Attempt(
            engine,
            publish=self._heard,
            asked=self._asked,
            grace_s=stop_grace_s,
            companion_failed=lambda: self._companions.failure is not None,
            on_stop=self._stopping,
            signal=self.platform.settings.text("processing-stop-signal"),
        )
        self._last_words: dict[str, bytes] = {}
        self._outcome = ProcessingOutcome(status=ProcessingJobStatus.IN_PROGRESS)
        self.began = False
        """Whether a container was ever started."""

    def result(self) -> ProcessingResult:
        """Say how it stands."""
        exits = self._attempt.containers.exits
        return ProcessingResult(
            request=self.request,
            platform=self.platform,
            image=self.image,
            run_folder=self.run_folder.path,
            status=self._status.status,
            failure_reason=self._outcome.failure_reason,
            exit_message=self._outcome.exit_message,
            created=self._status.created,
            started=self._status.started,
            changed=self._status.changed,
            over=self._status.over,
            container_exit_codes={host: exits[host].code for host in self.hosts if host in exits},
        )

    @property
    def over(self) -> bool:
        return self._status.over

    def _document(self) -> Mapping[str, Any]:
        return to_aws(self.request)

    def _run(self) -> None:
        self._status.say(wordings.PROCESSING_STARTING)
        trees = {host: self._tree(host) for host in self.hosts}
        for tree in trees.values():
            tree.make()
        with ExitStack() as resources:
            resources.callback(self._companions.close)
            self._status.say(wordings.PROCESSING_DOWNLOADING)
            try:
                self._companions.prepare(companions_of(self._surroundings(trees)))
            except PlatformFailure as failure:
                self._over(failed_by(failure.reason))
                return
            network = network_of_hosts(
                resources,
                self._engine,
                session=self.session,
                hosts=len(self.hosts),
                isolated=self.request.isolated,
                labels=self._labels,
                publish=self._publish,
            )
            resources.callback(self._attempt.containers.close)
            self._follow(trees, network)
            self._hand_back.or_warn(self.run_folder.path / "opt-ml", self._publish)
            outcome = outcome_of(
                exits=self._attempt.containers.exits,
                refused=self._attempt.containers.refused,
                companions=self._companions.failure,
                trees=trees,
                stop=self._attempt.stop,
                settings=self.platform.settings,
            )
            if self.request.managed_outputs:
                self._status.say(wordings.PROCESSING_UPLOADING)
            try:
                self._upload(trees, outcome)
                self._companions.finish()
            except PlatformFailure as failure:
                if outcome.failure_reason is None:
                    outcome = failed_by(failure.reason, outcome.exit_message)
        for words in advice(
            outcome,
            self.request,
            image=self.image,
            trees=list(trees.values()),
            refused=self._attempt.containers.refused,
            last_words=self._last_words.values(),
        ):
            self._publish(Warned(message=words))
        self._over(outcome)

    def _upload(self, trees: dict[str, StagedTree], outcome: ProcessingOutcome) -> None:
        """Upload the EndOfJob outputs."""
        outputs = [each for each in self.request.managed_outputs if each[1].s3_upload_mode == "EndOfJob"]
        completed = outcome.status is ProcessingJobStatus.COMPLETED
        wanted = self.platform.settings.text("processing-outputs-unless-completed") == "uploaded"
        if not outputs or not (completed or wanted):
            return
        from sm_emulate.lifecycle.processing.outputs import upload_outputs

        upload_outputs(outputs, list(trees.values()), s3=self.platform.s3, publish=self._publish)

    def _end_by(self, reason: str) -> None:
        self._over(failed_by(reason))

    def _over(self, outcome: ProcessingOutcome) -> None:
        self._outcome = outcome
        self._status.enter(outcome.status, outcome.message)

    def _wake(self) -> None:
        self._attempt.containers.wake()

    def _surroundings(self, trees: dict[str, StagedTree]) -> ProcessingSurroundings:
        return ProcessingSurroundings(
            request=self.request,
            trees=trees,
            platform=self.platform,
            engine=self._engine,
            run_folder=self.run_folder,
            publish=self._publish,
            image=self.image,
            fail=self._companions.fail,
            hand_back=self._hand_back,
            stopping=lambda: self._asked.times > 0,
        )

    @property
    def _hand_back(self) -> HandBack:
        return HandBack(self._engine, self.image, self._labels)

    def _tree(self, host: str) -> StagedTree:
        platform = self.platform
        tree = staged_tree(
            self.run_folder.opt_ml(host),
            self.request,
            host=host,
            settings=platform.settings,
            region=platform.region,
            account=platform.account,
        )
        return tree if self._vary_files is None else tree.with_files(self._vary_files)

    def _follow(self, trees: dict[str, StagedTree], network: str | None) -> None:
        cluster = self.request.cluster
        limits = limits_of(
            [cluster.instance_type],
            chosen=cluster.chosen,
            engine=self._engine,
            settings=self.platform.settings,
            publish=self._publish,
        )[cluster.instance_type]

        def begin(containers: Containers) -> None:
            for host in self.hosts:
                spec = container_spec(
                    self.request,
                    host=host,
                    tree=trees[host],
                    image=self.image.id,
                    platform=self.platform,
                    beside=self._companions.environment(host),
                    network=network,
                    gpus=self._gpus,
                    labels=self._labels,
                    name=f"sm-emulate-{host}-{self.session[:12]}",
                    limits=limits,
                )
                containers.begin(host, spec if self._vary is None else self._vary(spec))

        self._attempt.follow(
            begin, deadlines={Stop.MAX_RUNTIME: time.monotonic() + self.request.max_runtime_in_seconds}
        )

    def _stopping(self, reason: Stop) -> None:
        if reason in (Stop.ASKED, Stop.MAX_RUNTIME):
            self._status.enter(ProcessingJobStatus.STOPPING, wordings.PROCESSING_STOPPING)

    def _heard(self, event: Event) -> None:
        """Pass on what a container does, from its own thread."""
        self._publish(event)
        if isinstance(event, ContainerStarted):
            self.began = True
            self._status.running(wordings.PROCESSING_RUNNING)
            self._companions.started(event.host, event.container)
        elif isinstance(event, LogLines):
            self._last_words[event.host] = event.data[-LAST_WORDS:]
