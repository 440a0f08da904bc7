from __future__ import annotations

from sm_emulate.spec.fact import EMULATED, OUTSIDE, Area, confirmed, unsure
from sm_emulate.spec.facts.sources import (
    API,
    DEBUGGER,
    EXAMPLES,
    JOBS_2020,
    RUN,
    TRAINING_TOOLKIT,
    guide,
    guide_2023,
    thread,
    toolkit,
)

AREA = Area(
    prefix="training.environment",
    title="Training: environment variables",
    facts=(
        confirmed(
            "training.environment.job-name",
            "TRAINING_JOB_NAME is the job's name with its own case.",
            RUN,
            JOBS_2020,
            level=EMULATED,
        ),
        confirmed(
            "training.environment.job-arn",
            "TRAINING_JOB_ARN ends in the job's name in lower case.",
            RUN,
            JOBS_2020,
            level=EMULATED,
        ),
        confirmed(
            "training.environment.request-environment",
            "Every entry of the request's Environment is set.",
            RUN,
            level=EMULATED,
        ),
        confirmed(
            "training.environment.region",
            "AWS_REGION is set and AWS_DEFAULT_REGION is not.",
            JOBS_2020,
            toolkit("src/sagemaker_training/environment.py"),
            level=EMULATED,
        ),
        confirmed(
            "training.environment.credentials",
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI points at the role's credentials at 169.254.170.2.",
            JOBS_2020,
            planned="credentials in containers",
        ),
        unsure(
            "training.environment.no-credentials-when-isolated",
            "With network isolation the container gets no AWS credentials, so that variable is believed to be missing.",
            guide_2023("mkt-algo-model-internet-free"),
            level=EMULATED,
            note="no container gets that variable yet, isolated or not",
        ),
        unsure(
            "training.environment.ecs-metadata",
            "ECS_CONTAINER_METADATA_URI and ECS_CONTAINER_METADATA_URI_V4 were set in 2020; whether they are today is not known.",
            JOBS_2020,
            level=EMULATED,
            setting="environment-ecs",
            note="nothing answers at the address",
        ),
        unsure(
            "training.environment.execution-env",
            "AWS_EXECUTION_ENV was AWS_ECS_EC2 in 2020; whether it is set today is not known.",
            JOBS_2020,
            level=EMULATED,
            setting="environment-ecs",
        ),
        unsure(
            "training.environment.dmlc-interface",
            "DMLC_INTERFACE holds the network interface's name, believed to come from the platform.",
            JOBS_2020,
            level=EMULATED,
            setting="dmlc-interface-variable",
        ),
        unsure(
            "training.environment.nvidia-visible-devices",
            "NVIDIA_VISIBLE_DEVICES is `void` on an instance without a GPU; whether that overrides a value of the image is not known.",
            JOBS_2020,
            level=EMULATED,
            setting="nvidia-visible-devices",
        ),
        confirmed(
            "training.environment.hostname",
            "The container's host name is EC2's, such as ip-10-0-x-y.ec2.internal, and never algo-1; older hosts said `aws`.",
            JOBS_2020,
            thread(TRAINING_TOOLKIT, 9),
            level=EMULATED,
            setting="container-hostname",
        ),
        confirmed(
            "training.environment.warm-pool-cache",
            "In a warm pool SAGEMAKER_MANAGED_WARMPOOL_CACHE_DIRECTORY is /opt/ml/sagemaker/warmpoolcache.",
            guide("train-warm-pools"),
            level=EMULATED,
        ),
        unsure(
            "training.environment.metrics-directory",
            "SAGEMAKER_METRICS_DIRECTORY is read by AWS's debugger library but was not in a real job's environment.",
            f"{DEBUGGER} smdebug/core/config_constants.py",
            level=EMULATED,
            setting="metrics-directory-variable",
        ),
        confirmed(
            "training.environment.no-sm-variables",
            "The platform sets no SM_* variable, no CURRENT_HOST, no SAGEMAKER_JOB_NAME and no SAGEMAKER_REGION: toolkits and images do.",
            toolkit("src/sagemaker_training/environment.py"),
            thread(EXAMPLES, 522),
            level=EMULATED,
        ),
        confirmed(
            "training.environment.no-distributed-variables",
            "The platform sets none of MASTER_ADDR, MASTER_PORT, NCCL_* and FI_PROVIDER: toolkits and images do.",
            toolkit("src/sagemaker_training/torch_distributed.py"),
            "aws/sagemaker-pytorch-training-toolkit training.py",
            level=EMULATED,
        ),
        confirmed(
            "training.environment.limits",
            "Environment holds at most 100 entries; a key has up to 512 characters of letters, digits and underscores, a value up to 512.",
            API,
            level=EMULATED,
        ),
        confirmed(
            "training.environment.tuning-limit", "A tuning job's Environment holds at most 48 entries.", API
        ),
        confirmed(
            "training.environment.efa",
            "Variables for EFA, such as FI_PROVIDER=efa on p4d, come from the toolkit and not from the platform.",
            toolkit("src/sagemaker_training/__init__.py"),
            toolkit("src/sagemaker_training/mpi.py"),
            level=OUTSIDE,
        ),
    ),
)
