"""The pages and issues that make the rules so."""

from __future__ import annotations

_GUIDE = "https://docs.aws.amazon.com/sagemaker/latest/dg"

CODE = f"{_GUIDE}/your-algorithms-batch-code.html"
ERRORS = f"{_GUIDE}/batch-transform-errors.html"
PROCESSING = f"{_GUIDE}/batch-transform-data-processing.html"
JOB = "https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateTransformJob.html"
ASYNC = f"{_GUIDE}/async-inference.html"
