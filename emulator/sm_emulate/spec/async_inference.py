"""What SageMaker does to one call of an asynchronous endpoint: limits, headers, names, wordings.

Sources: botocore's service models of InvokeEndpointAsync and CreateEndpointConfig (RT, SM), and the developer guide's
async-inference pages. What these leave open has a setting, or says UNSURE here.
"""

from __future__ import annotations

from sm_emulate.spec.invocation import ACCEPT_HEADER, CUSTOM_ATTRIBUTES_HEADER, INFERENCE_ID_HEADER

PATH = "/endpoints/{endpoint_name}/async-invocations"
"""RT operation InvokeEndpointAsync, `requestUri`."""
STATUS = 202

MAX_INLINE_BYTES = 128_000
"""RT InvokeEndpointAsyncInput.Body."""
MAX_INPUT_BYTES = 1024 * 1024 * 1024
"""1 GB from S3 (async-inference); whether GB or GiB is not written."""
TTL_SECONDS = (60, 21_600)
DEFAULT_TTL_SECONDS = 21_600
TIMEOUT_SECONDS = (1, 3600)
DEFAULT_TIMEOUT_SECONDS = 900
MAX_RESPONSE_IN_NOTIFICATION = 128 * 1024
"""SM AsyncInferenceNotificationConfig: 128 KB."""

INFERENCE_ID = INFERENCE_ID_HEADER
CUSTOM_ATTRIBUTES = CUSTOM_ATTRIBUTES_HEADER
CONTENT_TYPE = "X-Amzn-SageMaker-Content-Type"
ACCEPT = ACCEPT_HEADER
INPUT_LOCATION = "X-Amzn-SageMaker-InputLocation"
EXTENSION = "X-Amzn-SageMaker-S3OutputPathExtension"
FILENAME = "X-Amzn-SageMaker-Filename"
TTL = "X-Amzn-SageMaker-RequestTTLSeconds"
TIMEOUT = "X-Amzn-SageMaker-InvocationTimeoutSeconds"
OUTPUT_LOCATION = "X-Amzn-SageMaker-OutputLocation"
FAILURE_LOCATION = "X-Amzn-SageMaker-FailureLocation"

LENGTHS = {
    INFERENCE_ID: ("inferenceId", 64),
    CUSTOM_ATTRIBUTES: ("customAttributes", 1024),
    CONTENT_TYPE: ("contentType", 1024),
    ACCEPT: ("accept", 1024),
    INPUT_LOCATION: ("inputLocation", 1024),
    EXTENSION: ("s3OutputPathExtension", 512),
    FILENAME: ("filename", 32),
}
"""Of each header that holds words: the parameter's name and most characters (RT)."""
PATTERNS = {
    EXTENSION: r"(?!s3:|https:)[a-zA-Z0-9!_.*'()/-]+",
    FILENAME: r"(?!.*\..*\.)[a-zA-Z0-9][a-zA-Z0-9\-_.]*",
}
NUMBERS = {TTL: ("requestTTLSeconds", *TTL_SECONDS), TIMEOUT: ("invocationTimeoutSeconds", *TIMEOUT_SECONDS)}

OUTPUT_SUFFIX = ".out"
FAILURE_SUFFIX = "-error.out"
"""UNSURE: no page names the failure object; it has to differ from the output's name where both paths are one."""

# wordings: the pages give none, so all but the container's errors are ours (UNSURE)
ASYNC_ONLY = "Endpoint {endpoint} is an asynchronous endpoint: it takes InvokeEndpointAsync only."
NOT_ASYNC = (
    "Endpoint {endpoint} is not an asynchronous endpoint: its configuration has no AsyncInferenceConfig."
)
NOT_REMOVED = "The AsyncInferenceConfig parameter cannot be removed from this endpoint {endpoint}."
"""OBSERVED: UpdateEndpoint's ValidationException in a report of 2022 (REMOVED_PAGE), of which we have no more."""
REMOVED_PAGE = "https://github.com/aws/sagemaker-python-sdk/pull/3124"
NOT_ADDED = "The AsyncInferenceConfig parameter cannot be added to this endpoint {endpoint}."
ONE_INPUT = "Exactly one of Body and InputLocation must be given."
INLINE_TOO_LONG = (
    "1 validation error detected: Value at 'body' failed to satisfy constraint: "
    f"Member must have length less than or equal to {MAX_INLINE_BYTES}"
)
NOT_A_PLACE = "InputLocation must be an S3 URI, or file:/// for a file of this machine."
OUT_OF_RANGE = (
    "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: "
    "Member must have value between {least} and {most}"
)
NO_MATCH = (
    "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: "
    "Member must satisfy regular expression pattern: {pattern}"
)
EXPIRED = "ClientError: The request was in the queue for longer than its RequestTTLSeconds of {seconds}."
INPUT_MISSING = "ClientError: The input object {uri} cannot be read: {why}"
INPUT_TOO_LONG = f"ClientError: The input object {{uri}} is longer than {MAX_INPUT_BYTES} bytes."
CLIENT_ERROR = "ClientError: {message}"
"""OBSERVED: failureReason of a public log, "ClientError: Received server error (500) from model. ..."."""

TOPIC = "arn:aws:sns:us-east-1:123456789012:{name}"
"""Of an endpoint that was made with flags: there is no SNS here, and the ARN is only written into its messages."""
