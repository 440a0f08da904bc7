"""A multi-model container as data: its label, its paths, its statuses, and what callers are told.

Sources:

- GUIDE: developer guide, `build-multi-model-build-container`, `mms-container-apis`, `invoke-multi-model-endpoint`.
- OBSERVED: seen in public issue threads, which are named.
"""

from __future__ import annotations

import hashlib

LABEL = "com.amazonaws.sagemaker.capabilities.multi-models"
"""Has to be `true` (GUIDE build-multi-model-build-container)."""
LABEL_MISSING = "Your Ecr Image {image} does not contain required " + LABEL + "=true Docker label(s)."
"""CreateModel's ValidationException. OBSERVED: aws/amazon-sagemaker-examples#3925, deep-learning-containers#2131."""

VARIABLE = "SAGEMAKER_MULTI_MODEL"
DIRECTORY = "/opt/ml/models"
"""Holds `<model name>/model` for each model, read-only."""
MODELS_PATH = "/models"

ALREADY_LOADED, UNKNOWN_MODEL, NO_ROOM = 409, 404, 507
"""GUIDE mms-container-apis."""

WAIT_S = 60
LOAD_LIMIT_S = 360.0
"""GUIDE invoke-multi-model-endpoint: a request is answered within 60 seconds, with ModelNotReadyException if its model
is not loaded by then; the model goes on loading for up to 360 seconds."""

TARGET_MODEL_MISSING = "Request {request} is missing a target model header"
"""ValidationError. OBSERVED: aws/sagemaker-tensorflow-serving-container#166, whose excerpt ends there."""

NOT_DOWNLOADED = (
    'Failed to download model data from URL: "{place}". Please ensure that there is an object located at the URL '
    "and that the role passed to CreateModel has permissions to download the object."
)
"""ValidationError. Those are CreateEndpoint's words (aws-samples/cvat-on-aws-china#3); for an invocation UNSURE."""

NOT_EXTRACTED = (
    'Failed to extract model data archive from URL: "{place}". Please ensure that it is a .tar.gz archive.'
)
"""Wording ours (UNSURE)."""

NOT_READY = (
    "The model {model} is not ready for inference yet: it is being downloaded and loaded. Try again later."
)
"""ModelNotReadyException is documented (RT); wording ours (UNSURE)."""


def model_name(endpoint: str, key: str) -> str:
    """Give the container's name for a model: opaque, the same for the same TargetModel of an endpoint."""
    return hashlib.sha256(f"{endpoint}\0{key}".encode("utf-8", "surrogateescape")).hexdigest()[:32]
