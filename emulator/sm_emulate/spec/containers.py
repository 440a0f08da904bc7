"""Several containers on one instance as data: their label, their ports, and what callers are told.

Sources:

- GUIDE: developer guide, `inference-pipelines`, `inference-pipeline-real-time`, `inference-pipeline-troubleshoot`,
  `multi-container-direct`.
- SM: botocore's service model of SageMaker, ContainerDefinition and CreateModel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sm_emulate.errors import RequestError

if TYPE_CHECKING:
    from sm_emulate.spec.settings import Settings

LABEL = "com.amazonaws.sagemaker.capabilities.accept-bind-to-port"
"""Has to be `true` (GUIDE inference-pipeline-real-time, multi-container-direct)."""
LABEL_MISSING = "Your Ecr Image {image} does not contain required " + LABEL + "=true Docker label(s)."
"""CreateModel's error (GUIDE multi-container-direct)."""

PORT_VARIABLE = "SAGEMAKER_BIND_TO_PORT"
SAFE_PORTS_VARIABLE = "SAGEMAKER_SAFE_PORT_RANGE"
"""`FIRST-LAST`, both of them included (GUIDE inference-pipeline-real-time)."""

MAX_ENVIRONMENT_BYTES = 32 * 1024
"""Of all containers of a CreateModel request together (SM ContainerDefinition.Environment)."""

TOO_LONG_BETWEEN = (
    "Received response from {giver} with status code {status}. However, the request payload from {giver} to {taker} "
    "is {size} bytes, which has exceeded the maximum limit of {limit} MB. See {logs}"
)
"""ModelError (GUIDE inference-pipeline-troubleshoot)."""

NOT_DIRECT = (
    "Endpoint {endpoint} is not a multi-container endpoint with direct invocation and does not support target "
    "container hostname header."
)
TARGET_MISSING = (
    "Endpoint {endpoint} is a multi-container endpoint with direct invocation and requires target container "
    "hostname header."
)
TARGET_UNKNOWN = "Container {container} of endpoint {endpoint} not found."
"""All three are validation errors by GUIDE multi-container-direct; their wordings are ours (UNSURE)."""


@dataclass(frozen=True, kw_only=True)
class Ports:
    """What one of several containers is told to listen on."""

    bind: int
    safe: str

    @property
    def environment(self) -> dict[str, str]:
        """Its variables."""
        return {PORT_VARIABLE: str(self.bind), SAFE_PORTS_VARIABLE: self.safe}


def ports_of(settings: Settings, count: int) -> tuple[Ports, ...]:
    """Give the ports of `count` containers that share an instance: no two of them have one in common.

    Raises:
        RequestError: the settings leave no room for that.
    """
    first, safe = settings.number("bind-to-port"), settings.text("safe-ports")
    low, high = (int(number) for number in safe.split("-"))
    if first <= high and first + count > low:
        raise RequestError(
            "the settings bind-to-port and safe-ports name the same ports",
            value=f"{first} to {first + count - 1}, and {safe}",
            expected="ports of their own for each",
        )
    each = (high - low + 1) // count
    if each < 1 or first + count > 1 << 16:
        raise RequestError(
            "the settings bind-to-port and safe-ports have no room for all containers",
            value=f"{first}, and {safe}",
            expected=f"ports for {count} containers, up to {(1 << 16) - 1}",
        )
    return tuple(
        Ports(bind=first + number, safe=f"{low + number * each}-{low + (number + 1) * each - 1}")
        for number in range(count)
    )
