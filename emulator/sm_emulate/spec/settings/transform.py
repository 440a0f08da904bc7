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
)
