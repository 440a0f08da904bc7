"""A tuning job, from its request to its result: training jobs side by side, each with hyperparameters to try."""

from __future__ import annotations

import random
import secrets
import threading
import time
from contextlib import suppress
from dataclasses import replace
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from sm_emulate.events import (
    JobEnded,
    JobEvent,
    JobLaunched,
    MetricRecorded,
    Noted,
    StatusChanged,
    now,
)
from sm_emulate.lifecycle.internal_error import internal_error
from sm_emulate.lifecycle.job import Job
from sm_emulate.lifecycle.stop_request import POLL_SECONDS
from sm_emulate.lifecycle.tuning.autotune import autotuned
from sm_emulate.lifecycle.tuning.early_stopping import MedianRule
from sm_emulate.lifecycle.tuning.progress import CONVERGED, TuningProgress
from sm_emulate.lifecycle.tuning.result import TrainingJobSummary, TuningResult
from sm_emulate.lifecycle.tuning.search import Search, Verdict, grid
from sm_emulate.lifecycle.tuning.tuned_job import Kind, News, TunedJob, training_request
from sm_emulate.request import training as training_jobs
from sm_emulate.request.tuning import OBJECTIVE_HYPERPARAMETER, to_aws
from sm_emulate.request.tuning_rules import max_resource
from sm_emulate.spec import wordings
from sm_emulate.spec.training_job import SecondaryStatus, TrainingJobStatus
from sm_emulate.spec.tuning import FIRST_ATTEMPTS, TUNING_JOB_TAG, TuningJobStatus

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sm_emulate.events import Event, Listener
    from sm_emulate.lifecycle.platform import Platform
    from sm_emulate.lifecycle.tuning.search import Suggestion
    from sm_emulate.lifecycle.tuning.tuned_job import Train
    from sm_emulate.lifecycle.tuning.warm_start import Parent
    from sm_emulate.request.service_model import OperationModel
    from sm_emulate.request.training import TrainingRequest
    from sm_emulate.request.tuning import Definition, TuningRequest
    from sm_emulate.storage.run_folder import RunFolder


class TuningJob(Job[TuningResult]):
    """One tuning job.

    Args:
        request: what to run, checked.
        run: a new run folder that this process holds.
        train: runs one training job.
        model: of CreateTrainingJob, which each training job is checked against.
        platform: which SageMaker.
        parents: earlier tuning jobs to learn from.
        listeners: hear what happens: of this job, and as JobEvents of its training jobs.
    """

    def __init__(
        self,
        request: TuningRequest,
        *,
        run: RunFolder,
        train: Train,
        model: OperationModel,
        platform: Platform | None = None,
        parents: Sequence[Parent] = (),
        listeners: Sequence[Listener] = (),
    ) -> None:
        super().__init__(run, platform=platform, listeners=listeners)
        self.request = request
        settings = self.platform.settings
        self._plan = autotuned(request, settings)
        self._config = self._plan.config
        seed = self._config.random_seed
        self._seed = random.SystemRandom().randrange(2**31) if seed is None else seed
        self._parents = parents
        self._train, self._model = train, model
        self._news: SimpleQueue[News | None] = SimpleQueue()
        self._heard = 0
        self._created = self._changed = now()
        self._began = time.monotonic()
        self._status = TuningJobStatus.IN_PROGRESS
        self._failure: str | None = None
        self._because: str | None = None
        self._converged: datetime | None = None
        self._progress = TuningProgress(self._config.completion_criteria, self.platform.settings)
        self._exhausted = False
        self._error: BaseException | None = None
        self._jobs: list[TunedJob] = []
        self._alive: dict[TunedJob, threading.Thread] = {}
        self._most = self._limit()
        self._kinds = [self._kind(number, each) for number, each in enumerate(self._plan.definitions)]

    def result(self) -> TuningResult:
        """Say how it stands."""
        return TuningResult(
            request=self._plan,
            platform=self.platform,
            run_folder=self.run_folder.path,
            status=self._status,
            failure_reason=self._failure,
            training_jobs=tuple(job.summary for job in self._jobs),
            created=self._created,
            changed=self._changed,
            random_seed=self._seed,
            completed_because=self._because,
            not_improving=self._progress.not_improving,
            converged=self._converged,
            parents_best=[parent.best for parent in self._parents if parent.best is not None],
        )

    @property
    def over(self) -> bool:
        return self.result().over

    def _document(self) -> Mapping[str, Any]:
        return to_aws(self.request)

    def _run(self) -> None:
        try:
            self._enter(TuningJobStatus.IN_PROGRESS)
            self._learn()
            self._go_on()
            self._end()
        except BaseException:
            self._abandon()
            raise

    def _wake(self) -> None:
        self._news.put(None)

    def _limit(self) -> int | None:
        """How many training jobs there will be at most; None when only time or success ends it."""
        if self._config.strategy != "Grid":
            return self._config.resource_limits.max_number_of_training_jobs
        return sum(len(grid(self._plan.ranges(each).ranges)) for each in self._plan.definitions)

    def _kind(self, number: int, definition: Definition) -> Kind:
        objective = self._plan.objective(definition)
        settings, config = self.platform.settings, self._config
        resource = None
        if config.strategy == "Hyperband":
            most = max_resource(to_aws(self._plan)["HyperParameterTuningJobConfig"], definition.static)
            assert most is not None, "from_aws saw to it"
            resource = (config.strategy_config.hyperband.min_resource or 1, most)
        return Kind(
            definition=definition,
            objective=objective,
            search=Search(
                f"{self.request.name}-{number}",
                self._plan.ranges(definition).ranges,
                objective=objective,
                strategy=config.strategy,
                seed=self._seed + number,
                jobs=self._most,
                resource=resource,
                guess_scale=settings.text("tuning-auto-scaling") == "by-range",
            ),
            rule=MedianRule(objective, at_least=settings.number("tuning-early-stopping-after"))
            if config.early_stopping_type == "Auto"
            else None,
        )

    def _learn(self) -> None:
        for parent in self._parents:
            taken = sum(self._kinds[0].search.learn(*result) for result in parent.results)
            words = f"{parent.name}: {taken} of {len(parent.results)} results lie within the ranges"
            self._publish(Noted(message=words))

    def _go_on(self) -> None:
        """Launch training jobs while there is room and reason to, until the last one is over."""
        runtime = self._config.resource_limits.max_runtime_in_seconds
        deadline = None if runtime is None else self._began + runtime
        while True:
            self._heed_stops()
            if deadline is not None and time.monotonic() >= deadline:
                self._complete("MaxRuntimeInSeconds", at_once=True)
            while self._wants_more():
                self._launch()
            if not self._alive:
                return
            pause = POLL_SECONDS
            if deadline is not None and not self._because:
                pause = min(pause, max(0.0, deadline - time.monotonic()))
            with suppress(Empty):
                news = self._news.get(timeout=pause)
                if news is not None:
                    self._hear(news)

    def _heed_stops(self) -> None:
        asked = self._asked.times
        if asked == self._heard:
            return
        if self._status is TuningJobStatus.IN_PROGRESS:
            self._enter(TuningJobStatus.STOPPING)
            for job in self._alive:
                job.summary = replace(job.summary, status=TrainingJobStatus.STOPPING)
        for _ in range(asked - self._heard):
            for job in self._alive:
                job.stop()
        self._heard = asked

    def _wants_more(self) -> bool:
        if self._status is not TuningJobStatus.IN_PROGRESS or self._because or self._failure or self._error:
            return False
        if self._most is not None and len(self._jobs) >= self._most:
            return False
        return (
            not self._exhausted and len(self._alive) < self._config.resource_limits.max_parallel_training_jobs
        )

    def _launch(self) -> None:
        number = len(self._jobs) + 1
        found = self._suggest(number)
        if found is None:
            self._exhausted = True
            return
        kind, suggestion = found
        name = f"{self.request.name}-{number:03d}-{secrets.token_hex(4)}"
        job = TunedJob(
            number=number,
            kind=kind,
            suggestion=suggestion,
            summary=TrainingJobSummary(
                name=name,
                definition_name=kind.definition.name,
                objective_of=kind.objective,
                hyperparameters=suggestion.values,
                status=TrainingJobStatus.IN_PROGRESS,
                created=now(),
            ),
        )
        request = self._training_request(name, kind, suggestion)
        self._jobs.append(job)
        thread = threading.Thread(target=self._work, args=(job, request), name=name)
        self._alive[job] = thread
        self._publish(JobLaunched(job=name, number=number, hyperparameters=suggestion.values))
        thread.start()

    def _suggest(self, number: int) -> tuple[Kind, Suggestion] | None:
        """Ask the definitions in turn; one whose grid is through is passed over."""
        count = len(self._kinds)
        for offset in range(count):
            kind = self._kinds[(number - 1 + offset) % count]
            suggestion = kind.search.suggest()
            if suggestion is not None:
                return kind, suggestion
        return None

    def _training_request(self, name: str, kind: Kind, suggestion: Suggestion) -> TrainingRequest:
        """Give the training job's own request; what it would be refused for was refused before."""
        request = training_request(
            kind.definition,
            name=name,
            hyperparameters={
                OBJECTIVE_HYPERPARAMETER: kind.objective.metric_name,
                **kind.definition.static,
                **suggestion.values,
            },
            tags=self.request.tags,
            shared_checkpoints=self.platform.settings.text("tuning-checkpoints") == "shared",
            training_jobs_folder=(self.run_folder.home / "training-jobs").as_uri(),
            model=self._model,
        )
        tag = training_jobs.Tag(key=TUNING_JOB_TAG, value=self.request.name)
        return replace(request, tags=(*request.tags, tag))

    def _work(self, job: TunedJob, request: TrainingRequest) -> None:
        """Be a training job's thread."""

        def hear(event: Event) -> None:
            if isinstance(event, MetricRecorded) and event.name == job.kind.objective.metric_name:
                self._news.put(News(job=job, value=event.value))
            elif isinstance(event, StatusChanged) and event.secondary == SecondaryStatus.TRAINING.value:
                self._news.put(News(job=job, began=True))
            self._publish(JobEvent(at=event.at, job=job.summary.name, number=job.number, event=event))

        try:
            result = self._train(request, listener=hear, ready=job.ready)
        except BaseException as error:  # noqa: BLE001  # the main thread raises it again
            self._news.put(News(job=job, error=error))
        else:
            self._news.put(News(job=job, result=result))

    def _hear(self, news: News) -> None:
        job = news.job
        if news.began:
            job.summary = replace(job.summary, started=job.summary.started or now())
            self._write_standing()
        elif news.value is not None:
            self._measured(job, news.value)
        else:
            self._alive.pop(job).join()
            self._ended(job, news)

    def _measured(self, job: TunedJob, value: float) -> None:
        job.values.append(value)
        verdict = job.kind.search.measured(job.suggestion, len(job.values), value)
        if job.kind.rule is not None and job.kind.rule.stops(job.values):
            verdict = Verdict.POOR
        if verdict is not Verdict.GO_ON and not job.stops:
            job.summary = replace(job.summary, early_stopped=verdict is Verdict.POOR)
            job.stop()

    def _ended(self, job: TunedJob, news: News) -> None:
        result, ended = news.result, now()
        if result is None:
            assert news.error is not None
            job.summary = replace(
                job.summary,
                status=TrainingJobStatus.FAILED,
                ended=ended,
                failure_reason=internal_error(news.error),
            )
        else:
            finals = {each["MetricName"]: each["Value"] for each in result.final_metrics}
            failed = result.status is TrainingJobStatus.FAILED
            stopped = result.status is TrainingJobStatus.STOPPED
            job.summary = replace(
                job.summary,
                status=result.status,
                ended=ended,
                objective=None if failed else finals.get(job.kind.objective.metric_name),
                failure_reason=result.failure_reason,
                early_stopped=job.summary.early_stopped and stopped,
            )
        summary = job.summary
        job.kind.search.ended(job.suggestion, summary.objective, early=summary.early_stopped)
        if job.kind.rule is not None and summary.status is TrainingJobStatus.COMPLETED:
            job.kind.rule.completed(job.values)
        best = self._progress.ended(summary)
        self._publish(
            JobEnded(
                job=summary.name,
                number=job.number,
                status=summary.status.value,
                objective=summary.objective,
                best=best,
                early_stopped=summary.early_stopped,
                failure_reason=summary.failure_reason or "",
            )
        )
        if news.error is not None and self._error is None:
            self._error = news.error
            self._stop_running()
        self._judge()

    def _judge(self) -> None:
        """See whether enough has been seen."""
        over = [job for job in self._jobs if job.summary.over]
        if self._because or self._failure or self._status is not TuningJobStatus.IN_PROGRESS:
            return
        if self._progress.best is None:
            if len(over) >= FIRST_ATTEMPTS:
                self._failure = self._no_objective(over)
                self._stop_running()
            return
        met = self._progress.met(self._kinds[0].objective)
        if met is None:
            return
        if met == CONVERGED:
            self._converged = now()
        self._complete(met, at_once=self.platform.settings.text("tuning-completion") == "stop")

    def _no_objective(self, over: Sequence[TunedJob]) -> str:
        silent = any(job.summary.status is TrainingJobStatus.COMPLETED for job in over)
        return (wordings.no_objective_metric if silent else wordings.no_training_job_succeeded)(len(over))

    def _complete(self, because: str, *, at_once: bool) -> None:
        if self._because or self._status is not TuningJobStatus.IN_PROGRESS:
            return
        self._because = because
        self._publish(Noted(message=f"{because} is reached"))
        if at_once:
            self._stop_running()

    def _stop_running(self) -> None:
        for job in self._alive:
            if not job.stops:
                job.stop()

    def _end(self) -> None:
        if self._error is not None:
            raise self._error
        if self._status is TuningJobStatus.STOPPING:
            self._enter(TuningJobStatus.STOPPED)
            return
        if self._failure is None and self._progress.best is None:
            self._failure = self._no_objective(self._jobs)
        if self._failure is None:
            self._because = self._because or "MaxNumberOfTrainingJobs"
        self._enter(TuningJobStatus.COMPLETED if self._failure is None else TuningJobStatus.FAILED)

    def _enter(self, status: TuningJobStatus) -> None:
        self._status, self._changed = status, now()
        self._publish(StatusChanged(at=self._changed, status=status.value, message=self._failure or ""))

    def _keep(self, event: Event) -> None:
        super()._keep(event)
        if isinstance(event, (JobLaunched, JobEnded)):
            self._write_standing()

    def _abandon(self) -> None:
        """Kill what still runs: nobody is there any more to look after it."""
        for job in self._alive:
            job.stop()
            job.stop()
        for thread in self._alive.values():
            thread.join()
        while True:
            try:
                news = self._news.get_nowait()
            except Empty:
                break
            if news is not None and (news.result is not None or news.error is not None):
                status = TrainingJobStatus.FAILED if news.result is None else news.result.status
                news.job.summary = replace(news.job.summary, status=status, ended=now())
        self._alive.clear()

    def _end_by(self, reason: str) -> None:
        self._failure = reason
        self._enter(TuningJobStatus.FAILED)
