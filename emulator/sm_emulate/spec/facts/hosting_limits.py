from __future__ import annotations

from sm_emulate.spec.fact import EMULATED, OUTSIDE, Area, confirmed, disputed, unsure
from sm_emulate.spec.facts.sources import (
    API,
    EXAMPLES,
    FAQ,
    MARKETPLACE_LIMITS,
    RUNTIME_API,
    guide,
    guide_2023,
    thread,
)

AREA = Area(
    prefix="hosting.limits",
    title="Hosting: sizes",
    facts=(
        disputed(
            "hosting.limits.payload-real-time",
            "A real-time body has at most 25 MB by FAQ and Marketplace guide, 6291456 bytes by the API model, and 5 MB long ago.",
            FAQ,
            MARKETPLACE_LIMITS,
            RUNTIME_API,
            thread(EXAMPLES, 245),
            level=EMULATED,
            setting="payload-limit",
        ),
        confirmed(
            "hosting.limits.too-long",
            "A body over the limit was answered 413 in 2018, `HTTP content length exceeded N bytes`.",
            thread(EXAMPLES, 245),
            level=EMULATED,
            setting="payload-refusal",
        ),
        confirmed(
            "hosting.limits.serverless",
            "Serverless requests and answers have at most 4 MB.",
            guide("serverless-endpoints-invoke"),
            MARKETPLACE_LIMITS,
            planned="serverless profile",
        ),
        confirmed(
            "hosting.limits.async",
            "Async bodies come from S3 with at most 1 GB, or inline with at most 128000 bytes.",
            RUNTIME_API,
            level=EMULATED,
        ),
        confirmed(
            "hosting.limits.batch",
            "Batch bodies have 6 MB by default and at most 100.",
            API,
            level=EMULATED,
        ),
        unsure(
            "hosting.limits.between-containers",
            "Between pipeline containers the limit was 5 MB in 2023.",
            guide_2023("inference-pipeline-troubleshoot"),
            level=EMULATED,
            setting="pipeline-payload-limit",
        ),
        confirmed(
            "hosting.limits.streaming",
            "A streamed answer has 8 minutes in all.",
            FAQ,
            MARKETPLACE_LIMITS,
            level=EMULATED,
            setting="stream-timeout",
        ),
        unsure(
            "hosting.limits.first-byte",
            "No limit for a stream's first byte was found.",
            FAQ,
            level=EMULATED,
            setting="stream-first-part",
        ),
        confirmed(
            "hosting.limits.server-defaults",
            "Servers have limits of their own, such as nginx's client_max_body_size, that answer 413 before SageMaker's.",
            thread("huggingface/text-embeddings-inference", 433),
            thread(EXAMPLES, 1822),
            level=OUTSIDE,
        ),
    ),
)
