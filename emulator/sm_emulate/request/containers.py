"""Several containers of one model: the rules between them, and what a command line says about one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sm_emulate.errors import RequestError
from sm_emulate.request.hosted_model import (
    DIRECT,
    MULTI_MODEL,
    containers_of,
    create_model,
    multi_model_in,
    not_emulated,
)
from sm_emulate.request.validate import Problem
from sm_emulate.request.wording import meant
from sm_emulate.spec.containers import MAX_ENVIRONMENT_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

EXPECTED = "[NAME=]IMAGE[,model=PATH][,env.KEY=VALUE...]"
_VARIABLE = "env."


def problems(document: Mapping[str, Any]) -> list[Problem]:
    """Say what the service model cannot say about the containers of a CreateModel document together."""
    primary, listed = document.get("PrimaryContainer"), document.get("Containers")
    if primary is not None and listed is not None:
        what = "a model has PrimaryContainer or Containers, and this one has both"
        return [Problem(path="Containers", what=what, expected="one of the two")]
    if primary is None and not listed:
        path = "PrimaryContainer" if listed is None else "Containers"
        what = f"{path} is missing" if listed is None else "Containers is empty"
        return [Problem(path=path, what=what, expected="an object with Image, or Containers with 2 to 15")]
    return [
        *_mode_problems(document),
        *_host_name_problems(listed or ()),
        *_environment_problems(document),
    ]


def shares_instances(document: Mapping[str, Any]) -> bool:
    """Whether the containers of a CreateModel document share an instance, each with a port of its own."""
    return len(document.get("Containers", ())) > 1 or _mode(document) == DIRECT


def _mode(document: Mapping[str, Any]) -> object:
    return document.get("InferenceExecutionConfig", {}).get("Mode")


def _mode_problems(document: Mapping[str, Any]) -> Iterator[Problem]:
    if _mode(document) == DIRECT and "Containers" not in document:
        path = "InferenceExecutionConfig.Mode"
        what = "only the containers of Containers are called directly, and this model has a PrimaryContainer"
        yield Problem(path=path, what=what, value=DIRECT, expected="Containers")
    if shares_instances(document) and multi_model_in(document):
        number = [each.get("Mode") for each in document.get("Containers", ())].index(MULTI_MODEL)
        yield not_emulated(
            f"Containers[{number}].Mode", "a multi-model container beside other containers is", "SingleModel"
        )


def _host_name_problems(listed: Sequence[Mapping[str, Any]]) -> Iterator[Problem]:
    names = [each.get("ContainerHostname") for each in listed]
    if any(name is None for name in names) and any(name is not None for name in names):
        path = f"Containers[{names.index(None)}].ContainerHostname"
        what = "some containers have a ContainerHostname and others none"
        yield Problem(path=path, what=what, expected="a name for each of them, or for none")
    for number, name in enumerate(names):
        if name is not None and name in names[:number]:
            path = f"Containers[{number}].ContainerHostname"
            yield Problem(
                path=path, what="two containers have one ContainerHostname", value=name, expected="one each"
            )


def _environment_problems(document: Mapping[str, Any]) -> Iterator[Problem]:
    size = sum(
        len(key.encode()) + len(value.encode())
        for _, container in containers_of(document)
        for key, value in container.get("Environment", {}).items()
    )
    if size > MAX_ENVIRONMENT_BYTES:
        yield Problem(
            path="Environment",
            what="the variables of a model's containers are too long, all taken together",
            value=f"{size} bytes",
            expected=f"at most {MAX_ENVIRONMENT_BYTES} bytes of names and values",
        )


# --- a command line's words -------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class ContainerFlags:
    """One container in the words of a command line; nothing is judged here."""

    image: str
    hostname: str | None = None
    model_data: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)


def container_flags(text: str) -> ContainerFlags:
    """Read `[NAME=]IMAGE[,model=PATH][,env.KEY=VALUE...]`.

    Raises:
        RequestError: it is something else.
    """
    first, *options = text.split(",")
    name, equals, image = first.rpartition("=")
    pairs = [option.partition("=") for option in options]
    named = {key: value for key, _, value in pairs}
    variables = {
        key.removeprefix(_VARIABLE): named.pop(key) for key in list(named) if key.startswith(_VARIABLE)
    }
    known = all(sign for _, sign, _ in pairs) and len(named) + len(variables) == len(pairs)
    if not image or (equals and not name) or not known or set(named) - {"model"}:
        raise RequestError(
            "this is no container",
            value=first if variables else text,  # a variable may hold a secret
            expected=EXPECTED,
            hint=meant(named, ["model"])
            or "a value with a comma in it goes into --environment, or into a request file",
        )
    return ContainerFlags(
        image=image, hostname=name or None, model_data=named.get("model"), environment=variables
    )


def create_pipeline(
    containers: Sequence[ContainerFlags],
    *,
    model_name: str,
    direct: bool = False,
    environment: Mapping[str, str] | None = None,
    network_isolation: bool = False,
    role_arn: str | None = None,
) -> dict[str, Any]:
    """Give the CreateModel document of several containers; `environment` is for all of them.

    Nothing is judged here.
    """
    made = [
        create_model(
            each.image,
            model_name=model_name,
            model_data=each.model_data,
            environment={**(environment or {}), **each.environment},
            network_isolation=network_isolation,
            role_arn=role_arn,
        )
        for each in containers
    ]
    document = {name: value for name, value in made[0].items() if name != "PrimaryContainer"}
    document["Containers"] = [
        each["PrimaryContainer"] | ({} if flags.hostname is None else {"ContainerHostname": flags.hostname})
        for each, flags in zip(made, containers, strict=True)
    ]
    document["InferenceExecutionConfig"] = {"Mode": DIRECT if direct else "Serial"}
    return document
