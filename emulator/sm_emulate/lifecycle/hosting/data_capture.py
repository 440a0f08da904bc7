"""Data capture of an endpoint: invocations as JSON lines, by variant and hour, aside of the answers.

https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-data-capture-endpoint.html
"""

from __future__ import annotations

import base64
import json
import queue
import threading
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from sm_emulate.errors import SmEmulateError
from sm_emulate.events import Warned
from sm_emulate.request.location import as_stored
from sm_emulate.storage.stores import store_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sm_emulate.events import Event
    from sm_emulate.gateway.captured import Captured
    from sm_emulate.request.data_capture import DataCapture
    from sm_emulate.storage.objects import ObjectStore
    from sm_emulate.storage.s3_place import S3Place

MOST_WAITING = 10_000
MOST_WAITING_BYTES = 256 * 1024 * 1024
"""More than this waits for the disk only if the disk cannot follow: it is dropped then, as no answer may wait."""
FILE_SECONDS = 5.0
"""How long a file takes records before it is stored; SageMaker's own are said to come minutes later."""
FILE_BYTES = 64 * 1024 * 1024


class DataCapturing:
    """Writes captured invocations down in a thread of its own.

    Args:
        config: what is captured, and where to.
        endpoint_name: the first part of the place.
        s3: which S3 is meant.
        drafts: a folder of ours where files grow.
        publish: hears warnings.
        file_seconds: how long a file takes records.
    """

    def __init__(
        self,
        config: DataCapture,
        *,
        endpoint_name: str,
        s3: S3Place,
        drafts: Path,
        publish: Callable[[Event], None],
        file_seconds: float = FILE_SECONDS,
    ) -> None:
        self._config, self._endpoint, self._s3, self._drafts = config, endpoint_name, s3, drafts
        self._publish, self._file_seconds = publish, file_seconds
        self._waiting: queue.SimpleQueue[Captured | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._count = self._bytes = 0
        self._dropped = self._lost = 0
        self._closed = False
        self._store: ObjectStore | None = None
        self._open: dict[str, _Draft] = {}
        self._thread = threading.Thread(target=self._run, name="data capture", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def take(self, captured: Captured) -> None:
        """Take an invocation, or drop it if too many wait; never waits."""
        size = len(captured.request) + len(captured.answer)
        with self._lock:
            closed = self._closed
            full = closed or self._count >= MOST_WAITING or self._bytes + size > MOST_WAITING_BYTES
            if full:
                self._dropped += 1
                first = self._dropped == 1
            else:
                self._count += 1
                self._bytes += size
                self._waiting.put(captured)
        if closed:
            self._publish(Warned(message="an answer came after its data capture had ended: it is left out"))
        elif full and first:
            self._publish(Warned(message="data capture cannot follow: invocations are left out of it"))

    def close(self) -> None:
        """Store what was taken, and say what was lost."""
        if self._thread.ident is None:
            return
        with self._lock:
            self._closed = True
        self._waiting.put(None)
        self._thread.join()
        if self._dropped or self._lost:
            self._publish(Warned(message=f"data capture left {self._dropped + self._lost} invocations out"))

    # --- the thread -----------------------------------------------------------------------------------

    def _run(self) -> None:
        going = True
        while going:
            try:
                captured = self._waiting.get(timeout=self._until_next())
                if captured is None:
                    going = False
                else:
                    self._write(captured)
            except queue.Empty:
                pass
            due = [key for key, draft in self._open.items() if not going or draft.due(self._file_seconds)]
            for key in due:
                self._put(self._open.pop(key))
        if self._drafts.is_dir() and not any(self._drafts.iterdir()):
            self._drafts.rmdir()

    def _until_next(self) -> float | None:
        if not self._open:
            return None
        return max(
            0.0, min(draft.opened + self._file_seconds for draft in self._open.values()) - time.monotonic()
        )

    def _write(self, captured: Captured) -> None:
        with self._lock:
            self._count -= 1
            self._bytes -= len(captured.request) + len(captured.answer)
        at = datetime.fromtimestamp(captured.at, timezone.utc)
        folder = f"{self._endpoint}/{captured.variant_name}/{at.strftime('%Y/%m/%d/%H')}"
        line = json.dumps(record(captured, self._config), separators=(",", ":")).encode() + b"\n"
        try:
            draft = self._open.get(folder)
            if draft is None:
                self._drafts.mkdir(parents=True, exist_ok=True)
                name = f"{at.strftime('%M-%S')}-{at.microsecond // 1000:03d}-{uuid4()}.jsonl"
                draft = self._open[folder] = _Draft(self._drafts / name, folder)
            draft.file.write(line)
            draft.lines += 1
        except OSError as error:
            self._lose(1, error.strerror or str(error))

    def _put(self, draft: _Draft) -> None:
        """Store a file that takes no more."""
        place = f"{as_stored(self._config.destination).rstrip('/')}/{draft.folder}/{draft.path.name}"
        try:
            draft.file.close()
            if self._store is None:
                self._store = store_of(place, self._s3)
            self._store.put(draft.path, place)
        except SmEmulateError as error:
            self._lose(draft.lines, error.what)
        except OSError as error:
            self._lose(draft.lines, error.strerror or str(error))
        finally:
            draft.path.unlink(missing_ok=True)

    def _lose(self, lines: int, why: str) -> None:
        if not self._lost:
            self._publish(Warned(message=f"captured data cannot be stored: {why}"))
        self._lost += lines


class _Draft:
    """A file that grows."""

    def __init__(self, path: Path, folder: str) -> None:
        self.path, self.folder, self.lines = path, folder, 0
        self.opened = time.monotonic()
        self.file = path.open("wb")

    def due(self, seconds: float) -> bool:
        return time.monotonic() - self.opened >= seconds or self.file.tell() >= FILE_BYTES


def record(captured: Captured, config: DataCapture) -> dict[str, Any]:
    """Give the JSON of one invocation."""
    data: dict[str, Any] = {}
    if config.takes_input:
        data["endpointInput"] = _side(captured.request_type, "INPUT", captured.request, config)
    if config.takes_output:
        data["endpointOutput"] = _side(captured.answer_type, "OUTPUT", captured.answer, config)
    event: dict[str, Any] = {"eventId": str(uuid4())}
    if captured.inference_id is not None:
        event["inferenceId"] = captured.inference_id
    at = datetime.fromtimestamp(captured.at, timezone.utc)
    event["inferenceTime"] = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"captureData": data, "eventMetadata": event, "eventVersion": "0"}


def _side(content_type: str | None, mode: str, body: bytes, config: DataCapture) -> dict[str, Any]:
    encoding = config.encoding(content_type)
    text = ""
    if encoding != "BASE64":
        try:
            text = body.decode("utf-8")
        except UnicodeDecodeError:
            encoding = "BASE64"  # no JSON can hold it as it is
    if encoding == "BASE64":
        text = base64.b64encode(body).decode()
    # the type as it came, with its charset
    return {"observedContentType": content_type or "", "mode": mode, "data": text, "encoding": encoding}
