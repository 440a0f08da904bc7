"""The models of a multi-model container: which are on disk, which are loaded, and who has to go."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from sm_emulate.errors import ArchiveError, SmEmulateError, StorageError
from sm_emulate.events import ModelLoaded, ModelUnloaded, Warned
from sm_emulate.gateway.caller import NoAnswerError
from sm_emulate.gateway.target_models import ModelUnavailableError
from sm_emulate.spec import multi_model as spec
from sm_emulate.spec.invocation import NO_ORIGINAL_STATUS, NO_RESPONSE

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from sm_emulate.events import Event
    from sm_emulate.gateway.caller import CallAnswer

THREADS = 8
"""Models that are fetched and unpacked at once."""
_T = TypeVar("_T")


class Dialogue(Protocol):
    """How the container is asked to load and unload."""

    async def load(self, name: str, key: str) -> CallAnswer:
        """`POST /models`."""

    async def unload(self, name: str, key: str) -> CallAnswer:
        """`DELETE /models/{name}`."""

    async def get(self, name: str, key: str) -> CallAnswer:
        """`GET /models/{name}`."""


class Files(Protocol):
    """Where models come from, and the folder that the container sees; called in threads."""

    def place(self, key: str) -> str:
        """Say where the model of a key lies, for messages."""

    def bring(self, name: str, key: str, known: str) -> tuple[str, int] | None:
        """Have a model unpacked as `/opt/ml/models/{name}/model`; give its version and its bytes, None if it is gone.

        Args:
            name: the container's name of it.
            key: TargetModel.
            known: the version that is unpacked already, empty for none; it is left if it is still the same.
        """

    def remove(self, name: str) -> None:
        """Delete what was unpacked."""

    def stop(self) -> None:
        """Have `bring` of other threads end soon."""


@dataclass(eq=False)
class _Model:
    key: str
    name: str
    pins: int = 0
    """Requests that wait for it or are with it."""
    used: int = 0
    """When it was used last, by count of uses."""
    loaded: bool = False
    version: str = ""
    """Of the files on disk; empty for none."""
    size: int = 0
    loading: asyncio.Task[None] | None = None
    leaving: asyncio.Future[None] | None = field(default=None, repr=False)
    """While it is being unloaded."""


@dataclass(frozen=True, kw_only=True)
class ShelfCounts:
    """What a shelf has done so far."""

    loaded: tuple[str, ...]
    """TargetModel of each loaded model, the least recently used first."""
    loads: int
    unloads: int
    evictions: int
    """Unloads to make room for another model."""


class ModelShelf:
    """Loads models when they are asked for first, and unloads the least recently used when there is no room.

    A model with requests is never unloaded: who needs the room waits until one is idle.

    Args:
        dialogue: the container.
        files: where models come from.
        publish: hears what is loaded and unloaded.
        endpoint: its name, for messages.
        patience_s: how long a request waits for its model before it is told that the model is not ready.
        load_limit_s: how long a model may take to be fetched and loaded.
        disk_bytes: how much unpacked models may take; 0 for no limit.
        keeps: ModelCacheSetting; without it a model is unloaded and deleted after each request.
    """

    def __init__(
        self,
        dialogue: Dialogue,
        files: Files,
        *,
        publish: Callable[[Event], None],
        endpoint: str,
        patience_s: float,
        load_limit_s: float = spec.LOAD_LIMIT_S,
        disk_bytes: int = 0,
        keeps: bool = True,
    ) -> None:
        self.patience_s = patience_s
        self._dialogue, self._files, self._publish = dialogue, files, publish
        self._endpoint, self._load_limit_s = endpoint, load_limit_s
        self._disk_bytes, self._keeps = disk_bytes, keeps
        self._models: dict[str, _Model] = {}
        self._uses = 0
        self._loads = self._unloads = self._evictions = 0
        self._no_room = asyncio.Lock()
        """Held by the one load that has the next room; others wait in the order in which they were refused."""
        self._changed = asyncio.Event()
        """Set whenever a model may have become idle, or a load has ended."""
        self._queueing: set[_Model] = set()
        """Those that were refused for want of room, and have yet to get it."""
        self._aside: set[asyncio.Task[None]] = set()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="model")

    # --- the gateway's calls --------------------------------------------------------------------------

    async def admit(self, key: str) -> str:
        """Have a model loaded and give its name; see `TargetModels`."""
        model = self._models.get(key)
        if model is None:
            model = self._models[key] = _Model(key=key, name=spec.model_name(self._endpoint, key))
        model.pins += 1
        try:
            await self._present(model)
        except BaseException:
            self.left(key)
            raise
        self._touch(model)
        return model.name

    async def refused(self, key: str, status: int) -> bool:
        """Tell whether an invocation that was answered with 404 or 507 is worth another try; see `TargetModels`."""
        model = self._models[key]
        if status == spec.NO_ROOM:
            return await self._evict(but=model)
        try:
            answer = await self._dialogue.get(model.name, key)
        except NoAnswerError:
            return False
        if answer.status != spec.UNKNOWN_MODEL:
            return False  # the 404 is the model's own
        self._publish(Warned(message=f"the container has lost the model {key}: it is loaded again"))
        model.loaded = False
        await self._present(model)
        return True

    def left(self, key: str) -> None:
        """Hear that a request is over."""
        model = self._models[key]
        model.pins -= 1
        self._changed.set()
        if not model.pins and model.loaded and not self._keeps:
            self._in_background(self._drop(model))
        else:
            self._forget_nothing(model)

    def _forget_nothing(self, model: _Model) -> None:
        """Forget a model of which there is nothing: keys that no model has must not be kept for ever."""
        idle = not model.pins and model.loading is None and model.leaving is None
        if idle and not model.loaded and not model.version and self._models.get(model.key) is model:
            del self._models[model.key]

    async def close(self) -> None:
        """Stop what is under way."""
        tasks = [each.loading for each in self._models.values() if each.loading is not None]
        for task in (*tasks, *self._aside):
            task.cancel()
        self._files.stop()
        await asyncio.gather(*tasks, *self._aside, return_exceptions=True)
        self._threads.shutdown(wait=False, cancel_futures=True)

    # --- from other threads ---------------------------------------------------------------------------

    def counts(self) -> ShelfCounts:
        """Say what is loaded and what was done."""
        loaded = sorted((each for each in list(self._models.values()) if each.loaded), key=_last_use)
        return ShelfCounts(
            loaded=tuple(each.key for each in loaded),
            loads=self._loads,
            unloads=self._unloads,
            evictions=self._evictions,
        )

    # --- loading --------------------------------------------------------------------------------------

    def _touch(self, model: _Model) -> None:
        self._uses += 1
        model.used = self._uses

    async def _present(self, model: _Model) -> None:
        """Have a model loaded, or raise why it is not."""
        if model.loaded:
            return
        if model.loading is None:
            model.loading = asyncio.get_running_loop().create_task(self._bring(model))
            model.loading.add_done_callback(lambda _: self._brought(model))
        task = model.loading
        done, _ = await asyncio.wait({task}, timeout=self.patience_s)
        if not done:
            raise ModelUnavailableError(
                "ModelNotReadyException",
                spec.NOT_READY.format(model=model.key),
                why=f"the model {model.key} was not loaded within {self.patience_s:g} s",
            )
        if task.cancelled():
            raise ModelUnavailableError("ServiceUnavailable", "The endpoint is stopping.", why="it stops")
        task.result()

    def _brought(self, model: _Model) -> None:
        task, model.loading = model.loading, None
        self._changed.set()
        if task is not None and not task.cancelled():
            task.exception()  # those who wait raise it; nobody may wait any more
        if not model.pins and model.loaded and not self._keeps:
            self._in_background(self._drop(model))
        self._forget_nothing(model)

    async def _bring(self, model: _Model) -> None:
        """Fetch a model and have the container load it."""
        began = time.monotonic()
        try:
            await asyncio.wait_for(self._fetch_and_load(model), self._load_limit_s)
        except ModelUnavailableError:
            raise
        except (TimeoutError, asyncio.TimeoutError):
            raise ModelUnavailableError(
                "ModelNotReadyException",
                spec.NOT_READY.format(model=model.key),
                why=f"the model {model.key} was not loaded within {self._load_limit_s:g} s",
            ) from None
        except NoAnswerError as error:
            raise ModelUnavailableError(
                "ModelError",
                NO_RESPONSE.format(endpoint=self._endpoint),
                why=f"loading {model.key}: {error}",
                status=NO_ORIGINAL_STATUS,
            ) from error
        except Exception as error:
            # whatever it is, the client must have an answer, and the endpoint goes on
            raise ModelUnavailableError(
                "InternalFailure", f"{type(error).__name__}: {error}", why=f"loading {model.key}: {error}"
            ) from error
        self._touch(model)
        self._loads += 1
        model.loaded = True
        self._publish(
            ModelLoaded(
                target_model=model.key,
                model_name=model.name,
                seconds=round(time.monotonic() - began, 6),
                bytes=model.size,
            )
        )

    async def _fetch_and_load(self, model: _Model) -> None:
        while model.leaving is not None:
            await model.leaving
        await self._fetch(model)
        refused = False
        if not self._no_room.locked():
            if await self._load(model):
                return
            refused = not self._no_room.locked()  # else there may be room when it is its turn
        self._queueing.add(model)
        self._changed.set()
        try:
            async with self._no_room:
                while refused or not await self._load(model):
                    refused = False
                    await self._make_room(model)
        finally:
            self._queueing.discard(model)

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def _fetch(self, model: _Model) -> None:
        try:
            brought = await self._in_thread(partial(self._files.bring, model.name, model.key, model.version))
        except ArchiveError as error:
            model.version = ""
            raise ModelUnavailableError(
                "ValidationError",
                spec.NOT_EXTRACTED.format(place=self._files.place(model.key)),
                why=f"{error.what}: {error.value}",
            ) from error
        except StorageError as error:
            raise self._not_there(model, f"{error.what}: {error.value}") from error
        if brought is None:
            raise self._not_there(model, f"there is no {self._files.place(model.key)}")
        model.version, model.size = brought
        while self._disk_bytes and self._on_disk() > self._disk_bytes:
            unused = next(self._idle(but=model, on_disk=True), None)
            if unused is None:
                break  # all of it is in use: SageMaker would be out of disk, and this machine is not
            await self._drop(unused)

    def _not_there(self, model: _Model, why: str) -> ModelUnavailableError:
        model.version = ""
        words = spec.NOT_DOWNLOADED.format(place=self._files.place(model.key))
        return ModelUnavailableError("ValidationError", words, why=why)

    def _on_disk(self) -> int:
        return sum(each.size for each in self._models.values() if each.version)

    async def _load(self, model: _Model) -> bool:
        """Ask the container to load; tell whether it had room.

        Raises:
            ModelUnavailableError: it refused for another reason.
        """
        answer = await self._dialogue.load(model.name, model.key)
        if 200 <= answer.status < 300 or answer.status == spec.ALREADY_LOADED:
            return True
        if answer.status == spec.NO_ROOM and self._others_have_room(model):
            return False
        raise ModelUnavailableError(
            "ModelError",
            answer.body.decode("utf-8", "replace"),
            why=f"the container answered {answer.status} to loading {model.key}",
            status=answer.status,
        )

    # --- unloading ------------------------------------------------------------------------------------

    async def _make_room(self, model: _Model) -> None:
        """Unload one model, as soon as one is idle; return too when there is nothing to wait for."""
        while True:
            self._changed.clear()
            if await self._evict(but=model):
                return
            if not self._others_have_room(model):
                return
            await self._changed.wait()

    def _others_have_room(self, model: _Model) -> bool:
        """Whether another model takes up memory, or may do so in a moment."""
        return any(
            each.loaded
            or each.leaving is not None
            or (each.loading is not None and each not in self._queueing)
            for each in self._models.values()
            if each is not model
        )

    def _idle(self, *, but: _Model, on_disk: bool = False) -> Iterator[_Model]:
        """Find models that nobody uses, those first that may go first."""
        free = [
            each
            for each in self._models.values()
            if each is not but
            and not each.pins
            and each.loading is None
            and each.leaving is None
            and (each.version if on_disk else each.loaded)
        ]
        # what is in memory leaves the disk last
        return iter(sorted(free, key=lambda each: (on_disk and each.loaded, each.used)))

    async def _evict(self, *, but: _Model) -> bool:
        """Unload the least recently used model; tell whether there was one."""
        victim = next(self._idle(but=but), None)
        if victim is None:
            return False
        self._evictions += 1
        await self._unload(victim, "evicted")
        return True

    async def _unload(self, model: _Model, reason: str) -> None:
        model.loaded = False
        model.leaving = asyncio.get_running_loop().create_future()
        try:
            with suppress(NoAnswerError):  # a container that is gone has unloaded it, too
                answer = await self._dialogue.unload(model.name, model.key)
                if answer.status >= 300 and answer.status != spec.UNKNOWN_MODEL:
                    words = f"the container answered {answer.status} to unloading the model {model.key}"
                    self._publish(Warned(message=words))
        finally:
            model.leaving.set_result(None)
            model.leaving = None
        self._unloads += 1
        self._changed.set()
        self._publish(ModelUnloaded(target_model=model.key, model_name=model.name, reason=reason))

    async def _drop(self, model: _Model) -> None:
        """Unload a model if need be, and delete its files, unless somebody came for it meanwhile."""
        if model.loaded:
            await self._unload(model, "disk" if self._keeps else "not-cached")
        if model.pins or model.loading is not None or not model.version:
            return
        model.version, model.size = "", 0
        model.leaving = asyncio.get_running_loop().create_future()
        try:
            with suppress(SmEmulateError):  # the end of the run deletes all of them
                await self._in_thread(partial(self._files.remove, model.name))
        finally:
            model.leaving.set_result(None)
            model.leaving = None
        self._forget_nothing(model)

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._aside.add(task)
        task.add_done_callback(self._aside.discard)


def _last_use(model: _Model) -> int:
    return model.used
