"""A training job as data: its statuses, its paths, its command, its environment, its names."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sm_emulate.spec.settings import Settings

STOP_GRACE_SECONDS = 120
"""Between SIGTERM and SIGKILL: your-algorithms-training-algo-dockerfile, StoppingCondition."""

DEFAULT_MAX_RUNTIME_SECONDS = 86_400
"""StoppingCondition.MaxRuntimeInSeconds when it is not given."""

LOG_GROUP = "/aws/sagemaker/TrainingJobs"


class _Status(str, Enum):
    """A status that prints as AWS spells it, whatever the Python version."""

    def __str__(self) -> str:
        return str(self.value)


class TrainingJobStatus(_Status):
    """TrainingJobStatus of DescribeTrainingJob."""

    IN_PROGRESS = "InProgress"
    COMPLETED = "Completed"
    FAILED = "Failed"
    STOPPING = "Stopping"
    STOPPED = "Stopped"
    DELETING = "Deleting"


class SecondaryStatus(_Status):
    """SecondaryStatus of DescribeTrainingJob, less the three that are no longer emitted."""

    STARTING = "Starting"
    PENDING = "Pending"
    DOWNLOADING = "Downloading"
    TRAINING = "Training"
    INTERRUPTED = "Interrupted"
    RESTARTING = "Restarting"
    UPDATING = "Updating"
    UPLOADING = "Uploading"
    STOPPING = "Stopping"
    COMPLETED = "Completed"
    FAILED = "Failed"
    STOPPED = "Stopped"
    MAX_RUNTIME_EXCEEDED = "MaxRuntimeExceeded"
    MAX_WAIT_TIME_EXCEEDED = "MaxWaitTimeExceeded"


_S = SecondaryStatus
_AFTER_STOP = frozenset({_S.STOPPED, _S.MAX_RUNTIME_EXCEEDED, _S.MAX_WAIT_TIME_EXCEEDED, _S.FAILED})

ALLOWED: dict[SecondaryStatus, frozenset[SecondaryStatus]] = {
    _S.STARTING: frozenset({_S.PENDING, _S.DOWNLOADING, _S.TRAINING, _S.STOPPING, _S.FAILED}),
    _S.PENDING: frozenset({_S.STARTING, _S.DOWNLOADING, _S.TRAINING, _S.STOPPING, _S.FAILED}),
    _S.DOWNLOADING: frozenset({_S.TRAINING, _S.INTERRUPTED, _S.RESTARTING, _S.STOPPING, _S.FAILED}),
    _S.TRAINING: frozenset(
        {_S.UPLOADING, _S.INTERRUPTED, _S.RESTARTING, _S.UPDATING, _S.STOPPING, _S.FAILED}
    ),
    _S.INTERRUPTED: frozenset({_S.STARTING, _S.STOPPING, _S.FAILED}),
    _S.RESTARTING: frozenset({_S.STARTING, _S.DOWNLOADING, _S.TRAINING, _S.STOPPING, _S.FAILED}),
    _S.UPDATING: frozenset({_S.TRAINING, _S.STOPPING, _S.FAILED}),
    _S.UPLOADING: frozenset({_S.COMPLETED, _S.STOPPING}) | _AFTER_STOP,
    _S.STOPPING: frozenset({_S.UPLOADING}) | _AFTER_STOP,
    _S.COMPLETED: frozenset(),
    _S.FAILED: frozenset(),
    _S.STOPPED: frozenset(),
    _S.MAX_RUNTIME_EXCEEDED: frozenset(),
    _S.MAX_WAIT_TIME_EXCEEDED: frozenset(),
}
"""What may follow each secondary status; Stopping then Uploading is seen in aws/sagemaker-python-sdk#3062."""

TERMINAL = frozenset(status for status, following in ALLOWED.items() if not following)


def next_allowed(now: SecondaryStatus, then: SecondaryStatus) -> bool:
    """Tell whether a job may go from one secondary status to the other.

    A new message within one status is no transition: a status never follows itself.
    """
    return then in ALLOWED[now]


def status_of(secondary: SecondaryStatus, *, stopping: bool = False) -> TrainingJobStatus:
    """Give the TrainingJobStatus that goes with a secondary status.

    `stopping` says that a stop was asked for, by a person or by MaxRuntimeInSeconds: Uploading then still
    belongs to Stopping.
    """
    if secondary is _S.COMPLETED:
        return TrainingJobStatus.COMPLETED
    if secondary is _S.FAILED:
        return TrainingJobStatus.FAILED
    if secondary in TERMINAL:
        return TrainingJobStatus.STOPPED
    if secondary is _S.STOPPING or stopping:
        return TrainingJobStatus.STOPPING
    return TrainingJobStatus.IN_PROGRESS


class Layout:
    """Where things lie in a training container; every value is an absolute path there."""

    __slots__ = ()

    root: Final = "/opt/ml"
    input: Final = "/opt/ml/input"
    config: Final = "/opt/ml/input/config"
    data: Final = "/opt/ml/input/data"
    model: Final = "/opt/ml/model"
    output: Final = "/opt/ml/output"
    output_data: Final = "/opt/ml/output/data"
    failure: Final = "/opt/ml/output/failure"
    metrics: Final = "/opt/ml/output/metrics/sagemaker"
    profiler: Final = "/opt/ml/output/profiler"
    tensors: Final = "/opt/ml/output/tensors"
    tensorboard: Final = "/opt/ml/output/tensorboard"
    checkpoints: Final = "/opt/ml/checkpoints"
    code: Final = "/opt/ml/code"
    warm_pool_cache: Final = "/opt/ml/sagemaker/warmpoolcache"

    @property
    def mounts(self) -> tuple[str, ...]:
        """Name what the platform mounts: never /opt/ml whole, so that an image's /opt/ml/code survives."""
        return (self.input, self.model, self.output)

    @property
    def created(self) -> tuple[str, ...]:
        """Name the empty directories that exist before the program starts, parents first."""
        return (self.model, self.output, self.output_data, self.metrics, self.profiler)

    def channel(self, name: str) -> str:
        """Give a channel's directory."""
        return f"{self.data}/{name}"

    def manifest(self, name: str) -> str:
        """Give the file beside a channel's directory that lists its objects."""
        return f"{self.data}/{name}-manifest"

    def pipe(self, name: str, epoch: int) -> str:
        """Give the FIFO of a Pipe channel's epoch, which counts from 0."""
        return f"{self.data}/{name}_{epoch}"


LAYOUT = Layout()
WARM_POOL_CACHE_VARIABLE = "SAGEMAKER_MANAGED_WARMPOOL_CACHE_DIRECTORY"
"""Set to `Layout.warm_pool_cache`: https://docs.aws.amazon.com/sagemaker/latest/dg/train-warm-pools.html"""


def command_for(
    entrypoint: Sequence[str] | None, arguments: Sequence[str] | None
) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None]:
    """Give the engine's entrypoint and command for a request's ContainerEntrypoint and ContainerArguments.

    None leaves the image's ENTRYPOINT as it is, or gives no command at all (an engine then drops the
    image's CMD too, because the entrypoint is replaced).

        neither          ENTRYPOINT train
        entrypoint only  EP
        arguments only   ENTRYPOINT ARGS
        both             EP ARGS

    https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo-dockerfile.html
    """
    chosen_entrypoint = tuple(entrypoint) if entrypoint else None
    if arguments:
        return chosen_entrypoint, tuple(arguments)
    if chosen_entrypoint is not None:
        return chosen_entrypoint, None
    return None, ("train",)


def environment(
    settings: Settings,
    *,
    job_name: str,
    region: str,
    account: str,
    gpu: bool,
    metadata_id: str | None = None,
) -> dict[str, str]:
    """Give the variables that the platform sets, and no other: the request's Environment is not among them.

    Args:
        settings: which of the unsure variables are set; they carry the platform profile's defaults.
        job_name: with its own case.
        region: such as us-east-1.
        account: twelve digits.
        gpu: whether the container is given a GPU; without one NVIDIA_VISIBLE_DEVICES is `void`.
        metadata_id: what stands in for the task id of ECS's metadata addresses.
    """
    variables = {
        "TRAINING_JOB_NAME": job_name,
        "TRAINING_JOB_ARN": job_arn(region=region, account=account, job_name=job_name),
        "AWS_REGION": region,
    }
    if settings.text("environment-ecs") == "set":
        task = metadata_id or f"{crc32(job_name.encode()):08x}-0000-0000-0000-000000000000"
        variables["ECS_CONTAINER_METADATA_URI"] = f"http://169.254.170.2/v3/{task}"
        variables["ECS_CONTAINER_METADATA_URI_V4"] = f"http://169.254.170.2/v4/{task}"
        variables["AWS_EXECUTION_ENV"] = "AWS_ECS_EC2"
    if settings.text("dmlc-interface-variable") == "set":
        variables["DMLC_INTERFACE"] = settings.text("network-interface-name")
    if not gpu and settings.text("nvidia-visible-devices") == "void":
        variables["NVIDIA_VISIBLE_DEVICES"] = "void"
    if settings.text("metrics-directory-variable") == "set":
        variables["SAGEMAKER_METRICS_DIRECTORY"] = LAYOUT.metrics
    return variables


def job_arn(*, region: str, account: str, job_name: str) -> str:
    """Give the job's ARN, where the name is lower-cased."""
    return f"arn:{partition(region)}:sagemaker:{region}:{account}:training-job/{job_name.lower()}"


def partition(region: str) -> str:
    """Give the partition of a region as it stands in ARNs."""
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"


def host_names(count: int) -> tuple[str, ...]:
    """Name the hosts as resourceconfig.json does: sorted as text, so algo-10 comes before algo-2."""
    return tuple(sorted(f"algo-{number}" for number in range(1, count + 1)))


def private_address(job_name: str, host: str) -> str:
    """Make up the 10.0.x.y that a host's own name is made from; the same for the same job and host."""
    digest = crc32(f"{job_name}/{host}".encode())
    return f"10.0.{digest >> 8 & 0xFF}.{1 + digest % 254}"


def hostname(address: str, *, settings: Settings, region: str = "us-east-1") -> str:
    """Give what `hostname` prints inside the container: EC2's name for an address, never algo-N."""
    if settings.text("container-hostname") == "aws":
        return "aws"
    domain = "ec2.internal" if region == "us-east-1" else f"{region}.compute.internal"
    return f"ip-{address.replace('.', '-')}.{domain}"


def log_stream(job_name: str, host: str, epoch_seconds: int) -> str:
    """Give the CloudWatch stream of one host's log in `LOG_GROUP`.

    The suffix is seen in https://github.com/aws/sagemaker-training-toolkit/issues/204
    """
    return f"{job_name}/{host}-{epoch_seconds}"
