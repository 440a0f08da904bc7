"""The pages that make the rules so."""

from __future__ import annotations

_GUIDE = "https://docs.aws.amazon.com/sagemaker/latest/dg"
_RUNTIME = "https://docs.aws.amazon.com/sagemaker/latest/APIReference"

PIPELINES = f"{_GUIDE}/inference-pipelines.html"
PIPELINE_CONTAINERS = f"{_GUIDE}/inference-pipeline-real-time.html"
INFERENCE_CODE = f"{_GUIDE}/your-algorithms-inference-code.html"
STREAM = f"{_RUNTIME}/API_runtime_InvokeEndpointWithResponseStream.html"
INVOKE = f"{_RUNTIME}/API_runtime_InvokeEndpoint.html"
SESSIONS = f"{_GUIDE}/stateful-sessions.html"
BIDIRECTIONAL = f"{INFERENCE_CODE}#your-algorithms-inference-algo-bidi"
