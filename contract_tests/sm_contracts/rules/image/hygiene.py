"""What the author left in the image that does not belong there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sm_contracts import secrets
from sm_contracts.evidence.image import Configuration, History, ImageUser, KeyFiles, Purpose
from sm_contracts.roles import ANY, SERVING, Role
from sm_contracts.rule import Fail, Outcome, Severity, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

_BOTH = {
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_EXECUTION_ENV",
    "AWS_REGION",
    "ECS_CONTAINER_METADATA_URI",
    "ECS_CONTAINER_METADATA_URI_V4",
}
_TRAINING = {
    "SAGEMAKER_MANAGED_WARMPOOL_CACHE_DIRECTORY",
    "TRAINING_JOB_ARN",
    "TRAINING_JOB_NAME",
}
_SERVING = {
    "SAGEMAKER_BATCH",
    "SAGEMAKER_BATCH_STRATEGY",
    "SAGEMAKER_BIND_TO_PORT",
    "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS",
    "SAGEMAKER_MAX_PAYLOAD_IN_MB",
    "SAGEMAKER_MULTI_MODEL",
    "SAGEMAKER_SAFE_PORT_RANGE",
}


@rule(
    "SM113",
    "secret-in-image",
    severity=Severity.ERROR,
    roles=ANY,
    needs=(Configuration, History, KeyFiles),
    source="https://docs.docker.com/build/building/secrets/",
)
def secret_in_image(image: Configuration, history: History, keys: KeyFiles) -> Iterator[Outcome]:
    """The image carries credentials.

    What:
        Looks for credentials in the image's variables, labels and build history (build arguments are kept there), and
        in files of well-known names: .aws/credentials, private ssh keys, .netrc, .pypirc, .docker/config.json and
        the like, wherever they lie. Values are shown by their first four characters only.

    Why:
        Everyone who can pull the image can read them, in every layer and in the history, also after a later step has
        deleted the file. Credentials of AWS in the environment also take the place of the role that SageMaker
        gives the container.

    Fix:
        Take them out, make them invalid (they count as known), and build again. At build time use
        `RUN --mount=type=secret`; at run time the execution role, or Secrets Manager.
    """
    told = set()
    for name, value in image.environment.items():
        if what := secrets.in_value(name, value):
            told.add((name, secrets.masked(value)))
            yield Fail(
                f"ENV {name} is {what}", {"where": "ENV", "name": name, "value": secrets.masked(value)}
            )
    for name, value in image.labels.items():
        if what := secrets.in_value(name, value):
            yield Fail(
                f"LABEL {name} is {what}", {"where": "LABEL", "name": name, "value": secrets.masked(value)}
            )
    for step in history.steps:
        for name, what, value in secrets.in_command(step):
            shown = secrets.masked(value)
            if (name, shown) in told:
                continue
            told.add((name, shown))
            yield Fail(
                f"the build history shows {what}" + (f" in {name}" if name else ""),
                {"where": "history", "name": name, "value": shown},
            )
    for path, what in keys.files.items():
        yield Fail(f"{path} holds {what}", {"where": "file", "path": path})


@rule(
    "SM114",
    "non-root-user",
    severity=Severity.WARNING,
    roles=(Role.TRAIN, *SERVING, Role.MULTI_MODEL, Role.PROCESSING),
    needs=ImageUser,
    source="https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html",
)
def non_root_user(user: ImageUser) -> Iterator[Outcome]:
    """The image's USER is not root.

    What:
        Reads USER and, where it is a name, looks it up in the image's /etc/passwd. Whether the program gets along
        without root is shown by running it: SM216 for training, SM334 for serving.

    Why:
        The platform keeps the image's user, and everything it mounts belongs to root with mode 0755: another user
        cannot write /opt/ml/model or /opt/ml/output, and on some hosts not even read /opt/ml/input/config. The
        documentation says that containers are expected to run as root.

    Fix:
        Leave USER out, or end the Dockerfile with `USER root`.
    """
    if user.uid != 0:
        number = "a name that /etc/passwd does not have" if user.uid is None else f"uid {user.uid}"
        yield Fail(f"USER is {user.name} ({number})", {"user": user.name, "uid": user.uid})


@rule(
    "SM117",
    "reserved-environment",
    severity=Severity.WARNING,
    roles=(Role.TRAIN, *SERVING, Role.MULTI_MODEL),
    needs=(Configuration, Purpose),
    source="https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo-running-container.html",
)
def reserved_environment(image: Configuration, purpose: Purpose) -> Iterator[Outcome]:
    """The image sets a variable that belongs to the platform.

    What:
        Compares the image's ENV with the variables that the platform sets in containers of its roles:
        TRAINING_JOB_NAME, AWS_REGION, SAGEMAKER_BIND_TO_PORT and others. NVIDIA_VISIBLE_DEVICES is left out: every CUDA
        image sets it, and needs to.

    Why:
        Where the platform sets the variable, the image's value is lost; where it does not, the program takes the
        image's value for the platform's, for example a port that nobody asked for.

    Fix:
        Take the variable out of the Dockerfile. A default belongs into the program:
        `${SAGEMAKER_BIND_TO_PORT:-8080}`.
    """
    reserved = set(_BOTH)
    if Role.TRAIN in purpose.roles:
        reserved |= _TRAINING
    if purpose.roles & {*SERVING, Role.MULTI_MODEL}:
        reserved |= _SERVING
    taken = sorted(reserved & image.environment.keys())
    if taken:
        yield Fail(
            "ENV sets " + ", ".join(f"{name}={image.environment[name]}" for name in taken),
            {"variables": taken},
        )
