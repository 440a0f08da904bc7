"""Who captures an endpoint's invocations: one configuration after the other, as updates bring them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sm_emulate.events import Event
    from sm_emulate.gateway.captured import Capture
    from sm_emulate.lifecycle.hosting.data_capture import DataCapturing
    from sm_emulate.request.data_capture import DataCapture
    from sm_emulate.storage.s3_place import S3Place


class Captures:
    """Gives each data capture configuration of an endpoint its own writer, so that none writes what another took.

    Args:
        endpoint_name: the first part of the places.
        s3: which S3 is meant.
        drafts: a folder of ours beside which files grow.
        publish: hears warnings.
    """

    def __init__(
        self, *, endpoint_name: str, s3: S3Place, drafts: Path, publish: Callable[[Event], None]
    ) -> None:
        self._endpoint, self._s3, self._drafts, self._publish = endpoint_name, s3, drafts, publish
        self._lock = threading.Lock()
        self._config: DataCapture | None = None
        self._now: Capture | None = None
        self._writers: list[DataCapturing] = []
        self._made = 0

    def turn_to(self, config: DataCapture | None) -> Capture | None:
        """Give what captures by this configuration: what there is, if that does; None for no capture.

        What captured before goes on until `settle`.
        """
        if config == self._config:
            return self._now
        self._config, self._now = config, None
        if config is not None:
            from sm_emulate.gateway.captured import Capture
            from sm_emulate.lifecycle.hosting.data_capture import DataCapturing

            # one who has stored all it had removes its folder
            drafts = self._drafts.with_name(
                f"{self._drafts.name}-{self._made}" if self._made else self._drafts.name
            )
            writer = DataCapturing(
                config, endpoint_name=self._endpoint, s3=self._s3, drafts=drafts, publish=self._publish
            )
            writer.start()
            with self._lock:
                self._writers.append(writer)
            self._made += 1
            self._now = Capture(config.sampling_percentage, writer.take)
        return self._now

    def settle(self) -> None:
        """Store what earlier configurations captured, once no request that began under them is on its way."""
        self._close(0 if self._now is None else 1)

    def close(self) -> None:
        """Store all that was captured, and say what was lost."""
        self._config = self._now = None
        self._close(0)

    def _close(self, kept: int) -> None:
        with self._lock:
            over = self._writers[: len(self._writers) - kept]
            self._writers = self._writers[len(over) :]
        for writer in over:
            writer.close()
