"""From many threads, one orderly row of events."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sm_emulate.events import Event, Listener


class Publisher:
    """Passes each event to every listener, one event at a time."""

    def __init__(self, listeners: Iterable[Listener]) -> None:
        self._listeners = tuple(listeners)
        self._lock = threading.RLock()

    def __call__(self, event: Event) -> None:
        with self._lock:
            for listener in self._listeners:
                listener(event)

    def all(self, events: Sequence[Event]) -> None:
        """Pass events that came together to every listener, together to those who take them so."""
        with self._lock:
            for listener in self._listeners:
                together = getattr(listener, "hear_all", None)
                if together is not None:
                    together(events)
                    continue
                for event in events:
                    listener(event)
