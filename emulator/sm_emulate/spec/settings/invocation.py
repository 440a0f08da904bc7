"""Settings of invocations."""

from __future__ import annotations

from sm_emulate.spec.setting import Kind, Setting

SETTINGS: tuple[Setting, ...] = (
    Setting(
        name="stream-first-part",
        kind=Kind.SECONDS,
        default=lambda _: "480",
        about=(
            "Seconds that a container has for the first byte of a streamed answer. Only the 8 minutes for the whole "
            "answer are published: the default lets them all pass; 60 is the limit of answers that are not streamed."
        ),
        facts=("hosting.limits.first-byte",),
    ),
    Setting(
        name="stream-timeout",
        kind=Kind.SECONDS,
        default=lambda _: "480",
        about=(
            "Seconds that a container has for the whole of a streamed answer. The platform's are 480 and cannot be "
            "raised; fewer show sooner what a caller does with ModelStreamError."
        ),
        facts=("hosting.limits.streaming",),
    ),
    Setting(
        name="unknown-session",
        choices=("forward", "validation-error"),
        default=lambda _: "forward",
        about=(
            "What becomes of a request for a session that is not open, closed or expired: no page says it. forward "
            "asks any instance and leaves the answer to the container; validation-error refuses it with 400."
        ),
        facts=("hosting.streaming.unknown-session",),
    ),
    Setting(
        name="default-accept",
        choices=("absent", "any"),
        default=lambda _: "absent",
        about=(
            "The Accept header that a container sees when the caller gives none: absent sends no header, any sends "
            "`*/*`. AWS's own servers treat both alike."
        ),
        facts=("hosting.headers.accept-absent",),
    ),
    Setting(
        name="async-output-name",
        choices=("unique", "inference-id"),
        default=lambda _: "unique",
        about=(
            "What an async answer is called where the caller gives no Filename: unique is an id of its own, so that "
            "two requests with one InferenceId do not share an object; inference-id is ID.out, as the API model's "
            "words can be read."
        ),
        facts=("hosting.several.async-output",),
    ),
    Setting(
        name="async-topics",
        choices=("answered", "accepted"),
        default=lambda _: "answered",
        about=(
            "Whose NotificationConfig holds for a request that was accepted before an update: answered is that of the "
            "configuration that brought the instance which answers; accepted is that of the moment of acceptance."
        ),
        facts=("hosting.several.async-update-topics",),
    ),
    Setting(
        name="async-concurrency",
        kind=Kind.COUNT,
        default=lambda _: "4",
        about=(
            "Requests that an asynchronous endpoint sends to an instance at once where the configuration has no "
            "MaxConcurrentInvocationsPerInstance: SageMaker then chooses, and does not say how."
        ),
        facts=("hosting.several.async-concurrency-default",),
    ),
    Setting(
        name="payload-limit",
        kind=Kind.SIZE,
        default=lambda _: "25m",
        about=(
            "Largest request body of InvokeEndpoint. The FAQ and the Marketplace guide say 25 MB; the API model "
            "still says 6291456 bytes."
        ),
        facts=("hosting.limits.payload-real-time",),
    ),
    Setting(
        name="payload-refusal",
        choices=("413", "validation-error"),
        default=lambda _: "413",
        about=(
            "How a request body over the limit is answered: 413 was seen by callers and names no error of the API; "
            "validation-error is the ValidationError with 400 that the API model documents for wrong requests."
        ),
        facts=("hosting.limits.too-long",),
    ),
)
