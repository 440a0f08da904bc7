"""(h) A job of twenty hosts against twenty `docker run` at once on a network of their own.

They do nothing: by hand, hosts that look each other up would wait for ever for one that has ended already.
"""

from __future__ import annotations

import subprocess
import uuid
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from bench.measure import side_by_side
from bench.row import Row

if TYPE_CHECKING:
    from bench.ground import Ground

HOSTS, BAR = 20, 1.5
NAMES = tuple(f"algo-{number}" for number in range(1, HOSTS + 1))


def hosts(ground: Ground) -> list[Row]:
    """Measure (h): all start and finish."""
    ours = f"sm-emulate train --instance-count {HOSTS}"
    theirs = f"docker run, {HOSTS} at once"
    times = side_by_side(
        {
            ours: partial(
                ground.run, ground.console("train", ground.nothing, "--instance-count", str(HOSTS))
            ),
            theirs: partial(_by_hand, ground),
        },
        rounds=ground.rounds(5, 2),
        warm_up=0,
    )
    ratio = times[ours].median / times[theirs].median
    return [
        Row(
            part="h",
            what=f"a job of {HOSTS} hosts: sm-emulate train / docker run",
            value=ratio,
            bar=BAR,
            times=times,
        )
    ]


def _by_hand(ground: Ground) -> None:
    network = f"bench-{uuid.uuid4().hex[:12]}"
    ground.docker("network", "create", "--label", f"dev.sm-emulate.session={ground.session}", network)

    def run(name: str) -> None:
        line = ("--rm", "--network", network, "--network-alias", name, ground.nothing, "train")
        subprocess.run(ground.docker_run(*line), check=True, stdin=subprocess.DEVNULL, capture_output=True)

    try:
        with ThreadPoolExecutor(HOSTS) as pool:
            list(pool.map(run, NAMES))
    finally:
        ground.docker("network", "rm", network)
