"""The front door of an endpoint: InvokeEndpoint's rules over HTTP.

`gateway.ping` and `gateway.client` stand alone and are cheap to import.
"""

from __future__ import annotations

from sm_emulate.gateway.front import EndpointFront, Fleet, Invocation, PipelineRules, Upstream, VariantFront
from sm_emulate.gateway.gateway import Gateway, check_port, warm_up

__all__ = [
    "EndpointFront",
    "Fleet",
    "Gateway",
    "Invocation",
    "PipelineRules",
    "Upstream",
    "VariantFront",
    "check_port",
    "warm_up",
]
