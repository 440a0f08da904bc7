"""Execution environments of a serverless variant: one for each request at a time, started when they are wanted."""

from __future__ import annotations

import asyncio
from collections import deque
from time import perf_counter
from typing import TYPE_CHECKING, Protocol

from sm_emulate.gateway import answers
from sm_emulate.spec import serverless as spec

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from sm_emulate.gateway.answers import ErrorAnswer
    from sm_emulate.gateway.front import EndpointFront, Upstream
    from sm_emulate.gateway.meters import Meters
    from sm_emulate.gateway.route import Target


class Environments(Protocol):
    """Who starts and ends the environments of a variant."""

    max_concurrency: int
    """Requests that are served or wait at the same time; one more is refused."""
    most: int
    """Environments that this machine has at once."""
    kept: int
    """So many are never ended for being idle."""
    idle_s: float
    """Without a request for so long, the others are."""
    patience_s: float
    """How long a request waits for its environment."""
    throttled_status: int

    def start_one(self) -> None:
        """Start one and wait until requests may be sent to it; called in a thread.

        Raises:
            Exception: there will be none.
        """

    def retire_one(self, upstream: Upstream) -> None:
        """End one that is given no more requests, in a while; called in the gateway's event loop."""


class OnDemand:
    """Who of the waiting requests gets which environment; all of it happens in the gateway's event loop.

    Args:
        front: the endpoint.
        loop: the gateway's.
        meters: count cold starts.
    """

    def __init__(self, front: EndpointFront, loop: asyncio.AbstractEventLoop, meters: Meters) -> None:
        self.front, self._loop, self._meters = front, loop, meters
        self.environments: Environments | None = None
        self._variant_name = ""
        self._targets: tuple[Target, ...] = ()
        self._idle_since: dict[Target, float] = {}
        self._leaving: set[Upstream] = set()
        self._waiting: deque[Place] = deque()
        self._starting: set[asyncio.Task[None]] = set()
        self._taken = 0
        self._sweep: asyncio.TimerHandle | None = None

    def set_targets(
        self, variant_name: str, targets: Collection[Target], environments: Environments | None
    ) -> None:
        """Hear who is up now, and give those to the requests that wait."""
        self._variant_name, self.environments = variant_name, environments
        self._targets = tuple(targets)
        now = self._loop.time()
        self._idle_since = {target: self._idle_since.get(target, now) for target in targets}
        self._leaving &= {target.upstream for target in targets}
        self.look()

    @property
    def variant_name(self) -> str:
        """Whose environments they are."""
        return self._variant_name

    def place(self) -> Place:
        """Give a request's place, which begins to wait with `begin`."""
        return Place(self)

    def close(self) -> None:
        """Start nothing more."""
        if self._sweep is not None:
            self._sweep.cancel()
        for task in self._starting:
            task.cancel()

    # --- what a place asks ----------------------------------------------------------------------------

    def enter(self, place: Place) -> ErrorAnswer | None:
        """Have a request wait; or say that there are too many."""
        environments = self.environments
        assert environments is not None
        if self._taken >= environments.max_concurrency:
            self._meters.throttle(self._variant_name)
            return answers.throttled(environments.throttled_status)
        self._taken += 1
        self._waiting.append(place)
        self.look()
        return None

    def leave(self, place: Place, target: Target | None) -> None:
        """Hear that a request is over, or waits no more."""
        self._taken -= 1
        if target is None:
            self._waiting.remove(place)
        else:
            if target in self._idle_since:
                self._idle_since[target] = self._loop.time()
            # its exchange counts itself out of the target after this
            self._loop.call_soon(self.look)

    def gave_up(self) -> None:
        """Hear that a request that was taken from those that wait is over."""
        self._taken -= 1

    def look(self) -> None:
        """Give idle environments to those that wait longest, and start what is missing."""
        while self._waiting:
            target = self._idle()
            if target is None:
                break
            target.outstanding += 1
            self._waiting.popleft().given(target)
        environments = self.environments
        if environments is None or self._loop.is_closed():
            return
        there = len(self._targets) + len(self._starting)
        missing = len(self._waiting) - len(self._starting)
        for _ in range(min(missing, environments.most - there)):
            task = self._loop.create_task(self._start(environments))
            self._starting.add(task)
        self._plan_sweep(environments)

    # --- steps ----------------------------------------------------------------------------------------

    def _idle(self) -> Target | None:
        """Give the one that was used last: the others come of age."""
        idle = [
            target
            for target in self._targets
            if not target.outstanding and target.upstream not in self._leaving
        ]
        return max(idle, key=lambda target: self._idle_since[target], default=None)

    async def _start(self, environments: Environments) -> None:
        began = perf_counter()
        task = asyncio.current_task()
        assert task is not None
        try:
            await self._loop.run_in_executor(None, environments.start_one)
        except Exception as error:  # noqa: BLE001  # told to whoever waits longest
            self._starting.discard(task)
            # after an update the old ones' end is nobody's trouble
            if self._waiting and environments is self.environments:
                self._waiting.popleft().failed(str(getattr(error, "value", None) or error))
            self.look()
        else:
            self._starting.discard(task)
            self._meters.set_up(self._variant_name, perf_counter() - began)
            self.look()

    def _plan_sweep(self, environments: Environments) -> None:
        if self._sweep is None and len(self._targets) > environments.kept:
            self._sweep = self._loop.call_later(min(environments.idle_s / 4, 10.0), self._end_idle)

    def _end_idle(self) -> None:
        """End those that were idle for too long."""
        self._sweep = None
        environments = self.environments
        if environments is None:
            return
        oldest = self._loop.time() - environments.idle_s
        here = [target for target in self._targets if target.upstream not in self._leaving]
        spare = len(here) - environments.kept
        for target in sorted(here, key=lambda target: self._idle_since[target])[: max(0, spare)]:
            if not target.outstanding and self._idle_since[target] <= oldest:
                self._leaving.add(target.upstream)
                environments.retire_one(target.upstream)
        self._plan_sweep(environments)


class Place:
    """One request's place among those that are served and those that wait; ended once, by its exchange."""

    __slots__ = ("_entered", "_owner", "_target", "_then")

    def __init__(self, owner: OnDemand) -> None:
        self._owner = owner
        self._entered = False
        self._target: Target | None = None
        self._then: Callable[[Target | ErrorAnswer, str | None], None] | None = None

    @property
    def patience_s(self) -> float:
        """How long it may wait."""
        assert self._owner.environments is not None
        return self._owner.environments.patience_s

    def begin(self, then: Callable[[Target | ErrorAnswer, str | None], None]) -> None:
        """Wait for an environment; `then` hears of it, or of the error and why, unless `end` comes before."""
        self._then = then
        self._entered = True
        refused = self._owner.enter(self)
        if refused is not None:
            self._entered = False
            then(refused, "more requests than MaxConcurrency")

    def given(self, target: Target) -> None:
        """Hear which environment it is."""
        self._target = target
        assert self._then is not None
        self._then(target, None)

    def failed(self, why: str) -> None:
        """Hear that its environment did not come into service."""
        front = self._owner.front
        error = answers.model_error(front, container="primary", status=0, message=spec.PROCESS_EXITED)
        self._entered = False
        self._owner.gave_up()
        assert self._then is not None
        self._then(error, why)

    def not_ready(self) -> ErrorAnswer:
        """Give the answer for a request that has waited for too long."""
        words = spec.NOT_READY.format(
            variant=self._owner.variant_name, endpoint=self._owner.front.endpoint_name
        )
        return answers.refusal("ModelNotReadyException", words)

    @property
    def waits(self) -> bool:
        """Whether it has no environment yet."""
        return self._entered and self._target is None

    def end(self) -> None:
        """Let the next one have it."""
        if self._entered:
            self._entered = False
            self._owner.leave(self, self._target)
