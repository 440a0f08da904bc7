"""Archives of `docker save`, made into what other builders write."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

OCI = "application/vnd.oci.image."


def read(archive: Path) -> dict[str, bytes]:
    """Give an archive's files. Links, which Docker makes between equal layers, are followed."""
    with tarfile.open(archive) as tar:
        return {
            member.name: found.read()
            for member in tar
            if (member.isfile() or member.issym()) and (found := tar.extractfile(member))
        }


def write(archive: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(archive, "w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return archive


def with_architecture(archive: Path, architecture: str) -> Path:
    """Change what the image's configuration says; its id changes with it."""
    files = read(archive)
    (entry,) = json.loads(files["manifest.json"])
    config = json.loads(files.pop(entry["Config"]))
    changed = json.dumps(config | {"architecture": architecture}).encode()
    entry["Config"] = f"{hashlib.sha256(changed).hexdigest()}.json"
    kept = {layer: files[layer] for layer in entry["Layers"]}
    return write(
        archive.with_name("changed.tar"),
        {**kept, entry["Config"]: changed, "manifest.json": json.dumps([entry]).encode()},
    )


def as_oci(archive: Path, tag: str, *, attested: bool) -> Path:
    """Write what `docker buildx build --output type=oci` writes: the OCI layout alone."""
    files = read(archive)
    (entry,) = json.loads(files["manifest.json"])
    blobs: dict[str, bytes] = {}

    def descriptor(kind: str, content: bytes, **more: Any) -> dict[str, Any]:
        digest = hashlib.sha256(content).hexdigest()
        blobs[f"blobs/sha256/{digest}"] = content
        return {"mediaType": OCI + kind, "digest": f"sha256:{digest}", "size": len(content), **more}

    def document(kind: str, value: dict[str, Any], **more: Any) -> dict[str, Any]:
        content = json.dumps({"schemaVersion": 2, "mediaType": OCI + kind, **value}).encode()
        return descriptor(kind, content, **more)

    image = document(
        "manifest.v1+json",
        {
            "config": descriptor("config.v1+json", files[entry["Config"]]),
            "layers": [descriptor("layer.v1.tar", files[layer]) for layer in entry["Layers"]],
        },
        platform={"os": "linux", "architecture": "amd64"},
    )
    top = image
    if attested:
        statement = document(
            "manifest.v1+json",
            {"config": descriptor("config.v1+json", b"{}"), "layers": []},
            platform={"os": "unknown", "architecture": "unknown"},
            annotations={
                "vnd.docker.reference.type": "attestation-manifest",
                "vnd.docker.reference.digest": image["digest"],
            },
        )
        top = document("index.v1+json", {"manifests": [image, statement]})
    top = top | {"annotations": {"io.containerd.image.name": f"docker.io/{tag}:latest"}}
    return write(
        archive.with_name(f"oci-{archive.name}"),
        {
            "oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
            "index.json": json.dumps({"schemaVersion": 2, "manifests": [top]}).encode(),
            **blobs,
        },
    )
