"""The pages and issues that make the rules so."""

from __future__ import annotations

_GUIDE = "https://docs.aws.amazon.com/sagemaker/latest/dg"

BUILD = f"{_GUIDE}/build-multi-model-build-container.html"
APIS = f"{_GUIDE}/mms-container-apis.html"
LIST_AFTER_PING = "https://github.com/pytorch/serve/issues/397"
OPAQUE = "https://github.com/aws/sagemaker-tensorflow-serving-container/issues/109"
MEMORY = "https://github.com/triton-inference-server/server/issues/4392"
