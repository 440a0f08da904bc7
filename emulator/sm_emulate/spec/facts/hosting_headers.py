from __future__ import annotations

from sm_emulate.spec.fact import EMULATED, PARTLY, Area, confirmed, unsure
from sm_emulate.spec.facts.sources import (
    HOST,
    RUNTIME_API,
    TF_SERVING,
    XGBOOST,
    guide_2023,
    inference_toolkit,
    sdk,
    thread,
)

AREA = Area(
    prefix="hosting.headers",
    title="Hosting: headers",
    facts=(
        confirmed(
            "hosting.headers.stripped",
            "The platform drops every request header but those of the API, and may add its own, which the container has to ignore.",
            HOST,
            level=EMULATED,
            note="none is added but the client's own Host, User-Agent and Content-Length",
        ),
        confirmed(
            "hosting.headers.content-type",
            "Content-Type reaches the container, at most 1024 ASCII characters.",
            RUNTIME_API,
            inference_toolkit("src/sagemaker_inference"),
            level=PARTLY,
            note="passed on and its length checked; its characters are not",
        ),
        confirmed(
            "hosting.headers.accept",
            "Accept reaches the container.",
            RUNTIME_API,
            inference_toolkit("src/sagemaker_inference/transformer.py"),
            level=EMULATED,
        ),
        unsure(
            "hosting.headers.accept-absent",
            "Without Accept from the caller the container may see none or */*.",
            inference_toolkit("src/sagemaker_inference/transformer.py"),
            XGBOOST,
            level=EMULATED,
            setting="default-accept",
        ),
        confirmed(
            "hosting.headers.custom-attributes",
            "X-Amzn-SageMaker-Custom-Attributes passes both ways as it is, at most 1024 visible ASCII characters, and is empty unless the container sets it.",
            RUNTIME_API,
            TF_SERVING,
            level=PARTLY,
            note="passed both ways and the length of the request's checked; its characters are not",
        ),
        confirmed(
            "hosting.headers.target-model",
            "X-Amzn-SageMaker-Target-Model reaches multi-model containers.",
            RUNTIME_API,
            guide_2023("mms-container-apis"),
            planned="multi-model endpoints",
            note="the header is passed on",
        ),
        confirmed(
            "hosting.headers.target-variant",
            "X-Amzn-SageMaker-Target-Variant chooses a variant.",
            RUNTIME_API,
            level=PARTLY,
            note="there is one variant, called AllTraffic unless it was named; another is a ValidationError",
        ),
        confirmed(
            "hosting.headers.target-container",
            "X-Amzn-SageMaker-Target-Container-Hostname chooses a container in direct mode.",
            RUNTIME_API,
            planned="pipelines",
        ),
        confirmed(
            "hosting.headers.inference-id",
            "X-Amzn-SageMaker-Inference-Id has 1 to 64 characters and is kept with captured data.",
            RUNTIME_API,
            level=PARTLY,
            note="its length is checked and it is passed on; there is no capture",
        ),
        unsure(
            "hosting.headers.forwarded-unsure",
            "Whether Target-Variant and Inference-Id reach the container is not known; the SDK's local mode forwards them.",
            sdk("sagemaker-core/src/sagemaker/core/local/local_session.py"),
            level=EMULATED,
            note="they are forwarded, as only headers outside the API are documented as dropped; there is no setting",
        ),
        confirmed(
            "hosting.headers.explanations",
            "X-Amzn-SageMaker-Enable-Explanations asks Clarify for explanations.",
            RUNTIME_API,
        ),
        confirmed(
            "hosting.headers.inference-component",
            "X-Amzn-SageMaker-Inference-Component chooses an inference component.",
            RUNTIME_API,
        ),
        confirmed(
            "hosting.headers.session",
            "X-Amzn-SageMaker-Session-Id is NEW_SESSION or an id of at most 256 characters.",
            RUNTIME_API,
            level=PARTLY,
            note="the length is checked and the header passed on; sessions are kept by the container alone",
        ),
        confirmed(
            "hosting.headers.invoked-variant",
            "The answer carries x-Amzn-Invoked-Production-Variant.",
            RUNTIME_API,
            level=EMULATED,
        ),
        confirmed(
            "hosting.headers.response-content-type",
            "The container's Content-Type is handed back.",
            RUNTIME_API,
            thread("aws/sagemaker-scikit-learn-container", 149),
            level=EMULATED,
        ),
        confirmed(
            "hosting.headers.stream-names",
            "The stream and async APIs take X-Amzn-SageMaker-Accept and X-Amzn-SageMaker-Content-Type.",
            RUNTIME_API,
            planned="streaming and async endpoints",
        ),
        confirmed(
            "hosting.headers.old-content-type",
            "An older platform sent the header as ContentType.",
            thread("aws/sagemaker-containers", 143),
        ),
    ),
)
