"""A run folder: everything that is kept of a job or an endpoint, readable by a person.

    request.json, run.json, opt-ml/<host>/, logs/<host>.log, events.ndjson,
    result.json, model.tar.gz, output.tar.gz; output/<name>/ of a processing job

The process that owns a run holds a lock on its `owner` file as long as it lives; the kernel lets go of it
however the process ends. So a run without a result whose lock is free was abandoned.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from sm_emulate.errors import MachineError
from sm_emulate.request.secrets import masked_document
from sm_emulate.storage.walk import delete_tree

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

Kind = Literal[
    "training-jobs", "processing-jobs", "endpoints", "hyper-parameter-tuning-jobs", "transform-jobs"
]
OWNER = "owner"
_WRITING = threading.Lock()
WARM_POOLS = "warm-pools"
"""The folder of all warm pools, beside those of the runs; `storage.warm_pools` knows what is in it."""
NOUNS: Mapping[str, str] = {
    "training-jobs": "training job",
    "processing-jobs": "processing job",
    "endpoints": "endpoint",
    "hyper-parameter-tuning-jobs": "tuning job",
    "transform-jobs": "transform job",
}


@dataclass(frozen=True)
class RunFolder:
    """One run's folder. All its names are here."""

    path: Path
    kind: Kind

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def home(self) -> Path:
        """The folder of all runs."""
        return self.path.parent.parent

    @property
    def id(self) -> str:
        """Kind and name: `training-jobs/NAME`, as it stands in container labels."""
        return f"{self.kind}/{self.name}"

    @property
    def request(self) -> Path:
        """The request in AWS's JSON."""
        return self.path / "request.json"

    @property
    def standing(self) -> Path:
        """How it stands while it has no result yet, in the same shape."""
        return self.path / "run.json"

    @property
    def stop_request(self) -> Path:
        """Made by whoever wants the run stopped; its process looks for it."""
        return self.path / "stop"

    @property
    def update_request(self) -> Path:
        """Made by whoever wants a running endpoint changed; its process takes it."""
        return self.path / "update.json"

    @property
    def events(self) -> Path:
        return self.path / "events.ndjson"

    @property
    def metrics(self) -> Path:
        """Every value of every metric, one JSON object a line."""
        return self.path / "metrics.ndjson"

    @property
    def result(self) -> Path:
        """The final answer, in the shape of AWS's Describe* call."""
        return self.path / "result.json"

    @property
    def owner(self) -> Path:
        return self.path / OWNER

    @property
    def model_archive(self) -> Path:
        return self.path / "model.tar.gz"

    @property
    def output_archive(self) -> Path:
        return self.path / "output.tar.gz"

    def output(self, name: str) -> Path:
        """Where an output of a processing job goes if nobody says."""
        return self.path / "output" / name

    def opt_ml(self, host: str) -> Path:
        return self.path / "opt-ml" / host

    def log(self, host: str) -> Path:
        return self.path / "logs" / f"{host}.log"

    def write(self, file: Path, document: object) -> None:
        """Write JSON so that a reader sees the old or the new text, never half of one. Threads may write one file.

        What looks like a secret in an `Environment` is not written.
        """
        text = json.dumps(masked_document(document), indent=2) + "\n"
        with _WRITING:
            draft = file.with_name(f".{file.name}.new")
            draft.write_text(text, encoding="utf-8")
            draft.replace(file)

    def description(self) -> dict[str, Any]:
        """The result, or how it stands: the shape of AWS's Describe* answer; empty at first."""
        return self.read(self.result) or self.read(self.standing) or {}

    def read(self, file: Path) -> dict[str, Any] | None:
        """The JSON of one of the run's files; None when it is not there (yet)."""
        try:
            document = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return document if isinstance(document, dict) else None

    def owner_pid(self) -> int | None:
        """The process that runs it now; None when it is finished or abandoned."""
        try:
            descriptor = os.open(self.owner, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            words = os.read(descriptor, 32).split()
            return int(words[0]) if words else None
        finally:
            os.close(descriptor)
        return None

    @property
    def abandoned(self) -> bool:
        """Its process died before it could write a result."""
        return not self.result.exists() and self.owner_pid() is None

    def forget(self) -> None:
        """Have the folder removed when its process lets go of it: nothing was run after all."""
        self.request.unlink(missing_ok=True)

    def delete(self) -> None:
        """Remove the folder, whatever modes its folders have.

        What containers wrote goes first: if that fails, the run is still one that can be described.

        Raises:
            MachineError: something in it is not ours to remove.
        """
        from sm_emulate.storage.mounts import mounts_below, unmount

        for folder in mounts_below(self.path):
            unmount(folder)
        try:
            for folder in (self.path / "opt-ml", self.path):
                delete_tree(folder)
        except OSError as failure:
            raise MachineError(
                f"the run folder cannot be removed: {failure.strerror}",
                value=failure.filename or self.path,
                hint="a container may have left files of root there: remove the folder with sudo",
            ) from failure


@contextmanager
def owning(folder: Path) -> Iterator[None]:
    """Hold a run folder for this process; others see it by `RunFolder.owner_pid`."""
    with locked(folder / OWNER) as descriptor:
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        yield


@contextmanager
def locked(file: Path) -> Iterator[int]:
    """Hold the only lock on a file, which is made if need be; give its descriptor."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)
