"""Settings of how a training job ends and what it leaves."""

from __future__ import annotations

from sm_emulate.spec.setting import Setting

SETTINGS: tuple[Setting, ...] = (
    Setting(
        name="empty-model-archive",
        choices=("none", "empty"),
        default=lambda _: "none",
        about=(
            "What a job leaves that wrote nothing to /opt/ml/model: none is no model.tar.gz at all, empty is an archive "
            "without members. Users report that nothing usable is there."
        ),
        facts=("training.outputs.empty-model",),
    ),
    Setting(
        name="failure-file-on-exit-zero",
        choices=("ignored", "fails-job"),
        default=lambda _: "ignored",
        about=(
            "What a failure file means when the program exits 0: ignored leaves the job Completed, fails-job makes it "
            "Failed with the file's text. The documentation ties the file to a non-zero exit."
        ),
        facts=("training.outputs.failure-file-exit-zero",),
    ),
    Setting(
        name="failure-host",
        choices=("first-to-fail", "algo-1"),
        default=lambda _: "first-to-fail",
        about=(
            "With several hosts, whose failure file makes the FailureReason: first-to-fail is the host that exited "
            "non-zero first; algo-1 is the lowest-numbered host that failed."
        ),
        facts=("training.outputs.failure-host",),
    ),
    Setting(
        name="links-in-artifacts",
        choices=("keep", "follow", "skip"),
        default=lambda _: "keep",
        about=(
            "What packing does with symbolic links: keep stores them as links (hosting later refuses such an archive, "
            "as on the platform), follow stores what they point to, skip leaves them out. Devices, sockets and FIFOs "
            "are always left out."
        ),
        facts=("training.outputs.links",),
    ),
    Setting(
        name="out-of-memory-reason",
        choices=("platform", "exit-code"),
        default=lambda _: "platform",
        about=(
            "FailureReason of a job that the kernel killed for memory: platform is the ClientError that asks for an "
            "instance type with more memory, exit-code is AlgorithmError with exit code 137. Both are seen."
        ),
        facts=("training.outputs.reason-out-of-memory", "processing.out-of-memory"),
    ),
    Setting(
        name="output-other-files",
        choices=("left", "uploaded"),
        default=lambda _: "left",
        about=(
            "What becomes of files directly in /opt/ml/output, besides `failure`: left keeps them out of output.tar.gz, "
            "uploaded packs them beside the contents of /opt/ml/output/data."
        ),
        facts=("training.outputs.other-files",),
    ),
    Setting(
        name="spot-savings",
        choices=("0", "50", "60", "70", "80", "90"),
        default=lambda _: "70",
        about=(
            "By how many percent BillableTimeInSeconds of a managed spot job is below TrainingTimeInSeconds. The platform's "
            "depends on the price of the day; its guide says up to 90."
        ),
        facts=("training.lifecycle.spot-billable",),
    ),
    Setting(
        name="spot-signal",
        choices=("SIGTERM", "none"),
        default=lambda _: "SIGTERM",
        about=(
            "What a program hears of a spot interruption: SIGTERM and then the grace period of a stop, after EC2's notice of "
            "two minutes; none is SIGKILL without a warning. Nothing is documented."
        ),
        facts=("training.lifecycle.spot-signal",),
    ),
    Setting(
        name="stop-nonzero-exit",
        choices=("Stopped", "Failed"),
        default=lambda _: "Stopped",
        about=(
            "Status of a job that was stopped and whose program then exits non-zero. Programs that exit 0 end as "
            "Stopped; for others nothing is known."
        ),
        facts=("training.lifecycle.stop-nonzero-exit",),
    ),
    Setting(
        name="warm-pool-limit",
        choices=("3600", "21600"),
        default=lambda _: "21600",
        about=(
            "Most seconds of KeepAlivePeriodInSeconds: the guide says 3600, the API model, which checks requests, 21600."
        ),
        facts=("training.lifecycle.warm-pool",),
    ),
)
