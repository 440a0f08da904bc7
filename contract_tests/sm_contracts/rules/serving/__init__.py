"""Band 3: what SageMaker hosting asks of a container that serves."""

from __future__ import annotations

INFERENCE_CODE = "https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html"
HOSTING_FAQ = "https://docs.aws.amazon.com/sagemaker/latest/dg/hosting-faqs.html"
INVOKE_ENDPOINT = "https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html"
MULTI_CONTAINER = "https://docs.aws.amazon.com/sagemaker/latest/dg/multi-container-direct.html"
SERVERLESS = "https://docs.aws.amazon.com/sagemaker/latest/dg/serverless-endpoints-troubleshooting.html"
