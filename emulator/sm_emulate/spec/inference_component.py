"""What inference components are held to, and what is said of them.

The pages behind it: CreateInferenceComponent of the API, and of the guide realtime-endpoints-openai-compatible.
"""

from __future__ import annotations

from enum import Enum

from sm_emulate.spec.training_job import partition

HEADER = "X-Amzn-SageMaker-Inference-Component"
PATH_PART = "/inference-components/"
"""In `/endpoints/NAME/inference-components/COMPONENT/openai/v1/...`, the only place where the OpenAI path names one."""

NAME_MISSING_CODE = "INFERENCE_COMPONENT_NAME_MISSING"
"""`ErrorCode` beside the message. OBSERVED: BerriAI/litellm#37766."""
NAME_MISSING = (
    "Inference Component Name header is required for endpoints to which you plan to deploy inference components. "
    "Please include Inference Component Name header or consider using SageMaker models."
)
"""ValidationError. OBSERVED: langchain-ai/langchain#16150."""
NOT_ALLOWED = (
    "Inference Component Name header is not allowed for endpoints to which you dont plan to deploy inference "
    "components. Please remove the Inference Component Name header and try again."
)
"""ValidationError, of an endpoint with models. OBSERVED: tests of BerriAI/litellm."""
NOT_FOUND = "Inference Component {component} of endpoint {endpoint} of account {account} not found."
"""A ValidationError by the API; the wording is ours (UNSURE)."""
NO_CAPACITY = (
    "Inference Component has no capacity to process this request. ApplicationAutoScaling may be in-progress (if "
    "configured) or try to increase the capacity by invoking UpdateInferenceComponentRuntimeConfig API."
)
"""ValidationError while there is no copy. OBSERVED: AWS's own post on scaling to zero."""
NO_ROOM = (
    "There is not enough hardware resources on the instances for this endpoint to create a copy of the inference "
    "component."
)
"""FailureReason. OBSERVED in a public deployment's notes."""
NO_COPIES = "Inference components copy count an integer larger than 0"
"""CreateInferenceComponent with CopyCount 0. OBSERVED: stdapi-ai/stdapi.ai#43."""


class ComponentStatus(str, Enum):
    """InferenceComponentStatus."""

    CREATING = "Creating"
    IN_SERVICE = "InService"
    UPDATING = "Updating"
    FAILED = "Failed"
    DELETING = "Deleting"


def component_arn(*, region: str, account: str, name: str) -> str:
    """Give the ARN of an inference component, where the name is lower-cased."""
    return f"arn:{partition(region)}:sagemaker:{region}:{account}:inference-component/{name.lower()}"
