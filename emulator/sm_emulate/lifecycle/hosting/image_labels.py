"""The labels by which an image says what it can do, as CreateModel asks for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sm_emulate.errors import RequestError
from sm_emulate.spec import containers, multi_model

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sm_emulate.engine.protocol import Image
    from sm_emulate.request.hosted_model import HostedModel

_GUIDE = "https://docs.aws.amazon.com/sagemaker/latest/dg/{page}.html"


def check_labels(model: HostedModel, images: Mapping[str, Image]) -> None:
    """Refuse what CreateModel refuses: an image that does not say that it can do what the model asks of it.

    Args:
        model: whose containers are looked at.
        images: its images by the names that it uses.

    Raises:
        RequestError: a label is missing.
    """
    for container in model.containers:
        needed = []
        if model.several:
            needed.append((containers.LABEL, containers.LABEL_MISSING, "inference-pipeline-real-time"))
        if container.multi_model:
            page = "build-multi-model-build-container"
            needed.append((multi_model.LABEL, multi_model.LABEL_MISSING, page))
        for label, words, page in needed:
            found = images[container.image].labels.get(label)
            if found != "true":
                raise RequestError(
                    words.format(image=container.image).removesuffix("."),
                    value=found,
                    expected=f"LABEL {label}=true in its Dockerfile",
                    link=_GUIDE.format(page=page),
                )
