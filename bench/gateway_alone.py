"""A gateway in a process of its own; the bench plays its container: `python -m bench.gateway_alone PORT`.

Several ports are a pipeline.

Prints its own port, and serves until its standard input ends.
"""

from __future__ import annotations

import sys
from dataclasses import replace

from sm_emulate.gateway import EndpointFront, Fleet, Gateway, Upstream, VariantFront

NAME = "alone"


def main() -> None:
    """Serve."""
    first, *others = (Upstream(host="127.0.0.1", port=int(port)) for port in sys.argv[1:])
    several = [first, *others] if others else []
    variant = VariantFront(
        upstreams=(replace(first, beside=tuple(others)),),
        containers=tuple(f"container-{at}" for at, _ in enumerate(several, 1)),
        container_ports=tuple(each.port for each in several),
    )
    with Gateway(EndpointFront(endpoint_name=NAME, fleet=Fleet(variants=(variant,)))) as gateway:
        print(gateway.port, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
