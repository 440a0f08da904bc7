"""Settings of bidirectional streams."""

from __future__ import annotations

from sm_emulate.spec.setting import Kind, Setting

SETTINGS: tuple[Setting, ...] = (
    Setting(
        name="bidirectional-label",
        choices=("required", "ignored"),
        default=lambda _: "required",
        about=(
            "Whether a bidirectional stream to an image without the label "
            "com.amazonaws.sagemaker.capabilities.bidirectional-streaming=true is refused with InputValidationError. The "
            "guide says that the label is needed; what a caller gets without it is not published."
        ),
        facts=("hosting.streaming.two-way-label",),
    ),
    Setting(
        name="bidirectional-timeout",
        kind=Kind.SECONDS,
        default=lambda _: "1800",
        about=(
            "Seconds that a bidirectional stream may last. Makers of containers write of 30 minutes; AWS's own pages name "
            "no number."
        ),
        facts=("hosting.streaming.two-way-time",),
    ),
    Setting(
        name="bidirectional-ping-interval",
        kind=Kind.SECONDS,
        default=lambda _: "60",
        about=(
            "Seconds between two pings of the container's WebSocket. The platform's are 60; fewer show sooner whether a "
            "container answers."
        ),
        facts=("hosting.streaming.two-way-pings",),
    ),
    Setting(
        name="bidirectional-unanswered-pings",
        kind=Kind.COUNT,
        default=lambda _: "5",
        about="Pings in a row without a pong after which the WebSocket is closed. The platform's are 5.",
        facts=("hosting.streaming.two-way-unanswered-pings",),
    ),
    Setting(
        name="bidirectional-input-end",
        choices=("close", "wait"),
        default=lambda _: "close",
        about=(
            "What the end of the caller's stream does: close sends the container a close frame, and the stream ends with its "
            "answer; wait leaves the WebSocket open until the container closes it. The API says that the connection lasts "
            "until the caller closes it or the model indicates completion; no page says more."
        ),
        facts=("hosting.streaming.two-way-input-end",),
    ),
    Setting(
        name="bidirectional-normal-close",
        choices=("error", "end"),
        default=lambda _: "error",
        about=(
            "What a container's close frame with code 1000 gives: error is ModelStreamError, as the guide says of close "
            "frames without an exception; end is the stream's end without an error. No page speaks of 1000."
        ),
        facts=("hosting.streaming.two-way-close",),
    ),
)
