from __future__ import annotations

from sm_emulate.spec.fact import EMULATED, OUTSIDE, PARTLY, Area, confirmed, unsure
from sm_emulate.spec.facts.sources import (
    BIDI_BLOG,
    DLC,
    HOST,
    PUBLIC_LOG,
    RUNTIME_API,
    SDK,
    guide,
    thread,
)

AREA = Area(
    prefix="hosting.streaming",
    title="Hosting: streaming, two-way streaming, sessions",
    facts=(
        confirmed(
            "hosting.streaming.request",
            "InvokeEndpointWithResponseStream reaches the container as POST /invocations, which answers in chunks.",
            RUNTIME_API,
            HOST,
            level=EMULATED,
        ),
        confirmed(
            "hosting.streaming.events",
            "The caller reads an event stream of PayloadPart, ModelStreamError and InternalStreamFailure.",
            RUNTIME_API,
            level=EMULATED,
        ),
        confirmed(
            "hosting.streaming.errors",
            "ModelStreamError has the code ModelInvocationTimeExceeded or StreamBroken.",
            RUNTIME_API,
            level=EMULATED,
        ),
        confirmed(
            "hosting.streaming.timeout-message",
            "A stream past its time reads `Your model primary did not complete sending the inference response in the allotted time.`",
            thread(SDK, 1119),
            level=EMULATED,
        ),
        confirmed(
            "hosting.streaming.boundaries",
            "Parts do not follow the container's lines or chunks.",
            thread("langchain-ai/langchain-aws", 128),
            thread("BerriAI/litellm", 5372),
            level=PARTLY,
            note="a part is what arrived at once: a chunk of the container, or a piece of a long one",
        ),
        confirmed(
            "hosting.streaming.no-target-model",
            "The stream API takes no TargetModel and no EnableExplanations, and cannot open a session.",
            RUNTIME_API,
            level=EMULATED,
        ),
        confirmed(
            "hosting.streaming.two-way-label",
            "Two-way streaming needs the label com.amazonaws.sagemaker.capabilities.bidirectional-streaming=true.",
            HOST,
            BIDI_BLOG,
            planned="bidirectional streaming",
        ),
        confirmed(
            "hosting.streaming.two-way-client",
            "Callers of two-way streaming use HTTP/2 on port 8443 with an SDK of its own.",
            BIDI_BLOG,
            planned="bidirectional streaming",
        ),
        confirmed(
            "hosting.streaming.two-way-container",
            "The container gets a WebSocket at /invocations-bidirectional-stream.",
            HOST,
            BIDI_BLOG,
            planned="bidirectional streaming",
        ),
        confirmed(
            "hosting.streaming.two-way-path",
            "X-Amzn-SageMaker-Model-Invocation-Path, without a leading slash, and Model-Query-String override path and query.",
            HOST,
            f"{DLC} docs/vllm-omni/deployment/sagemaker.md",
            planned="bidirectional streaming",
        ),
        confirmed(
            "hosting.streaming.two-way-frames",
            "One part is one frame: text for UTF8, binary otherwise, fragments for PARTIAL; never merged or split.",
            HOST,
            planned="bidirectional streaming",
        ),
        confirmed(
            "hosting.streaming.two-way-close",
            "The container's close code and reason become ModelStreamError.",
            HOST,
            planned="bidirectional streaming",
        ),
        confirmed(
            "hosting.streaming.two-way-pings",
            "The platform pings the socket every 60 seconds and closes it after five without an answer.",
            HOST,
            planned="bidirectional streaming",
        ),
        confirmed(
            "hosting.streaming.two-way-ami",
            "Two-way streaming on GPU needs a recent host image, else the request hangs.",
            f"{DLC} docs/vllm-omni/deployment/sagemaker.md",
        ),
        confirmed(
            "hosting.streaming.new-session",
            "For NEW_SESSION the container makes up the id and answers X-Amzn-SageMaker-New-Session-Id with its expiry.",
            RUNTIME_API,
            guide("stateful-sessions"),
            level=EMULATED,
        ),
        confirmed(
            "hosting.streaming.session-pinned",
            "Later requests with the id go to the same instance.",
            RUNTIME_API,
            guide("stateful-sessions"),
            level=EMULATED,
        ),
        confirmed(
            "hosting.streaming.session-closed",
            "The container closes a session with X-Amzn-SageMaker-Closed-Session-Id.",
            RUNTIME_API,
            level=EMULATED,
        ),
        unsure(
            "hosting.streaming.unknown-session",
            "A request for a session that is not open reaches a container, which answers it.",
            guide("stateful-sessions"),
            level=EMULATED,
            setting="unknown-session",
        ),
        confirmed(
            "hosting.streaming.session-bodies",
            "AWS's servers expect requestType NEW_SESSION and CLOSE in the body.",
            PUBLIC_LOG,
            level=OUTSIDE,
        ),
    ),
)
