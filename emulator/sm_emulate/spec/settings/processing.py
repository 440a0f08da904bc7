"""Settings of processing jobs."""

from __future__ import annotations

from sm_emulate.spec.setting import Setting

SETTINGS: tuple[Setting, ...] = (
    Setting(
        name="processing-stop-signal",
        choices=("SIGINT", "SIGTERM"),
        default=lambda _: "SIGINT",
        about=(
            "The first signal of a stopped processing job; SIGKILL follows. The page about processing containers says "
            "SIGINT; every page about training says SIGTERM."
        ),
        facts=("processing.stop",),
    ),
    Setting(
        name="processing-max-runtime-status",
        choices=("Stopped", "Failed"),
        default=lambda _: "Stopped",
        about=(
            "Status of a processing job that has run for MaxRuntimeInSeconds. No page says it; a training job ends as "
            "Stopped, and workflow tools take a Stopped processing job for one that ran out of time."
        ),
        facts=("processing.max-runtime",),
    ),
    Setting(
        name="processing-outputs-unless-completed",
        choices=("uploaded", "left"),
        default=lambda _: "uploaded",
        about=(
            "What becomes of the EndOfJob outputs of a processing job that fails or is stopped: uploaded treats them as "
            "training treats its artifacts, left keeps them in the run folder. Nothing is published."
        ),
        facts=("processing.outputs-unless-completed",),
    ),
    Setting(
        name="processing-unset-members",
        choices=("null", "empty"),
        default=lambda _: "null",
        about=(
            "What processingjobconfig.json says where the request has no Environment, no ProcessingInputs or no "
            "ProcessingOutputConfig: null, as it does for the unset members that were seen, or an empty map, list or "
            "object."
        ),
        facts=("processing.jobconfig-unset",),
    ),
    Setting(
        name="processing-pipe-name",
        choices=("epoch", "plain"),
        default=lambda _: "epoch",
        about=(
            "How the FIFO of a Pipe input is called: epoch is LocalPath_0, LocalPath_1 and so on as in training, plain is "
            "LocalPath itself at first, then LocalPath_1. Nothing is published."
        ),
        facts=("processing.pipe-names",),
    ),
)
