"""Settings of tuning jobs."""

from __future__ import annotations

from sm_emulate.spec.setting import Kind, Setting

SETTINGS: tuple[Setting, ...] = (
    Setting(
        name="tuning-auto-scaling",
        choices=("by-range", "linear"),
        default=lambda _: "by-range",
        about=(
            "How a tuning job searches a range with ScalingType Auto: by-range takes a logarithmic scale where the ends "
            "are above 0 and differ by a factor of 100 or more, linear never does. How AWS chooses is not published."
        ),
        facts=("tuning.auto-scaling",),
    ),
    Setting(
        name="tuning-checkpoints",
        choices=("per-job", "shared"),
        default=lambda _: "per-job",
        about=(
            "Where the training jobs of a tuning job keep checkpoints: per-job puts the job's name behind "
            "CheckpointConfig's S3Uri, shared gives all of them the same place, where those that run side by side "
            "overwrite each other."
        ),
        facts=("tuning.checkpoints",),
    ),
    Setting(
        name="tuning-early-stopping-after",
        kind=Kind.COUNT,
        default=lambda _: "1",
        about=(
            "How many training jobs must have completed before TrainingJobEarlyStoppingType Auto stops one. AWS's page "
            "names no number: with 1, the median is that of whatever has completed."
        ),
        facts=("tuning.early-stopping",),
    ),
    Setting(
        name="tuning-completion",
        choices=("stop", "finish"),
        default=lambda _: "stop",
        about=(
            "What happens to the training jobs that still run when a completion criterion is met: stop stops them, "
            "finish lets them come to their end. MaxRuntimeInSeconds always stops them."
        ),
        facts=("tuning.completion",),
    ),
    Setting(
        name="tuning-convergence-after",
        kind=Kind.COUNT,
        default=lambda _: "10",
        about=(
            "After how many training jobs in a row without an improvement of 1% CompleteOnConvergence takes a tuning "
            "job as converged. AWS's own algorithm is not published."
        ),
        facts=("tuning.convergence",),
    ),
    Setting(
        name="autotune-jobs",
        kind=Kind.COUNT,
        default=lambda _: "20",
        about=(
            "MaxNumberOfTrainingJobs of a tuning job with Autotune that names no limit. What AWS chooses is not "
            "published."
        ),
        facts=("tuning.autotune",),
    ),
)
