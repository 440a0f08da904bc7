"""Settings of batch transform."""

from __future__ import annotations

from sm_emulate.spec.setting import Kind, Setting

SETTINGS: tuple[Setting, ...] = (
    Setting(
        name="transform-newline",
        kind=Kind.CHOICE,
        default=lambda _: "where-missing",
        choices=("where-missing", "always"),
        about=(
            "AssembleWith Line puts a newline after each answer of a transform job: only where the answer does not end in "
            "one, or always, as the SDK's local mode does."
        ),
        facts=("batch.assemble",),
    ),
    Setting(
        name="transform-retried",
        kind=Kind.CHOICE,
        default=lambda _: "5xx",
        choices=("5xx", "no-answer"),
        about=(
            "Which invocations of a transform job are tried again, up to InvocationsMaxRetries: those that were answered "
            "with 500 or above and those that were not answered, or the latter alone. Nothing is published."
        ),
        facts=("batch.retried-statuses",),
    ),
    Setting(
        name="transform-pipeline-parameters",
        kind=Kind.CHOICE,
        default=lambda _: "first",
        choices=("first", "strictest"),
        about=(
            "Whose answer to GET /execution-parameters counts in a transform job of a pipeline: that of the first container, "
            "which is sent the records, or the smallest values and SINGLE_RECORD of all. Nothing is published."
        ),
        facts=("batch.pipeline-parameters",),
    ),
    Setting(
        name="transform-pipeline-limit",
        kind=Kind.CHOICE,
        default=lambda _: "none",
        choices=("none", "pipeline-payload-limit"),
        about=(
            "Whether an answer that goes from one container of a pipeline to the next may have any length in a transform job. "
            "The 5 MB of pipeline-payload-limit are told of InvokeEndpoint alone, and in a transform job a second container was "
            "seen to refuse a long one itself."
        ),
        facts=("batch.pipeline-limit",),
    ),
    Setting(
        name="transform-pipeline-environment",
        kind=Kind.CHOICE,
        default=lambda _: "all",
        choices=("all", "first"),
        about=(
            "Which containers of a pipeline have the Environment of a transform job, beside their own: all, or the first. "
            "Nothing is published."
        ),
        facts=("batch.pipeline-environment",),
    ),
)
