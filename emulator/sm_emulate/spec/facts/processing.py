from __future__ import annotations

from sm_emulate.spec.fact import OUTSIDE, Area, confirmed, disputed, unsure
from sm_emulate.spec.facts.sources import (
    API,
    IMAGE,
    JOBS_2020,
    PROCESSING,
    PUBLIC_LOG,
    SDK,
    sdk,
    thread,
)

LATER = "processing jobs"

AREA = Area(
    prefix="processing",
    title="Processing",
    facts=(
        confirmed(
            "processing.invocation",
            "The image runs with its own ENTRYPOINT and CMD: no word is appended.",
            PROCESSING,
            planned=LATER,
        ),
        confirmed(
            "processing.entrypoint-arguments",
            "ContainerEntrypoint and ContainerArguments behave as in Docker.",
            PROCESSING,
            API,
            planned=LATER,
        ),
        confirmed(
            "processing.layout",
            "/opt/ml/config holds processingjobconfig.json and resourceconfig.json; there is no /opt/ml/input and no /opt/ml/model.",
            JOBS_2020,
            PROCESSING,
            planned=LATER,
        ),
        confirmed(
            "processing.config-directory-mode",
            "/opt/ml/config has mode 0644, its files too.",
            JOBS_2020,
            planned=LATER,
        ),
        confirmed(
            "processing.resourceconfig",
            "resourceconfig.json holds current_host and hosts only.",
            JOBS_2020,
            PROCESSING,
            planned=LATER,
        ),
        confirmed(
            "processing.jobconfig",
            "processingjobconfig.json is the job description with unset objects as null, S3DownloadMode in each input, and <, > and & escaped as Go does.",
            JOBS_2020,
            planned=LATER,
        ),
        confirmed(
            "processing.environment",
            "The environment is the request's, AWS_REGION, the credentials' address and Docker's HOSTNAME; no job name, no ECS, no NVIDIA_VISIBLE_DEVICES.",
            JOBS_2020,
            planned=LATER,
        ),
        confirmed(
            "processing.environment-limits",
            "Environment holds at most 100 entries with keys and values of at most 256 characters.",
            API,
            planned=LATER,
        ),
        confirmed(
            "processing.inputs",
            "A job has at most 10 inputs whose LocalPath begins /opt/ml/processing/, in File or Pipe mode; Gzip with Pipe only.",
            API,
            planned=LATER,
        ),
        confirmed(
            "processing.no-fast-file",
            "There is no FastFile in processing.",
            thread(SDK, 4711),
            API,
            planned=LATER,
        ),
        confirmed("processing.dataset-definition", "Athena and Redshift inputs are sharded by default.", API),
        confirmed(
            "processing.outputs",
            "A job has at most 10 outputs; each LocalPath exists at start and is uploaded at the end or all the while.",
            API,
            JOBS_2020,
            planned=LATER,
        ),
        confirmed(
            "processing.output-shadow",
            "/opt/ml/output/data/OUTPUT and /opt/ml/output/metrics/cloudwatch exist too.",
            JOBS_2020,
            planned=LATER,
        ),
        confirmed("processing.feature-store", "FeatureStoreOutput works with AppManaged only.", API),
        confirmed(
            "processing.cluster",
            "A job has 1 to 100 instances with volumes of 1 to 16384 GB and runs for at most 777600 seconds.",
            API,
            planned=LATER,
        ),
        unsure(
            "processing.pipe-names",
            "Pipes are believed to be called LocalPath_EPOCH.",
            PROCESSING,
            planned=LATER,
        ),
        confirmed(
            "processing.links", "Symbolic links in outputs are not followed.", PROCESSING, planned=LATER
        ),
        confirmed(
            "processing.continuous-race",
            "Reading your own S3 output within the job is a race.",
            thread(SDK, 1339),
            planned=LATER,
        ),
        confirmed(
            "processing.exit",
            "All containers exit 0: Completed; any other: Failed.",
            PROCESSING,
            planned=LATER,
        ),
        unsure(
            "processing.failure-reason",
            "FailureReason reads `AlgorithmError: See job logs for more information`.",
            PUBLIC_LOG,
            planned=LATER,
        ),
        unsure(
            "processing.failure-file",
            "/opt/ml/output/failure is not believed to be read.",
            thread("aws-samples/sagemaker-run-notebook", 53),
            planned=LATER,
        ),
        confirmed(
            "processing.exit-message",
            "The first kilobyte of /opt/ml/output/message becomes ExitMessage; text that is not UTF-8 fails the job.",
            PROCESSING,
            API,
            planned=LATER,
        ),
        confirmed(
            "processing.exit-message-hosts",
            "Messages of several hosts are joined and then cut.",
            PROCESSING,
            planned=LATER,
        ),
        confirmed(
            "processing.spark-message",
            "The Spark image writes its error there and exits with a code of its own.",
            "aws/sagemaker-spark-container errors.py",
            level=OUTSIDE,
        ),
        disputed(
            "processing.stop",
            "A stop is SIGINT and SIGKILL by the processing page, while training has SIGTERM; the time between is not given.",
            PROCESSING,
            IMAGE,
            planned=LATER,
        ),
        confirmed(
            "processing.local-mode-differs",
            "The SDK's local mode adds network_interface_name and current_instance_type to resourceconfig.json.",
            sdk("sagemaker-core/src/sagemaker/core/local/image.py"),
            note="a difference of local mode, not of the platform",
            level=OUTSIDE,
        ),
    ),
)
