from __future__ import annotations

from sm_emulate.spec.fact import EMULATED, OUTSIDE, PARTLY, Area, confirmed, disputed, unsure
from sm_emulate.spec.facts.sources import API, BATCH, HOST, PUBLIC_LOG, SDK, XGBOOST, guide_2023, sdk, thread

AREA = Area(
    prefix="hosting.environment",
    title="Hosting: environment variables and names",
    facts=(
        confirmed(
            "hosting.environment.container-environment",
            "The environment is ContainerDefinition.Environment.",
            HOST,
            level=EMULATED,
        ),
        confirmed(
            "hosting.environment.limits",
            "Environment has at most 100 entries with keys and values of at most 1024 characters, 32 KB together.",
            API,
            level=PARTLY,
            note="entries are checked one by one, their sum is not",
        ),
        disputed(
            "hosting.environment.component-limit",
            "For the environment of inference components the API's text says 16 entries and its shape 100.",
            API,
        ),
        confirmed(
            "hosting.environment.container-hostname",
            "ContainerHostname is ignored for a model with one container.",
            API,
            level=EMULATED,
        ),
        confirmed(
            "hosting.environment.bind-to-port",
            "SAGEMAKER_BIND_TO_PORT tells the containers of a pipeline where to listen; without it the port is 8080.",
            guide_2023("inference-pipeline-real-time"),
            guide_2023("multi-container-direct"),
            level=EMULATED,
            setting="bind-to-port",
            note="which ports these are is not published",
        ),
        confirmed(
            "hosting.environment.safe-port-range",
            "SAGEMAKER_SAFE_PORT_RANGE names the ports a pipeline's container may open besides, as FIRST-LAST.",
            guide_2023("inference-pipeline-real-time"),
            guide_2023("multi-container-direct"),
            level=EMULATED,
            setting="safe-ports",
            note="which ports these are is not published; several containers have equal parts of the range",
        ),
        unsure(
            "hosting.environment.safe-port-range-single",
            "Single containers seem to get SAGEMAKER_SAFE_PORT_RANGE too; 23000-23999 was reported.",
            PUBLIC_LOG,
            f"{XGBOOST} tests",
            level=EMULATED,
            note="9000-9999 when it is set, which AWS's own containers are tested with",
            setting="safe-port-range-variable",
        ),
        confirmed(
            "hosting.environment.multi-model",
            "SAGEMAKER_MULTI_MODEL is true in MultiModel mode.",
            guide_2023("build-multi-model-build-container"),
            level=EMULATED,
        ),
        disputed(
            "hosting.environment.batch",
            "SAGEMAKER_BATCH is true in batch transform; the SDK's local mode says True.",
            BATCH,
            sdk("sagemaker-core/src/sagemaker/core/local/entities.py"),
            level=EMULATED,
            note="true, as the guide says",
        ),
        confirmed(
            "hosting.environment.batch-parameters",
            "SAGEMAKER_MAX_PAYLOAD_IN_MB, SAGEMAKER_BATCH_STRATEGY and SAGEMAKER_MAX_CONCURRENT_TRANSFORMS are set when the request gives them.",
            BATCH,
            level=EMULATED,
        ),
        confirmed(
            "hosting.environment.sdk-variables",
            "SAGEMAKER_REGION, SAGEMAKER_PROGRAM, SAGEMAKER_SUBMIT_DIRECTORY and SAGEMAKER_CONTAINER_LOG_LEVEL come from the SDK and not from the platform.",
            sdk("sagemaker-serve/src/sagemaker/serve/model_builder.py"),
            thread(SDK, 1338),
            level=OUTSIDE,
        ),
        unsure(
            "hosting.environment.credentials",
            "Credentials through the container endpoint, AWS_REGION and AWS_DEFAULT_REGION are relied on widely; no primary text was found.",
            PUBLIC_LOG,
            level=EMULATED,
            setting="endpoint-aws-variables",
        ),
        unsure(
            "hosting.environment.hostname",
            "The host name was model.aws.local in logs of 2019 to 2022 and container-0.local in one of 2024.",
            thread(SDK, 605),
            thread("mlflow/mlflow", 726),
            thread("huggingface/text-embeddings-inference", 433),
            level=EMULATED,
            setting="endpoint-hostname",
        ),
        confirmed(
            "hosting.environment.no-credentials-when-isolated",
            "With network isolation there are no AWS credentials in the container.",
            guide_2023("mkt-algo-model-internet-free"),
            level=EMULATED,
        ),
    ),
)
