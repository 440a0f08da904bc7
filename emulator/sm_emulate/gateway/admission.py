"""One request's hold on the model that it asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sm_emulate.gateway import answers
from sm_emulate.gateway.target_models import ModelUnavailableError
from sm_emulate.spec.multi_model import MODELS_PATH, NO_ROOM, UNKNOWN_MODEL

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from sm_emulate.gateway.answers import ErrorAnswer
    from sm_emulate.gateway.front import EndpointFront
    from sm_emulate.gateway.target_models import TargetModels


class Admission:
    """Waits for a model, keeps it loaded while the request is with it, and lets go of it.

    Args:
        models: of the container that the request goes to.
        key: TargetModel.
        loop: the gateway's.
    """

    __slots__ = ("_held", "_key", "_loop", "_models", "_reloaded", "_task", "path")

    def __init__(self, models: TargetModels, key: bytes, loop: asyncio.AbstractEventLoop) -> None:
        self._models, self._loop = models, loop
        self._key = key.decode("utf-8", "surrogateescape")
        self._task: asyncio.Task[None] | None = None
        self._held = self._reloaded = False
        self.path = b""
        """Where the model is invoked, once it is there."""

    @property
    def patience_s(self) -> float:
        """How long the model is waited for."""
        return self._models.patience_s

    def begin(self, then: Callable[[ModelUnavailableError | None], None]) -> None:
        """Wait for the model; `then` hears whether it is there, unless `end` comes before."""
        self._task = self._loop.create_task(self._admit(then))

    def worth_another_try(self, status: int) -> bool:
        """Whether something can be done about the answer to an invocation."""
        return status == NO_ROOM or (status == UNKNOWN_MODEL and not self._reloaded)

    def try_again(self, status: int, then: Callable[[ModelUnavailableError | bool], None]) -> None:
        """Do something about it; `then` hears whether the request may be sent again."""
        self._reloaded = self._reloaded or status == UNKNOWN_MODEL
        self._task = self._loop.create_task(self._mend(status, then))

    def end(self) -> None:
        """Let go of the model."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
        if self._held:
            self._held = False
            self._models.left(self._key)

    async def _admit(self, then: Callable[[ModelUnavailableError | None], None]) -> None:
        try:
            name = await self._models.admit(self._key)
        except ModelUnavailableError as refused:
            self._task = None
            then(refused)
            return
        self._task = None
        self._held = True
        self.path = f"{MODELS_PATH}/{name}/invoke".encode()
        then(None)

    async def _mend(self, status: int, then: Callable[[ModelUnavailableError | bool], None]) -> None:
        again: ModelUnavailableError | bool
        try:
            again = await self._models.refused(self._key, status)
        except ModelUnavailableError as refused:
            again = refused
        self._task = None
        then(again)


def unavailable(front: EndpointFront, container: str, refused: ModelUnavailableError) -> ErrorAnswer:
    """Give the answer for a model that cannot be had."""
    if refused.code == "ModelError":
        return answers.model_error(front, container=container, status=refused.status, message=refused.message)
    return answers.refusal(refused.code, refused.message)
