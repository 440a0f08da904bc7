"""The pages that make the rules so."""

from __future__ import annotations

_GUIDE = "https://docs.aws.amazon.com/sagemaker/latest/dg"

RUN = f"{_GUIDE}/byoc-run-image.html"
CONFIG = f"{_GUIDE}/byoc-config.html"
DATA = f"{_GUIDE}/byoc-input-and-output.html"
MESSAGE = f"{_GUIDE}/byoc-metadata.html"
PROCESSING = f"{_GUIDE}/build-your-own-processing-container.html"
