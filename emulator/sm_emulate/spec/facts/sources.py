"""Where facts come from, named once: documentation pages, AWS's own source, threads, files of real jobs."""

from __future__ import annotations


def guide(page: str) -> str:
    """Cite a page of the developer guide."""
    return f"https://docs.aws.amazon.com/sagemaker/latest/dg/{page}.html"


def guide_2023(page: str) -> str:
    """Cite a page of the developer guide as it stood in 2023, in its archived repository."""
    return f"awsdocs/amazon-sagemaker-developer-guide doc_source/{page}.md (2023)"


def marketplace(page: str) -> str:
    """Cite a page of the AWS Marketplace seller guide."""
    return f"https://docs.aws.amazon.com/marketplace/latest/userguide/{page}.html"


def thread(repository: str, number: int) -> str:
    """Cite a GitHub issue or pull request."""
    return f"https://github.com/{repository}/issues/{number}"


def toolkit(path: str) -> str:
    """Cite a file of SageMaker's training toolkit."""
    return f"aws/sagemaker-training-toolkit {path}"


def inference_toolkit(path: str) -> str:
    """Cite a file of SageMaker's inference toolkit."""
    return f"aws/sagemaker-inference-toolkit {path}"


def sdk(path: str) -> str:
    """Cite a file of the SageMaker Python SDK."""
    return f"aws/sagemaker-python-sdk {path}"


SDK = "aws/sagemaker-python-sdk"
EXAMPLES = "aws/amazon-sagemaker-examples"
TRAINING_TOOLKIT = "aws/sagemaker-training-toolkit"
DLC = "aws/deep-learning-containers"
STUDIO_SAMPLES = "aws-samples/sagemaker-studio-custom-image-samples"

RUN = guide("your-algorithms-training-algo-running-container")
IMAGE = guide("your-algorithms-training-algo-dockerfile")
OUTPUT = guide("your-algorithms-training-algo-output")
SIGNAL = guide("your-algorithms-training-signal-success-failure")
PROCESSING = guide("build-your-own-processing-container")
HOST = guide("your-algorithms-inference-code")
HOST_2023 = guide_2023("your-algorithms-inference-code")
BATCH = guide_2023("your-algorithms-batch-code")
FAQ = guide_2023("hosting-faqs")
MARKETPLACE_LIMITS = marketplace("ml-service-restrictions-and-limits")
MARKETPLACE_IMAGES = marketplace("ml-model-package-images")
BIDI_BLOG = "AWS machine learning blog, 26 November 2025, on bidirectional streaming"
OPENAI_BLOG = "AWS machine learning blog, 21 May 2026, on OpenAI-compatible endpoints"

API = "boto/botocore botocore/data/sagemaker/2017-07-24/service-2.json"
RUNTIME_API = "boto/botocore botocore/data/sagemaker-runtime/2017-05-13/service-2.json"

JOBS_2020 = "shiftan/simple_sagemaker examples/*/expected_output (files of real jobs, October 2020)"
LISTING_2022 = "public notebook log of a real job, 27 September 2022 (listing of /opt/ml/input)"
LOG_2025 = "public job log, December 2025"
PUBLIC_LOG = "public job log"
DEBUGGER = "awslabs/sagemaker-debugger"
TF_SERVING = "aws/sagemaker-tensorflow-serving-container docker/build_artifacts/sagemaker"
XGBOOST = "aws/sagemaker-xgboost-container"
TORCHSERVE = "aws/sagemaker-pytorch-inference-toolkit"
RECORDIO = "aws/sagemaker-tensorflow-extensions RecordIOReader.cpp"
