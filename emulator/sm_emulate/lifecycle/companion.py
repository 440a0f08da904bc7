"""What works beside the containers of a job: fetches channels, feeds pipes, keeps folders and S3 alike.

A job whose instances are taken away or break down goes on with new ones, and with new companions.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from sm_emulate.engine.protocol import Engine, Image
    from sm_emulate.events import Event
    from sm_emulate.lifecycle.platform import Platform
    from sm_emulate.staging.tree import StagedTree
    from sm_emulate.storage.run_folder import RunFolder


class PlatformFailure(Exception):  # noqa: N818  # SageMaker's word is FailureReason
    """The job has failed by what lies outside its containers.

    Args:
        reason: the FailureReason, in SageMaker's words.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Companion:
    """One such thing. It is told of each step in a job's life, and does nothing at those that it does not define."""

    def prepare(self) -> None:
        """Do what has to be done before the containers start, while the job is Downloading.

        Raises:
            PlatformFailure: the job fails before anything was started.
        """

    def environment(self, host: str) -> Mapping[str, str]:
        """Give the variables that a host's container has because of it; asked before the container is made."""
        del host
        return {}

    def started(self, host: str, container: str) -> None:
        """Hear that a host's container runs now, from that container's thread."""

    def finish(self) -> None:
        """Bring the rest home: all containers have ended, and their files belong to the calling user.

        Raises:
            PlatformFailure: that is not possible; a job that would have completed fails for this reason.
        """

    def close(self) -> None:
        """Let go of everything, whatever has happened; called once if `prepare` was."""


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What a companion of any job may look at and speak to; each kind of job adds what was asked for."""

    trees: Mapping[str, StagedTree]
    """The files of each host."""
    platform: Platform
    engine: Engine
    image: Image
    run_folder: RunFolder
    publish: Callable[[Event], None]
    fail: Callable[[str], None]
    """Ends the job with this FailureReason. Any thread may call it; the first call counts."""
    stopping: Callable[[], bool] = lambda: False
    """Whether somebody wants the job to stop: what takes long asks now and then, and returns."""
    hand_back: Callable[[Path], None]
    """Has what containers made as root in a folder of the run belong to the calling user. May raise MachineError."""


class Companions:
    """The companions of one job, as one.

    Args:
        wake: called when one of them fails.
    """

    def __init__(self, *, wake: Callable[[], None]) -> None:
        self.failure: str | None = None
        """The FailureReason that the first to fail gave."""
        self._wake = wake
        self._all: tuple[Companion, ...] = ()
        self._open = ExitStack()

    def prepare(self, companions: Iterable[Companion]) -> None:
        """Have each prepare itself, one after the other.

        Raises:
            PlatformFailure: one of them could not.
        """
        for companion in companions:
            self._all += (companion,)
            self._open.callback(companion.close)
            companion.prepare()

    def fail(self, reason: str) -> None:
        """Note that one has failed. Any thread may call it; the first call counts."""
        if self.failure is None:
            self.failure = reason
        self._wake()

    def environment(self, host: str) -> Mapping[str, str]:
        """Give all their variables for a host's container."""
        return {name: value for each in self._all for name, value in each.environment(host).items()}

    def started(self, host: str, container: str) -> None:
        """Tell each that a host's container runs."""
        for companion in self._all:
            companion.started(host, container)

    def finish(self) -> None:
        """Have each bring the rest home.

        Raises:
            PlatformFailure: the first one that could not; the others have been asked all the same.
        """
        failures = []
        for companion in self._all:
            try:
                companion.finish()
            except PlatformFailure as failure:  # noqa: PERF203  # each is asked
                failures.append(failure)
        if failures:
            raise failures[0]

    def close(self) -> None:
        """Close each, the last one first."""
        self._open.close()
