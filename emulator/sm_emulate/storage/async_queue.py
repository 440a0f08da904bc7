"""The accepted requests of an asynchronous endpoint, each a file that outlives the process that took it.

    <home>/async-inference/ENDPOINT/
        KEY.request         the call: a line of JSON, then the inline body
        KEY.answer          what came of it, while it is not yet stored where it belongs
        KEY.outcome         what came of it, in a line of JSON; from here on the container is not asked again
        notifications.ndjson

KEY begins with the time of acceptance, so that names in order are requests in order. The folder is held by no lock of
its own: an endpoint's name has one owner.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from sm_emulate.storage.trouble import told

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

FOLDER = "async-inference"
_REQUEST, _ANSWER, _OUTCOME = ".request", ".answer", ".outcome"
_MAX_HEAD = 64 * 1024


@dataclass(frozen=True, kw_only=True)
class Queued:
    """One request that was accepted and is not yet over."""

    key: str
    accepted: float
    """Seconds since 1970."""
    call: Mapping[str, Any]
    body: bytes | None
    """What came with it; None where it lies in a store."""

    @property
    def message_id(self) -> str:
        """The MessageId of its notification: the same one in every life of the endpoint."""
        return self.key.partition("-")[2]


class AsyncQueue:
    """The queue of one endpoint, on disk. Threads may share it."""

    def __init__(self, home: Path, endpoint_name: str) -> None:
        self.folder = home / FOLDER / endpoint_name
        self.notifications = self.folder / "notifications.ndjson"

    def add(self, call: Mapping[str, Any], body: bytes | None) -> Queued:
        """Take a request; when this returns it survives whatever happens to this process.

        Raises:
            MachineError: it cannot be written down.
        """
        accepted = time.time()
        key = f"{int(accepted * 1e6):017d}-{uuid4()}"
        head = json.dumps({"accepted": accepted, "inline": body is not None, "call": dict(call)})
        with told("an async request cannot be written down", self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._write(key + _REQUEST, head.encode() + b"\n" + (body or b""))
        return Queued(key=key, accepted=accepted, call=call, body=body)

    def pending(self) -> list[str]:
        """Give the keys of all requests that are not over, the oldest first."""
        try:
            names = [entry.name for entry in self.folder.iterdir()]
        except FileNotFoundError:
            return []
        return sorted(name.removesuffix(_REQUEST) for name in names if name.endswith(_REQUEST))

    def read(self, key: str) -> Queued | None:
        """Read a request back; None if it is over, or was never whole."""
        try:
            with (self.folder / (key + _REQUEST)).open("rb") as file:
                head = json.loads(file.readline(_MAX_HEAD))
                body = file.read() if head["inline"] else None
        except (FileNotFoundError, ValueError, KeyError):
            return None
        return Queued(key=key, accepted=head["accepted"], call=head["call"], body=body)

    def answer(self, key: str) -> Path:
        """Name the file in which an answer grows."""
        return self.folder / (key + _ANSWER)

    def settle(self, key: str, outcome: Mapping[str, Any]) -> None:
        """Write down what came of a request: whoever reads this does not ask the container again."""
        with told("an async answer cannot be written down", self.folder):
            answer = self.answer(key)
            if answer.exists():
                with answer.open("rb") as file:
                    os.fsync(file.fileno())
            self._write(key + _OUTCOME, json.dumps(dict(outcome)).encode() + b"\n")

    def outcome(self, key: str) -> dict[str, Any] | None:
        """Read what came of a request; None if nothing has yet."""
        try:
            found = json.loads((self.folder / (key + _OUTCOME)).read_bytes())
        except (FileNotFoundError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def notify(self, message: Mapping[str, Any]) -> None:
        """Append a notification."""
        with told("a notification cannot be written down", self.folder):
            line = json.dumps(dict(message)).encode() + b"\n"
            descriptor = os.open(self.notifications, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            try:
                os.write(descriptor, line)
            finally:
                os.close(descriptor)

    def notified(self) -> set[str]:
        """Give the MessageIds of all notifications; a line that a crash cut off counts for nothing."""
        return {str(message["MessageId"]) for message in self._messages()}

    def remove(self, key: str) -> None:
        """Let go of a request that is over; its outcome goes last, so that nobody takes it up again."""
        with told("an async request cannot be let go", self.folder):
            for suffix in (_ANSWER, _REQUEST, _OUTCOME):
                (self.folder / (key + suffix)).unlink(missing_ok=True)

    def clear(self) -> None:
        """Remove all of it: what is not over yet is lost."""
        import shutil

        with told("the queue of an asynchronous endpoint cannot be removed", self.folder):
            with suppress(FileNotFoundError):
                shutil.rmtree(self.folder)
            with suppress(OSError):  # other endpoints have theirs there
                self.folder.parent.rmdir()

    def tidy(self) -> None:
        """Remove what a crash left of requests that were never accepted or are over."""
        keys = set(self.pending())
        try:
            entries = list(self.folder.iterdir())
        except FileNotFoundError:
            return
        for entry in entries:
            draft = entry.name.startswith(".")
            leftover = entry.suffix in (_ANSWER, _OUTCOME) and entry.stem not in keys
            if draft or leftover:
                entry.unlink(missing_ok=True)

    def _messages(self) -> Iterator[dict[str, Any]]:
        try:
            lines = self.notifications.read_bytes().splitlines()
        except FileNotFoundError:
            return
        for line in lines:
            try:
                message = json.loads(line)
            except ValueError:
                continue
            if isinstance(message, dict) and "MessageId" in message:
                yield message

    def _write(self, name: str, content: bytes) -> None:
        draft = self.folder / f".{name}"
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.folder / name)
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
