"""When a managed spot job loses its instances."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sm_emulate.errors import RequestError

if TYPE_CHECKING:
    from sm_emulate.lifecycle.attempt import Interruption
    from sm_emulate.request.training import TrainingRequest
    from sm_emulate.spec.settings import Settings


@dataclass(frozen=True)
class Interruptions:
    """Played, since no instance is taken away here.

    Args:
        after_s: the first is interrupted after so many seconds of Training on all hosts, the second after so many ...
            A program that has ended by then is not interrupted.
        wait_s: so long the job stays Interrupted, as if no instance could be had.
    """

    after_s: tuple[float, ...] = ()
    wait_s: float = 0.0

    def check(self, request: TrainingRequest) -> None:
        """Raise RequestError if that cannot happen to a job."""
        if self.after_s and not request.enable_managed_spot_training:
            raise RequestError(
                "only managed spot training is interrupted",
                value=", ".join(f"{each:g}" for each in self.after_s),
                expected="EnableManagedSpotTraining true",
                hint="add --spot",
            )
        if (least := min(*self.after_s, self.wait_s, 0.0)) < 0:
            raise RequestError(
                "an interruption has a negative time", value=f"{least:g}", expected="seconds from 0 on"
            )

    def of(self, interrupted: int, settings: Settings) -> Interruption | None:
        """Give what happens to the instances of a job that was interrupted so often before."""
        from sm_emulate.lifecycle.attempt import Interruption  # with it comes all that runs containers

        if interrupted >= len(self.after_s):
            return None
        signal = "SIGKILL" if settings.text("spot-signal") == "none" else "SIGTERM"
        return Interruption(after_s=self.after_s[interrupted], signal=signal)
