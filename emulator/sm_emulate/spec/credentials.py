"""The credentials address of a container: ECS's, which SageMaker's containers are seen to have.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html
"""

from __future__ import annotations

ADDRESS = "169.254.170.2"
PORT = 80
VARIABLE = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
CREDENTIALS = "/v2/credentials/"
METADATA = ("/v3/", "/v4/")
"""Where ECS_CONTAINER_METADATA_URI and ECS_CONTAINER_METADATA_URI_V4 point."""

ENDPOINT_PORTS = (16970, 16971, 16972)
"""At ADDRESS: where endpoints that are not AWS are reached from inside, and last the embedded S3."""


def credentials_path(token: str) -> str:
    """Give the variable's value: a path at ADDRESS that nobody else knows."""
    return f"{CREDENTIALS}{token}"
