"""Named settings: what the platform is not known to do for certain, each with a default and its reason.

On the command line `--setting NAME=VALUE`. Nothing here is a silent guess: every setting is listed with
its default in docs/level-of-support.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from sm_emulate.errors import RequestError
from sm_emulate.spec.endpoint import SAFE_PORT_RANGE
from sm_emulate.spec.setting import Kind, Setting, SettingValue

if TYPE_CHECKING:
    from sm_emulate.spec.profiles import PlatformProfile

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
        name="resource-topology",
        choices=("null", "absent"),
        default=lambda profile: profile.resource_topology,
        about='Whether resourceconfig.json ends in `"topology":null`. Seen in December 2025, not in 2022.',
        facts=("training.config.topology-null",),
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
        name="stream-first-part",
        kind=Kind.SECONDS,
        default=lambda _: "480",
        about=(
            "Seconds that a container has for the first byte of a streamed answer. Only the 8 minutes for the whole "
            "answer are published: the default lets them all pass; 60 is the limit of answers that are not streamed."
        ),
        facts=("hosting.limits.first-byte",),
    ),
    Setting(
        name="stream-timeout",
        kind=Kind.SECONDS,
        default=lambda _: "480",
        about=(
            "Seconds that a container has for the whole of a streamed answer. The platform's are 480 and cannot be "
            "raised; fewer show sooner what a caller does with ModelStreamError."
        ),
        facts=("hosting.limits.streaming",),
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
        name="unknown-session",
        choices=("forward", "validation-error"),
        default=lambda _: "forward",
        about=(
            "What becomes of a request for a session that is not open, closed or expired: no page says it. forward "
            "asks any instance and leaves the answer to the container; validation-error refuses it with 400."
        ),
        facts=("hosting.streaming.unknown-session",),
    ),
    Setting(
        name="upstreamoutputdataconfig",
        choices=("written", "absent"),
        default=lambda profile: profile.upstreamoutputdataconfig,
        about="Whether upstreamoutputdataconfig.json (`[]`) is written; seen and missing together with trainingjobconfig.json.",
        facts=("training.config.upstreamoutputdataconfig",),
    ),
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
        name="warm-pool-limit",
        choices=("3600", "21600"),
        default=lambda _: "21600",
        about=(
            "Most seconds of KeepAlivePeriodInSeconds: the guide says 3600, the API model, which checks requests, 21600."
        ),
        facts=("training.lifecycle.warm-pool",),
    ),
    Setting(
        name="default-accept",
        choices=("absent", "any"),
        default=lambda _: "absent",
        about=(
            "The Accept header that a container sees when the caller gives none: absent sends no header, any sends "
            "`*/*`. AWS's own servers treat both alike."
        ),
        facts=("hosting.headers.accept-absent",),
    ),
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
        name="async-output-name",
        choices=("unique", "inference-id"),
        default=lambda _: "unique",
        about=(
            "What an async answer is called where the caller gives no Filename: unique is an id of its own, so that "
            "two requests with one InferenceId do not share an object; inference-id is ID.out, as the API model's "
            "words can be read."
        ),
        facts=("hosting.several.async-output",),
    ),
    Setting(
        name="async-concurrency",
        kind=Kind.COUNT,
        default=lambda _: "4",
        about=(
            "Requests that an asynchronous endpoint sends to an instance at once where the configuration has no "
            "MaxConcurrentInvocationsPerInstance: SageMaker then chooses, and does not say how."
        ),
        facts=("hosting.several.async-concurrency-default",),
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
        name="payload-limit",
        kind=Kind.SIZE,
        default=lambda _: "25m",
        about=(
            "Largest request body of InvokeEndpoint. The FAQ and the Marketplace guide say 25 MB; the API model "
            "still says 6291456 bytes."
        ),
        facts=("hosting.limits.payload-real-time",),
    ),
    Setting(
        name="payload-refusal",
        choices=("413", "validation-error"),
        default=lambda _: "413",
        about=(
            "How a request body over the limit is answered: 413 was seen by callers and names no error of the API; "
            "validation-error is the ValidationError with 400 that the API model documents for wrong requests."
        ),
        facts=("hosting.limits.too-long",),
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
            "starts them anew for every container. The API says that a model's containers answer within 60 seconds."
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

_BY_NAME: dict[str, Setting] = {setting.name: setting for setting in SETTINGS}


def setting_named(name: str) -> Setting:
    """Give the setting of that name.

    Raises:
        RequestError: there is none; the hint names the nearest.
    """
    setting = _BY_NAME.get(name)
    if setting is None:
        from difflib import get_close_matches

        near = get_close_matches(name, _BY_NAME, n=1)
        raise RequestError(
            "there is no such setting",
            value=name,
            expected=", ".join(sorted(_BY_NAME)),
            hint=f"did you mean {near[0]}?" if near else "docs/level-of-support.md explains each",
        )
    return setting


def parse(name: str, text: str) -> SettingValue:
    """Read a value for a named setting.

    Raises:
        RequestError: there is no such setting, or it does not take that value.
    """
    return setting_named(name).parse(text)


class Settings(Mapping[str, SettingValue]):
    """The value of every setting: what was given, and the profile's default for the rest.

    Args:
        profile: whose defaults hold.
        given: name and text, as they came from the command line.

    Raises:
        RequestError: an unknown name or a value that the setting does not take.
    """

    __slots__ = ("_values", "given")

    def __init__(self, profile: PlatformProfile, given: Mapping[str, str] | None = None) -> None:
        self.given: Mapping[str, str] = dict(given or {})
        chosen = {name: parse(name, text) for name, text in self.given.items()}
        self._values = {
            setting.name: chosen.get(setting.name, setting.parse(setting.default(profile)))
            for setting in SETTINGS
        }

    def __getitem__(self, name: str) -> SettingValue:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __hash__(self) -> int:
        return hash(tuple(self._values.items()))

    def __repr__(self) -> str:
        return f"Settings({self._values!r})"

    def text(self, name: str) -> str:
        """Give the value of a setting that holds words."""
        value = self._values[name]
        if not isinstance(value, str):
            raise TypeError(f"setting {name} holds a number")
        return value

    def number(self, name: str) -> int:
        """Give the value of a setting that holds bytes, seconds, a count or a mode."""
        value = self._values[name]
        if not isinstance(value, int):
            raise TypeError(f"setting {name} holds words")
        return value
