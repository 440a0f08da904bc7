"""All instances of a transform job at work, in a thread with an event loop."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

from sm_emulate.gateway.gateway import loop_factory

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sm_emulate.lifecycle.transform.feed import Feed


class Sending:
    """Runs the feeds of all instances to their ends.

    Args:
        feeds: one for each instance.
        wake: called from the thread when all are over.
    """

    def __init__(self, feeds: Sequence[Feed], *, wake: Callable[[], None]) -> None:
        self._feeds, self._wake = feeds, wake
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._run, name="transform", daemon=True)
        self._stopped = False
        self.over = False
        """Whether nothing more is sent."""
        self.error: BaseException | None = None
        """What broke it; None if nothing did."""

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self) -> None:
        """Leave off: requests that are on their way are given up."""
        self._stopped = True  # also heard if the thread has only just begun
        loop, task = self._loop, self._task
        if loop is not None and task is not None and self._thread.is_alive():
            try:
                loop.call_soon_threadsafe(task.cancel)
            except RuntimeError:  # it has ended by itself at this moment
                return

    def join(self) -> None:
        """Wait until it is over."""
        self._thread.join()

    def _run(self) -> None:
        try:
            loop = self._loop = loop_factory()()
            try:
                self._task = loop.create_task(self._all())
                loop.run_until_complete(self._task)
            finally:
                loop.run_until_complete(loop.shutdown_default_executor())
                loop.close()
        except asyncio.CancelledError:
            pass
        except BaseException as error:  # noqa: BLE001  # raised again in the thread that waits
            self.error = error
        finally:
            self.over = True  # before anybody is woken, who would sleep again
            self._wake()

    async def _all(self) -> None:
        if self._stopped:
            return
        running = [asyncio.create_task(feed.run()) for feed in self._feeds]
        try:
            await asyncio.gather(*running)
        finally:  # when one breaks, the others end with it
            for each in running:
                each.cancel()
            await asyncio.gather(*running, return_exceptions=True)
