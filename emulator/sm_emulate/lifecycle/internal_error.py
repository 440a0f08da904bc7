"""What a job's FailureReason says when this machine, or we, are to blame."""

from __future__ import annotations

from sm_emulate.errors import SmEmulateError
from sm_emulate.spec.wordings import internal_server_error


def internal_error(error: BaseException) -> str:
    """Give the FailureReason of a job that an error of ours has ended."""
    return internal_server_error(
        error.what if isinstance(error, SmEmulateError) else f"{type(error).__name__}: {error}"
    )
