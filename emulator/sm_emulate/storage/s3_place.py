"""Which S3 is meant by `s3://`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

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
