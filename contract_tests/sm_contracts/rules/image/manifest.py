"""What SageMaker is given to pull: its name, its manifest, its platform."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sm_contracts import references
from sm_contracts.evidence.image import Configuration, Manifest, Named, Purpose
from sm_contracts.roles import ANY
from sm_contracts.rule import Fail, Inconclusive, Outcome, Pass, Severity, Skip, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

_ARM = re.compile(r"ml\.(?:[a-z]+[0-9]+g[a-z]*|p6e-gb200)\.")
"""Graviton instances (ml.m6g, ml.c7g, ml.r7gd ...), and those whose host is a Grace."""


@rule(
    "SM101",
    "oci-manifest",
    severity=Severity.ERROR,
    roles=ANY,
    needs=Manifest,
    source="https://github.com/aws/amazon-sagemaker-feedback/issues/180",
)
def oci_manifest(manifest: Manifest) -> Iterator[Outcome]:
    """The image is stored as an OCI manifest or index.

    What:
        Reads the media type of the manifest that the registry holds under the reference, of the one in an OCI
        archive, or of the one that the engine keeps in containerd's image store. For another image that is only on
        this machine the rule is skipped: what a registry gets is decided by the push.

    Why:
        CreateModel refuses both the OCI manifest and the OCI index with `Unsupported manifest media type
        application/vnd.oci.image.manifest.v1+json`. Builders write OCI manifests by default where an image is pushed
        with attestations or from containerd's image store.

    Fix:
        Build with `docker buildx build --platform linux/amd64 --provenance=false --sbom=false
        --output type=image,name=REPOSITORY:TAG,push=true,oci-mediatypes=false`, or convert the pushed image with
        `skopeo copy --format v2s2`.
    """
    oci = [kind for kind in manifest.media_types if "vnd.oci.image" in kind]
    if oci:
        yield Fail(
            f"{manifest.where} has {oci[0]}, which CreateModel refuses",
            {"media_types": list(manifest.media_types)},
        )
    yield Pass({"media_types": list(manifest.media_types)})


@rule(
    "SM102",
    "attestation-manifest",
    severity=Severity.ERROR,
    roles=ANY,
    needs=Manifest,
    source="https://github.com/docker/build-push-action/issues/755",
)
def attestation_manifest(manifest: Manifest) -> Iterator[Outcome]:
    """The image's index carries a provenance or SBOM entry.

    What:
        Looks for entries of the platform `unknown/unknown` in the index that the registry, the archive or containerd's
        image store holds.

    Why:
        `docker buildx build` adds provenance by default, as an entry of an OCI index. SageMaker takes neither the
        index nor the entry: creating the model fails with `Unsupported manifest media type`.

    Fix:
        Build with `--provenance=false --sbom=false`, or set BUILDX_NO_DEFAULT_ATTESTATIONS=1, and push again.
    """
    strangers = [platform for platform in manifest.platforms if platform == "unknown/unknown"]
    if strangers:
        yield Fail(
            f"the index in {manifest.where} has {len(strangers)} attestation "
            f"entr{'y' if len(strangers) == 1 else 'ies'} of platform unknown/unknown",
            {"platforms": list(manifest.platforms)},
        )


@rule(
    "SM103",
    "architecture-mismatch",
    severity=Severity.ERROR,
    roles=ANY,
    needs=(Configuration, Purpose),
    source="https://docs.aws.amazon.com/sagemaker/latest/dg/realtime-endpoints-graviton.html",
)
def architecture_mismatch(image: Configuration, purpose: Purpose) -> Iterator[Outcome]:
    """The image is made for another processor or system than the instance has.

    What:
        Compares the image's os and architecture with the instance type: linux/amd64, and linux/arm64 for Graviton
        instances such as ml.m6g or ml.c7g (`--instance-type`).

    Why:
        The program ends with `exec format error` before its first line. The usual cause is an image built on a Mac
        with an Apple processor.

    Fix:
        Build with `docker build --platform linux/amd64` (linux/arm64 for Graviton).
    """
    expected = "linux/arm64" if _ARM.match(purpose.instance_type) else "linux/amd64"
    seen = f"{image.os}/{image.architecture}"
    if not image.os or not image.architecture:
        yield Inconclusive(
            "the image's configuration names no platform", f"build it with --platform {expected}"
        )
    elif seen != expected:
        yield Fail(
            f"the image is {seen}, and {purpose.instance_type} runs {expected}",
            {"platform": seen, "expected": expected, "instance_type": purpose.instance_type},
        )


@rule(
    "SM116",
    "reference-too-long",
    severity=Severity.ERROR,
    roles=ANY,
    needs=Named,
    source="https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ContainerDefinition.html",
)
def reference_too_long(named: Named) -> Iterator[Outcome]:
    """The image's reference is longer than 255 characters, or no valid reference.

    What:
        Looks at the reference that was given to check: its length, and whether it is
        `[HOST[:PORT]/]NAME[:TAG][@DIGEST]` with a name in lower case.

    Why:
        `Image` of CreateModel and `TrainingImage` of CreateTrainingJob take at most 255 characters; Docker itself
        takes 255 for the name alone and 128 more for the tag.

    Fix:
        Give the image a shorter repository name or tag, or use the digest in place of a long tag.
    """
    if named.kind != "reference":
        yield Skip(f"the image was given as an {named.kind}, not by a reference")
    elif len(named.text) > references.LONGEST:
        yield Fail(
            f"the reference has {len(named.text)} characters, {references.LONGEST} are allowed",
            {"reference": named.text, "length": len(named.text)},
        )
    elif not references.is_valid(named.text):
        yield Fail("this is no valid image reference", {"reference": named.text})
