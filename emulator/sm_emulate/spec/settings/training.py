"""Settings of what a training container finds."""

from __future__ import annotations

from sm_emulate.spec.setting import Kind, Setting

SETTINGS: tuple[Setting, ...] = (
    Setting(
        name="checkpoint-folder",
        choices=("private", "shared"),
        default=lambda _: "private",
        about=(
            "What a container sees as its checkpoint directory when S3Uri is a folder of this machine: private is a copy "
            "of each host's own that is kept like that folder, with SageMaker's sidecar files, as on the platform; shared "
            "is that folder itself, in every host at once, where nothing is copied."
        ),
        facts=("training.outputs.checkpoints",),
    ),
    Setting(
        name="config-directory-mode",
        kind=Kind.MODE,
        choices=("0644", "0755"),
        default=lambda profile: profile.config_directory_mode,
        about=(
            "Mode of /opt/ml/input/config; /opt/ml/config of a processing job has 0644 unless it is set. With 0644 a user "
            "other than root cannot enter the directory and so cannot read any configuration file, as seen in 2022; with "
            "0755 it can, as seen in 2020."
        ),
        facts=("training.config.directory-mode", "processing.config-directory-mode"),
    ),
    Setting(
        name="container-hostname",
        choices=("ec2", "aws"),
        default=lambda _: "ec2",
        about=(
            "The container's own host name: ec2 is ip-10-0-x-y.ec2.internal as seen in 2020, aws is the single word "
            "that older hosts had. It is never algo-1."
        ),
        facts=("training.environment.hostname",),
    ),
    Setting(
        name="working-directory",
        choices=("image", "root"),
        default=lambda _: "image",
        about=(
            "Where the program starts: image keeps the image's WORKDIR as Docker does, root is `/`, the only "
            "directory that was ever seen in a real job."
        ),
        facts=("training.invocation.working-directory",),
    ),
    Setting(
        name="dmlc-interface-variable",
        choices=("set", "unset"),
        default=lambda _: "set",
        about=(
            "Whether DMLC_INTERFACE is set to the network interface. It was in a real job's environment and nothing "
            "in the image sets it, so the platform is believed to."
        ),
        facts=("training.environment.dmlc-interface",),
    ),
    Setting(
        name="environment-ecs",
        choices=("set", "unset"),
        default=lambda profile: profile.environment_ecs,
        about=(
            "Whether ECS_CONTAINER_METADATA_URI, ECS_CONTAINER_METADATA_URI_V4 and AWS_EXECUTION_ENV are set. Seen in "
            "2020 only. Nothing answers at those addresses here."
        ),
        facts=("training.environment.ecs-metadata", "training.environment.execution-env"),
    ),
    Setting(
        name="host-name-delay",
        kind=Kind.DELAY,
        default=lambda _: "0",
        about=(
            "Seconds until the names of a job's hosts resolve. The documentation tells programs to retry and gives no number. "
            "With 0 a name resolves as soon as its host has started; with more the names stand on a second interface "
            "(eth1), which hosts join when the time has come."
        ),
        facts=("training.resources.host-names",),
    ),
    Setting(
        name="host-numbers",
        choices=("mixed", "in-order"),
        default=lambda _: "mixed",
        about=(
            "Which hosts the groups of a heterogeneous cluster have. That numbers do not follow the groups is known, by "
            "which rule they are given is not: mixed deals them out to the groups in turn, from the last group on, which "
            "gives the documentation's example (the first group is algo-2, the second algo-1 and algo-3); in-order "
            "numbers group after group."
        ),
        facts=("training.config.heterogeneous-groups",),
    ),
    Setting(
        name="instance-limits",
        choices=("type", "none"),
        default=lambda _: "type",
        about=(
            "What an instance type that was named limits: type gives each container its vCPUs and its memory, as far as "
            "this machine has them; none gives all of this machine. Where no type was named there are no limits."
        ),
        facts=("training.resources.cpu-memory",),
    ),
    Setting(
        name="job-run-number",
        choices=("attempts", "retries"),
        default=lambda _: "attempts",
        about=(
            "What jobRunNumber of init-config.json counts: attempts is every start of the job's instances, also after a "
            "spot interruption; retries is those by RetryStrategy alone. Only the 1 of a first run was ever seen."
        ),
        facts=("training.invocation.job-run-number",),
    ),
    Setting(
        name="memory-limit",
        kind=Kind.SIZE,
        choices=("type",),
        default=lambda _: "type",
        about=(
            "Memory of each container. Within an instance nothing limits a container, as far as is known; type takes "
            "the memory of the instance type that was named, a number stands for an instance of another size."
        ),
        facts=("training.resources.out-of-memory",),
    ),
    Setting(
        name="metric-definitions-file",
        choices=("definitions", "empty"),
        default=lambda _: "definitions",
        about=(
            "What metric-definition-regex.json holds when the request has metric definitions: definitions is the "
            "request's own list, empty is `[]`. Only the empty file was ever seen."
        ),
        facts=("training.config.metric-definition-regex",),
    ),
    Setting(
        name="metrics-directory-variable",
        choices=("set", "unset"),
        default=lambda _: "unset",
        about=(
            "Whether SAGEMAKER_METRICS_DIRECTORY names /opt/ml/output/metrics/sagemaker. A library of AWS reads it, "
            "but a real job's environment did not have it."
        ),
        facts=("training.environment.metrics-directory",),
    ),
    Setting(
        name="network-interface-name",
        kind=Kind.INTERFACE,
        default=lambda _: "eth0",
        about=(
            "network_interface_name in resourceconfig.json. The documentation's example says eth1; every file of a "
            "real job says eth0, which is also what a container engine calls it."
        ),
        facts=("training.config.network-interface-name",),
    ),
    Setting(
        name="nvidia-visible-devices",
        choices=("void", "image"),
        default=lambda _: "void",
        about=(
            "NVIDIA_VISIBLE_DEVICES where no GPU is given: void sets it to `void` even over the image's own value, "
            "image leaves the image's value alone."
        ),
        facts=("training.environment.nvidia-visible-devices",),
    ),
    Setting(
        name="profilerconfig",
        choices=("parameters", "request"),
        default=lambda _: "parameters",
        about=(
            "What profilerconfig.json holds: parameters is ProfilingParameters with ProfilerEnabled, LocalPath and the "
            "request's own, as the debugger's library reads it; request is ProfilerConfig as it was asked for."
        ),
        facts=("training.config.profilerconfig",),
    ),
    Setting(
        name="resource-topology",
        choices=("null", "absent"),
        default=lambda profile: profile.resource_topology,
        about='Whether resourceconfig.json ends in `"topology":null`. Seen in December 2025, not in 2022.',
        facts=("training.config.topology-null",),
    ),
    Setting(
        name="shm-size",
        kind=Kind.SIZE,
        default=lambda _: "64m",
        about=(
            "Size of /dev/shm. No number is published; users meet bus errors as they do with the engine's own 64 MB, "
            "and there is no request parameter to raise it."
        ),
        facts=("training.resources.shared-memory", "hosting.start.shared-memory"),
    ),
    Setting(
        name="trainingjobconfig",
        choices=("written", "absent"),
        default=lambda profile: profile.trainingjobconfig,
        about=(
            "Whether trainingjobconfig.json is written. It was in 2020, was not in a listing of 2022, and shows up in "
            "other listings without a date."
        ),
        facts=("training.config.trainingjobconfig-optional",),
    ),
    Setting(
        name="ulimits",
        kind=Kind.ULIMITS,
        choices=("engine",),
        default=lambda _: "engine",
        about=(
            "Limits of the processes in a container, as nofile=1024:4096,memlock=unlimited. None is documented for the "
            "platform: engine keeps what the container engine gives."
        ),
        facts=("training.resources.ulimits",),
    ),
    Setting(
        name="upstreamoutputdataconfig",
        choices=("written", "absent"),
        default=lambda profile: profile.upstreamoutputdataconfig,
        about="Whether upstreamoutputdataconfig.json (`[]`) is written; seen and missing together with trainingjobconfig.json.",
        facts=("training.config.upstreamoutputdataconfig",),
    ),
)
