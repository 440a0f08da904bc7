"""How often a training job has begun, how long it may go on, and whether it may begin again."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sm_emulate.lifecycle.attempt import Stop
from sm_emulate.spec.wordings import is_internal_server_error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sm_emulate.lifecycle.attempt import Interruption
    from sm_emulate.lifecycle.training.interruptions import Interruptions
    from sm_emulate.request.training import TrainingRequest
    from sm_emulate.spec.settings import Settings

RETRY_SECONDS = 1.0
"""Before the first retry of RetryStrategy; twice as long before each further one, up to half a minute."""


class Lives:
    """Those of one job. MaxRuntimeInSeconds and MaxWaitTimeInSeconds hold for all of them together."""

    def __init__(self, request: TrainingRequest, interruptions: Interruptions, settings: Settings) -> None:
        self._request, self._interruptions, self._settings = request, interruptions, settings
        self.begun = self.retries = self.interrupted = 0
        self._trained = 0.0
        waiting = request.stopping_condition.max_wait_time_in_seconds
        self._wait_until = None if waiting is None else time.monotonic() + waiting

    @property
    def run_number(self) -> int:
        """What the containers are told."""
        attempts = self._settings.text("job-run-number") == "attempts"
        return self.begun if attempts else self.retries + 1

    @property
    def interruption(self) -> Interruption | None:
        """What happens to the instances of this life."""
        return self._interruptions.of(self.interrupted, self._settings)

    @property
    def waited_too_long(self) -> bool:
        return self._wait_until is not None and time.monotonic() >= self._wait_until

    @contextmanager
    def running(self) -> Iterator[dict[Stop, float]]:
        """Count the time inside the `with`; give when, by `time.monotonic`, it has to end for which reason."""
        began = time.monotonic()
        limit = self._request.stopping_condition.max_runtime_in_seconds
        deadlines = {Stop.MAX_RUNTIME: began + limit - self._trained}
        if self._wait_until is not None:
            deadlines[Stop.MAX_WAIT] = self._wait_until
        try:
            yield deadlines
        finally:
            self._trained += time.monotonic() - began

    def retry(self, reason: str) -> str | None:
        """Count a retry, if RetryStrategy has one for a job that failed for this reason; give words for it."""
        strategy = self._request.retry_strategy
        if strategy is None or not is_internal_server_error(reason):
            return None
        if self.retries >= strategy.maximum_retry_attempts:
            return None
        self.retries += 1
        return f"{reason}; retry {self.retries} of {strategy.maximum_retry_attempts}"

    def pause_s(self, *, interrupted: bool) -> float:
        """Say how long it takes until there are other instances."""
        if interrupted:
            return self._interruptions.wait_s
        return RETRY_SECONDS * 2.0 ** min(self.retries - 1, 5)
