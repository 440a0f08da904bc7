"""A processing job as data: its statuses, its paths, its command, its environment, its names."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final

from sm_emulate.spec.training_job import partition

if TYPE_CHECKING:
    from collections.abc import Sequence

STOP_GRACE_SECONDS = 120
"""Between the first signal and SIGKILL. No page gives a number: it is that of training."""

DEFAULT_MAX_RUNTIME_SECONDS = 86_400
"""StoppingCondition.MaxRuntimeInSeconds when it is not given: aws/sagemaker-python-sdk#1504."""

DEFAULT_VOLUME_GB = 30
"""VolumeSizeInGB, which the API wants, when nobody says: the SDK's."""

LOG_GROUP = "/aws/sagemaker/ProcessingJobs"


class ProcessingJobStatus(str, Enum):
    """ProcessingJobStatus of DescribeProcessingJob; it prints as AWS spells it."""

    IN_PROGRESS = "InProgress"
    COMPLETED = "Completed"
    FAILED = "Failed"
    STOPPING = "Stopping"
    STOPPED = "Stopped"

    def __str__(self) -> str:
        return str(self.value)


_S = ProcessingJobStatus
ALLOWED: dict[ProcessingJobStatus, frozenset[ProcessingJobStatus]] = {
    _S.IN_PROGRESS: frozenset({_S.STOPPING, _S.COMPLETED, _S.FAILED, _S.STOPPED}),
    _S.STOPPING: frozenset({_S.STOPPED, _S.FAILED}),
    _S.COMPLETED: frozenset(),
    _S.FAILED: frozenset(),
    _S.STOPPED: frozenset(),
}
"""What may follow each status."""

TERMINAL = frozenset(status for status, following in ALLOWED.items() if not following)


class ProcessingLayout:
    """Where things lie in a processing container; every value is an absolute path there."""

    __slots__ = ()

    root: Final = "/opt/ml"
    config: Final = "/opt/ml/config"
    output: Final = "/opt/ml/output"
    output_data: Final = "/opt/ml/output/data"
    metrics: Final = "/opt/ml/output/metrics/cloudwatch"
    message: Final = "/opt/ml/output/message"
    processing: Final = "/opt/ml/processing"
    """Every LocalPath lies below."""

    @property
    def mounts(self) -> tuple[str, ...]:
        """Name what the platform mounts besides the LocalPaths: never /opt/ml or /opt/ml/processing whole."""
        return (self.config, self.output)

    def shadow(self, output_name: str) -> str:
        """Give the empty directory that stands beside an output's LocalPath."""
        return f"{self.output_data}/{output_name}"

    def input(self, name: str) -> str:
        """Give the LocalPath of an input whose place nobody says."""
        return f"{self.processing}/input/{name}"

    def pipe(self, local_path: str, epoch: int, *, plain: bool) -> str:
        """Give the FIFO of a Pipe input's epoch, which counts from 0.

        Args:
            local_path: of the input.
            epoch: its number.
            plain: call the first one LocalPath itself.
        """
        return local_path if plain and not epoch else f"{local_path}_{epoch}"

    def result(self, name: str) -> str:
        """Give the LocalPath of an output whose place nobody says."""
        return f"{self.processing}/output/{name}"


PROCESSING_LAYOUT = ProcessingLayout()


def command_for(
    entrypoint: Sequence[str] | None, arguments: Sequence[str] | None
) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None]:
    """Give the engine's entrypoint and command for a request's ContainerEntrypoint and ContainerArguments.

    They are Docker's own: nothing is appended.

        neither          ENTRYPOINT CMD
        entrypoint only  EP
        arguments only   ENTRYPOINT ARGS
        both             EP ARGS

    https://docs.aws.amazon.com/sagemaker/latest/dg/byoc-run-image.html
    """
    return tuple(entrypoint) if entrypoint else None, tuple(arguments) if arguments else None


def environment(*, region: str) -> dict[str, str]:
    """Give the variables that the platform sets, and no other: the request's Environment is not among them.

    A real job had no job name, no ECS metadata and no NVIDIA_VISIBLE_DEVICES. What works beside the container adds
    the address of its credentials.
    """
    return {"AWS_REGION": region}


def job_arn(*, region: str, account: str, job_name: str) -> str:
    """Give the job's ARN, where the name is lower-cased."""
    return f"arn:{partition(region)}:sagemaker:{region}:{account}:processing-job/{job_name.lower()}"
