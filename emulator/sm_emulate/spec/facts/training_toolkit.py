from __future__ import annotations

from sm_emulate.spec.fact import EMULATED, OUTSIDE, Area, confirmed
from sm_emulate.spec.facts.sources import SDK, TRAINING_TOOLKIT, guide_2023, sdk, thread, toolkit

AREA = Area(
    prefix="training.toolkit",
    title="Training: what the toolkit and the SDK do, and the platform does not",
    facts=(
        confirmed(
            "training.toolkit.train-script",
            "sagemaker-training installs the `train` program and reads hyperparameters, resourceconfig and inputdataconfig.",
            toolkit("src/sagemaker_training"),
            note="a toolkit image finds what it reads",
            level=OUTSIDE,
        ),
        confirmed(
            "training.toolkit.hyperparameter-decoding",
            "It JSON-decodes each hyperparameter and falls back to the raw string; names beginning sagemaker_ never reach the script.",
            toolkit("src/sagemaker_training/params.py"),
            level=OUTSIDE,
        ),
        confirmed(
            "training.toolkit.program",
            "The program is SAGEMAKER_PROGRAM or the hyperparameter sagemaker_program; without either it fails with an AttributeError.",
            toolkit("src/sagemaker_training/environment.py"),
            thread(SDK, 4113),
            level=OUTSIDE,
        ),
        confirmed(
            "training.toolkit.submit-directory",
            "sagemaker_submit_directory is unpacked into /opt/ml/code only when that is empty.",
            toolkit("src/sagemaker_training/files.py"),
            level=OUTSIDE,
        ),
        confirmed(
            "training.toolkit.requirements",
            "requirements.txt beside the code is installed with pip at start.",
            toolkit("src/sagemaker_training/modules.py"),
            level=OUTSIDE,
        ),
        confirmed(
            "training.toolkit.arguments",
            "Hyperparameters become sorted --key value arguments, and SM_* variables; SM_HP_ keeps hyphens in the name.",
            toolkit("src/sagemaker_training/mapping.py"),
            level=OUTSIDE,
        ),
        confirmed(
            "training.toolkit.exit-codes",
            "A failing script makes the toolkit write the failure file and exit 1, whatever the script's own code.",
            toolkit("src/sagemaker_training/errors.py"),
            level=OUTSIDE,
        ),
        confirmed(
            "training.toolkit.success-file",
            "On success it writes /opt/ml/output/success.",
            toolkit("src/sagemaker_training/files.py"),
            level=OUTSIDE,
        ),
        confirmed(
            "training.toolkit.no-sigterm",
            "It does not pass SIGTERM on to the script.",
            thread(TRAINING_TOOLKIT, 125),
            thread(TRAINING_TOOLKIT, 173),
            level=OUTSIDE,
        ),
        confirmed(
            "training.toolkit.working-directory",
            "It runs the script in /opt/ml/code.",
            toolkit("src/sagemaker_training/process.py"),
            level=OUTSIDE,
        ),
        confirmed(
            "training.toolkit.base-directory",
            "Where /opt/ml is missing it makes a tree of its own in the home directory.",
            toolkit("src/sagemaker_training/environment.py"),
            level=OUTSIDE,
        ),
        confirmed(
            "training.toolkit.model-trainer",
            "SDK v3's ModelTrainer sets ContainerEntrypoint to bash and brings its start script in the channel sm_drivers and the code in the channel code.",
            sdk("sagemaker-train/src/sagemaker/train/templates.py"),
            planned="AWS-compatible server",
        ),
        confirmed(
            "training.toolkit.tuning-metric",
            "A tuning job adds the hyperparameter _tuning_objective_metric, which counts toward the 100.",
            guide_2023("automatic-model-tuning-define-metrics-variables"),
            level=EMULATED,
        ),
        confirmed(
            "training.toolkit.tuning-job",
            "A tuning job's container is an ordinary training job called TUNING-NNN-8HEX; tuned values are strings.",
            guide_2023("automatic-model-tuning-define-ranges"),
            level=EMULATED,
        ),
        confirmed(
            "training.toolkit.tuner-entrypoint",
            "The SDK's tuner loses ContainerEntrypoint.",
            thread(SDK, 5184),
            note="a matter of the SDK",
            level=OUTSIDE,
        ),
        confirmed(
            "training.toolkit.commands",
            "A name ending in .py runs with python, one beside setup.py as a package, any other through /bin/sh.",
            toolkit("src/sagemaker_training/entry_point.py"),
            level=OUTSIDE,
        ),
        confirmed(
            "training.toolkit.isolated-code",
            "Under isolation it cannot fetch code from S3: the code has to be in the image or a channel.",
            toolkit("src/sagemaker_training/files.py"),
            level=OUTSIDE,
        ),
        confirmed(
            "training.toolkit.mpi",
            "For MPI it starts sshd, waits for the workers up to an hour and runs mpirun with --allow-run-as-root.",
            toolkit("src/sagemaker_training/mpi.py"),
            level=OUTSIDE,
        ),
        confirmed(
            "training.toolkit.framework-error",
            "An exception of its own becomes `Framework Error:` and a traceback in the failure file, which it never overwrites.",
            toolkit("src/sagemaker_training/errors.py"),
            level=OUTSIDE,
        ),
        confirmed(
            "training.toolkit.sdk-v3-hyphens",
            "SDK v3's own script replaces hyphens by underscores in SM_HP_ names.",
            sdk("sagemaker-train/src/sagemaker/train/container_drivers/scripts/environment.py"),
            level=OUTSIDE,
        ),
    ),
)
