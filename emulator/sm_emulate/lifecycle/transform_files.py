"""The objects of a transform job: what is read of each, and the output object that comes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from sm_emulate.spec.transform_job import SUFFIX

if TYPE_CHECKING:
    from pathlib import Path

    from sm_emulate.storage.objects import ObjectStore, StoredObject


class TransformFile:
    """One input object on its way: its answers are put in order as they come.

    Args:
        found: the object.
        name: its path below the input prefix, which its output takes over.
        draft: where the output grows; moved to its place when it is whole.
    """

    def __init__(self, found: StoredObject, name: str, draft: Path) -> None:
        self.found, self.name, self.draft = found, name, draft
        self.failure: str | None = None
        """Why it has no output."""
        self.sent_bytes = 0
        self.settled = False
        """Whether its end was told."""
        self._waiting: dict[int, bytes] = {}
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
        self.close()
        self.draft.unlink(missing_ok=True)

    def expect(self, answers: int) -> None:
        """Hear how many answers there will be."""
        self._expected = answers

    def add(self, number: int, piece: bytes) -> None:
        """Take the answer with this number; it is written when those before it are."""
        if self.failure is not None:
            return
        self._waiting[number] = piece
        while (ready := self._waiting.pop(self._next, None)) is not None:
            if self._out is None:
                self.draft.parent.mkdir(parents=True, exist_ok=True)
                self._out = self.draft.open("wb", buffering=1 << 20)
            self._out.write(ready)
            self._next += 1

    def close(self) -> None:
        """Close the draft."""
        if self._out is not None:
            self._out.close()
            self._out = None

    def put(self, store: ObjectStore, prefix: str) -> str:
        """Store the output below a prefix and give its URI."""
        self.close()
        if not self.draft.exists():  # an empty object has an empty output
            self.draft.parent.mkdir(parents=True, exist_ok=True)
            self.draft.touch()
        uri = f"{prefix.rstrip('/')}/{self.name}{SUFFIX}"
        store.put(self.draft, uri)
        self.draft.unlink()
        return uri
