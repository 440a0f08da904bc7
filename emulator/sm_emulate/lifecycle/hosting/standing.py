"""How an endpoint stands, kept true in its run folder for other processes."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sm_emulate.events import ModelLoaded, ModelUnloaded, StatusChanged
from sm_emulate.lifecycle.publisher import Publisher
from sm_emulate.spec.endpoint import EndpointStatus
from sm_emulate.storage.trouble import told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sm_emulate.events import Event, Listener
    from sm_emulate.storage.run_folder import RunFolder

NOTE_SECONDS = 1.0
"""How old the metrics in run.json may be."""
_OVER = frozenset({EndpointStatus.FAILED, EndpointStatus.OUT_OF_SERVICE})


class Standing:
    """The status of an endpoint, and how it came to it.

    Args:
        run: where it is written down.
        describe: gives what is written.
        listeners: hear of it afterwards.
    """

    def __init__(
        self, run: RunFolder, *, describe: Callable[[], dict[str, Any]], listeners: Sequence[Listener]
    ) -> None:
        self._run, self._describe = run, describe
        self.publish = Publisher((self._keep, *listeners))
        self.status = EndpointStatus.CREATING
        self.failure_reason: str | None = None
        self.seconds: dict[str, float] = {}
        """How long each phase of the start took."""
        self._noted: object = (0, 0)
        self._next_note = 0.0

    @property
    def over(self) -> bool:
        """Whether it has come to its end."""
        return self.status in _OVER

    def enter(self, status: EndpointStatus, message: str) -> None:
        """Take on a status; whoever hears of it finds it written down."""
        self.status = status
        self.publish(StatusChanged(status=status.value, message=message))

    def keep_fresh(self, numbers: Callable[[], object]) -> None:
        """Write it down anew if these numbers have changed, but not all the time."""
        if time.monotonic() < self._next_note:
            return
        self._next_note = time.monotonic() + NOTE_SECONDS
        seen = numbers()
        if seen != self._noted:
            self._noted = seen
            self._write_down()

    @contextmanager
    def timed(self, phase: str) -> Iterator[None]:
        """Note how long a phase takes."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.seconds[phase] = round(time.monotonic() - began, 3)

    def _keep(self, event: Event) -> None:
        """Keep run.json true for other processes, and write result.json before anybody hears of the end."""
        if isinstance(event, (StatusChanged, ModelLoaded, ModelUnloaded)):
            self._write_down()

    def _write_down(self) -> None:
        folder = self._run
        with told("the endpoint's status cannot be written down", folder.path):
            folder.write(folder.result if self.over else folder.standing, self._describe())
