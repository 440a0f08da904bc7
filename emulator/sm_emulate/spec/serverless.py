"""What serverless endpoints are held to.

The pages behind it: https://docs.aws.amazon.com/sagemaker/latest/dg/serverless-endpoints.html and
serverless-endpoints-invoke; what was only seen is marked so.
"""

from __future__ import annotations

MAX_PAYLOAD_BYTES = 4 * 1024 * 1024
"""Of a request, and of an answer."""
MAX_IMAGE_BYTES = 10 * 1000**3
WINDOW_SECONDS = 180
"""For the model to be fetched and the first ping to be answered."""
DISK_BYTES = 5 * 1024**3
"""Of /tmp."""
MEMORY_OF_ONE_VCPU_MB = 1769
"""Lambda's own number (lambda/latest/dg/configuration-memory)."""

OVERSIZE_BODY = "Request {request} has oversize body."
"""ValidationError. OBSERVED: aws/sagemaker-python-sdk#4271, of a serverless endpoint."""
OVERSIZE_ANSWER = (
    "The response of {size} bytes exceeds the {limit} bytes that a serverless endpoint may answer with."
)
"""The limit is documented, what a caller is told is not: wording ours (UNSURE)."""
THROTTLED = "Rate exceeded"
"""Of ThrottlingException. The usual words of AWS services; serverless endpoints' own are not published (UNSURE)."""
NOT_READY = (
    "The resources of variant {variant} of endpoint {endpoint} are still being provisioned. Wait and try your "
    "request again."
)
"""RT describes ModelNotReadyException so; the exact words are ours (UNSURE)."""
PROCESS_EXITED = "An error occurred while handling request as the model process exited."
"""OBSERVED as the message of a ModelError with status 0, and in FailureReasons, of containers that ended."""
NO_BIDIRECTIONAL = "Endpoint {endpoint} is serverless and does not support bidirectional streams."
"""ValidationError; the wording is ours (UNSURE)."""
NOT_IN_TIME = (
    "Unable to successfully stand up your model within the allotted 180 second timeout. Please ensure that "
    "downloading your model artifacts, starting your model container and passing the ping health checks can be "
    "completed within 180 seconds."
)
"""FailureReason. OBSERVED, its first sentence, of serverless variants."""
