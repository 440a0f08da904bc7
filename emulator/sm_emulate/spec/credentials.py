"""The credentials address of a container: ECS's, which SageMaker's containers are seen to have.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

ADDRESS = "169.254.170.2"
NEAR = "169.254.170.3"
"""Given to a container that is to find something at ADDRESS: from its first instruction on that address is near it, and
what it asks there before somebody listens does not go out, to whoever has ADDRESS where the engine stands. Every
container has the same one: one that has ADDRESS by then takes another's question for its own, and is silent."""
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


def link_local(variables: Mapping[str, str]) -> str | None:
    """Give the address that a container has beside its own, which these variables send to ADDRESS or not."""
    return NEAR if VARIABLE in variables else None
