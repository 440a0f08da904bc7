"""The objects of a transform job: what is read of each, and the output object that comes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from sm_emulate.spec.transform_job import SUFFIX
from sm_emulate.storage.trouble import told

if TYPE_CHECKING:
    from pathlib import Path

    from sm_emulate.storage.objects import ObjectStore, StoredObject

_BUFFER_BYTES = 256 << 10


class TransformFile:
    """One input object on its way: its answers are put in order as they come.

    Args:
        number: its place among the objects.
        found: the object.
        name: its path below the input prefix, which its output takes over.
        draft: where the output grows; moved to its place when it is whole.
    """

    def __init__(self, number: int, found: StoredObject, name: str, draft: Path) -> None:
        self.number, self.found, self.name, self.draft = number, found, name, draft
        self.failure: str | None = None
        """Why it has no output."""
        self.sent_bytes = 0
        self.settled = False
        """Whether its end was told."""
        self.waiting_bytes = 0
        """How much is kept of answers that came before their turn."""
        self._waiting: dict[int, tuple[bytes, int]] = {}
        self._next = 0
        self._expected: int | None = None
        self._out: BinaryIO | None = None

    @property
    def shown(self) -> str:
        """Its name as the platform's log lines have it: bucket and key."""
        return self.found.uri.partition("://")[2].lstrip("/")

    @property
    def next(self) -> int:
        """The number of the answer that is written next."""
        return self._next

    @property
    def whole(self) -> bool:
        """Whether every answer is written."""
        return self.failure is None and self._expected is not None and self._next == self._expected

    def fail(self, words: str) -> None:
        """Give it up; what was written is removed."""
        self.failure = self.failure or words
        self._waiting.clear()
        self.waiting_bytes = 0
        self.close()
        self.draft.unlink(missing_ok=True)

    def expect(self, answers: int) -> None:
        """Hear how many answers there will be."""
        self._expected = answers

    def add(self, number: int, piece: bytes, *, answers: int = 1) -> None:
        """Take the answer with this number, or several from it on; it is written when those before it are.

        Raises:
            MachineError: it cannot be written.
        """
        if self.failure is not None:
            return
        if number != self._next:
            self._waiting[number] = piece, answers
            self.waiting_bytes += len(piece)
            return
        try:
            self._write(piece, answers)
            while (ready := self._waiting.pop(self._next, None)) is not None:
                self.waiting_bytes -= len(ready[0])
                self._write(*ready)
        except OSError:
            with told("the output cannot be written", self.draft):
                raise

    def _write(self, piece: bytes, answers: int) -> None:
        if self._out is None:
            self.draft.parent.mkdir(parents=True, exist_ok=True)
            self._out = self.draft.open("wb", buffering=_BUFFER_BYTES)
        self._out.write(piece)
        self._next += answers

    def close(self) -> None:
        """Close the draft.

        Raises:
            MachineError: what was left to write cannot be written.
        """
        out, self._out = self._out, None
        if out is not None:
            with told("the output cannot be written", self.draft):
                out.close()

    def put(self, store: ObjectStore, prefix: str) -> str:
        """Store the output below a prefix and give its URI."""
        with told("the output cannot be written", self.draft):
            if not self.draft.exists():  # an empty object has an empty output
                self.draft.parent.mkdir(parents=True, exist_ok=True)
                self.draft.touch()
        uri = f"{prefix.rstrip('/')}/{self.name}{SUFFIX}"
        store.put(self.draft, uri)
        self.draft.unlink()
        return uri
