"""SageMaker's own words: failure reasons and status messages, letter for letter where they are known.

Each says where its wording was seen. Words that no source gives are marked so.
"""

from __future__ import annotations

FAILURE_TEXT_LIMIT = 1024
"""Characters of /opt/ml/output/failure that reach FailureReason.

https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo-output.html
"""

MODEL_ERROR_MESSAGE_LIMIT = 2048
"""Characters of ModelError's Message: boto/botocore sagemaker-runtime service-2.json."""

# Training: FailureReason

CANNOT_PULL_IMAGE = "ClientError: Cannot pull algorithm container. Either the image does not exist or its permissions are incorrect."
"""https://github.com/aws/sagemaker-python-sdk/issues/57 and 1968; also seen when the image outgrows the disk."""

OUT_OF_MEMORY = (
    "ClientError: Please use an instance type with more memory, "
    "or reduce the size of job data processed on an instance."
)
"""Public job logs, training and processing, when the host runs out of memory."""

DOWNLOAD_OUT_OF_DISK = "ClientError: Data download failed:Insufficient disk space"
"""https://github.com/aws/sagemaker-python-sdk/issues/128"""

UPLOAD_OUT_OF_DISK = "ClientError: Artifact upload failed:Insufficient disk space"
"""https://github.com/huggingface/blog/issues/114"""

INTERNAL_SERVER_ERROR = "InternalServerError: We encountered an internal error.  Please try again."
"""https://github.com/aws/sagemaker-python-sdk/issues/70 and 2496; the two spaces are SageMaker's."""

PIPE_TIMED_OUT = "Platform Error: SageMaker pipe channel timed out."
"""A line in the job's log, beside INTERNAL_SERVER_ERROR: https://github.com/aws/amazon-sagemaker-examples/issues/1097, 1316"""


def algorithm_error(failure_text: str, exit_code: int) -> str:
    """Give the FailureReason of a program that exited non-zero.

    `failure_text` is what the program wrote to /opt/ml/output/failure, or nothing. Wording of 2024:
    https://github.com/aws-samples/amazon-sagemaker-ml-pipeline-deploy-with-terraform/issues/12
    """
    return f"AlgorithmError: {failure_text[:FAILURE_TEXT_LIMIT]}, exit code: {exit_code}"


def cannot_start(engine_words: str) -> str:
    """Give the FailureReason of an image whose program could not be started, such as one without `train`.

    https://github.com/aws/amazon-sagemaker-examples/issues/3650
    """
    return f"ClientError: Artifact upload failed:API error (400): {engine_words}"


def download_failed(cause: str) -> str:
    """Give the FailureReason of a channel that could not be filled; only the prefix is known.

    https://github.com/aws/sagemaker-python-sdk/issues/128
    """
    return f"ClientError: Data download failed:{cause}"


def upload_failed(cause: str) -> str:
    """Give the FailureReason of artifacts that could not be stored.

    https://github.com/huggingface/blog/issues/114
    """
    return f"ClientError: Artifact upload failed:{cause}"


def no_objects_found(uri: str, region: str, role_arn: str, bucket: str) -> str:
    """Give CreateTrainingJob's refusal of a prefix that matches nothing.

    https://github.com/aws/amazon-sagemaker-examples/issues/2489
    """
    return (
        f'No S3 objects found under S3 URL "{uri}" given in input data source. Please ensure that the bucket exists '
        f"in the selected region ({region}), that objects exist under that S3 prefix, and that the role "
        f'"{role_arn}" has "s3:ListBucket" permissions on bucket "{bucket}".'
    )


# Training: StatusMessage of SecondaryStatusTransitions. AWS says that these texts may change.

STARTING = "Starting the training job"
PREPARING_INSTANCES = "Preparing the instances for training"
DOWNLOADING_INPUT = "Downloading input data"
DOWNLOADING_IMAGE = "Downloading the training image"
TRAINING = "Training image download completed. Training in progress."
UPLOADING = "Uploading generated training model"
COMPLETED = "Training job completed"
FAILED = "Training job failed"
"""https://github.com/aws/sagemaker-python-sdk/issues/835 has the whole row up to here."""
STOPPING = "Stopping the training job"
"""https://github.com/aws/sagemaker-python-sdk/issues/3062, followed there by Uploading."""
STOPPED = "Training job stopped"
"""No source: made like its neighbours."""
MAX_RUNTIME_EXCEEDED = "Training job runtime exceeded MaxRuntimeInSeconds provided"
"""No source was found for this text either."""

INTERRUPTED = "Training job interrupted"
MAX_WAIT_TIME_EXCEEDED = "Training job wait time exceeded MaxWaitTimeInSeconds provided"
RESTARTING = "Restarting the training job"
"""No source for these three: made like their neighbours."""

# Processing: FailureReason

PROCESSING_FAILURE = "AlgorithmError: See job logs for more information"
"""aws/sagemaker-spark-container test/integration/sagemaker/test_sagemaker_spark_errors.py asserts it of a job that exited non-zero."""

EXIT_MESSAGE_NOT_UTF8 = "ClientError: The exit message in /opt/ml/output/message is not UTF-8 encoded."
"""The page on metadata promises a ClientError; no source gives its words."""

PROCESSING_TIMED_OUT = "ClientError: Processing job runtime exceeded MaxRuntimeInSeconds provided"
"""No source: made like training's."""


# Processing: what a terminal is told. The platform has no StatusMessage for processing jobs.

PROCESSING_STARTING = "Starting the processing job"
PROCESSING_DOWNLOADING = "Downloading input data"
PROCESSING_RUNNING = "Processing in progress"
PROCESSING_UPLOADING = "Uploading outputs"
PROCESSING_COMPLETED = "Processing job completed"
PROCESSING_FAILED = "Processing job failed"
PROCESSING_STOPPING = "Stopping the processing job"
PROCESSING_STOPPED = "Processing job stopped"

# Hosting


PRIMARY = "primary container"
"""What the only container of an instance is called."""


def ping_failed(variant: str = "AllTraffic", container: str = PRIMARY) -> str:
    """Give the FailureReason of an endpoint that never became healthy.

    https://github.com/aws/amazon-sagemaker-examples/issues/1072; a pipeline says `container-2` instead, and names all
    that failed (how several names are joined is not known).
    """
    return (
        f"The {container} for production variant {variant} did not pass the ping health check. "
        "Please check CloudWatch logs for this endpoint."
    )


def container_error(
    *, status: int, body: str, region: str, endpoint: str, account: str, container: str = "primary"
) -> str:
    """Give ModelError's Message for a container that answered 4xx or 5xx.

    https://github.com/aws/amazon-sagemaker-examples/issues/235 (5xx) and
    https://github.com/huggingface/text-embeddings-inference/issues/433 (4xx).
    """
    kind = "client" if 400 <= status < 500 else "server"
    link = (
        f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}"
        f"#logEventViewer:group=/aws/sagemaker/Endpoints/{endpoint}"
    )
    ending = f'". See {link} in account {account} for more information.'
    beginning = f'Received {kind} error ({status}) from {container} with message "'
    room = max(0, MODEL_ERROR_MESSAGE_LIMIT - len(beginning) - len(ending))
    return beginning + body[:room] + ending


def invocation_timed_out(*, region: str, endpoint: str, account: str, container: str = "primary") -> str:
    """Give ModelError's Message for a container that did not answer in time.

    https://github.com/RamVegiraju/SageMaker-Deployment/issues/3; in 2019 the container was called `model`.
    """
    return container_error(
        status=0,
        body=(
            f"Your invocation timed out while waiting for a response from container {container}. "
            "Review the latency metrics for each container in Amazon CloudWatch, resolve the issue, and try again."
        ),
        region=region,
        endpoint=endpoint,
        account=account,
        container=container,
    )


def no_response(*, region: str, endpoint: str, account: str, container: str = "primary") -> str:
    """Give ModelError's Message for a container that is overloaded or gone.

    https://github.com/aws/amazon-sagemaker-examples/issues/2815 and 3089.
    """
    return container_error(
        status=0,
        body=(
            f"Amazon SageMaker could not get a response from the {endpoint} endpoint. "
            "This can occur when CPU or memory utilization is high. "
            "To check your utilization, see Amazon CloudWatch. "
            "To fix this problem, use an instance type with more CPU capacity or memory."
        ),
        region=region,
        endpoint=endpoint,
        account=account,
        container=container,
    )


STREAM_NOT_COMPLETED = (
    "Your model primary did not complete sending the inference response in the allotted time."
)
"""https://github.com/aws/sagemaker-python-sdk/issues/1119: a streamed answer past 8 minutes."""


def content_too_long(limit: int) -> str:
    """Give the message of a request body over the limit, HTTP 413.

    https://github.com/aws/amazon-sagemaker-examples/issues/245
    """
    return f"HTTP content length exceeded {limit} bytes"


# Tuning: FailureReason


def no_training_job_succeeded(attempts: int) -> str:
    """Give the FailureReason of a tuning job whose training jobs all failed.

    Seen in May 2025 in a public report of a tuning job that failed; in 2021, in
    https://github.com/aws/amazon-sagemaker-examples/issues/2437, the second sentence was another one.
    """
    return (
        f"No training job succeeded after {attempts} attempts. For additional details, please take a look at the "
        "training job failures by listing training jobs for the hyperparameter tuning job."
    )


def no_objective_metric(attempts: int) -> str:
    """Give the FailureReason of a tuning job whose training jobs ended well and never printed the objective.

    No source gives these words.
    """
    return (
        f"No objective metrics found after running {attempts} training jobs. Please ensure that the algorithm emits "
        "the objective metric as defined by the regular expression provided."
    )


WARM_START_NAMES = (
    "The set of tunable plus static HyperParameter names is not the same across current and parent tuning jobs. "
    "Please ensure this set is constant when warm starting. "
    "Note that previously static HyperParameters can be tuned in warm start jobs and vice versa."
)
"""https://github.com/aws/amazon-sagemaker-examples/issues/861"""
