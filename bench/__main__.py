"""Measure sm-emulate side by side with what it stands beside, in one run.

python -m bench [--only a,c] [--quick] [--output json]
"""

from __future__ import annotations

import argparse
import json
import traceback
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from bench import (
    batch,
    cluster,
    gateway,
    gateway_memory,
    hosting,
    packing,
    pipelines,
    pipes,
    start_up,
    training,
    validation,
    warm_pools,
)
from bench.ground import Ground, NotHereError, machine
from bench.row import Row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

PARTS: dict[str, tuple[str, Callable[[Ground], Iterable[Row]]]] = {
    "a": ("training jobs", training.jobs),
    "b": ("first prediction", hosting.first_prediction),
    "c": ("gateway", gateway.gateway),
    "d": ("channels", training.channels),
    "e": ("packing", packing.packing),
    "f": ("start-up", start_up.start_up),
    "g": ("validation", validation.validation),
    "h": ("Pipe channels", pipes.pipes),
    "i": ("twenty hosts", cluster.hosts),
    "j": ("batch transform", batch.batch),
    "k": ("the gateway's memory", gateway_memory.gateway_memory),
    "p": ("pipelines", pipelines.pipelines),
    "w": ("warm pools", warm_pools.warm_pools),
}


def main() -> int:
    """Print each figure with its bar; leave with 1 if one passes its bar, 3 if nothing could be measured."""
    asked = _asked()
    facts = machine()
    rows: list[Row] = []
    as_text = asked.output == "text"
    if as_text:
        print(", ".join(f"{name} {value}" for name, value in facts.items()), flush=True)
    with Ground(quick=asked.quick, no_sdk=asked.no_sdk) as ground:
        for part in asked.only:
            for row in _measured(part, ground):
                rows.append(row)
                if as_text:
                    print("\n".join(row.lines()), flush=True)
    if not as_text:
        at = datetime.now(timezone.utc).isoformat(timespec="seconds")
        print(json.dumps({"date": at, "machine": facts, "rows": [row.as_json() for row in rows]}, indent=2))
    if all(row.value is None for row in rows):
        return 3
    return int(any(row.verdict in {"over", "under"} for row in rows))


def _measured(part: str, ground: Ground) -> Iterator[Row]:
    """Give the rows of a part, each when it is there, and what kept the rest from being measured."""
    name, measure = PARTS[part]
    ground.say(f"measuring ({part}) {name}")
    try:
        yield from measure(ground)
    except NotHereError as missing:
        yield Row.skipped(part, name, str(missing))
    except Exception as failure:  # noqa: BLE001 - the other parts are still worth having
        traceback.print_exc()
        yield Row.skipped(part, name, f"{type(failure).__name__}: {failure}")


def _asked() -> argparse.Namespace:
    def parts(text: str) -> list[str]:
        wanted = [part.strip() for part in text.split(",")]
        if unknown := set(wanted) - set(PARTS):
            raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: choose from {', '.join(PARTS)}")
        return wanted

    parser = argparse.ArgumentParser(prog="python -m bench", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", type=parts, default=list(PARTS), metavar="PARTS", help="such as a,c")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, smaller files: a rough answer")
    parser.add_argument("--no-sdk", action="store_true", help="leave the SageMaker SDK out")
    parser.add_argument("--output", choices=["text", "json"], default="text")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
