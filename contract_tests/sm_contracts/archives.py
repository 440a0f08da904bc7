"""What the archive of an image says of its manifest."""

from __future__ import annotations

import json
import tarfile
from typing import TYPE_CHECKING, Any

from sm_contracts.evidence import Missing
from sm_contracts.evidence.image import Manifest

if TYPE_CHECKING:
    from pathlib import Path

_BIGGEST = 8 << 20
"""Bytes of a JSON document that is read; manifests have a few thousand."""
_DECIDED_BY_PUSH = (
    "a registry's manifest is made when the image is pushed, and this archive does not decide it"
)


def manifest_of(archive: Path) -> Manifest | Missing:
    """Give the manifest in an archive, as a registry would be given it.

    A `docker save` archive has none; since Docker 25 it has one for form's sake, in OCI's format whatever the engine
    would push. Only compressed layers or an index in it show that it is the stored original.
    """
    try:
        with tarfile.open(archive) as tar:
            members = {member.name.removeprefix("./"): member for member in tar if member.isfile()}
            if "index.json" not in members:
                return Missing(_DECIDED_BY_PUSH, applies=False)
            reader = _Reader(tar, members)
            return reader.manifest(archive.name, loadable="manifest.json" in members)
    except (OSError, EOFError, tarfile.TarError, ValueError, KeyError) as error:
        return Missing(f"the manifest in {archive.name} cannot be read ({error})")


class _Reader:
    def __init__(self, tar: tarfile.TarFile, members: dict[str, tarfile.TarInfo]) -> None:
        self._tar, self._members = tar, members

    def manifest(self, name: str, *, loadable: bool) -> Manifest | Missing:
        entries = self._json("index.json").get("manifests") or []
        types: list[str] = []
        platforms: list[str] = []
        nested = len(entries) > 1
        if nested:
            # what lies side by side in an archive is pushed as an index
            types.append("application/vnd.oci.image.index.v1+json")
        original = nested
        waiting = list(entries)
        while waiting:
            entry = waiting.pop(0)
            kind = str(entry.get("mediaType") or "")
            types.append(kind)
            if "index" in kind or "manifest.list" in kind:
                original = nested = True
                waiting = [*self._blob(entry).get("manifests", []), *waiting]
                continue
            if nested:
                platforms.append(_platform(entry))
            layers = self._blob(entry).get("layers") or []
            original |= any("gzip" in str(layer.get("mediaType")) for layer in layers)
        if loadable and not original:
            return Missing(_DECIDED_BY_PUSH, applies=False)
        return Manifest(where=name, media_types=tuple(dict.fromkeys(types)), platforms=tuple(platforms))

    def _blob(self, descriptor: dict[str, Any]) -> dict[str, Any]:
        path = "blobs/" + str(descriptor["digest"]).replace(":", "/")
        # an index may name platforms that the archive leaves out
        return self._json(path) if path in self._members else {}

    def _json(self, name: str) -> dict[str, Any]:
        found = self._tar.extractfile(self._members[name])
        read = json.loads(found.read(_BIGGEST)) if found else None
        if not isinstance(read, dict):
            raise ValueError(f"{name} is no JSON object")  # noqa: TRY004 - told with what else is wrong with an archive
        return read


def _platform(entry: dict[str, Any]) -> str:
    kind = (entry.get("annotations") or {}).get("vnd.docker.reference.type")
    if kind == "attestation-manifest":
        return "unknown/unknown"
    platform = entry.get("platform") or {}
    if not platform:
        return "not told"
    return f"{platform.get('os') or 'unknown'}/{platform.get('architecture') or 'unknown'}"
