"""Batch transform and asynchronous inference: jobs on the sample payload, and a body as large as those are."""

from __future__ import annotations

import shutil
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sm_contracts.evidence import Missing
from sm_contracts.evidence.batch import (
    AsyncBody,
    Chunked,
    ExecutionParameters,
    MultiRecord,
    Newlines,
    Order,
    Transformed,
)
from sm_contracts.probes.serving_payloads import distinct, padded
from sm_emulate import api
from sm_emulate.events import LogLines

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sm_contracts.probes import Evidences, Workbench
    from sm_emulate.api import TransformJob, TransformResult
    from sm_emulate.events import Event

LINE_TYPES = frozenset(
    {
        "text/csv",
        "text/libsvm",
        "text/x-libsvm",
        "application/jsonlines",
        "application/x-jsonlines",
        "application/x-ndjson",
    }
)
"""Types whose records are lines, so that several of them are a body as well."""
FEWEST, MOST = 3, 32
"""Records of the files that are sent."""
HUNDRED_MB = 100 << 20
TIMEOUT_S, TRIES = 60, 1
"""For an invocation: an image that hangs must not hold up the check for SageMaker's 40 minutes."""
_LOOK_S = 0.1
_NO_SAMPLE = Missing("no sample payload was given", "give --data @FILE --content-type TYPE")
_UNHEALTHY = Missing("the container did not become healthy, see SM302")
_INTERRUPTED = Missing("the check was interrupted")
_OF_LINES = (MultiRecord, Newlines, Order)


class BatchProbe:
    """Runs transform jobs on the sample payload: record by record, many in a body, and in chunks."""

    name = "batch"
    gives: tuple[type, ...] = (ExecutionParameters, MultiRecord, Newlines, Order, Chunked)
    lives = 3
    alone = False

    def run(self, bench: Workbench, wanted: frozenset[type]) -> Evidences:
        found: dict[type, object] = {}
        reason = _INTERRUPTED
        try:
            _Batch(bench, wanted, found).run()
        except _UnhealthyError:
            reason = _UNHEALTHY
        except _InterruptedError:
            reason = _INTERRUPTED
        return {kind: found.get(kind, reason) for kind in wanted}


class AsyncProbe:
    """Sends a body as large as those of asynchronous inference may well be."""

    name = "async"
    gives: tuple[type, ...] = (AsyncBody,)
    lives = 1
    alone = False

    def run(self, bench: Workbench, wanted: frozenset[type]) -> Evidences:
        from sm_contracts.probes.serving import model_folder
        from sm_contracts.probes.serving_life import (
            Conditions,
            InterruptedLifeError,
            Life,
            endpoint_request,
        )
        from sm_contracts.probes.serving_long import Sample, any_request

        del wanted
        payload = bench.subject.payload
        sample = None if payload is None else Sample(payload=payload, accept=payload.accept)
        asked = any_request(sample)
        conditions = Conditions(
            name="asynchronous", window_s=bench.subject.limits.startup_timeout_s, model=model_folder(bench)
        )
        try:
            with Life(bench, endpoint_request(bench), conditions) as life:
                if not life.begin().healthy:
                    return {AsyncBody: _UNHEALTHY}
                small = life.client.send(replace(asked, what="a small body"))
                large = life.client.send(
                    replace(asked, what="a body of 100 MB", body=padded(asked.body, HUNDRED_MB))
                )
        except InterruptedLifeError:
            return {AsyncBody: _INTERRUPTED}
        return {AsyncBody: AsyncBody(small=small, large=large)}


PROBES = (BatchProbe(), AsyncProbe())


class _UnhealthyError(Exception):
    """No ping was answered."""


class _InterruptedError(Exception):
    """The user wants to leave."""


@dataclass(frozen=True, kw_only=True)
class _Way:
    """How a job sends its files."""

    name: str
    split: str = "Line"
    strategy: str | None = None
    max_payload: int | None = None


class _Batch:
    """One use of the probe."""

    def __init__(self, bench: Workbench, wanted: frozenset[type], found: dict[type, object]) -> None:
        self._bench, self._wanted, self._found = bench, wanted, found
        payload = bench.subject.payload
        self._body = b"" if payload is None else payload.body
        kind = "" if payload is None else (payload.content_type or "").partition(";")[0].strip().lower()
        self._of_lines = kind in LINE_TYPES and bool(self._lines(self._body))
        self._kind = kind or "a type that is not told"

    def run(self) -> None:
        given = self._bench.subject.payload is not None
        in_lines = self._of_lines and bool(self._wanted & {*_OF_LINES})
        if in_lines:
            self._by_records()
        if Chunked in self._wanted and given:
            self._chunked()
        if ExecutionParameters in self._wanted and ExecutionParameters not in self._found:
            self._job(_Way(name="asked for its parameters"), {"sample": b""})
        missing = (
            Missing(
                f"records cannot be told apart in {self._kind}",
                "give a payload of text/csv or application/jsonlines",
            )
            if given
            else _NO_SAMPLE
        )
        for kind in self._wanted & {*_OF_LINES, Chunked}:
            self._found.setdefault(kind, missing)

    def _by_records(self) -> None:
        lines = self._lines(self._body)[:MOST]
        same = lines * -(-FEWEST // len(lines))
        varied = list(dict.fromkeys(lines))
        payload = self._bench.subject.payload
        if len(varied) < FEWEST and payload is not None:
            varied = list(dict.fromkeys(line for body in distinct(payload) for line in self._lines(body)))[
                :MOST
            ]
        files = {"all": b"".join(same), "one": lines[0], "varied": b"".join(varied)}
        single = self._job(_Way(name="a record in each request", strategy="SingleRecord"), files)
        parameters = self._found.get(ExecutionParameters)
        wants_single = isinstance(parameters, ExecutionParameters) and b"SINGLE_RECORD" in parameters.body
        differing = single["varied"] if single["varied"].ok else single["all"]
        self._found[Newlines] = Newlines(one=single["one"], single=differing)
        if not self._wanted & {MultiRecord, Order}:
            return
        multi = self._job(_Way(name="all records in a request", strategy="MultiRecord"), files)
        self._found[MultiRecord] = MultiRecord(
            one=single["one"], single=single["all"], multi=multi["all"], wants_single=wants_single
        )
        self._found[Order] = Order(single=single["varied"], multi=multi["varied"])

    def _chunked(self) -> None:
        files = {"sample": self._body}
        whole = self._job(_Way(name="the payload with its length", split="None"), files)["sample"]
        chunked = whole
        if whole.ok:
            chunked = self._job(_Way(name="the payload in chunks", split="None", max_payload=0), files)[
                "sample"
            ]
        self._found[Chunked] = Chunked(whole=whole, chunked=chunked)

    def _lines(self, body: bytes) -> list[bytes]:
        return [line + b"\n" for line in body.splitlines() if line.strip()]

    def _job(self, way: _Way, files: Mapping[str, bytes]) -> dict[str, Transformed]:
        """Run a transform job on these files; give what came of each."""
        bench, subject = self._bench, self._bench.subject
        if bench.stopping():
            raise _InterruptedError
        bench.say(f"batch: {way.name}")
        name = f"check-{way.name.replace(' ', '-')}"
        bench.record.names[name] = way.name
        folder = bench.folder / name
        data = folder / "input"
        data.mkdir(parents=True)
        for each, content in files.items():
            (data / each).write_bytes(content)
        payload = subject.payload
        request = api.transform_request(
            subject.image,
            data,
            model=subject.model,
            output_path=folder / "output",
            job_name=name,
            content_type=None if payload is None else payload.content_type,
            accept=None if payload is None else payload.accept,
            split_type=way.split,
            assemble_with="Line" if way.split == "Line" else None,
            batch_strategy=way.strategy,
            max_payload_in_mb=way.max_payload,
            environment=subject.serving_environment or None,
            instance_type=subject.instance_type,
            invocation_timeout=TIMEOUT_S,
            invocation_retries=TRIES,
            enable_network_isolation=subject.network_isolation,
        )
        log: list[str] = []
        over = threading.Event()
        watchers: list[threading.Thread] = []

        def hear(event: Event) -> None:
            if isinstance(event, LogLines) and event.host == "data-log":
                log.extend(event.data.decode("utf-8", "replace").splitlines())

        def ready(job: TransformJob) -> None:
            watchers.append(threading.Thread(target=self._watch, args=(job, over), daemon=True))
            watchers[0].start()

        try:
            result = api.transform(
                request,
                engine=bench.engine,
                home=bench.folder / "home",
                gpus=subject.gpus,
                start_window_s=subject.limits.startup_timeout_s,
                stop_grace_s=subject.limits.serve_stop_grace_s,
                listeners=(hear,),
                ready=ready,
            )
            return self._seen(result, files, folder / "output", log, split=way.split)
        finally:
            over.set()
            for watcher in watchers:
                watcher.join()
            shutil.rmtree(folder, ignore_errors=True)

    def _watch(self, job: TransformJob, over: threading.Event) -> None:
        while not over.wait(_LOOK_S):
            if self._bench.stopping():
                job.stop()  # a second time: at once

    def _seen(
        self, result: TransformResult, files: Mapping[str, bytes], out: Path, log: list[str], *, split: str
    ) -> dict[str, Transformed]:
        if self._bench.stopping():
            raise _InterruptedError
        if result.parameters is None:
            raise _UnhealthyError
        answer = result.parameters.answer
        self._found[ExecutionParameters] = ExecutionParameters(
            status=None if answer is None else answer.status,
            body=b"" if answer is None else answer.body[:4096],
            content_type="" if answer is None else answer.headers.get("content-type", ""),
        )
        words = [line.partition(":[sagemaker logs]: ")[2] for line in log]
        seen = {}
        for name, content in files.items():
            stored = out / f"{name}.out"
            told = tuple(
                line.partition(": ")[2] for line in words if line.partition(": ")[0].endswith(f"/{name}")
            )
            seen[name] = Transformed(
                records=tuple(self._lines(content)) if split == "Line" else (content,),
                output=stored.read_bytes() if stored.is_file() else None,
                words=tuple(line for line in told if line)[:10],
            )
        return seen
