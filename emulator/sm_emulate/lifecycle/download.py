"""What downloads have in common: how far they are, told not too often, and how they end early."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sm_emulate.errors import SmEmulateError
from sm_emulate.events import Progress
from sm_emulate.lifecycle.companion import PlatformFailure
from sm_emulate.spec import wordings
from sm_emulate.storage.object_cache import FetchStopped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sm_emulate.events import Event

TELL_SECONDS = 0.1


class Told:
    """Tells how far the fetching is. Threads may call it with the bytes that have come.

    Args:
        publish: hears it.
        task: what is fetched.
        total: bytes.
    """

    def __init__(self, publish: Callable[[Event], None], task: str, total: int) -> None:
        self._publish, self._task, self._total = publish, task, total
        self._done, self._next, self._lock = 0, 0.0, threading.Lock()

    def __call__(self, come: int) -> None:
        with self._lock:
            self._done += come
            over = self._done >= self._total
            if not over and time.monotonic() < self._next:
                return
            self._next = time.monotonic() + TELL_SECONDS
            self._publish(Progress(task=self._task, done_bytes=self._done, total_bytes=self._total))


@contextmanager
def ended_early() -> Iterator[None]:
    """Let a stop that is asked for meanwhile end the `with`.

    Raises:
        PlatformFailure: something cannot be brought.
    """
    try:
        yield
    except FetchStopped:
        return
    except SmEmulateError as error:
        words = f"{error.what}: {error.value}" if error.value else error.what
        raise PlatformFailure(wordings.download_failed(words)) from error
