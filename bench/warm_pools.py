"""(w) A job of two hosts in a warm pool against the same job without one."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from bench.measure import side_by_side
from bench.row import Row

if TYPE_CHECKING:
    from bench.ground import Ground

WARM = 0.9


def warm_pools(ground: Ground) -> list[Row]:
    """Measure (w): whole processes that take turns; every warm one takes over the pool of the warm one before it."""
    two_hosts = ("train", ground.nothing, "--instance-count", "2")
    # another role: it does not match, else it would take the pool over and end it
    cold = ground.console(*two_hosts, "--role-arn", "arn:aws:iam::123456789012:role/cold")
    warm = ground.console(*two_hosts, "--keep-alive", "600")
    times = side_by_side(
        {"in a warm pool": partial(ground.run, warm), "without": partial(ground.run, cold)},
        rounds=ground.rounds(15, 5),
        warm_up=1,
    )
    ratio = times["in a warm pool"].median / times["without"].median
    return [Row(part="w", what="two hosts in a warm pool / without", value=ratio, bar=WARM, times=times)]
