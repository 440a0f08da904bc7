"""Fetching images from registries, with the credentials that `docker login` has stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sm_emulate.errors import EngineError, EngineNotFoundError, ImageNotFoundError

if TYPE_CHECKING:
    from sm_emulate.engine.protocol import PullProgress, RegistryManifest
    from sm_emulate.engine.wire import Client


def pull(client: Client, reference: str, progress: PullProgress | None) -> None:
    """Have the engine fetch the image. Raises `ImageNotFoundError` with the registry's answer."""
    name, tag = _name_and_tag(reference)
    try:
        messages = client.messages(
            "POST", "/images/create", query={"fromImage": name, "tag": tag}, headers=_credentials(name)
        )
        for message in messages:
            if "error" in message:
                raise not_pulled(reference, str(message["error"]))
            if progress is not None:
                detail = message.get("progressDetail") or {}
                progress(
                    str(message.get("id") or message.get("status") or ""),
                    int(detail.get("current") or 0),
                    int(detail.get("total") or 0),
                )
    except (ImageNotFoundError, EngineNotFoundError):
        raise
    except EngineError as error:
        raise not_pulled(reference, *(error.evidence or (error.what,))) from error


def manifest(client: Client, reference: str, timeout: float) -> RegistryManifest:
    """Have the engine ask the registry what it holds under a reference."""
    from urllib.parse import quote

    from sm_emulate.engine import render

    name, tag = _name_and_tag(reference)
    headers = _credentials(name) or {}
    path = f"/distribution/{quote(f'{name}@{tag}' if '@' in reference else f'{name}:{tag}', safe='/:@')}/json"
    return render.registry_manifest(client.call("GET", path, headers=headers, timeout=timeout))


def not_pulled(reference: str, *words: str) -> ImageNotFoundError:
    return ImageNotFoundError(
        "the image is neither on this machine nor could it be pulled",
        value=reference,
        hint="check the name; for a private registry `docker login` first; or build the image here",
        evidence=words,
    )


def _name_and_tag(reference: str) -> tuple[str, str]:
    """Split as the API wants it. Without a tag the engine would fetch every tag there is."""
    if "@" in reference:
        name, _, digest = reference.partition("@")
        return name, digest
    name, colon, tag = reference.rpartition(":")
    if not colon or "/" in tag:
        return reference, "latest"
    return name, tag


def _credentials(name: str) -> dict[str, str]:
    """Give the header of `docker login`'s credentials, through the SDK, which knows the helper programs."""
    from docker import auth
    from docker.errors import DockerException

    try:
        registry, _ = auth.resolve_repository_name(name)
        found = auth.load_config().resolve_authconfig(registry)
    except (DockerException, OSError, ValueError) as error:
        raise EngineError(
            "the stored registry credentials cannot be read",
            value=name,
            evidence=(str(error),),
            hint="`docker login` again, or mend the credential helper named in ~/.docker/config.json",
        ) from error
    return {"X-Registry-Auth": auth.encode_header(found).decode()} if found else {}
