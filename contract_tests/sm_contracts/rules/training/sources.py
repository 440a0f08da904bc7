"""The pages that make the rules so."""

from __future__ import annotations

_GUIDE = "https://docs.aws.amazon.com/sagemaker/latest/dg"

IMAGE = f"{_GUIDE}/your-algorithms-training-algo-dockerfile.html"
RUNNING = f"{_GUIDE}/your-algorithms-training-algo-running-container.html"
OUTPUT = f"{_GUIDE}/your-algorithms-training-algo-output.html"
SIGNALS = f"{_GUIDE}/your-algorithms-training-signal-success-failure.html"
CHECKPOINTS = f"{_GUIDE}/model-checkpoints.html"
SPOT = f"{_GUIDE}/model-managed-spot-training.html"
STORAGE = f"{_GUIDE}/model-train-storage.html"
DATA = f"{_GUIDE}/model-access-training-data.html"
ISOLATION = f"{_GUIDE}/mkt-algo-model-internet-free.html"
TUNING = f"{_GUIDE}/automatic-model-tuning-define-metrics-variables.html"
METRICS = f"{_GUIDE}/training-metrics.html"
LOGS = f"{_GUIDE}/logging-cloudwatch.html"
SDK_QUOTES = "https://github.com/aws/sagemaker-python-sdk/issues/3487"
SDK_SHARED_MEMORY = "https://github.com/aws/sagemaker-python-sdk/issues/937"
SDK_USER = "https://github.com/aws/sagemaker-python-sdk/issues/4764"
DEBUGGER_SIDECARS = "https://github.com/awslabs/sagemaker-debugger/issues/310"
LINKS = "https://github.com/huggingface/text-generation-inference/issues/493"
