"""A batch transform job as data: its statuses, its defaults, its container's environment.

https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-batch-code.html
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from sm_emulate.spec.training_job import partition

if TYPE_CHECKING:
    from collections.abc import Mapping

MEGABYTE = 1024 * 1024
DEFAULT_MAX_CONCURRENT = 1
DEFAULT_MAX_PAYLOAD_MB = 6
MAX_PAYLOAD_MB = 100
"""Also the most that MaxConcurrentTransforms times MaxPayloadInMB may be."""
DEFAULT_TIMEOUT_SECONDS = 600
DEFAULT_MAX_RETRIES = 3
CONNECT_SECONDS = 10.0
"""For a connection to be accepted. The 250 ms of endpoints are InvokeEndpoint's; nothing is said of transform jobs."""
EXECUTION_PARAMETERS = "/execution-parameters"
INVOCATIONS = "/invocations"
HOST = "169.254.255.131"
"""What containers were seen to be asked for: aws/amazon-sagemaker-examples#2028."""
USER_AGENT = "Go-http-client/1.1"
SUFFIX = ".out"
DATA_LOG = "data-log"
"""The log stream in which the platform itself tells which object failed."""

SPELLED = {"SingleRecord": "SINGLE_RECORD", "MultiRecord": "MULTI_RECORD"}
"""BatchStrategy as the API spells it, and as containers do."""


class TransformJobStatus(str, Enum):
    """TransformJobStatus of DescribeTransformJob."""

    IN_PROGRESS = "InProgress"
    COMPLETED = "Completed"
    FAILED = "Failed"
    STOPPING = "Stopping"
    STOPPED = "Stopped"


def environment(
    *,
    max_payload_in_mb: int | None,
    batch_strategy: str | None,
    max_concurrent_transforms: int | None,
    requested: Mapping[str, str],
) -> dict[str, str]:
    """Give the container's variables; what the request leaves open is not passed."""
    added = {"SAGEMAKER_BATCH": "true"}
    if max_payload_in_mb is not None:
        added["SAGEMAKER_MAX_PAYLOAD_IN_MB"] = str(max_payload_in_mb)
    if batch_strategy is not None:
        added["SAGEMAKER_BATCH_STRATEGY"] = SPELLED[batch_strategy]
    if max_concurrent_transforms is not None:
        added["SAGEMAKER_MAX_CONCURRENT_TRANSFORMS"] = str(max_concurrent_transforms)
    return added | dict(requested)


def transform_job_arn(*, region: str, account: str, name: str) -> str:
    """Give the job's ARN, where the name is lower-cased."""
    return f"arn:{partition(region)}:sagemaker:{region}:{account}:transform-job/{name.lower()}"


START_WINDOW_SECONDS = 1800
"""How long a container may fail its pings: aws/amazon-sagemaker-examples#815."""
STARTING = "Starting the transform job"
SENDING = "Sending records to the container"
COMPLETED = "Transform job completed"
STOPPING = "Stopping the transform job"
STOPPED = "Transform job stopped"
FAILED = "Transform job failed"
PING_FAILED = (
    "AlgorithmError: Model container failed to respond to ping. Please ensure /ping endpoint is implemented and "
    "responds with an HTTP 200 status code"
)
"""aws/amazon-sagemaker-examples#852."""
NO_ANSWER = "Unable to get response from algorithm"
"""A line of the data log: aws/sagemaker-python-sdk#1951."""
OUTPUT, INPUT = "SageMakerOutput", "SageMakerInput"
"""Under which names a JSON record is joined with its answer.

https://docs.aws.amazon.com/sagemaker/latest/dg/batch-transform-data-processing.html
"""
INFERENCE_ID, INFERENCE_TIME = "SageMakerInferenceId", "SageMakerInferenceTime"
"""What GenerateInferenceId adds: https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-data-capture-batch.html"""


def client_error(cause: object) -> str:
    """Give the line of the data log for what is wrong with an object, or with what its container said."""
    return f"ClientError: {cause}"


def refused(status: int, container: str | None = None) -> str:
    """Give the line of the data log for an answer that is none: aws/sagemaker-python-sdk#1882 and 703."""
    words = client_error(status) if status < 500 else f"Bad HTTP status received from algorithm: {status}"
    return words + of(container)


def of(container: str | None) -> str:
    """Name the container of a pipeline at the end of a line of the data log; the platform's words are not published."""
    return "" if container is None else f" ({container})"


def too_long_between(giver: str, taker: str, *, size: int, limit: int) -> str:
    """Say that a container of a pipeline answered more than the next one is given; the words are ours."""
    return (
        f"the answer of {giver} is {size} bytes, and {taker} is given at most {limit / MEGABYTE:g} MB "
        "(setting pipeline-payload-limit)"
    )


def host_header(port: int) -> str:
    """Give the Host header that the container which listens at this port sees."""
    return f"{HOST}:{port}"


def failed_by(failure: str) -> str:
    """Give the FailureReason of a job whose first object failed in these words."""
    kind = "ClientError" if failure.startswith(client_error("")) else "AlgorithmError"
    return f"{kind}: See job logs for more information"


def no_objects_found(uri: str) -> str:
    """Give the FailureReason of a manifest that names nothing: CreateTransformJob's words for an empty prefix."""
    return client_error(f'No S3 objects found under S3 URL "{uri}" given in input data source')
