"""A training job, from its request to its result."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, ExitStack, nullcontext
from typing import TYPE_CHECKING, Any

from sm_emulate.errors import SmEmulateError
from sm_emulate.events import ContainerStarted, EpochStreamed, LogLines, Noted, Warned, now
from sm_emulate.lifecycle.advice import LAST_WORDS
from sm_emulate.lifecycle.attempt import Stop
from sm_emulate.lifecycle.companion import PlatformFailure
from sm_emulate.lifecycle.internal_error import internal_error
from sm_emulate.lifecycle.job import Job
from sm_emulate.lifecycle.stop_request import POLL_SECONDS
from sm_emulate.lifecycle.training.advice import advice
from sm_emulate.lifecycle.training.archives import Archives
from sm_emulate.lifecycle.training.interruptions import Interruptions
from sm_emulate.lifecycle.training.life import JobParts, TrainingAttempt, engine_broke
from sm_emulate.lifecycle.training.lives import Lives
from sm_emulate.lifecycle.training.network import TrainingNetwork
from sm_emulate.lifecycle.training.outcome import Outcome, failed_by, outcome_of, waited_too_long
from sm_emulate.lifecycle.training.result import PipeUse, TrainingResult
from sm_emulate.lifecycle.training.status import StatusMachine
from sm_emulate.request.training import to_aws
from sm_emulate.spec import wordings
from sm_emulate.spec.training_job import STOP_GRACE_SECONDS, SecondaryStatus
from sm_emulate.staging.cluster import cluster_of
from sm_emulate.staging.listings import Listings
from sm_emulate.storage.run_folder import WARM_POOLS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sm_emulate.engine.protocol import ContainerSpec, Engine, GpuRequest, Image
    from sm_emulate.events import Event, Listener
    from sm_emulate.lifecycle.platform import Platform
    from sm_emulate.lifecycle.publisher import Publisher
    from sm_emulate.lifecycle.training.log_metrics import LogMetrics
    from sm_emulate.lifecycle.training.warm_pool import WarmPool
    from sm_emulate.request.training import TrainingRequest
    from sm_emulate.storage.run_folder import RunFolder


class TrainingJob(Job[TrainingResult]):
    """One training job.

    Args:
        request: what to run, checked.
        image: the image as the engine knows it.
        engine: runs the containers.
        run: a new run folder that this process holds; it keeps everything that the job leaves.
        platform: which SageMaker.
        gpus: the GPUs of a host, by its instance type.
        stop_grace_s: between SIGTERM and SIGKILL.
        interruptions: when its spot instances are taken away.
        listings: of channels, where any was begun already.
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
        interruptions: Interruptions | None = None,
        listings: Listings | None = None,
        listeners: Sequence[Listener] = (),
        vary: Callable[[ContainerSpec], ContainerSpec] | None = None,
        vary_files: Callable[[dict[str, bytes]], dict[str, bytes]] | None = None,
    ) -> None:
        super().__init__(run, platform=platform, listeners=listeners)
        self.request, self.image = request, image
        self.cluster = cluster_of(
            request.resource_config, mixed=self.platform.settings.text("host-numbers") == "mixed"
        )
        self.created = now()
        self._status = StatusMachine(self._publish)
        self._parts = JobParts(
            request=request,
            cluster=self.cluster,
            platform=self.platform,
            image=image,
            engine=engine,
            gpus=gpus or {},
            run_folder=run,
            listings=listings or Listings(),
            session=self.session,
            labels=self._labels,
            stop_grace_s=stop_grace_s,
            vary=vary,
            vary_files=vary_files,
            asked=self._asked,
            publish=self._publish,
        )
        self._attempt: TrainingAttempt | None = None
        self._pool: WarmPool | None = None
        self._lives = Lives(request, interruptions or Interruptions(), self.platform.settings)
        self._refused: str | None = None
        self._metrics = _metrics(request, self._publish)
        self._last_words: dict[str, bytes] = {}
        self._outcome = Outcome.none()
        self._archives = Archives()
        self._pipes: dict[str, dict[str, PipeUse]] = {}
        self.began = False
        """Whether a container was ever started."""

    def result(self) -> TrainingResult:
        """Say how it stands."""
        exits = self._attempt.exits if self._attempt else {}
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
            warm_pool=self._pool.status if self._pool else None,
            warm_pool_until=self._pool.until if self._pool else None,
            model_archive=self._archives.model,
            output_archive=self._archives.output,
            model_uri=self._archives.model_uri,
            output_uri=self._archives.output_uri,
            final_metrics=self._metrics.final() if self._metrics else (),
            pipes=self._pipes,
        )

    @property
    def over(self) -> bool:
        return self._status.over

    def _document(self) -> Mapping[str, Any]:
        return to_aws(self.request)

    def _run(self) -> None:
        with ExitStack() as resources:
            self._pool = resources.enter_context(self._warm_pool())
            network = TrainingNetwork(self._parts, resources, self._pool)
            while True:
                self._status.enter(SecondaryStatus.STARTING, wordings.STARTING)
                if (outcome := self._live(network)) is not None:
                    break
                if (outcome := self._pause()) is not None:
                    break
            if self._pool is not None and wordings.is_internal_server_error(outcome.failure_reason):
                self._pool.healthy = False
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

    def _live(self, network: TrainingNetwork) -> Outcome | None:
        """Run on instances of its own, once; give how the job ended, None if it goes on with other instances."""
        self._lives.begun += 1
        attempt = TrainingAttempt(
            self._parts,
            number=self._lives.begun,
            run_number=self._lives.run_number,
            heard=self._heard,
            on_stop=self._stopping,
            interruption=self._lives.interruption,
            pool=self._pool,
        )
        with attempt:
            self._attempt = attempt
            self._status.enter(SecondaryStatus.DOWNLOADING, wordings.DOWNLOADING_INPUT)
            try:
                attempt.prepare()
            except PlatformFailure as failure:
                return None if self._retried(failure.reason) else failed_by(failure.reason)
            attempt.warn_of_volume()
            self._status.enter(SecondaryStatus.TRAINING, wordings.DOWNLOADING_IMAGE)
            try:
                with self._lives.running() as deadlines:
                    attempt.follow(network.name(), deadlines=deadlines)
                self._refused = attempt.refused
            except SmEmulateError as error:
                if engine_broke(error) and self._retried(internal_error(error)):
                    return None
                raise
            attempt.take_back()
            if self._goes_on(attempt):
                return None
            return self._upload(attempt)

    def _warm_pool(self) -> AbstractContextManager[WarmPool | None]:
        """Give the warm pool of the job; a job without, in a home without, does not import any."""
        wanted = self.request.resource_config.keep_alive_period_in_seconds
        if not wanted and not (self.run_folder.home / WARM_POOLS).is_dir():
            return nullcontext()
        from sm_emulate.lifecycle.training.warm_pool import warm_pool

        return warm_pool(self._parts)

    def _goes_on(self, attempt: TrainingAttempt) -> bool:
        """Whether the job is to go on with other instances; then it is Interrupted or Restarting."""
        if attempt.stop is Stop.INTERRUPTED and not self._asked.times:
            try:
                attempt.finish()
            except PlatformFailure as failure:
                self._publish(Warned(message=failure.reason))
            self._lives.interrupted += 1
            self._status.enter(SecondaryStatus.INTERRUPTED, wordings.INTERRUPTED)
            return True
        reason = attempt.companion_failure
        return reason is not None and not self._asked.times and self._retried(reason)

    def _retried(self, reason: str) -> bool:
        """Whether RetryStrategy has the job tried again; then it is Restarting."""
        words = None if self._asked.times else self._lives.retry(reason)
        if words is None:
            return False
        self._publish(Warned(message=words))
        self._status.enter(SecondaryStatus.RESTARTING, wordings.RESTARTING)
        return True

    def _pause(self) -> Outcome | None:
        """Wait for other instances; give how the job ended if it was stopped meanwhile."""
        pause = self._lives.pause_s(interrupted=self._status.secondary is SecondaryStatus.INTERRUPTED)
        until = time.monotonic() + pause
        while not (self._asked.times or self._lives.waited_too_long):
            if (left := until - time.monotonic()) <= 0:
                return None
            time.sleep(min(POLL_SECONDS, left))  # a signal handler may ask: nothing here can hold a lock
        self._status.enter(SecondaryStatus.STOPPING, wordings.STOPPING)
        if self._asked.times:
            return Outcome(secondary=SecondaryStatus.STOPPED, message=wordings.STOPPED)
        return waited_too_long()

    def _upload(self, attempt: TrainingAttempt) -> Outcome:
        """Bring home what the job leaves, and give how it ended."""
        from sm_emulate.lifecycle.training.upload import upload

        if attempt.stop is Stop.INTERRUPTED:  # and asked to stop then
            self._status.enter(SecondaryStatus.STOPPING, wordings.STOPPING)
        if attempt.stop is not Stop.MAX_WAIT:  # the guide shows no Uploading there
            self._status.enter(SecondaryStatus.UPLOADING, wordings.UPLOADING)
        outcome = self._judge(attempt)
        attempt.warn_of_volume(at_the_end=True)
        try:
            attempt.finish()
        except PlatformFailure as failure:
            if outcome.failure_reason is None:
                outcome = failed_by(failure.reason)
        try:
            # the engine takes its time to remove containers: archives are packed meanwhile
            self._archives = upload(
                self.request,
                list(attempt.trees.values()),
                run=self.run_folder,
                settings=self.platform.settings,
                s3=self.platform.s3,
                publish=self._publish,
            )
        except PlatformFailure as failure:
            outcome = failed_by(failure.reason)
        return outcome

    def _wake(self) -> None:
        if self._attempt is not None:
            self._attempt.wake()

    def _stopping(self, reason: Stop) -> None:
        if reason in (Stop.ASKED, Stop.MAX_RUNTIME, Stop.MAX_WAIT):
            self._status.enter(SecondaryStatus.STOPPING, wordings.STOPPING)
        elif reason is Stop.INTERRUPTED:
            self._publish(Noted(message=f"spot interruption {self._lives.interrupted + 1}"))

    def _heard(self, event: Event) -> None:
        """Pass on what a container does, from its own thread."""
        self._publish(event)
        if isinstance(event, ContainerStarted):
            self.began = True
            self._status.say(SecondaryStatus.TRAINING, wordings.TRAINING)
        elif isinstance(event, LogLines):
            self._last_words[event.host] = event.data[-LAST_WORDS:]
            if self._metrics is not None:
                self._metrics.search(event)

    def _judge(self, attempt: TrainingAttempt) -> Outcome:
        return outcome_of(
            exits=attempt.exits,
            refused=self._refused,
            companions=attempt.companion_failure,
            trees=attempt.trees,
            stopped=attempt.stop in (Stop.ASKED, Stop.INTERRUPTED),
            timed_out=attempt.stop is Stop.MAX_RUNTIME,
            waited=attempt.stop is Stop.MAX_WAIT,
            settings=self.platform.settings,
        )

    def _keep(self, event: Event) -> None:
        super()._keep(event)
        if isinstance(event, EpochStreamed):
            hosts = self._pipes.setdefault(event.channel, {})
            hosts[event.host] = hosts.get(event.host, PipeUse()).and_then(event.sent_bytes)

    def _end_by(self, reason: str) -> None:
        self._outcome = failed_by(reason)
        if not self._status.transitions:
            self._status.enter(SecondaryStatus.STARTING, wordings.STARTING)
        self._over(self._outcome)

    def _over(self, outcome: Outcome) -> None:
        self._outcome = outcome
        self._status.enter(outcome.secondary, outcome.message)


def _metrics(request: TrainingRequest, publish: Publisher) -> LogMetrics | None:
    if not request.algorithm_specification.metric_definitions:
        return None
    from sm_emulate.lifecycle.training.log_metrics import LogMetrics

    return LogMetrics(request, publish)
