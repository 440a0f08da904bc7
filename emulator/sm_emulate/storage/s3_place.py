"""Which S3 is meant by `s3://`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sm_emulate.errors import RequestError

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class S3Place:
    """An S3, and how it is reached from this machine."""

    endpoint_url: str | None = None
    """`http://ADDRESS:PORT` of MinIO, LocalStack or the embedded S3; None is what boto3's own configuration says:
    AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, a profile, else AWS."""
    access_key: str | None = None
    """None is what boto3's own configuration says."""
    secret_key: str | None = None
    folder: Path | None = None
    """Of the embedded S3: its buckets are folders in this one, and are read and written there without any HTTP."""

    @property
    def name(self) -> str:
        """What a person calls it."""
        return str(self.folder or self.endpoint_url or "AWS, or where boto3's configuration points")


def s3_place(which: str, *, home: Path) -> S3Place:
    """Give the S3 that a person means by `aws`, `embedded` or a URL.

    Args:
        which: `aws` is what boto3's own configuration says, which need not be AWS.
        home: the folder of all runs; the buckets of the embedded S3 are folders in `<home>/s3`.

    Raises:
        RequestError: it is none of these.
    """
    if which == "aws":
        return S3Place()
    if which == "embedded":
        return S3Place(folder=home / "s3")
    scheme, separator, rest = which.partition("://")
    if scheme.lower() in ("http", "https") and separator and rest.strip("/") and " " not in rest:
        return S3Place(endpoint_url=which.rstrip("/"))
    raise RequestError(
        "this is no S3 that is known",
        value=which,
        expected="aws, embedded, or a URL as http://127.0.0.1:9000",
    )
