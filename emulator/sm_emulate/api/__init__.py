"""The public Python door of the emulator. Names are imported when they are first asked for.

docs/python-api.md shows how it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sm_emulate.api.hosting import endpoint_request, invoke, new_endpoint, serve
    from sm_emulate.api.images import ImageFiles, find_image, open_image
    from sm_emulate.api.training import plan, train
    from sm_emulate.artifacts.unpack import unpack_model
    from sm_emulate.engine.discover import connect
    from sm_emulate.engine.protocol import (
        ContainerSpec,
        Engine,
        Exit,
        FileStat,
        GpuRequest,
        HistoryStep,
        Image,
        Listener,
        Mount,
        Process,
        RegistryManifest,
    )
    from sm_emulate.gateway.ping import PingOutcome, ping
    from sm_emulate.lifecycle.endpoint import Endpoint
    from sm_emulate.lifecycle.endpoint_result import EndpointResult
    from sm_emulate.lifecycle.platform import Platform
    from sm_emulate.lifecycle.training import TrainingJob
    from sm_emulate.lifecycle.training_result import TrainingResult
    from sm_emulate.request.endpoint import EndpointRequest
    from sm_emulate.request.training import TrainingRequest
    from sm_emulate.spec.invocation import CONTAINER_USER_AGENT
    from sm_emulate.spec.profiles import PlatformProfile, profile_named
    from sm_emulate.spec.settings import Settings

_WHERE = {
    "endpoint_request": "sm_emulate.api.hosting",
    "invoke": "sm_emulate.api.hosting",
    "new_endpoint": "sm_emulate.api.hosting",
    "serve": "sm_emulate.api.hosting",
    "ImageFiles": "sm_emulate.api.images",
    "find_image": "sm_emulate.api.images",
    "open_image": "sm_emulate.api.images",
    "plan": "sm_emulate.api.training",
    "train": "sm_emulate.api.training",
    "unpack_model": "sm_emulate.artifacts.unpack",
    "connect": "sm_emulate.engine.discover",
    "ContainerSpec": "sm_emulate.engine.protocol",
    "Engine": "sm_emulate.engine.protocol",
    "Exit": "sm_emulate.engine.protocol",
    "FileStat": "sm_emulate.engine.protocol",
    "GpuRequest": "sm_emulate.engine.protocol",
    "HistoryStep": "sm_emulate.engine.protocol",
    "Image": "sm_emulate.engine.protocol",
    "Listener": "sm_emulate.engine.protocol",
    "Mount": "sm_emulate.engine.protocol",
    "Process": "sm_emulate.engine.protocol",
    "CONTAINER_USER_AGENT": "sm_emulate.spec.invocation",
    "RegistryManifest": "sm_emulate.engine.protocol",
    "PingOutcome": "sm_emulate.gateway.ping",
    "ping": "sm_emulate.gateway.ping",
    "Endpoint": "sm_emulate.lifecycle.endpoint",
    "EndpointResult": "sm_emulate.lifecycle.endpoint_result",
    "Platform": "sm_emulate.lifecycle.platform",
    "TrainingJob": "sm_emulate.lifecycle.training",
    "TrainingResult": "sm_emulate.lifecycle.training_result",
    "EndpointRequest": "sm_emulate.request.endpoint",
    "TrainingRequest": "sm_emulate.request.training",
    "PlatformProfile": "sm_emulate.spec.profiles",
    "profile_named": "sm_emulate.spec.profiles",
    "Settings": "sm_emulate.spec.settings",
}

__all__ = [
    "CONTAINER_USER_AGENT",
    "ContainerSpec",
    "Endpoint",
    "EndpointRequest",
    "EndpointResult",
    "Engine",
    "Exit",
    "FileStat",
    "GpuRequest",
    "HistoryStep",
    "Image",
    "ImageFiles",
    "Listener",
    "Mount",
    "PingOutcome",
    "Platform",
    "PlatformProfile",
    "Process",
    "RegistryManifest",
    "Settings",
    "TrainingJob",
    "TrainingRequest",
    "TrainingResult",
    "connect",
    "endpoint_request",
    "find_image",
    "invoke",
    "new_endpoint",
    "open_image",
    "ping",
    "plan",
    "profile_named",
    "serve",
    "train",
    "unpack_model",
]


def __getattr__(name: str) -> object:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_WHERE[name]), name)
