"""`s3://BUCKET/KEY`, taken apart."""

from __future__ import annotations

SCHEME = "s3://"


def bucket_and_key(uri: str) -> tuple[str, str]:
    """Give the bucket and the key, or prefix of keys, of a URI; nothing in them is percent-encoded."""
    bucket, _, key = uri[len(SCHEME) :].partition("/")
    return bucket, key


def s3_uri(bucket: str, key: str) -> str:
    """Give the URI of a key."""
    return f"{SCHEME}{bucket}/{key}"


def is_s3(uri: str) -> bool:
    """Tell whether a URI names something in S3."""
    return uri[: len(SCHEME)].lower() == SCHEME
