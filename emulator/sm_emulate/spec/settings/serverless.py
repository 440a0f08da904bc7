"""Settings of serverless endpoints."""

from __future__ import annotations

from sm_emulate.spec.setting import Kind, Setting

SETTINGS: tuple[Setting, ...] = (
    Setting(
        name="serverless-user",
        kind=Kind.USER,
        choices=("image",),
        default=lambda _: "993:990",
        about=(
            "Who runs in a serverless container. AWS says that it is not root and not who; its remedy is `chmod o+rwX` in "
            "the Dockerfile. `image` is the image's USER."
        ),
        facts=("hosting.several.serverless-user",),
    ),
    Setting(
        name="serverless-root",
        choices=("read-only", "writable"),
        default=lambda _: "read-only",
        about=(
            "Whether a serverless container may write outside /tmp. Users report that it may not, as on Lambda, which it "
            "runs on; writable still leaves it to the files' permissions."
        ),
        facts=("hosting.several.serverless-files",),
    ),
    Setting(
        name="serverless-shm",
        choices=("missing", "present"),
        default=lambda _: "missing",
        about=(
            "Whether a serverless container has /dev/shm. Lambda has none, so that Python's multiprocessing queues and "
            "pools fail there; AWS's pages on serverless endpoints do not speak of it. `present` has `shm-size` bytes."
        ),
        facts=("hosting.several.serverless-shm",),
    ),
    Setting(
        name="serverless-tmp",
        choices=("volume", "memory"),
        default=lambda _: "volume",
        about=(
            "What /tmp of a serverless container is, whose 5 GB are on a disk: `volume` is a disk without a limit; `memory` "
            "has the limit, and what is written there counts as the container's memory."
        ),
        facts=("hosting.several.serverless",),
    ),
    Setting(
        name="serverless-cpus",
        choices=("by-memory", "all"),
        default=lambda _: "by-memory",
        about=(
            "The vCPUs of a serverless container. AWS says that they grow with the memory: by-memory is one for each 1769 "
            "MB, as Lambda documents; all is all of this machine."
        ),
        facts=("hosting.several.serverless-cpus",),
    ),
    Setting(
        name="serverless-environments",
        kind=Kind.COUNT,
        default=lambda _: "8",
        about=(
            "Containers that this machine starts for a serverless endpoint at most, whatever its MaxConcurrency: requests "
            "beyond wait for one of them. On the platform there are as many as requests at once."
        ),
        facts=("hosting.several.serverless-scaling",),
    ),
    Setting(
        name="serverless-first",
        choices=("cold", "warm"),
        default=lambda _: "cold",
        about=(
            "What the first request to a serverless endpoint finds: cold ends the container in which the endpoint was "
            "checked when it was created, warm leaves it until it was idle for too long. Nothing is published."
        ),
        facts=("hosting.several.serverless-first",),
    ),
    Setting(
        name="serverless-idle",
        kind=Kind.SECONDS,
        default=lambda _: "600",
        about="Seconds without a request after which a serverless container is ended. No number is published.",
        facts=("hosting.several.serverless-idle",),
    ),
    Setting(
        name="serverless-wait",
        kind=Kind.SECONDS,
        default=lambda _: "60",
        about=(
            "How many seconds a request waits for its serverless container before it is answered with 429 "
            "ModelNotReadyException; the container goes on starting. No number is published; an invocation has 60."
        ),
        facts=("hosting.invocation.not-ready",),
    ),
    Setting(
        name="serverless-throttling",
        choices=("429", "400"),
        default=lambda _: "429",
        about=(
            "The HTTP status of the ThrottlingException that answers requests beyond MaxConcurrency: 429 is what clients "
            "retry, 400 is what the page of common errors says and callers of instances saw."
        ),
        facts=("hosting.several.serverless-throttling",),
    ),
)
