from __future__ import annotations

from sm_emulate.spec.fact import EMULATED, OUTSIDE, Area, confirmed, unsure
from sm_emulate.spec.facts.sources import API, DLC, TF_SERVING, guide, guide_2023, thread

LATER = "multi-model endpoints"
APIS = guide_2023("mms-container-apis")

AREA = Area(
    prefix="hosting.multi-model",
    title="Hosting: multi-model endpoints",
    facts=(
        confirmed(
            "hosting.multi-model.label",
            "The image needs the label com.amazonaws.sagemaker.capabilities.multi-models=true.",
            guide_2023("build-multi-model-build-container"),
            level=EMULATED,
            note="an image without it is refused in the words of CreateModel",
        ),
        confirmed(
            "hosting.multi-model.prefix",
            "Mode is MultiModel and ModelDataUrl a prefix.",
            guide_2023("multi-model-endpoints"),
            level=EMULATED,
        ),
        confirmed(
            "hosting.multi-model.load",
            "POST /models with model_name and url loads a model; one that is loaded gives 409, one that does not fit 507.",
            APIS,
            level=EMULATED,
        ),
        confirmed(
            "hosting.multi-model.eviction",
            "After 507 SageMaker unloads unused models and tries again.",
            APIS,
            level=EMULATED,
            note="a model with requests is never unloaded: who needs its room waits until one is idle",
        ),
        confirmed(
            "hosting.multi-model.list",
            "GET /models answers models with modelName and modelUrl, page by page with nextPageToken.",
            APIS,
            level=EMULATED,
        ),
        confirmed(
            "hosting.multi-model.page-size",
            "The Multi Model Server lists at most 100 on a page and takes a number as token.",
            "awslabs/multi-model-server ManagementRequestHandler.java",
            level=OUTSIDE,
        ),
        confirmed(
            "hosting.multi-model.get",
            "GET /models/NAME answers one model, or 404.",
            APIS,
            level=EMULATED,
            note="asked when an invocation is answered with 404, to tell a lost model from a 404 of its own",
        ),
        unsure(
            "hosting.multi-model.get-shape",
            "The Multi Model Server answers a list there; whether the platform reads it is not known.",
            "awslabs/multi-model-server",
            planned=LATER,
        ),
        confirmed(
            "hosting.multi-model.unload",
            "DELETE /models/NAME frees the memory before it answers; unknown names give 404.",
            APIS,
            level=EMULATED,
        ),
        confirmed(
            "hosting.multi-model.invoke",
            "POST /models/NAME/invoke carries the invocation's headers; a model that is not loaded gives 404, GPU memory running out 507.",
            APIS,
            level=EMULATED,
        ),
        confirmed(
            "hosting.multi-model.opaque-name",
            "model_name is a hash of the platform, and its files lie in /opt/ml/models/HASH/model.",
            APIS,
            TF_SERVING,
            level=EMULATED,
        ),
        unsure(
            "hosting.multi-model.polling",
            "GET /models follows each ping; a 404 there fails the health check.",
            thread("pytorch/serve", 397),
            thread("pytorch/serve", 1028),
            level=EMULATED,
            note="the health check fails for any status but 200, of which only 404 was seen",
        ),
        confirmed(
            "hosting.multi-model.ping-empty",
            "A ping has to be 200 with no model loaded.",
            f"{TF_SERVING}/tensorflowServing.js",
            level=EMULATED,
        ),
        confirmed(
            "hosting.multi-model.cache",
            "Unused models leave memory first and disk when that is full; with ModelCacheSetting Disabled, right after each call.",
            guide_2023("multi-model-endpoints"),
            API,
            level=EMULATED,
            setting="model-disk",
        ),
        unsure(
            "hosting.multi-model.order",
            "That the least recently used goes first is not said in so many words.",
            guide_2023("multi-model-endpoints"),
            level=EMULATED,
            note="the least recently used goes first",
        ),
        confirmed(
            "hosting.multi-model.load-timeout",
            "TensorFlow Serving answered 408 on a slow load and 507 later, when memory is short.",
            thread(DLC, 2827),
            level=OUTSIDE,
        ),
        confirmed(
            "hosting.multi-model.not-ready",
            "A request waits up to 60 seconds for its model and then gets 429 ModelNotReadyException; the model loads on, up to 360.",
            guide("invoke-multi-model-endpoint"),
            level=EMULATED,
            setting="model-wait",
        ),
        unsure(
            "hosting.multi-model.gpu",
            "For multi-model endpoints on GPU the guide of 2023 names Triton only; TorchServe came later.",
            guide_2023("multi-model-endpoints"),
        ),
        unsure(
            "hosting.multi-model.replaced-object",
            "An object put anew under the same key is not seen until the model is unloaded.",
            guide_2023("multi-model-endpoints"),
            level=EMULATED,
            note="the object is looked up again at each load",
        ),
        confirmed(
            "hosting.multi-model.in-pipeline",
            "In a pipeline one container may be multi-model, and then needs both labels.",
            guide_2023("build-multi-model-build-container"),
            planned=LATER,
        ),
    ),
)
