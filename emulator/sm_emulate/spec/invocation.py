"""What SageMaker does to one invocation of an endpoint: limits, headers, errors and their wordings.

Sources, by the keys used below:

- RT: botocore's own service model `sagemaker-runtime` 2017-05-13.
- DG-HOST: developer guide, "Custom Inference Code with Hosting Services" (your-algorithms-inference-code).
- FAQ: developer guide, "Model Hosting FAQs".
- MKT-LIM: Marketplace seller guide, ml-service-restrictions-and-limits.
- OBSERVED: seen in public logs and issue threads, which are named; no AWS page promises it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sm_emulate.spec.containers import NOT_DIRECT

# --- limits -----------------------------------------------------------------------------------------------

MODEL_TIMEOUT_S = 60.0
"""Seconds that a container has for its answer (RT InvokeEndpoint, DG-HOST, MKT-LIM: cannot be raised)."""

STREAM_TIMEOUT_S = 480.0
"""Seconds that a container has for the whole of a streamed answer (FAQ, MKT-LIM: 8 minutes)."""

CONNECT_TIMEOUT_S = 0.25
"""Seconds within which a container must accept a socket connection (DG-HOST)."""

MAX_BODY_BYTES = 25 * 1024 * 1024
"""Largest request body of a real-time endpoint (FAQ, MKT-LIM: 25 MB; whether MB or MiB is not written)."""

MAX_BYTES_BETWEEN = 5 * 1024 * 1024
"""Largest answer that a container of a pipeline hands to the next (guide, inference-pipeline-troubleshoot: 5 MB)."""

MAX_BODY_BYTES_IN_API_MODEL = 6_291_456
"""What RT still states as `BodyBlob.max`; above it only a warning is due, the FAQ is newer."""

MAX_MESSAGE_CHARS = 2048
"""Longest `Message` and `OriginalMessage` (RT shape `Message`)."""

PING_TIMEOUT_S = 2.0
"""Seconds that a container has for `GET /ping` (DG-HOST)."""

# --- paths ------------------------------------------------------------------------------------------------

PING_PATH = "/ping"
INVOCATIONS_PATH = "/invocations"
RUNTIME_PATH = "/endpoints/{endpoint_name}/invocations"
"""RT operation InvokeEndpoint, `requestUri`."""
STREAM_PATH = "/endpoints/{endpoint_name}/invocations-response-stream"
"""RT operation InvokeEndpointWithResponseStream, `requestUri`."""
OPENAI_PATH = "/endpoints/{endpoint_name}/openai"
"""What stands before `/v1/chat/completions` and its like. AWS ML blog 2026-05-21, OpenAI-compatible API support."""

# --- headers ----------------------------------------------------------------------------------------------

CONTAINER_HOST = "model.aws.local:8080"
"""The Host header that containers see. OBSERVED: aws/sagemaker-python-sdk#605; newer: container-0.local."""

CONTAINER_USER_AGENT = "AHC/2.0"
"""The platform's HTTP client. OBSERVED: aws/sagemaker-python-sdk#1554, pytorch/serve#1028."""


@dataclass(frozen=True, kw_only=True)
class RequestHeader:
    """A request header that the API supports, and that therefore is not stripped.

    Args:
        name: as the API writes it.
        member: the parameter of InvokeEndpoint.
        longest: most characters (RT).
        seen_in_container: whether public container code reads it; the others pass because DG-HOST says that
            only headers outside the API are stripped, but nobody has shown them arriving (UNSURE).
    """

    name: str
    member: str
    longest: int
    seen_in_container: bool


ACCEPT_HEADER = "X-Amzn-SageMaker-Accept"
"""Accept, where the API has it under a name of its own."""
CUSTOM_ATTRIBUTES_HEADER = "X-Amzn-SageMaker-Custom-Attributes"
TARGET_MODEL_HEADER = "X-Amzn-SageMaker-Target-Model"
TARGET_VARIANT_HEADER = "X-Amzn-SageMaker-Target-Variant"
INFERENCE_ID_HEADER = "X-Amzn-SageMaker-Inference-Id"

REQUEST_HEADERS: tuple[RequestHeader, ...] = (
    RequestHeader(name="Content-Type", member="contentType", longest=1024, seen_in_container=True),
    RequestHeader(name="Accept", member="accept", longest=1024, seen_in_container=True),
    RequestHeader(
        name=CUSTOM_ATTRIBUTES_HEADER,
        member="customAttributes",
        longest=1024,
        seen_in_container=True,
    ),
    RequestHeader(name=TARGET_MODEL_HEADER, member="targetModel", longest=1024, seen_in_container=True),
    RequestHeader(
        name="X-Amzn-SageMaker-Session-Id", member="sessionId", longest=256, seen_in_container=True
    ),
    RequestHeader(name=TARGET_VARIANT_HEADER, member="targetVariant", longest=63, seen_in_container=False),
    RequestHeader(
        name="X-Amzn-SageMaker-Target-Container-Hostname",
        member="targetContainerHostname",
        longest=63,
        seen_in_container=False,
    ),
    RequestHeader(name=INFERENCE_ID_HEADER, member="inferenceId", longest=64, seen_in_container=False),
    RequestHeader(
        name="X-Amzn-SageMaker-Enable-Explanations",
        member="enableExplanations",
        longest=64,
        seen_in_container=False,
    ),
    RequestHeader(
        name="X-Amzn-SageMaker-Inference-Component",
        member="inferenceComponentName",
        longest=63,
        seen_in_container=False,
    ),
    # a hint for the strategy PREFIX_AWARE
    RequestHeader(
        name="X-Amzn-SageMaker-Prefix-Aware-Id", member="prefixAwareId", longest=64, seen_in_container=False
    ),
)
"""RT InvokeEndpointInput. Everything else is stripped on the way to the container (RT, DG-HOST)."""

STREAM_REQUEST_HEADERS: tuple[RequestHeader, ...] = tuple(
    # in the container it is the Accept that any HTTP server knows
    replace(header, name=ACCEPT_HEADER) if header.name == "Accept" else header
    for header in REQUEST_HEADERS
    if header.member not in ("targetModel", "enableExplanations")
)
"""RT InvokeEndpointWithResponseStreamInput: no TargetModel, no EnableExplanations, Accept under its own name."""

STREAM_RESPONSE_HEADERS: dict[str, str] = {
    "Content-Type": "X-Amzn-SageMaker-Content-Type",
    CUSTOM_ATTRIBUTES_HEADER: CUSTOM_ATTRIBUTES_HEADER,
}
"""RT InvokeEndpointWithResponseStreamOutput: the container's headers that pass, and under which name."""

NEW_SESSION = "NEW_SESSION"
SESSION_ID = r"[a-zA-Z0-9](-*[a-zA-Z0-9])*"
"""RT SessionIdHeader; InvokeEndpoint also takes NEW_SESSION (SessionIdOrNewSessionConstantHeader)."""

NEW_SESSION_HEADER = "X-Amzn-SageMaker-New-Session-Id"
"""`<id>; Expires=YYYY-MM-DDThh:mm:ssZ` (RT NewSessionResponseHeader)."""
CLOSED_SESSION_HEADER = "X-Amzn-SageMaker-Closed-Session-Id"

RESPONSE_HEADERS: tuple[str, ...] = (
    "Content-Type",
    CUSTOM_ATTRIBUTES_HEADER,
    NEW_SESSION_HEADER,
    CLOSED_SESSION_HEADER,
)
"""RT InvokeEndpointOutput: what of the container's headers reaches the caller."""

INVOKED_VARIANT_HEADER = "x-Amzn-Invoked-Production-Variant"
"""Added by the platform (RT InvokeEndpointOutput)."""

REQUEST_ID_HEADER = "x-amzn-RequestId"
ERROR_TYPE_HEADER = "x-amzn-ErrorType"
"""Where the rest-json protocol puts the error's shape name (Smithy, awsJson and restJson1 error types)."""

# --- errors -----------------------------------------------------------------------------------------------

ERROR_STATUS: dict[str, int] = {
    "ModelError": 424,
    "ModelNotReadyException": 429,
    "ValidationError": 400,
    # of no operation's own: any service's answer to too many requests
    "ThrottlingException": 429,
    "ServiceUnavailable": 503,
    "InternalFailure": 500,
    "InternalDependencyException": 530,
    # what InvokeEndpointWithBidirectionalStream calls them
    "InputValidationError": 400,
    "ServiceUnavailableError": 503,
    "InternalServerError": 500,
    # not an operation's own error: how AWS services answer a path that they do not know
    "UnknownOperationException": 404,
}
"""RT, `error.httpStatusCode` of each shape."""

NO_ORIGINAL_STATUS = 0
"""The status in the message where a container gave none. OBSERVED: aws/sagemaker-python-sdk#1119."""

CLIENT_ERROR_CODE = "CLIENT_ERROR_FROM_MODEL"
"""`ErrorCode` beside the modelled members of ModelError. OBSERVED: tests of opensearch-project/ml-commons."""

SERVER_ERROR_CODE = "INTERNAL_FAILURE_FROM_MODEL"
"""The same for 5xx. OBSERVED: public client code tests a 503 for it; for an answer that never came UNSURE."""

MODEL_ERROR_WITH_BODY = (
    'Received {side} error ({status}) from {container} with message "{message}". See {logs}'
)
"""OBSERVED: aws/amazon-sagemaker-examples#235, #407, #1881."""

MODEL_ERROR_WITHOUT_BODY = (
    "Received {side} error ({status}) from {container} and could not load the entire response body. "
    "See {logs}"
)
"""OBSERVED: aws/amazon-sagemaker-examples#4324, awslabs/realtime-fraud-detection-with-gnn-on-dgl#1331."""

LOGS_SENTENCE = (
    "https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}"
    "#logEventViewer:group=/aws/sagemaker/Endpoints/{endpoint} in account {account} for more information."
)
"""OBSERVED: the same threads."""

TIMED_OUT = (
    "Your invocation timed out while waiting for a response from container {container}. Review the latency "
    "metrics for each container in Amazon CloudWatch, resolve the issue, and try again."
)
"""OBSERVED: aws/sagemaker-python-sdk#1119, and the developer guide's Canvas troubleshooting page."""

NO_RESPONSE = (
    "Amazon SageMaker could not get a response from the {endpoint} endpoint. This can occur when CPU or "
    "memory utilization is high. To check your utilization, see Amazon CloudWatch. To fix this problem, use "
    "an instance type with more CPU capacity or memory."
)
"""For a container that is gone or breaks off. OBSERVED: aws/amazon-sagemaker-examples#2815."""

ENDPOINT_NOT_FOUND = "Endpoint {endpoint} of account {account} not found."
"""OBSERVED: aws/amazon-sagemaker-examples#293, #559, #1477."""

VARIANT_NOT_FOUND = "Variant {variant} of endpoint {endpoint} of account {account} not found."
"""ValidationError is documented (RT); the wording is ours (UNSURE)."""

NOT_FOR_ONE_MODEL: dict[str, str] = {
    # OBSERVED: aws/amazon-sagemaker-examples#1026, #1216
    TARGET_MODEL_HEADER: (
        "Endpoint {endpoint} is not a multi-model endpoint and does not support target model header."
    ),
    "X-Amzn-SageMaker-Target-Container-Hostname": NOT_DIRECT,
}
"""Headers that choose where an endpoint with one model and one container has nothing to choose."""

NOT_FOR_PIPELINES = "The OpenAI-compatible path is not emulated for inference pipelines."

STREAM_TIMED_OUT = (
    "Your model {container} did not complete sending the inference response in the allotted time."
)
"""OBSERVED: aws/sagemaker-python-sdk#1119."""

STREAM_BROKE_OFF = "The connection to your model {container} was closed before its response was complete."
"""RT describes the code StreamBroken as a TCP connection that was reset or closed; the wording is ours (UNSURE)."""

STREAM_FAILED = "The endpoint {endpoint} is being deleted."
"""For InternalStreamFailure. RT: an unknown error, exception or failure; the wording is ours (UNSURE)."""

SESSION_NOT_FOUND = "Session {session} of endpoint {endpoint} not found."
"""No page says what an unknown or expired session gives; a setting chooses, and the wording is ours (UNSURE)."""

PATTERN_BROKEN = (
    "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: "
    "Member must satisfy regular expression pattern: {pattern}"
)
"""How AWS services word a broken pattern constraint; RT has the patterns."""

BODY_TOO_LONG = "HTTP content length exceeded {limit} bytes."
"""OBSERVED with 413 and no error type: amazon-sagemaker-examples#245, sagemaker-python-sdk#171 (2018)."""

BODY_TOO_LONG_STATUS = 413
"""RT knows no such error; a setting gives ValidationError instead."""

MEMBER_TOO_LONG = (
    "1 validation error detected: Value at '{member}' failed to satisfy constraint: "
    "Member must have length less than or equal to {longest}"
)
"""How AWS services word a broken length constraint; RT has the limits."""

LOG_STREAM_ARN = "arn:{partition}:logs:{region}:{account}:log-group:/aws/sagemaker/Endpoints/{endpoint}"
"""A log group's ARN in spite of its name. OBSERVED: the ml-commons test quoted above."""
