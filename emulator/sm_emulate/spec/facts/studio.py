from __future__ import annotations

from sm_emulate.spec.fact import Area, confirmed, unsure
from sm_emulate.spec.facts.sources import API, PUBLIC_LOG, STUDIO_SAMPLES, guide, guide_2023, thread

LATER = "Studio images"

AREA = Area(
    prefix="studio",
    title="Studio images",
    facts=(
        confirmed(
            "studio.kernel.command",
            "A KernelGateway image's ENTRYPOINT and CMD are overridden, and port 8888 is reserved.",
            guide_2023("studio-byoi-specs"),
            planned=LATER,
        ),
        confirmed(
            "studio.kernel.kernelspecs",
            "Kernels are found as Jupyter kernelspecs, one to five of them named in the app's configuration.",
            guide_2023("studio-byoi-specs"),
            API,
            planned=LATER,
        ),
        confirmed(
            "studio.kernel.users",
            "Only user and group 1000/100 and 0/0 are supported.",
            guide_2023("studio-byoi-specs"),
            API,
            planned=LATER,
        ),
        confirmed(
            "studio.kernel.reserved-paths",
            "/opt/.sagemakerinternal and /opt/ml are reserved; the platform runs a program of its own from the first.",
            guide_2023("studio-byoi-specs"),
            thread(STUDIO_SAMPLES, 28),
            planned=LATER,
        ),
        confirmed(
            "studio.kernel.size",
            "A KernelGateway image has at most 25 GB.",
            guide_2023("studio-byoi-specs"),
            planned=LATER,
        ),
        confirmed(
            "studio.kernel.home",
            "The home directory is mounted at /home/sagemaker-user by default.",
            API,
            planned=LATER,
        ),
        confirmed(
            "studio.kernel.metadata",
            "/opt/ml/metadata/resource-metadata.json describes the app.",
            guide_2023("studio-byoi-specs"),
            planned=LATER,
        ),
        confirmed(
            "studio.kernel.wrong-user",
            "A user that differs from the app's configuration gives `unable to launch the app` with a word about UID and GID.",
            thread(STUDIO_SAMPLES, 8),
            planned=LATER,
        ),
        confirmed(
            "studio.jupyterlab.server",
            "JupyterLab has to listen on 8888 under jupyterlab/default, without token or password, and answer api/status there.",
            guide("studio-updated-byoi-specs"),
            guide("studio-updated-jl-admin-guide-custom-images"),
            planned=LATER,
        ),
        confirmed(
            "studio.jupyterlab.home",
            "The space's volume at /home/sagemaker-user hides what the image has there.",
            guide("studio-updated-byoi-specs"),
            planned=LATER,
        ),
        confirmed(
            "studio.jupyterlab.configuration",
            "ContainerConfig has at most one entrypoint word, 50 arguments and 25 variables.",
            API,
            planned=LATER,
        ),
        confirmed(
            "studio.jupyterlab.environment",
            "AWS_ACCOUNT_ID, AWS_REGION, AWS_DEFAULT_REGION, SAGEMAKER_SPACE_NAME and SAGEMAKER_APP_TYPE are set over the image's values.",
            guide("studio-updated-byoi-specs"),
            planned=LATER,
        ),
        confirmed(
            "studio.code-editor.command",
            "Code Editor listens on 8888 under /codeeditor/default.",
            "aws/sagemaker-distribution start-code-editor",
            planned=LATER,
        ),
        unsure(
            "studio.code-editor.health",
            "Its health path was not found in a text that could be read.",
            guide("studio-updated-byoi-specs"),
            planned=LATER,
        ),
        unsure(
            "studio.unified.base",
            "SageMaker Unified Studio takes images built on sagemaker-distribution 2.6 or newer, without an entrypoint of their own.",
            PUBLIC_LOG,
            planned=LATER,
        ),
    ),
)
