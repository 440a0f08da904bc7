"""Names for what the user did not name, made the way the SageMaker SDK makes them."""

from __future__ import annotations

import re
from datetime import datetime, timezone

MAX_NAME_LENGTH = 63
DEFAULT_INSTANCE_TYPE = "ml.m5.large"
DEFAULT_ROLE_ARN = "arn:aws:iam::123456789012:role/sm-emulate"
"""CreateTrainingJob wants a role; nobody takes it on here."""


def base_name(image: str) -> str:
    """Give an image's own name, without registry, tag and digest, in characters that a job name may have."""
    last = image.partition("@")[0].rpartition("/")[2].partition(":")[0]
    return re.sub(r"[^A-Za-z0-9-]+", "-", last).strip("-") or "job"


def chosen_name(name: str | None, image: str) -> str:
    """Give the name that was chosen, or one of this moment; an empty one is chosen, and for AWS's model to refuse."""
    return default_job_name(image, datetime.now(timezone.utc)) if name is None else name


def default_job_name(image: str, now: datetime) -> str:
    """Give a name such as `my-image-2026-01-31-12-00-00-042`, at most 63 characters.

    Args:
        image: the image of the job.
        now: the time that tells this job from others; a time without a zone is taken as UTC.
    """
    utc = now.astimezone(timezone.utc) if now.tzinfo else now
    stamp = f"{utc:%Y-%m-%d-%H-%M-%S}-{utc.microsecond // 1000:03d}"
    base = base_name(image)[: MAX_NAME_LENGTH - len(stamp) - 1].rstrip("-")
    return f"{base}-{stamp}"
