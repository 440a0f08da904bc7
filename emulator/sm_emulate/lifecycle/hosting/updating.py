"""Updates of an endpoint in service, one after the other, while it goes on serving."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from sm_emulate.errors import ExitCode, RequestError, SmEmulateError
from sm_emulate.lifecycle.hosting.entrance import DRAIN_SECONDS
from sm_emulate.lifecycle.hosting.fleets import hosting
from sm_emulate.lifecycle.hosting.served import FAILED_GRACE_SECONDS
from sm_emulate.lifecycle.hosting.serving_container import StopAskedError
from sm_emulate.lifecycle.hosting.update import check_writable, new_weights, requested, take
from sm_emulate.lifecycle.stop_request import POLL_SECONDS
from sm_emulate.spec.endpoint import EndpointStatus

if TYPE_CHECKING:
    from collections.abc import Callable

    from sm_emulate.lifecycle.hosting.entrance import Entrance
    from sm_emulate.lifecycle.hosting.fleets import EndpointFleet
    from sm_emulate.lifecycle.hosting.served import Served
    from sm_emulate.lifecycle.hosting.standing import Standing
    from sm_emulate.lifecycle.hosting.update import Update
    from sm_emulate.lifecycle.stop_request import StopRequest
    from sm_emulate.storage.run_folder import RunFolder
    from sm_emulate.storage.s3_place import S3Place


class Updating:
    """Follows what other processes ask for through the run folder: another configuration, weights, components.

    Args:
        served: what is changed.
        entrance: sends requests to what it has become.
        standing: tells of it.
        run: where updates are asked for.
        s3: which S3 new configurations write to.
        asked: whether the endpoint is to stop.
        stop_grace_s: between SIGTERM and SIGKILL.
    """

    def __init__(
        self,
        served: Served,
        *,
        entrance: Entrance,
        standing: Standing,
        run: RunFolder,
        s3: S3Place,
        asked: StopRequest,
        stop_grace_s: float,
    ) -> None:
        self._served, self._entrance, self._standing = served, entrance, standing
        self._run, self._s3, self._asked, self._grace = run, s3, asked, stop_grace_s
        self._thread: threading.Thread | None = None
        self.last: dict[str, object] = {}
        """How the last one ended."""

    @property
    def under_way(self) -> bool:
        """Whether one is being followed."""
        return self._thread is not None and self._thread.is_alive()

    def join(self) -> None:
        """Wait for the end of the one that is being followed."""
        if self._thread is not None:
            self._thread.join()

    def heed(self) -> None:
        """Begin the update that was asked for, if one was and none is on its way."""
        if self.under_way or (update := take(self._run)) is None:
            return
        if update.weights:
            self._reweigh(update)
        elif update.component:
            self._begin(self._recompose, update, name="recomposing")
        else:
            self._served.generation += 1
            self._begin(self._update, update, name="updating")

    def _begin(self, follow: Callable[[Update], None], update: Update, *, name: str) -> None:
        self._thread = threading.Thread(target=follow, args=(update,), name=name, daemon=True)
        self._thread.start()

    # --- the kinds of updates -------------------------------------------------------------------------

    def _reweigh(self, update: Update) -> None:
        served = self._served
        try:
            served.fleet.weights = new_weights(served.request, served.fleet.weights, update.weights)
        except RequestError as error:
            self._over(update, error)
        else:
            self._entrance.reroute()
            self._over(update)
        self._standing.enter(EndpointStatus.IN_SERVICE, "the variants' weights are as asked for")

    def _recompose(self, update: Update) -> None:
        """Add, scale or delete an inference component; the endpoint stays in service."""
        served = self._served
        error: BaseException | None = None
        try:
            served.request = hosting(served.recomposing, served.request).follow(
                update,
                served.request,
                find_image=served.find_image,
                drained=lambda: not self._entrance.answering,
            )
            self._write_request()
        except StopAskedError:
            return
        except BaseException as caught:  # noqa: BLE001  # whatever it is, the other components go on
            error = caught
        self._entrance.reroute()
        self._over(update, error)
        if not self._asked.times:
            words = f"inference component {update.component}: {update.words}"
            self._standing.enter(EndpointStatus.IN_SERVICE, words)

    def _update(self, update: Update) -> None:
        """Start the new fleet beside the old one; have it take over, or go back."""
        served, standing = self._served, self._standing
        standing.enter(EndpointStatus.UPDATING, "Updating the endpoint")
        fleet: EndpointFleet | None = None
        try:
            request = requested(update, served.request)
            check_writable(request, self._s3)
            fleet = served.successor(request)
            fleet.prepare()
            fleet.start()
            fleet.healthy()
        except BaseException as error:  # noqa: BLE001  # whatever it is, the old fleet goes on
            if not isinstance(error, StopAskedError):
                self._over(update, error)
                standing.enter(
                    EndpointStatus.ROLLING_BACK, "the update failed; the endpoint goes on as it was"
                )
            if fleet is not None:
                with suppress(Exception):
                    fleet.stop(FAILED_GRACE_SECONDS, hurried=lambda: False)
                served.note_end(fleet)
        else:
            self._retire(self._entrance.take_over(fleet, request))
            self._write_request()
            self._over(update)
        if not self._asked.times:
            standing.enter(EndpointStatus.IN_SERVICE, self._entrance.where)

    # --- steps ----------------------------------------------------------------------------------------

    def _retire(self, old: EndpointFleet) -> None:
        """Let the old fleet finish what it has at hand, and stop it."""
        entrance, deadline = self._entrance, time.monotonic() + DRAIN_SECONDS
        while (entrance.answering and time.monotonic() < deadline) or entrance.working_off:
            if self._asked.times:
                break
            time.sleep(POLL_SECONDS / 4)
        try:
            old.stop(self._grace, hurried=lambda: self._asked.times > 1)
            self._served.note_end(old)
        finally:
            entrance.settle()

    def _write_request(self) -> None:
        with suppress(OSError):
            self._run.write(self._run.request, self._served.request.as_aws())

    def _over(self, update: Update, error: BaseException | None = None) -> None:
        """Note how an update ended."""
        self.last = {"Id": update.id, "Status": "Succeeded"}
        self._standing.failure_reason = None
        if error is not None:
            known = isinstance(error, SmEmulateError)
            reason = error.what if isinstance(error, SmEmulateError) else type(error).__name__
            self._standing.failure_reason = reason
            self.last |= {
                "Status": "RolledBack",
                "FailureReason": reason,
                "Seen": str(getattr(error, "value", None) or "") if known else str(error),
                "Evidence": [str(each) for each in getattr(error, "evidence", ())],
                "ExitCode": int(error.exit_code) if isinstance(error, SmEmulateError) else int(ExitCode.BUG),
            }
