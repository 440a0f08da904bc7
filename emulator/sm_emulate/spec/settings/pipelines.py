"""Settings of several containers on one instance."""

from __future__ import annotations

from sm_emulate.spec.endpoint import SAFE_PORT_RANGE
from sm_emulate.spec.setting import Kind, Setting

SETTINGS: tuple[Setting, ...] = (
    Setting(
        name="safe-port-range-variable",
        choices=("set", "unset"),
        default=lambda _: "unset",
        about=(
            "Whether a single container also gets SAGEMAKER_SAFE_PORT_RANGE. Documented for pipelines only; a few public "
            "programs read it without a check."
        ),
        facts=("hosting.environment.safe-port-range-single",),
    ),
    Setting(
        name="safe-ports",
        kind=Kind.PORTS,
        default=lambda _: SAFE_PORT_RANGE,
        about=(
            "The ports of SAGEMAKER_SAFE_PORT_RANGE; several containers of an instance have equal parts of it. AWS's own "
            "containers are tested with 9000-9999, and 23000-23999 was seen once; nothing is published."
        ),
        facts=("hosting.environment.safe-port-range",),
    ),
    Setting(
        name="bind-to-port",
        kind=Kind.COUNT,
        default=lambda _: "14001",
        about=(
            "SAGEMAKER_BIND_TO_PORT of the first of several containers; each of the others has the next one. The "
            "platform's are not published: these are no server's own, so that a container that heeds only 8080 shows."
        ),
        facts=("hosting.environment.bind-to-port",),
    ),
    Setting(
        name="pipeline-network",
        choices=("shared", "separate"),
        default=lambda _: "shared",
        about=(
            "Whether the containers of one instance share a network: with shared they reach each other at 127.0.0.1 and "
            "under their ContainerHostname, and two cannot listen on one port, for which the guide gives each a port and a "
            "range of its own; with separate each is alone. No page says which."
        ),
        facts=("hosting.several.pipeline-network",),
    ),
    Setting(
        name="pipeline-payload-limit",
        kind=Kind.SIZE,
        default=lambda _: "5m",
        about=(
            "Largest answer that a container of a pipeline hands to the next. The troubleshooting page says 5 MB; it is older "
            "than the 25 MB of InvokeEndpoint, and was not changed with them."
        ),
        facts=("hosting.limits.between-containers",),
    ),
    Setting(
        name="pipeline-timeout",
        choices=("whole", "each"),
        default=lambda _: "whole",
        about=(
            "What the 60 seconds of an invocation are for in a pipeline: whole is the way through all of its containers, each "
            "starts them anew for every container. The API says that a model's containers answer within 60 seconds. Likewise "
            "InvocationsTimeoutInSeconds of a transform job."
        ),
        facts=("hosting.several.pipeline-timeout",),
    ),
    Setting(
        name="pipeline-accept",
        choices=("absent", "caller"),
        default=lambda _: "absent",
        about=(
            "The Accept header of all containers of a pipeline but the last, which has the caller's: absent is as if the "
            "caller gave none, caller is the caller's. AWS advises SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT for them, which counts "
            "only where there is none."
        ),
        facts=("hosting.several.pipeline-accept",),
    ),
    Setting(
        name="pipeline-custom-attributes",
        choices=("caller", "answer", "first"),
        default=lambda _: "caller",
        about=(
            "The X-Amzn-SageMaker-Custom-Attributes that the second and later containers of a pipeline see: caller is the "
            "caller's, answer is what the container before them answered with, first is none. The caller gets those of the "
            "last container."
        ),
        facts=("hosting.several.pipeline-attributes",),
    ),
)
