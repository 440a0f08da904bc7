"""Settings of an endpoint's containers and who serves."""

from __future__ import annotations

from sm_emulate.spec.setting import Kind, Setting

SETTINGS: tuple[Setting, ...] = (
    Setting(
        name="endpoint-aws-variables",
        choices=("set", "unset"),
        default=lambda _: "set",
        about=(
            "Whether an endpoint's container has AWS_REGION, AWS_DEFAULT_REGION and, unless it is isolated, the "
            "address of its role's credentials. Programs rely on them widely; no text of AWS promises them."
        ),
        facts=("hosting.environment.credentials",),
    ),
    Setting(
        name="endpoint-hostname",
        kind=Kind.HOST_NAME,
        default=lambda _: "container-0.local",
        about=(
            "Host name of an endpoint's container, and the name in the ping's Host header: container-0.local in a log of "
            "2024, model.aws.local from 2019 to 2022."
        ),
        facts=("hosting.environment.hostname", "hosting.health.client"),
    ),
    Setting(
        name="model-disk",
        kind=Kind.SIZE,
        choices=("unlimited",),
        default=lambda _: "unlimited",
        about=(
            "Room for the unpacked models of a multi-model endpoint: when it is exceeded, files of models that nobody uses are "
            "deleted. On the platform it is the instance's volume; unlimited is all the room that this machine has."
        ),
        facts=("hosting.multi-model.cache",),
    ),
    Setting(
        name="model-wait",
        kind=Kind.SECONDS,
        default=lambda _: "60",
        about=(
            "How many seconds a request to a multi-model endpoint waits for its model before it is answered with 429 "
            "ModelNotReadyException; the model goes on loading. The guide says 60."
        ),
        facts=("hosting.multi-model.not-ready",),
    ),
    Setting(
        name="component-memory",
        choices=("minimum", "instance"),
        default=lambda _: "minimum",
        about=(
            "The memory limit of a copy of an inference component without MaxMemoryRequiredInMb: minimum is "
            "MinMemoryRequiredInMb, instance is the whole instance's. The API calls the first the least that is "
            "allocated and does not say what a copy may have beyond."
        ),
        facts=("hosting.several.component-limits",),
    ),
    Setting(
        name="ping-interval",
        kind=Kind.SECONDS,
        default=lambda _: "5",
        about="Seconds between two pings of an endpoint in service. Access logs show 5; nothing is published.",
        facts=("hosting.health.period",),
    ),
    Setting(
        name="replace-instances",
        choices=("several", "always", "never"),
        default=lambda _: "several",
        about=(
            "Whether an endpoint's instance that ended or fails its pings is replaced: `several` replaces where the "
            "endpoint has more than one, while the end of a lone container ends the endpoint. SageMaker replaces always; "
            "here a place is filled at most 3 times more."
        ),
        facts=("hosting.start.restarts",),
    ),
    Setting(
        name="unhealthy-pings",
        kind=Kind.COUNT,
        default=lambda _: "3",
        about="Failed pings in a row after which an instance in service is replaced. Nothing is published.",
        facts=("hosting.health.tolerated-failures",),
    ),
    Setting(
        name="shadow-sampling",
        choices=("weights", "all"),
        default=lambda _: "weights",
        about=(
            "How many requests a shadow variant gets: `weights` is its InitialVariantWeight over the production variant's, "
            "at most all. Only inference experiments state a percentage."
        ),
        facts=("hosting.several.shadow",),
    ),
)
