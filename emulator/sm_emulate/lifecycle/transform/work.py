"""The work of a transform job: its objects, how they are sent, and what has come of them."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from sm_emulate.artifacts.transform_output import Assembly
from sm_emulate.events import Warned
from sm_emulate.gateway.caller import Caller, NoAnswerError
from sm_emulate.lifecycle.hosting.neighbours import neighbours_of
from sm_emulate.lifecycle.transform import feed as feeding
from sm_emulate.lifecycle.transform.capture import capture
from sm_emulate.lifecycle.transform.files import TransformFile
from sm_emulate.lifecycle.transform.parameters import Parameters, parameters_of
from sm_emulate.lifecycle.transform.sending import Sending
from sm_emulate.lifecycle.transform.way import Passing
from sm_emulate.request.channel import S3DataSource
from sm_emulate.request.location import as_stored
from sm_emulate.spec import transform_job as spec
from sm_emulate.spec.endpoint import CONTAINER_PORT
from sm_emulate.staging.channel_data import channel_data
from sm_emulate.staging.payloads import Packing
from sm_emulate.storage.stores import store_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from sm_emulate.events import Event
    from sm_emulate.gateway.caller import CallAnswer
    from sm_emulate.gateway.front import Upstream
    from sm_emulate.lifecycle.platform import Platform
    from sm_emulate.request.transform import TransformRequest
    from sm_emulate.storage.objects import ObjectStore

PARAMETERS_SECONDS = 10.0
UPLOADS = 4


class Work:
    """What a transform job has to do, and how far it is.

    Args:
        request: what was asked for.
        platform: which SageMaker, and which S3.
        drafts: a folder of ours where outputs grow.
        publish: hears warnings.
        log: given each line of the data log.
    """

    def __init__(
        self,
        request: TransformRequest,
        *,
        platform: Platform,
        drafts: Path,
        publish: Callable[[Event], None],
        log: Callable[[str], None],
    ) -> None:
        self.parameters: Parameters | None = None
        self._request, self._platform, self._drafts = request, platform, drafts
        self._publish, self._log = publish, log
        self._neighbours = neighbours_of(request.model, platform.settings)
        self._files: list[TransformFile] = []
        self._feeds: list[feeding.Feed] = []
        self._store: ObjectStore | None = None
        self._place = as_stored(request.transform_output.s3_output_path)
        self._out = store_of(self._place, platform.s3)
        self._uploads: dict[int, Future[str]] = {}
        self._pool = ThreadPoolExecutor(UPLOADS, thread_name_prefix="output")
        self._stopping = False

    def look_up(self) -> int:
        """Find the input objects; give how many there are.

        Raises:
            RequestError: a manifest cannot be read.
            StorageError: S3 cannot be asked.
        """
        source = self._request.transform_input.data_source.s3
        data = channel_data(
            S3DataSource(s3_uri=source.s3_uri, s3_data_type=source.s3_data_type), s3=self._platform.s3
        )
        self._store = data.store
        for number, found in enumerate(data.objects):
            self._files.append(TransformFile(number, found, data.path(found), self._drafts / f"{number}.out"))
        return len(self._files)

    def ask(self, upstream: Upstream) -> None:
        """Ask the containers of an instance for their execution parameters, and decide what is in force."""
        self.parameters = parameters_of(
            self._request,
            asyncio.run(self._execution_parameters(upstream)),
            warn=lambda words: self._publish(Warned(message=words)),
        )
        self._log(self.parameters.line)

    def start(self, upstreams: Sequence[Upstream], *, wake: Callable[[], None]) -> Sending:
        """Begin to send: each instance gets its part of the objects, by their keys."""
        assert self._store is not None
        sending = self._sending()
        self._feeds = [
            feeding.Feed(
                upstream=upstream,
                files=self._files[number :: len(upstreams)],
                store=self._store,
                sending=sending,
                log=self._log,
                finished=self._finished,
                stopping=lambda: self._stopping,
            )
            for number, upstream in enumerate(upstreams)
        ]
        started = Sending(self._feeds, wake=wake)
        started.start()
        return started

    def give_up_the_rest(self, gone: str | None) -> None:
        """A container is gone (in a pipeline: of this name): what has no output by now will have none."""
        words = spec.NO_ANSWER + spec.of(gone)
        for file in self._files:
            if file.failure is None and not file.whole:
                self._log(f"{file.shown}: {words}")
                file.fail(words)

    def finish(self) -> None:
        """Wait for the outputs to be stored, and write the manifests of what was captured.

        Raises:
            SmEmulateError: an output cannot be stored.
        """
        self._pool.shutdown(wait=True)
        for upload in self._uploads.values():
            upload.result()
        if self._request.data_capture_config is not None and self.outputs:
            done = [file for file in self._files if file.whole]
            capture(self._request, [file.found.uri for file in done], self.outputs, s3=self._platform.s3)

    def close(self) -> None:
        """Remove what is left of drafts."""
        self._stopping = True
        self._pool.shutdown(wait=True)
        for file in self._files:
            file.close()
            file.draft.unlink(missing_ok=True)
        if self._drafts.is_dir():
            self._drafts.rmdir()

    @property
    def outputs(self) -> tuple[str, ...]:
        """The URI of each stored output, in the order of the inputs."""
        done = [(number, upload) for number, upload in sorted(self._uploads.items()) if upload.done()]
        return tuple(upload.result() for _, upload in done if upload.exception() is None)

    @property
    def failures(self) -> Mapping[str, str]:
        """Of each object that has failed, by URI: why."""
        return {file.found.uri: file.failure for file in self._files if file.failure is not None}

    @property
    def failure_reason(self) -> str | None:
        """The job's FailureReason; None if every object has its output."""
        failures = list(self.failures.values())
        if not failures:
            return None
        return spec.failed_by(failures[0])

    @property
    def requests(self) -> int:
        """How many requests were answered."""
        return sum(feed.counts.requests for feed in self._feeds)

    @property
    def retried(self) -> int:
        """How many were sent again."""
        return sum(feed.counts.retried for feed in self._feeds)

    @property
    def done_bytes(self) -> int:
        """How much of the input is answered; of what is packed or filtered that is an estimate until its end."""
        return sum(
            file.found.size if file.settled else min(file.sent_bytes, file.found.size) for file in self._files
        )

    @property
    def total_bytes(self) -> int:
        """How long all objects are."""
        return sum(file.found.size for file in self._files)

    def _finished(self, file: TransformFile) -> None:
        """Store an output when its last answer has come; it is closed now, for many may wait for their turn."""
        file.close()
        if file.failure is None:
            self._uploads[file.number] = self._pool.submit(file.put, self._out, self._place)

    async def _execution_parameters(self, upstream: Upstream) -> dict[str | None, CallAnswer | None]:
        """Ask those whose wishes count."""
        if not self._neighbours.ports:
            return {None: await self._wishes(upstream, spec.host_header(CONTAINER_PORT), None)}
        all_count = self._platform.settings.text("transform-pipeline-parameters") == "strictest"
        found: dict[str | None, CallAnswer | None] = {}
        names = self._request.model.container_names
        for name, where, ports in zip(
            names, (upstream, *upstream.beside), self._neighbours.ports, strict=True
        ):
            if all_count or not found:
                found[name] = await self._wishes(where, spec.host_header(ports.bind), name)
        return found

    async def _wishes(self, upstream: Upstream, host: str, container: str | None) -> CallAnswer | None:
        caller = Caller(upstream, _headers(host), connect_timeout_s=spec.CONNECT_SECONDS)
        try:
            return await caller.call("GET", spec.EXECUTION_PARAMETERS, None, timeout_s=PARAMETERS_SECONDS)
        except NoAnswerError as error:
            where = f"GET {spec.EXECUTION_PARAMETERS}{spec.of(container)}"
            self._publish(Warned(message=f"{where}: {error}: the defaults are used"))
            return None
        finally:
            caller.close()

    def _passing(self) -> Passing | None:
        """Say what happens between the containers of a pipeline; None for a single one."""
        model, ports, settings = self._request.model, self._neighbours.ports, self._platform.settings
        if not ports:
            return None
        given, wanted = self._request.transform_input.content_type, self._request.transform_output.accept
        for_all = settings.text("pipeline-accept") == "caller"
        sent = []
        for number, own in enumerate(ports):
            headers = _headers(spec.host_header(own.bind))
            if not number and given is not None:
                headers["Content-Type"] = given
            if wanted is not None and (for_all or number == len(ports) - 1):
                headers["Accept"] = wanted
            sent.append(headers)
        limited = settings.text("transform-pipeline-limit") == "pipeline-payload-limit"
        return Passing(
            names=model.container_names,
            headers=tuple(sent),
            limit_bytes=settings.number("pipeline-payload-limit") if limited else None,
            timeout_each=settings.text("pipeline-timeout") == "each",
        )

    def _sending(self) -> feeding.Sending:
        request, in_force = self._request, self.parameters
        assert in_force is not None
        given, wanted, processing = (
            request.transform_input,
            request.transform_output,
            request.data_processing,
        )
        capturing = request.data_capture_config
        headers = _headers(spec.host_header(CONTAINER_PORT))
        if given.content_type is not None:
            headers["Content-Type"] = given.content_type
        if wanted.accept is not None:
            headers["Accept"] = wanted.accept
        limit = in_force.max_payload_in_mb * spec.MEGABYTE or None
        ids = capturing is not None and capturing.generate_inference_id
        single = in_force.batch_strategy == spec.SPELLED["SingleRecord"]
        settings = self._platform.settings
        return feeding.Sending(
            connections=in_force.max_concurrent_transforms,
            headers=headers,
            timeout_s=request.model_client_config.invocations_timeout_in_seconds,
            connect_timeout_s=spec.CONNECT_SECONDS,
            retries=request.model_client_config.invocations_max_retries,
            retries_5xx=settings.text("transform-retried") == "5xx",
            streams=limit is None and not single and processing.does_nothing and not ids,
            chunked=limit is None,
            gzip=given.compression_type == "Gzip",
            packing=Packing(
                split_type=given.split_type,
                single=single,
                limit_bytes=limit,
                content_type=given.content_type,
                kept=processing.input_filter,
                joins=processing.joins,
            ),
            assembly=Assembly(
                lines=wanted.assemble_with == "Line",
                split=given.split_type != "None",
                processing=processing,
                content_type=wanted.accept or given.content_type,
                inference_ids=ids,
                always_newline=settings.text("transform-newline") == "always",
            ),
            passing=self._passing(),
        )


def _headers(host: str) -> dict[str, str]:
    return {"Host": host, "User-Agent": spec.USER_AGENT}
