"""What SageMaker can be asked to do with an image."""

from __future__ import annotations

from enum import Enum


class Role(str, Enum):
    """A way to use an image; rules apply to roles."""

    TRAIN = "train"
    SERVE = "serve"
    MULTI_MODEL = "multi-model"
    PIPELINE = "pipeline"
    BATCH = "batch"
    ASYNC = "async"
    SERVERLESS = "serverless"
    STREAMING = "streaming"
    BIDIRECTIONAL = "bidirectional"
    SESSIONS = "sessions"
    PROCESSING = "processing"
    STUDIO_KERNEL = "studio-kernel"
    STUDIO_JUPYTERLAB = "studio-jupyterlab"
    STUDIO_CODE_EDITOR = "studio-code-editor"
    PUSH = "push"


SERVING = (
    Role.SERVE,
    Role.PIPELINE,
    Role.BATCH,
    Role.ASYNC,
    Role.SERVERLESS,
    Role.STREAMING,
    Role.BIDIRECTIONAL,
    Role.SESSIONS,
)
"""The roles in which a container answers GET /ping and POST /invocations."""
ANY = tuple(Role)
"""For rules that hold whatever an image is used for."""
