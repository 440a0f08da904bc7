"""An endpoint's container as data: its command, its paths, its environment, its limits of time.

The page behind all of it, where nothing else is named:
https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from sm_emulate.spec.training_job import partition

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sm_emulate.spec.settings import Settings

CONTAINER_PORT = 8080
COMMAND = ("serve",)
"""Replaces the image's CMD; its ENTRYPOINT is kept."""
MODEL_DIRECTORY = "/opt/ml/model"
ADDITIONAL_MODELS_DIRECTORY = "/opt/ml/additional-model-data-sources"
"""The unpacked model, read-only."""
START_WINDOW_SECONDS = 480
"""Within which GET /ping must have answered 200; 60 to 3600 with
`ContainerStartupHealthCheckTimeoutInSeconds` of the production variant."""
STOP_GRACE_SECONDS = 30
"""Between SIGTERM and SIGKILL."""
LOG_GROUP = "/aws/sagemaker/Endpoints"
SAFE_PORT_RANGE = "9000-9999"
"""What AWS's own containers are tested with (aws/sagemaker-tensorflow-serving-container); the platform's is unsure."""


class EndpointStatus(str, Enum):
    """EndpointStatus of DescribeEndpoint, as far as one machine has them."""

    CREATING = "Creating"
    IN_SERVICE = "InService"
    UPDATING = "Updating"
    ROLLING_BACK = "RollingBack"
    DELETING = "Deleting"
    OUT_OF_SERVICE = "OutOfService"
    """Stopped; on the platform DeleteEndpoint leaves nothing to describe."""
    FAILED = "Failed"


def environment(settings: Settings, requested: Mapping[str, str], *, region: str) -> dict[str, str]:
    """Give a single container's environment: the request's own, over the little that the platform adds."""
    added = {}
    if settings.text("safe-port-range-variable") == "set":
        added["SAGEMAKER_SAFE_PORT_RANGE"] = settings.text("safe-ports")
    if settings.text("endpoint-aws-variables") == "set":
        added |= {"AWS_REGION": region, "AWS_DEFAULT_REGION": region}
    return added | dict(requested)


def endpoint_arn(*, region: str, account: str, name: str) -> str:
    """Give the endpoint's ARN, where the name is lower-cased."""
    return f"arn:{partition(region)}:sagemaker:{region}:{account}:endpoint/{name.lower()}"
