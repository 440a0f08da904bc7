"""The image that a check is about: had from wherever it is, and what it seems to be for."""

from __future__ import annotations

import os
import posixpath
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sm_contracts import programs, references
from sm_contracts.roles import Role
from sm_emulate.errors import ImageNotFoundError, RequestError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sm_emulate.api import Engine, Image, ImageFiles

_CAPABILITY = "com.amazonaws.sagemaker.capabilities."
_CAPABILITIES = {
    "accept-bind-to-port": Role.PIPELINE,
    "multi-models": Role.MULTI_MODEL,
    "bidirectional-streaming": Role.BIDIRECTIONAL,
}
_SIGNS = {
    Role.SERVE: (b"/invocations",),
    Role.TRAIN: (b"/opt/ml/input", b"hyperparameters.json", b"SM_CHANNEL_", b"SM_MODEL_DIR"),
}
"""What a program's text says when it is written for SageMaker."""
_WORDS = {Role.TRAIN: ("train", "training"), Role.SERVE: ("serve", "serving", "inference", "server")}
_SERVERS = {
    "uvicorn", "gunicorn", "hypercorn", "waitress-serve", "nginx", "tritonserver", "torchserve", "multi-model-server",
    "mxnet-model-server", "tensorflow_model_server", "bentoml", "mlserver",
}  # fmt: skip
_READ = 4 << 20
"""Bytes of a program that is searched for signs."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """An image that the engine has."""

    reference: str
    """What the engine knows it by."""
    image: Image
    archive: Path | None = None
    """Where it was loaded from."""


def resolve(engine: Engine, image: str, say: Callable[[str], None]) -> Found:
    """Find an image: on the engine, in its registry, or in an archive, which is loaded.

    Args:
        engine: the engine that will run it.
        image: a tag, an id, a registry reference, or the path of a `docker save` or OCI archive.
        say: told what takes long.

    Raises:
        ImageNotFoundError: it can be had nowhere.
        RequestError: this can be no image's name.
        MachineError: the engine cannot load the archive.
    """
    if _looks_like_path(image):
        return _load(engine, Path(image), say)
    try:
        return Found(reference=image, image=engine.image(image))
    except ImageNotFoundError:
        pass
    if Path(image).is_file():
        return _load(engine, Path(image), say)
    if not references.is_valid(image):
        raise RequestError(
            "this is no image reference",
            value=image,
            expected="[HOST[:PORT]/]NAME[:TAG][@DIGEST] with a name in lower case, an image id, "
            "or the path of an archive",
        )
    from sm_emulate.api import find_image

    say(f"pulling {image}")
    return Found(reference=image, image=find_image(engine, image))


def _looks_like_path(text: str) -> bool:
    return text.startswith(("/", "./", "../", "~")) or (
        text.endswith((".tar", ".tar.gz", ".tgz")) and Path(text).is_file()
    )


def _load(engine: Engine, archive: Path, say: Callable[[str], None]) -> Found:
    path = archive.expanduser().absolute()
    if not path.is_file():
        raise ImageNotFoundError(
            "there is no such archive",
            value=archive,
            expected="a file that `docker save`, or a build with `type=docker` or `type=oci`, has written",
        )
    say(f"loading {archive.name}")
    names = engine.load(os.fspath(path))
    if len(names) > 1 and len({engine.image(name).id for name in names}) > 1:
        raise RequestError(
            "the archive holds several images",
            value=archive,
            expected="one image",
            hint="they are loaded now: check each by its name",
            evidence=names,
        )
    return Found(reference=names[0], image=engine.image(names[0]), archive=path)


def find_roles(engine: Engine, image: Image) -> tuple[frozenset[Role], str]:
    """Tell what an image seems to be for, and how that is known.

    Where nothing tells, both training and serving are checked, and the text says that this is no finding.
    """
    from sm_emulate.api import open_image

    seen: dict[Role, list[str]] = {}
    for capability, role in _CAPABILITIES.items():
        if image.labels.get(_CAPABILITY + capability, "").lower() == "true":
            seen.setdefault(role, []).append(f"the label {capability}")
            seen.setdefault(Role.SERVE, []).append(f"the label {capability}")
    with open_image(engine, image.id) as files:
        for word, role in (("train", Role.TRAIN), ("serve", Role.SERVE)):
            program = programs.find(files, image, word)
            if program.found:
                seen.setdefault(role, []).append(f"the program {program.path}")
        if not seen.keys() & {Role.TRAIN, Role.SERVE} and image.entrypoint:
            seen.update(_from_entrypoint(files, image))
    if not seen.keys() & {Role.TRAIN, Role.SERVE} and "8080/tcp" in image.exposed_ports:
        seen[Role.SERVE] = ["EXPOSE 8080"]
    if not seen:
        return (
            frozenset({Role.TRAIN, Role.SERVE}),
            "not found, nothing in the image tells: both are checked; give --role to say which",
        )
    hint = ""
    if Role.MULTI_MODEL in seen:
        # it answers at /models/NAME/invoke, and nothing tells that it also serves one model at /invocations
        seen = {role: signs for role, signs in seen.items() if role in (Role.MULTI_MODEL, Role.TRAIN)}
        hint = "; give --role serve if it serves a single model, too"
    told = "; ".join(f"{role.value} from {' and '.join(signs)}" for role, signs in seen.items())
    return frozenset(seen), f"found: {told}{hint}"


def _from_entrypoint(files: ImageFiles, image: Image) -> dict[Role, list[str]]:
    """Read what the ENTRYPOINT runs: by the programs' names, else by what they say."""
    seen: dict[Role, list[str]] = {}
    for word in " ".join(image.entrypoint).split():
        name = posixpath.basename(word).lower()
        parts = set(re.split(r"[._-]", name))
        for role, names in _WORDS.items():
            if parts & set(names) or (role is Role.SERVE and name in _SERVERS):
                seen.setdefault(role, []).append(f"{word} in the ENTRYPOINT")
    if seen:
        return seen
    for word in image.entrypoint:
        program = programs.find(files, image, word)
        path = program.real_path or posixpath.normpath(posixpath.join("/", image.working_dir, word))
        content = files.read(path, _READ) or b""
        for role, signs in _SIGNS.items():
            sign = next((sign for sign in signs if sign in content), None)
            if sign is not None and role not in seen:
                seen[role] = [f"{sign.decode()} in {path}"]
    return seen
