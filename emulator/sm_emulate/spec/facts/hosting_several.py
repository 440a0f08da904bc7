from __future__ import annotations

from sm_emulate.spec.fact import PARTLY, Area, confirmed, disputed, unsure
from sm_emulate.spec.facts.sources import API, EXAMPLES, RUNTIME_API, guide_2023, thread

AREA = Area(
    prefix="hosting.several",
    title="Hosting: pipelines, variants, capture, serverless, async",
    facts=(
        confirmed(
            "hosting.several.pipeline",
            "A pipeline calls 2 to 15 containers in order; the answer of one is the request of the next.",
            guide_2023("inference-pipelines"),
            planned="pipelines",
        ),
        confirmed(
            "hosting.several.pipeline-label",
            "Each image needs the label com.amazonaws.sagemaker.capabilities.accept-bind-to-port=true, else CreateModel refuses it.",
            guide_2023("inference-pipeline-real-time"),
            guide_2023("multi-container-direct"),
            planned="pipelines",
        ),
        confirmed(
            "hosting.several.pipeline-error",
            "An error is 424 and names the container.",
            guide_2023("inference-pipeline-troubleshoot"),
            planned="pipelines",
        ),
        confirmed(
            "hosting.several.pipeline-content-type",
            "The answer's Content-Type becomes the next request's.",
            thread(EXAMPLES, 729),
            planned="pipelines",
        ),
        unsure(
            "hosting.several.pipeline-accept",
            "Which Accept and Custom-Attributes the middle containers see is not known.",
            guide_2023("inference-pipelines"),
            planned="pipelines",
        ),
        confirmed(
            "hosting.several.direct",
            "In direct mode the caller has to name the container.",
            guide_2023("multi-container-direct"),
            planned="pipelines",
        ),
        confirmed(
            "hosting.several.components",
            "Inference components reserve CPU, accelerators and memory for a container on a shared instance.",
            API,
            RUNTIME_API,
        ),
        confirmed(
            "hosting.several.variants",
            "An endpoint has at most 10 variants that share traffic by weight; TargetVariant overrides it.",
            API,
        ),
        confirmed(
            "hosting.several.shadow",
            "A shadow variant gets a share of live traffic and its answers are dropped.",
            API,
            guide_2023("shadow-tests"),
        ),
        confirmed("hosting.several.deployment", "Endpoint updates are blue/green or rolling.", API),
        confirmed(
            "hosting.several.endpoint-status",
            "EndpointStatus is OutOfService, Creating, Updating, SystemUpdating, RollingBack, InService, Deleting, Failed or UpdateRollbackFailed.",
            API,
            level=PARTLY,
            note="Creating, InService, Deleting and Failed occur, and OutOfService once it was stopped",
        ),
        confirmed(
            "hosting.several.autoscaling",
            "Autoscaling follows SageMakerVariantInvocationsPerInstance.",
            guide_2023("endpoint-auto-scaling-add-code-define"),
        ),
        confirmed(
            "hosting.several.capture",
            "Data capture writes JSON Lines of captureData, eventMetadata and eventVersion under ENDPOINT/VARIANT/yyyy/mm/dd/hh.",
            guide_2023("model-monitor-data-capture-endpoint"),
            API,
        ),
        unsure(
            "hosting.several.capture-inference-id",
            "In captured data inferenceId is believed to stand in eventMetadata.",
            RUNTIME_API,
        ),
        confirmed(
            "hosting.several.capture-batch",
            "Batch capture writes manifests only.",
            guide_2023("model-monitor-data-capture-batch"),
        ),
        confirmed(
            "hosting.several.serverless",
            "Serverless has 1024 to 6144 MB, up to 200 at once, 5 GB of disk, and no GPU, VPC, isolation, multi-model or pipelines.",
            guide_2023("serverless-endpoints"),
            API,
            planned="serverless profile",
        ),
        confirmed(
            "hosting.several.serverless-user",
            "Serverless containers are not root; AWS's remedy is `chmod o+rwX`.",
            guide_2023("serverless-endpoints-troubleshooting"),
            planned="serverless profile",
        ),
        unsure(
            "hosting.several.serverless-files",
            "Outside /tmp the file system cannot be written; user id and /dev/shm are not known.",
            thread("mlflow/mlflow", 5544),
            thread("huggingface/text-embeddings-inference", 609),
            planned="serverless profile",
        ),
        confirmed(
            "hosting.several.async-request",
            "An async call answers 202 with output and failure locations; the container gets an ordinary POST /invocations with the object as body.",
            RUNTIME_API,
            planned="async endpoints",
        ),
        confirmed(
            "hosting.several.async-limits",
            "RequestTTLSeconds is 60 to 21600, InvocationTimeoutSeconds 1 to 3600 with 900 by default.",
            RUNTIME_API,
            planned="async endpoints",
        ),
        confirmed(
            "hosting.several.async-concurrency",
            "MaxConcurrentInvocationsPerInstance is 1 to 1000.",
            API,
            planned="async endpoints",
        ),
        unsure(
            "hosting.several.async-output",
            "The output object is usually called ID.out.",
            guide_2023("async-inference-create-endpoint"),
            planned="async endpoints",
        ),
        confirmed(
            "hosting.several.async-notification",
            "SNS messages carry invocationStatus, requestParameters, responseParameters and inferenceId.",
            guide_2023("async-inference-create-endpoint"),
            planned="async endpoints",
        ),
        disputed(
            "hosting.several.async-timeout",
            "Async work has 15 minutes by old pages and an hour now.",
            guide_2023("async-inference"),
            RUNTIME_API,
            planned="async endpoints",
        ),
        confirmed(
            "hosting.several.async-server-defaults",
            "TorchServe and MMS need their own limits raised to use async's.",
            guide_2023("async-inference-create-endpoint"),
            planned="async endpoints",
        ),
        confirmed(
            "hosting.several.async-only",
            "An async endpoint takes async calls only.",
            guide_2023("async-inference"),
            planned="async endpoints",
        ),
        confirmed(
            "hosting.several.routing",
            "Requests go to a random instance or to the least busy one; a variant has at most five instance pools.",
            API,
        ),
        confirmed(
            "hosting.several.component-hardware",
            "A component reserves at least 0.25 cores, one accelerator or 128 MB.",
            API,
        ),
        confirmed(
            "hosting.several.direct-limits",
            "In direct mode up to 15 containers share memory and volume.",
            guide_2023("multi-container-direct"),
            planned="pipelines",
        ),
    ),
)
