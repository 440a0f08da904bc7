"""What is known of a tuning job: its statuses, names and numbers."""

from __future__ import annotations

from enum import Enum

from sm_emulate.spec.training_job import partition

FIRST_ATTEMPTS = 5
"""After so many training jobs of which none succeeded the tuning job fails.

https://github.com/aws/amazon-sagemaker-examples/issues/2437
"""
IMPROVEMENT = 0.01
"""A smaller part of the best objective is no improvement: BestObjectiveNotImproving in the API's model."""
MAX_WARM_START_CHANGES = 10
"""Of static hyperparameters between parents and child: "Run a Warm Start Hyperparameter Tuning Job"."""
TUNING_JOB_TAG = "sm-emulate:tuning-job"
"""The tag by which a training job here names its tuning job; DescribeTrainingJob shows it as TuningJobArn."""


class TuningJobStatus(Enum):
    """HyperParameterTuningJobStatus, but for the two of a job that is being deleted."""

    IN_PROGRESS = "InProgress"
    STOPPING = "Stopping"
    STOPPED = "Stopped"
    COMPLETED = "Completed"
    FAILED = "Failed"


class ObjectiveStatus(Enum):
    """Whether a training job's final objective could be used."""

    PENDING = "Pending"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


def tuning_job_arn(*, region: str, account: str, name: str) -> str:
    """Give the tuning job's ARN, where the name is lower-cased."""
    return f"arn:{partition(region)}:sagemaker:{region}:{account}:hyper-parameter-tuning-job/{name.lower()}"
