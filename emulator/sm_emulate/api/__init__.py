"""The public door: training jobs and endpoints from Python.

Everything here is imported when it is first used, so that `import sm_emulate.api` costs next to nothing.
docs/python-api.md shows how it is used; `sm_emulate.errors` has the errors, `sm_emulate.events` what listeners hear.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sm_emulate.api.doctor import Examination, examine
    from sm_emulate.api.hosting import invoke, new_endpoint, serve
    from sm_emulate.api.requests import (
        channel,
        endpoint_request,
        platform,
        training_request,
        training_request_from_aws,
    )
    from sm_emulate.api.training import HostPlan, plan, train
    from sm_emulate.engine.protocol import Engine
    from sm_emulate.gateway.client import Answer
    from sm_emulate.lifecycle.endpoint import Endpoint
    from sm_emulate.lifecycle.endpoint_result import EndpointResult
    from sm_emulate.lifecycle.platform import Platform
    from sm_emulate.lifecycle.training import TrainingJob
    from sm_emulate.lifecycle.training_result import TrainingResult
    from sm_emulate.request.endpoint import EndpointRequest
    from sm_emulate.request.training import TrainingRequest

__all__ = [
    "Answer",
    "Endpoint",
    "EndpointRequest",
    "EndpointResult",
    "Engine",
    "Examination",
    "HostPlan",
    "Platform",
    "TrainingJob",
    "TrainingRequest",
    "TrainingResult",
    "channel",
    "endpoint_request",
    "examine",
    "invoke",
    "new_endpoint",
    "plan",
    "platform",
    "serve",
    "train",
    "training_request",
    "training_request_from_aws",
]

_HOME = {
    "Answer": "gateway.client",
    "Endpoint": "lifecycle.endpoint",
    "EndpointRequest": "request.endpoint",
    "EndpointResult": "lifecycle.endpoint_result",
    "Engine": "engine.protocol",
    "Examination": "api.doctor",
    "HostPlan": "api.training",
    "Platform": "lifecycle.platform",
    "TrainingJob": "lifecycle.training",
    "TrainingRequest": "request.training",
    "TrainingResult": "lifecycle.training_result",
    "channel": "api.requests",
    "endpoint_request": "api.requests",
    "examine": "api.doctor",
    "invoke": "api.hosting",
    "new_endpoint": "api.hosting",
    "plan": "api.training",
    "platform": "api.requests",
    "serve": "api.hosting",
    "train": "api.training",
    "training_request": "api.requests",
    "training_request_from_aws": "api.requests",
}
"""Where each name lives; a test holds it to `__all__` and to the imports above."""


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"sm_emulate.{_HOME[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
