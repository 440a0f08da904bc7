"""What lies in the image and will be hidden, harmful or too much."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from sm_contracts.evidence.image import (
    Configuration,
    DriverLibraries,
    HiddenFiles,
    JavaRuntime,
    Purpose,
)
from sm_contracts.roles import ANY, SERVING, Role
from sm_contracts.rule import Fail, Outcome, Pass, Severity, Skip, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

_IMAGE_PAGE = "https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo-dockerfile.html"
_LARGEST = 10 * 1000**3


@rule(
    "SM109",
    "shadowed-content",
    severity=Severity.WARNING,
    roles=(Role.TRAIN, *SERVING),
    needs=(HiddenFiles, Purpose),
    source=_IMAGE_PAGE,
)
def shadowed_content(hidden: HiddenFiles, purpose: Purpose) -> Iterator[Outcome]:
    """The image has files that are hidden when it runs.

    What:
        Looks for files under /opt/ml/input, /opt/ml/output and /opt/ml/model (role train), and under /opt/ml/model
        where the image serves and model data is given.

    Why:
        The platform mounts its own folders there: what the image has in them is not visible to the program. An
        image that serves the model it brings along, without model data, is fine.

    Fix:
        Keep the files elsewhere, for example in /opt/program or /opt/ml/code.
    """
    covered = set()
    if Role.TRAIN in purpose.roles:
        covered |= {"/opt/ml/input", "/opt/ml/output", "/opt/ml/model"}
    if purpose.model_given and purpose.roles & set(SERVING):
        covered.add("/opt/ml/model")
    for folder, files in hidden.in_folder.items():
        if folder in covered:
            yield Fail(
                f"the image has files in {folder}, where the platform mounts its own: {', '.join(files)}",
                {"folder": folder, "files": list(files)},
            )


@rule(
    "SM110",
    "volume-under-opt-ml",
    severity=Severity.WARNING,
    roles=ANY,
    needs=Configuration,
    source=_IMAGE_PAGE,
)
def volume_under_opt_ml(image: Configuration) -> Iterator[Outcome]:
    """The image declares a VOLUME at or under /opt/ml.

    What:
        Looks at the VOLUME instructions of the image, also those of its base image.

    Why:
        /opt/ml is the platform's. An anonymous volume there lies on another disk than the one that was asked for, or
        in front of the folders that the platform mounts.

    Fix:
        Take the VOLUME instruction out of the Dockerfile. One that comes from the base image cannot be undone: copy
        the files into a new image.
    """
    for volume in image.volumes:
        path = posixpath.normpath(posixpath.join("/", volume))
        if path == "/opt/ml" or path.startswith("/opt/ml/"):
            yield Fail(f"VOLUME {volume}", {"volume": volume})


@rule(
    "SM111",
    "bundled-driver",
    severity=Severity.ERROR,
    roles=ANY,
    needs=DriverLibraries,
    source="https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html",
)
def bundled_driver(drivers: DriverLibraries) -> Iterator[Outcome]:
    """The image ships libraries of the NVIDIA driver.

    What:
        Looks for real files libcuda.so.N and libnvidia-ml.so.N anywhere in the image. The stubs of the CUDA toolkit and
        its compatibility package (folders `stubs` and `compat`) are no driver.

    Why:
        The driver belongs to the instance and is mounted into the container. Libraries of another version in the
        image get in its way: `Failed to initialize NVML: Driver/library version mismatch`.

    Fix:
        Install the CUDA toolkit and its libraries only, not the packages nvidia-driver-*, libnvidia-compute-* or
        libcuda1; or build on an image of nvidia/cuda. Never `docker commit` a container that had a GPU.
    """
    if drivers.files:
        yield Fail(
            "the image has libraries of the NVIDIA driver: " + ", ".join(sorted(drivers.files)),
            {"files": dict(drivers.files)},
        )


@rule(
    "SM112",
    "image-too-large",
    severity=Severity.WARNING,
    roles=ANY,
    needs=(Configuration, Purpose),
    source="https://docs.aws.amazon.com/sagemaker/latest/dg/serverless-endpoints.html",
)
def image_too_large(image: Configuration, purpose: Purpose) -> Iterator[Outcome]:
    """The image is larger than 10 GB.

    What:
        Reads the size of the unpacked image, as `docker images` shows it.

    Why:
        Serverless endpoints take at most 10 GB (an error for the role serverless). Elsewhere a large image makes
        every start slow: it is pulled anew for each job and each instance.

    Fix:
        Leave out build tools and caches: several stages, `pip install --no-cache-dir`, `rm -rf /var/lib/apt/lists/*`
        in the same RUN, CPU builds of frameworks where no GPU is used. `docker history` shows which step is large.
    """
    size = f"{image.size_bytes / 1000**3:.1f} GB"
    if image.size_bytes > _LARGEST:
        serverless = Role.SERVERLESS in purpose.roles
        yield Fail(
            f"the image has {size}" + (", and serverless endpoints take 10 GB" if serverless else ""),
            {"size_bytes": image.size_bytes},
            Severity.ERROR if serverless else None,
        )
    yield Pass({"size_bytes": image.size_bytes})


@rule(
    "SM118",
    "container-support-jvm",
    severity=Severity.WARNING,
    roles=(*SERVING, Role.MULTI_MODEL),
    needs=JavaRuntime,
    source="https://docs.aws.amazon.com/sagemaker/latest/dg/deploy-model-troubleshoot.html",
)
def container_support_jvm(java: JavaRuntime) -> Iterator[Outcome]:
    """A Java runtime would see one processor only.

    What:
        Where the image has a Java runtime, looks for `-XX:-UseContainerSupport` in its variables, its command line, its
        scripts and its settings files.

    Why:
        On SageMaker's hosts a JVM with container support detects a single processor, and a Java model server then
        runs a single worker.

    Fix:
        Start Java with `-XX:-UseContainerSupport`, for example `ENV JAVA_TOOL_OPTIONS=-XX:-UseContainerSupport`, or
        `vmargs=-XX:-UseContainerSupport` in the config.properties of TorchServe or Multi Model Server.
    """
    if not java.path:
        yield Skip("the image has no Java runtime")
    elif not java.sign:
        yield Fail(
            f"{java.path} is in the image, and -XX:-UseContainerSupport neither in its variables nor in its command "
            f"line nor in {java.looked_at} scripts and settings files",
            {"java": java.path, "files_looked_at": java.looked_at},
        )
    else:
        yield Pass({"java": java.path, "seen_in": java.sign})
