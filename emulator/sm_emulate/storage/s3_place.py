"""Which S3 is meant by `s3://`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class S3Place:
    """An S3, and how it is reached from this machine."""

    endpoint_url: str | None = None
    """`http://ADDRESS:PORT` of MinIO, LocalStack or the embedded S3; None is what boto3's own configuration says:
    AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, a profile, else AWS."""
