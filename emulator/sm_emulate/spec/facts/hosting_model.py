from __future__ import annotations

from sm_emulate.spec.fact import EMULATED, OUTSIDE, Area, confirmed
from sm_emulate.spec.facts.sources import API, EXAMPLES, FAQ, HOST, SDK, guide_2023, sdk, thread

AREA = Area(
    prefix="hosting.model",
    title="Hosting: model data",
    facts=(
        confirmed(
            "hosting.model.directory",
            "The archive's contents lie in /opt/ml/model, unpacked before the container starts.",
            HOST,
            level=EMULATED,
        ),
        confirmed(
            "hosting.model.read-only", "/opt/ml/model is read-only.", HOST, thread(SDK, 5698), level=EMULATED
        ),
        confirmed(
            "hosting.model.archive-kind",
            "ModelDataUrl has to be a .tar.gz, else it is not downloaded.",
            HOST,
            level=EMULATED,
            note="another archive is refused; a directory is taken as it is",
        ),
        confirmed("hosting.model.optional", "Own images need no model data.", API, level=EMULATED),
        confirmed(
            "hosting.model.region", "The bucket has to be in the endpoint's region.", API, planned="S3 models"
        ),
        confirmed(
            "hosting.model.no-links",
            "An archive with symbolic links fails the creation: Failed to extract model data archive.",
            guide_2023("deploy-model-troubleshoot"),
            FAQ,
            thread("mantiumai/aws-sagemaker-gptj-deepspeed-blog", 5),
            thread("huggingface/text-generation-inference", 493),
            level=EMULATED,
        ),
        confirmed(
            "hosting.model.layout",
            "An extra top-level folder in the archive stays, and servers then do not find the model.",
            thread("aws/sagemaker-tensorflow-serving-container", 166),
            thread(EXAMPLES, 621),
            level=EMULATED,
        ),
        confirmed(
            "hosting.model.uncompressed",
            "ModelDataSource takes a prefix or an object, gzip or uncompressed; a prefix has to end in a slash.",
            API,
            level=EMULATED,
        ),
        confirmed(
            "hosting.model.uncompressed-names",
            "Uncompressed names may not be blank, longer than 255 bytes, . or .., nor clash between file and directory.",
            API,
            level=EMULATED,
        ),
        confirmed(
            "hosting.model.data-source-limits",
            "ModelDataSource does not work with batch transform, serverless, multi-model and Marketplace.",
            API,
            level=EMULATED,
            note="transform jobs and serverless endpoints refuse it from S3; a folder of this machine is taken",
        ),
        confirmed(
            "hosting.model.additional",
            "Up to five additional sources lie at /opt/ml/additional-model-data-sources/CHANNEL/.",
            API,
            sdk("SPECULATIVE_DRAFT_MODEL in sagemaker-serve"),
            level=EMULATED,
        ),
        confirmed(
            "hosting.model.copying-servers",
            "Servers that copy the model elsewhere fill the root disk.",
            thread("aws/sagemaker-huggingface-inference-toolkit", 80),
            thread("aws/sagemaker-huggingface-inference-toolkit", 115),
            level=OUTSIDE,
        ),
        confirmed(
            "hosting.model.data-source-options",
            "A source may name a manifest, ETags and an accepted licence.",
            API,
            planned="S3 models",
        ),
    ),
)
