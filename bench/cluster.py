"""(h) Twenty hosts that look each other up, against the same by hand with `docker run`."""

from __future__ import annotations

import subprocess
import uuid
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from bench.ground import NotHereError
from bench.measure import side_by_side
from bench.row import Row

if TYPE_CHECKING:
    from bench.ground import Ground

HOSTS, BAR = 20, 1.5
BASE = "sm-emulate/base:bookworm"
NAMES = tuple(f"algo-{number}" for number in range(1, HOSTS + 1))
MEET = f"for h in {' '.join(NAMES)}; do until getent hosts $h >/dev/null; do sleep 0.05; done; done"


def hosts(ground: Ground) -> list[Row]:
    """Measure (h): all start, resolve each other and finish."""
    if not ground.has_image(BASE):
        raise NotHereError(f"there is no image {BASE}: .ci/base-image makes it")
    words = ("--entrypoint", "sh", "--entrypoint", "-c", "--entrypoint", MEET)
    ours = f"sm-emulate train --instance-count {HOSTS}"
    theirs = f"docker run, {HOSTS} at once"
    times = side_by_side(
        {
            ours: partial(ground.run, ground.console("train", BASE, "--instance-count", str(HOSTS), *words)),
            theirs: partial(_by_hand, ground),
        },
        rounds=ground.rounds(5, 2),
        warm_up=0,
    )
    ratio = times[ours].median / times[theirs].median
    return [Row(part="h", what=f"{HOSTS} hosts meet: train / docker run", value=ratio, bar=BAR, times=times)]


def _by_hand(ground: Ground) -> None:
    network = f"bench-{uuid.uuid4().hex[:12]}"
    ground.docker("network", "create", "--label", f"dev.sm-emulate.session={ground.session}", network)

    def run(name: str) -> None:
        line = ("--rm", "--network", network, "--network-alias", name, BASE, "sh", "-c", MEET)
        subprocess.run(ground.docker_run(*line), check=True, stdin=subprocess.DEVNULL, capture_output=True)

    try:
        with ThreadPoolExecutor(HOSTS) as pool:
            list(pool.map(run, NAMES))
    finally:
        ground.docker("network", "rm", network)
