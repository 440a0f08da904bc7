"""The public door: training jobs, processing jobs and endpoints from Python.

Everything here is imported when it is first used, so that `import sm_emulate.api` costs next to nothing.
docs/python-api.md shows how it is used; `sm_emulate.errors` has the errors, `sm_emulate.events` what listeners hear.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sm_emulate.api.doctor import Examination, examine
    from sm_emulate.api.host_plan import HostPlan
    from sm_emulate.api.hosting import (
        invoke,
        invoke_async,
        invoke_bidirectional,
        new_endpoint,
        serve,
        wait_for_answer,
    )
    from sm_emulate.api.images import ImageFiles, find_image, open_image
    from sm_emulate.api.processing import (
        process,
        processing_input,
        processing_output,
        processing_plan,
        processing_request,
        processing_request_from_aws,
    )
    from sm_emulate.api.requests import (
        channel,
        endpoint_request,
        endpoint_request_from_aws,
        platform,
        training_request,
        training_request_from_aws,
    )
    from sm_emulate.api.series import metrics
    from sm_emulate.api.training import plan, train
    from sm_emulate.api.transform_requests import transform_request, transform_request_from_aws
    from sm_emulate.api.transforming import transform, transform_plan
    from sm_emulate.api.tuning import tune, tuning_request, tuning_request_from_aws
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
    from sm_emulate.gateway.bidirectional_client import BidirectionalCall
    from sm_emulate.gateway.bidirectional_parts import Part
    from sm_emulate.gateway.client import Answer
    from sm_emulate.gateway.ping import PingOutcome, ping
    from sm_emulate.gateway.sdk_transport import LocalHttp2Transport
    from sm_emulate.lifecycle.hosting.endpoint import Endpoint
    from sm_emulate.lifecycle.hosting.result import EndpointResult
    from sm_emulate.lifecycle.platform import Platform
    from sm_emulate.lifecycle.processing.job import ProcessingJob
    from sm_emulate.lifecycle.processing.result import ProcessingResult
    from sm_emulate.lifecycle.training.interruptions import Interruptions
    from sm_emulate.lifecycle.training.job import TrainingJob
    from sm_emulate.lifecycle.training.result import TrainingResult
    from sm_emulate.lifecycle.transform.job import TransformJob
    from sm_emulate.lifecycle.transform.result import TransformResult
    from sm_emulate.lifecycle.tuning.job import TuningJob
    from sm_emulate.lifecycle.tuning.result import TuningResult
    from sm_emulate.request.endpoint import EndpointRequest
    from sm_emulate.request.processing import ProcessingRequest
    from sm_emulate.request.training import TrainingRequest
    from sm_emulate.request.transform import TransformRequest
    from sm_emulate.request.tuning import TuningRequest
    from sm_emulate.spec.invocation import CONTAINER_USER_AGENT
    from sm_emulate.spec.profiles import PlatformProfile, profile_named
    from sm_emulate.spec.settings import Settings
    from sm_emulate.storage.metric_series import MetricPoint

__all__ = [
    "CONTAINER_USER_AGENT",
    "Answer",
    "BidirectionalCall",
    "ContainerSpec",
    "Endpoint",
    "EndpointRequest",
    "EndpointResult",
    "Engine",
    "Examination",
    "Exit",
    "FileStat",
    "GpuRequest",
    "HistoryStep",
    "HostPlan",
    "Image",
    "ImageFiles",
    "Interruptions",
    "Listener",
    "LocalHttp2Transport",
    "MetricPoint",
    "Mount",
    "Part",
    "PingOutcome",
    "Platform",
    "PlatformProfile",
    "Process",
    "ProcessingJob",
    "ProcessingRequest",
    "ProcessingResult",
    "RegistryManifest",
    "Settings",
    "TrainingJob",
    "TrainingRequest",
    "TrainingResult",
    "TransformJob",
    "TransformRequest",
    "TransformResult",
    "TuningJob",
    "TuningRequest",
    "TuningResult",
    "channel",
    "connect",
    "endpoint_request",
    "endpoint_request_from_aws",
    "examine",
    "find_image",
    "invoke",
    "invoke_async",
    "invoke_bidirectional",
    "metrics",
    "new_endpoint",
    "open_image",
    "ping",
    "plan",
    "platform",
    "process",
    "processing_input",
    "processing_output",
    "processing_plan",
    "processing_request",
    "processing_request_from_aws",
    "profile_named",
    "serve",
    "train",
    "training_request",
    "training_request_from_aws",
    "transform",
    "transform_plan",
    "transform_request",
    "transform_request_from_aws",
    "tune",
    "tuning_request",
    "tuning_request_from_aws",
    "unpack_model",
    "wait_for_answer",
]

_HOME = {
    "CONTAINER_USER_AGENT": "spec.invocation",
    "Answer": "gateway.client",
    "BidirectionalCall": "gateway.bidirectional_client",
    "LocalHttp2Transport": "gateway.sdk_transport",
    "Part": "gateway.bidirectional_parts",
    "ContainerSpec": "engine.protocol",
    "Endpoint": "lifecycle.hosting.endpoint",
    "EndpointRequest": "request.endpoint",
    "EndpointResult": "lifecycle.hosting.result",
    "Engine": "engine.protocol",
    "Examination": "api.doctor",
    "Exit": "engine.protocol",
    "FileStat": "engine.protocol",
    "GpuRequest": "engine.protocol",
    "HistoryStep": "engine.protocol",
    "HostPlan": "api.host_plan",
    "Image": "engine.protocol",
    "ImageFiles": "api.images",
    "Interruptions": "lifecycle.training.interruptions",
    "Listener": "engine.protocol",
    "MetricPoint": "storage.metric_series",
    "Mount": "engine.protocol",
    "PingOutcome": "gateway.ping",
    "Platform": "lifecycle.platform",
    "PlatformProfile": "spec.profiles",
    "Process": "engine.protocol",
    "ProcessingJob": "lifecycle.processing.job",
    "ProcessingRequest": "request.processing",
    "ProcessingResult": "lifecycle.processing.result",
    "RegistryManifest": "engine.protocol",
    "Settings": "spec.settings",
    "TrainingJob": "lifecycle.training.job",
    "TrainingRequest": "request.training",
    "TrainingResult": "lifecycle.training.result",
    "TuningJob": "lifecycle.tuning.job",
    "TuningRequest": "request.tuning",
    "TuningResult": "lifecycle.tuning.result",
    "TransformJob": "lifecycle.transform.job",
    "TransformRequest": "request.transform",
    "TransformResult": "lifecycle.transform.result",
    "channel": "api.requests",
    "connect": "engine.discover",
    "endpoint_request": "api.requests",
    "endpoint_request_from_aws": "api.requests",
    "examine": "api.doctor",
    "find_image": "api.images",
    "invoke": "api.hosting",
    "invoke_async": "api.hosting",
    "invoke_bidirectional": "api.hosting",
    "metrics": "api.series",
    "new_endpoint": "api.hosting",
    "open_image": "api.images",
    "ping": "gateway.ping",
    "plan": "api.training",
    "platform": "api.requests",
    "process": "api.processing",
    "processing_input": "api.processing",
    "processing_output": "api.processing",
    "processing_plan": "api.processing",
    "processing_request": "api.processing",
    "processing_request_from_aws": "api.processing",
    "profile_named": "spec.profiles",
    "serve": "api.hosting",
    "train": "api.training",
    "training_request": "api.requests",
    "training_request_from_aws": "api.requests",
    "tune": "api.tuning",
    "tuning_request": "api.tuning",
    "tuning_request_from_aws": "api.tuning",
    "transform": "api.transforming",
    "transform_plan": "api.transforming",
    "transform_request": "api.transform_requests",
    "transform_request_from_aws": "api.transform_requests",
    "unpack_model": "artifacts.unpack",
    "wait_for_answer": "api.hosting",
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
