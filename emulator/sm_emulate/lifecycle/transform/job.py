"""A batch transform job, from its request to its result."""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from sm_emulate.errors import EndpointFailedError
from sm_emulate.events import LogLines, Progress, StatusChanged, Warned, now
from sm_emulate.lifecycle.hosting.model_folder import model_mounts
from sm_emulate.lifecycle.hosting.serving_container import StopAskedError
from sm_emulate.lifecycle.job import Job
from sm_emulate.lifecycle.transform.container import model_folder
from sm_emulate.lifecycle.transform.fleet import TransformFleet
from sm_emulate.lifecycle.transform.result import TransformResult
from sm_emulate.request.transform import to_aws
from sm_emulate.spec import transform_job as spec
from sm_emulate.spec.endpoint import STOP_GRACE_SECONDS
from sm_emulate.spec.transform_job import TransformJobStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from sm_emulate.engine.protocol import ContainerSpec, Engine, GpuRequest, Image
    from sm_emulate.events import Listener
    from sm_emulate.lifecycle.platform import Platform
    from sm_emulate.lifecycle.transform.work import Work
    from sm_emulate.request.transform import TransformRequest
    from sm_emulate.storage.run_folder import RunFolder

_OVER = frozenset({TransformJobStatus.COMPLETED, TransformJobStatus.FAILED, TransformJobStatus.STOPPED})
TELL_SECONDS = 0.2


class TransformJob(Job[TransformResult]):
    """One batch transform job.

    Args:
        request: what to run, checked.
        images: of its model, as the engine knows them, by the name that the request uses.
        engine: runs the containers.
        run: a new run folder that this process holds.
        platform: which SageMaker.
        gpus: the GPUs of each instance.
        start_window_s: within which each container has to answer its first ping.
        stop_grace_s: between SIGTERM and SIGKILL.
        listeners: hear what happens.
        vary: changes each container before it is made; the contract's probes ask this way what would happen if.
    """

    def __init__(
        self,
        request: TransformRequest,
        *,
        images: Mapping[str, Image],
        engine: Engine,
        run: RunFolder,
        platform: Platform | None = None,
        gpus: GpuRequest | None = None,
        start_window_s: float = spec.START_WINDOW_SECONDS,
        stop_grace_s: float = STOP_GRACE_SECONDS,
        listeners: Sequence[Listener] = (),
        vary: Callable[[ContainerSpec], ContainerSpec] | None = None,
    ) -> None:
        super().__init__(run, platform=platform, listeners=listeners)
        self.request, self.images = request, images
        self.created = now()
        self.status = TransformJobStatus.IN_PROGRESS
        self.failure_reason: str | None = None
        self._window, self._grace = start_window_s, stop_grace_s
        self._fleet = TransformFleet(
            request,
            images=images,
            engine=engine,
            platform=self.platform,
            gpus=gpus,
            labels=self._labels,
            session=self.session,
            publish=self._publish,
            stopping=lambda: self._asked.times,
            vary=vary,
        )
        self._seconds: dict[str, float] = {}
        self._started: datetime | None = None
        self._ended: datetime | None = None
        self._work: Work | None = None

    @property
    def began(self) -> bool:
        """Whether a container was ever started."""
        return self._fleet.began

    def result(self) -> TransformResult:
        """Say how it stands."""
        work = self._work
        return TransformResult(
            request=self.request,
            platform=self.platform,
            images=self.images,
            run_folder=self.run_folder.path,
            status=self.status,
            failure_reason=self.failure_reason,
            created=self.created,
            started=self._started,
            ended=self._ended,
            changed=now(),
            parameters=None if work is None else work.parameters,
            outputs=() if work is None else work.outputs,
            failures={} if work is None else work.failures,
            requests=0 if work is None else work.requests,
            retried=0 if work is None else work.retried,
            container_exit_codes=self._fleet.exit_codes,
            seconds=dict(self._seconds),
        )

    @property
    def over(self) -> bool:
        return self.status in _OVER

    def _document(self) -> Mapping[str, Any]:
        return to_aws(self.request)

    def _run(self) -> None:
        self._enter(TransformJobStatus.IN_PROGRESS, spec.STARTING)
        with ExitStack() as resources:
            self._transform(resources)

    def _transform(self, resources: ExitStack) -> None:
        from sm_emulate.lifecycle.transform.work import Work

        work = self._work = Work(
            self.request,
            platform=self.platform,
            drafts=self.run_folder.path / "outputs",
            publish=self._publish,
            log=self._log,
        )
        resources.callback(work.close)
        with self._timed("Input"):
            found = work.look_up()
        if not found:
            source = self.request.transform_input.data_source.s3.s3_uri
            self._end(TransformJobStatus.FAILED, spec.FAILED, spec.no_objects_found(source))
            return
        try:
            self._start(resources)
            with self._timed("Transform"):
                self._send(work)
        except StopAskedError:
            pass
        except EndpointFailedError as error:
            self._tell_why(error)
            self._fleet.stop(self._grace)
            self._end(TransformJobStatus.FAILED, spec.FAILED, spec.PING_FAILED)
            return
        if self._asked.times:
            self._enter(TransformJobStatus.STOPPING, spec.STOPPING)
        self._fleet.stop(self._grace)
        with self._timed("Upload"):
            work.finish()
        if self._asked.times:
            self._end(TransformJobStatus.STOPPED, spec.STOPPED)
        elif work.failure_reason is not None:
            self._end(TransformJobStatus.FAILED, spec.FAILED, work.failure_reason)
        else:
            self._end(TransformJobStatus.COMPLETED, spec.COMPLETED)

    def _start(self, resources: ExitStack) -> None:
        """Start the containers and wait until all are healthy."""
        with self._timed("Model"):
            mounts = [
                model_mounts(
                    container,
                    model_folder(self.request, self.run_folder.path / "opt-ml", number),
                    s3=self.platform.s3,
                    publish=self._publish,
                    heed_stop=self._fleet.heed_stop,
                )
                for number, container in enumerate(self.request.model.containers)
            ]
        with self._timed("Container"):
            self._fleet.start(mounts, resources)
        with self._timed("Health"):
            self._fleet.healthy(self._window)

    def _send(self, work: Work) -> None:
        """Send everything; leave off when somebody wants to stop or a container ends."""
        upstreams = self._fleet.upstreams
        work.ask(upstreams[0])
        self._started = now()
        sending = work.start(upstreams, wake=self._wake)
        told_at = 0.0
        try:
            self._enter(TransformJobStatus.IN_PROGRESS, spec.SENDING)
            while not sending.over:
                if self._asked.times or self._fleet.has_ended:
                    sending.stop()
                    sending.join()
                    break
                self._fleet.hear(TELL_SECONDS)
                if time.monotonic() - told_at > TELL_SECONDS:
                    told_at = time.monotonic()
                    self._publish(
                        Progress(
                            task="Transforming", done_bytes=work.done_bytes, total_bytes=work.total_bytes
                        )
                    )
        finally:
            sending.stop()
            sending.join()
        if sending.error is not None:
            raise sending.error
        if not self._asked.times:
            work.give_up_the_rest(self._fleet.gone)

    def _wake(self) -> None:
        self._fleet.wake()

    def _log(self, line: str) -> None:
        """Write a line into the data log, as the platform does beside the container's own log."""
        stamp = now().strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
        text = f"{stamp}:[sagemaker logs]: {line}\n".encode("utf-8", "replace")
        self._publish(LogLines(host=spec.DATA_LOG, data=text))

    def _tell_why(self, error: EndpointFailedError) -> None:
        """Say what kept a container from its first ping: the platform's words do not."""
        wanted = "" if error.expected is None else f"; expected {error.expected}"
        named = ", ".join(error.containers) if self.request.model.several else "the container"
        self._publish(Warned(message=f"{named} did not pass its pings: {error.value}{wanted}"))
        if error.hint is not None:
            self._publish(Warned(message=error.hint))
        for line in error.evidence:
            self._publish(Warned(message=f"| {line}"))

    def _enter(self, status: TransformJobStatus, message: str) -> None:
        self.status = status
        self._publish(StatusChanged(status=status.value, message=message))

    def _end(self, status: TransformJobStatus, message: str, reason: str | None = None) -> None:
        self.failure_reason, self._ended = reason, now()
        self._enter(status, message)

    def _end_by(self, reason: str) -> None:
        self._end(TransformJobStatus.FAILED, spec.FAILED, reason)

    @contextmanager
    def _timed(self, phase: str) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            self._seconds[phase] = round(time.monotonic() - began, 3)
