"""Whether somebody wants a run to stop."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from sm_emulate.storage.run_folder import RunFolder

POLL_SECONDS = 0.2
"""How often a request to stop that another process left in the run folder is looked for."""


def stopping(grace_s: float, signal: str = "SIGTERM") -> str:
    """Say what happens after a stop was asked for."""
    return f"sending {signal}; SIGKILL follows in {grace_s:g} s, or at once when a stop is asked for again"


class StopRequest:
    """Asked for here by `ask`, or by another process through a file in the run folder.

    Args:
        run: the run folder.
        wake: called by `ask`, so that nobody sleeps through it.
    """

    def __init__(self, run: RunFolder, *, wake: Callable[[], None]) -> None:
        self._run, self._wake = run, wake
        self._asked = 0

    def ask(self) -> None:
        """Ask for it, once more if it was before. Signal handlers may call it."""
        self._asked += 1
        self._wake()

    @property
    def times(self) -> int:
        """How often it was asked for."""
        return self._asked + self._run.stop_request.exists()
