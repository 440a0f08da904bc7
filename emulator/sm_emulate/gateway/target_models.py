"""What the gateway asks about the models of a multi-model container, and how it is told no."""

from __future__ import annotations

from typing import Protocol


class ModelUnavailableError(Exception):
    """A model cannot be invoked now.

    Args:
        code: of the error that the client is given; `ModelError` if the container refused to load it.
        message: in SageMaker's words; for `ModelError` the container's own.
        why: plain words for the log of invocations.
        status: what the container answered, 0 for nothing; only with `ModelError`.
    """

    def __init__(self, code: str, message: str, *, why: str, status: int = 0) -> None:
        super().__init__(why)
        self.code, self.message, self.why, self.status = code, message, why, status


class TargetModels(Protocol):
    """The models of one container; every method is called in the gateway's event loop."""

    patience_s: float
    """How long `admit` may take."""

    async def admit(self, key: str) -> str:
        """Have a model loaded and give the container's name for it, which stays loaded until `left` is called.

        Raises:
            ModelUnavailableError: it cannot be had, or not in time.
        """

    async def refused(self, key: str, status: int) -> bool:
        """Hear that an invocation was answered with 404 or 507; tell whether it is worth asking again."""

    def left(self, key: str) -> None:
        """Hear that an invocation of an admitted model is over."""

    async def close(self) -> None:
        """Hear that nothing more will be asked."""
