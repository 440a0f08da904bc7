"""Settings of how channels reach a training container."""

from __future__ import annotations

from sm_emulate.spec.setting import Kind, Setting

SETTINGS: tuple[Setting, ...] = (
    Setting(
        name="augmented-string-attributes",
        choices=("bare", "quoted"),
        default=lambda _: "bare",
        about=(
            "How a string of an augmented manifest is sent: bare is its characters, quoted is the JSON text with its "
            "quotes. The guide speaks of the value's string form only."
        ),
        facts=("training.channels.augmented-strings",),
    ),
    Setting(
        name="channel-access",
        choices=("read-only", "read-write"),
        default=lambda _: "read-only",
        about=(
            "Whether a container may write into a File channel. The platform is believed to allow it to root: the "
            "data there is a copy. Here it is your own folder, not a copy, so the default departs from the platform "
            "and is read-only. FastFile channels are read-only whatever is set."
        ),
        facts=("training.channels.file-writable",),
    ),
    Setting(
        name="pipe-after-reading",
        choices=("kept", "removed"),
        default=lambda _: "kept",
        about=(
            "What becomes of a FIFO that was read to its end: kept leaves its name, so that who opens it again waits for "
            "ever, removed takes it away. Programs are told to go on with the next one."
        ),
        facts=("training.channels.pipe-reopen",),
    ),
    Setting(
        name="pipe-timeout",
        kind=Kind.SECONDS,
        default=lambda _: "3600",
        about=(
            "Seconds after which a Pipe channel that nobody drains fails the job. Users saw it after about an hour; "
            "the figure is not published."
        ),
        facts=("training.channels.pipe-timeout",),
    ),
    Setting(
        name="pipe-timeout-next-epoch",
        choices=("ignored", "counts"),
        default=lambda _: "ignored",
        about=(
            "Whether the time-out also holds for the next epoch's FIFO after an earlier one was read: ignored lets a "
            "program train for hours on what it has read, counts fails it. Only channels that were never read, or not to "
            "their end, were reported."
        ),
        facts=("training.channels.pipe-timeout-next-epoch",),
    ),
    Setting(
        name="s3-key-sharding",
        choices=("round-robin", "blocks"),
        default=lambda _: "round-robin",
        about=(
            "Which objects a host gets of a channel with ShardedByS3Key. Only that it is about 1/n of them is published. "
            "round-robin gives the first key to the first host, the second to the second; blocks gives each host keys "
            "that follow each other."
        ),
        facts=("training.channels.sharding-order",),
    ),
)
