"""InvokeEndpointWithBidirectionalStream: what a caller sends over HTTP/2, and the container's WebSocket.

Sources, by the keys used below:

- DG-HOST: developer guide, "Custom Inference Code with Hosting Services", its contract for bidirectional streaming.
- BIDI-BLOG: AWS machine learning blog, 26 November 2025, on bidirectional streaming.
- RTH2: the service model `sagemaker-runtime-http2` 2025-10-01, as AWS's Python SDK `aws-sdk-sagemaker-runtime-http2`
  0.12.0 has it.
- ES: Smithy, "Amazon Event Stream" specification.
"""

from __future__ import annotations

from sm_emulate.spec.invocation import TARGET_VARIANT_HEADER

PATH = "/endpoints/{endpoint_name}/invocations-bidirectional-stream"
"""RTH2, `http` of the operation."""

CONTAINER_PATH = "/invocations-bidirectional-stream"
"""Where the container's WebSocket is, on port 8080 (DG-HOST)."""

LABEL = "com.amazonaws.sagemaker.capabilities.bidirectional-streaming"
"""`true` on an image whose container takes WebSockets (DG-HOST)."""

VARIANT_HEADER = TARGET_VARIANT_HEADER
PATH_HEADER = "X-Amzn-SageMaker-Model-Invocation-Path"
"""Another path in the container, without its leading slash (aws/deep-learning-containers docs/vllm-omni)."""
QUERY_HEADER = "X-Amzn-SageMaker-Model-Query-String"

TIMEOUT_S = 1800
"""Seconds that a connection may last. Third-party checklists for Marketplace models say 30 minutes; UNSURE."""

PING_INTERVAL_S = 60
"""Seconds between two pings of the platform (DG-HOST)."""

UNANSWERED_PINGS = 5
"""So many pings in a row without a pong close the connection (DG-HOST)."""

MAX_PART_BYTES = 16 * 1024 * 1024
"""Longest payload of an event (ES)."""

UTF8, BINARY = "UTF8", "BINARY"
"""Values of DataType; a part without one is binary (RTH2, DG-HOST)."""

PARTIAL, COMPLETE = "PARTIAL", "COMPLETE"
"""Values of CompletionState; a part without one is complete (RTH2, DG-HOST)."""

# --- errors -----------------------------------------------------------------------------------------------

ERRORS = {
    "ValidationError": "InputValidationError",
    "InternalFailure": "InternalServerError",
    "ServiceUnavailable": "ServiceUnavailableError",
}
"""What this service calls the errors of InvokeEndpoint (RTH2); ModelError is called the same."""

LEADING_SLASH = (
    "1 validation error detected: Value '{value}' at 'modelInvocationPath' failed to satisfy constraint: "
    "Member must not begin with a slash"
)
"""400 by aws/deep-learning-containers docs/vllm-omni; the wording is ours (UNSURE)."""

NOT_A_PATH = (
    "1 validation error detected: Value at '{member}' failed to satisfy constraint: "
    "Member must consist of characters that a URL may have"
)
"""Wording ours (UNSURE)."""

LABEL_MISSING = (
    "The image of variant {variant} of endpoint {endpoint} does not have the required label "
    + LABEL
    + "=true."
)
"""Nobody published what a caller gets; error and wording are ours (UNSURE)."""

NOT_FOR_MANY_MODELS = (
    "Endpoint {endpoint} is a multi-model endpoint and does not support bidirectional streams."
)
"""The operation has no TargetModel (RTH2); the wording is ours (UNSURE)."""

NOT_FOR_SEVERAL_CONTAINERS = (
    "Endpoint {endpoint} has several containers in an instance and does not support bidirectional streams."
)
"""The operation has no TargetContainerHostname (RTH2), and no page speaks of pipelines; wording ours (UNSURE)."""

UNANSWERED = "Your model {container} did not answer {pings} WebSocket pings in a row."
BAD_FRAME = "Your model {container} sent what is no WebSocket frame: {why}."
CLOSED = "Your model {container} closed the WebSocket with code {code}."
"""For a close frame without a reason. These wordings are ours (UNSURE)."""

BAD_EVENT = "The request stream cannot be read: {why}."
"""Wording ours (UNSURE)."""

HTTP2_ONLY = (
    "InvokeEndpointWithBidirectionalStream is an operation of HTTP/2: connect with prior knowledge to this same port, "
    "as `sm-emulate invoke --bidirectional` does."
)
NOT_OVER_HTTP2 = (
    "{method} {path} is not served over HTTP/2 here. Served is POST "
    + PATH
    + "; all else is served over HTTP/1.1."
)
