"""`docker load`: archives of images, also those in the OCI layout that older engines cannot read."""

from __future__ import annotations

import io
import json
import os
import re
import tarfile
from typing import TYPE_CHECKING, Any

from sm_emulate.engine.wire import RefusedError
from sm_emulate.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sm_emulate.engine.wire import Client

_PIECE = 1 << 20


def load(client: Client, archive: str) -> tuple[str, ...]:
    """Send an archive to the engine; give what it says it has loaded."""
    said: list[str] = []
    try:
        messages = client.upload("/images/load?quiet=1", _pieces(archive), kind="application/x-tar")
    except RefusedError as error:
        raise _refused(archive, error.words) from error
    for message in messages:
        if "error" in message:
            raise _refused(archive, str(message["error"]))
        said += str(message.get("stream") or "").splitlines()
    told = [found[1] for line in said if (found := re.match(r"Loaded image(?: ID)?: (.+)", line))]
    loaded = [name.strip() for names in told for name in names.split(",")]  # Podman puts all into one line
    if not loaded:
        raise _refused(archive, *said)
    return tuple(loaded)


def _refused(archive: str, *words: str) -> EngineError:
    return EngineError(
        "the container engine cannot load the archive",
        value=archive,
        expected="what `docker save`, `docker buildx build --output type=docker` or `type=oci` writes",
        evidence=words,
    )


def _pieces(archive: str) -> Iterator[bytes]:
    """Read the archive as it is, with an index of Docker's own added where it has only an OCI one."""
    try:
        added = _docker_index(archive)
        with open(archive, "rb") as file:  # noqa: PTH123 - the path comes as a string through the protocol
            if added is None:
                while piece := file.read(_PIECE):
                    yield piece
                return
            with tarfile.open(fileobj=file, mode="r:") as tar:
                end = max(member.offset_data + -(-member.size // 512) * 512 for member in tar)
            file.seek(0)
            while end > 0:
                piece = file.read(min(_PIECE, end))
                end -= len(piece)
                yield piece
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            member = tarfile.TarInfo("manifest.json")
            member.size = len(added)
            tar.addfile(member, io.BytesIO(added))
        yield packed.getvalue()
    except (OSError, tarfile.TarError, ValueError, KeyError) as error:
        raise EngineError(
            "the archive cannot be read",
            value=archive,
            expected="an archive of an image, as `docker save` writes it",
            evidence=(str(error) or type(error).__name__,),
        ) from error


def _docker_index(archive: str) -> bytes | None:
    """Give the `manifest.json` that an OCI archive lacks; None where it has one."""
    if not os.path.isfile(archive):  # noqa: PTH113 - likewise
        raise FileNotFoundError(archive)
    if not tarfile.is_tarfile(archive):
        raise ValueError("this is no tar archive")
    try:
        with tarfile.open(archive, mode="r:") as tar:
            names = set(tar.getnames())
            if "manifest.json" in names or "index.json" not in names:
                return None
            entry = _image(tar, _json(tar, "index.json"))
    except tarfile.ReadError:
        return None  # compressed: the engine unpacks it itself
    return json.dumps([entry]).encode()


def _image(tar: tarfile.TarFile, index: dict[str, Any]) -> dict[str, Any]:
    """Find the image for this platform in an index, and name its parts as Docker does."""
    tags: list[str] = []
    while "manifests" in index:
        images = [
            each
            for each in index["manifests"]
            if (each.get("platform") or {}).get("architecture", "amd64") != "unknown"
        ]
        native = [each for each in images if (each.get("platform") or {}).get("architecture") == "amd64"]
        chosen = (native or images)[0]
        name = (chosen.get("annotations") or {}).get("io.containerd.image.name")
        if name:
            tags = [name if ":" in name.rpartition("/")[2] else f"{name}:latest"]
        index = _json(tar, _blob(chosen))
    return {
        "Config": _blob(index["config"]),
        "RepoTags": tags,
        "Layers": [_blob(layer) for layer in index["layers"]],
    }


def _blob(descriptor: dict[str, Any]) -> str:
    algorithm, _, digest = str(descriptor["digest"]).partition(":")
    return f"blobs/{algorithm}/{digest}"


def _json(tar: tarfile.TarFile, name: str) -> Any:
    found = tar.extractfile(name)
    if found is None:
        raise ValueError(f"{name} is no file")
    return json.loads(found.read())
