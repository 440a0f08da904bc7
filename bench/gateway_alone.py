"""A gateway in a process of its own; the bench plays its container: `python -m bench.gateway_alone PORT`.

Prints its own port, and serves until its standard input ends.
"""

from __future__ import annotations

import sys

from sm_emulate.gateway import EndpointFront, Fleet, Gateway, Upstream, VariantFront

NAME = "alone"


def main() -> None:
    """Serve."""
    container = VariantFront(upstreams=(Upstream(host="127.0.0.1", port=int(sys.argv[1])),))
    with Gateway(EndpointFront(endpoint_name=NAME, fleet=Fleet(variants=(container,)))) as gateway:
        print(gateway.port, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
