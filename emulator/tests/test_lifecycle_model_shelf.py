"""Which models of a multi-model container are loaded, and who has to go: against a container that counts its room."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager

import pytest

from sm_emulate.errors import ArchiveError, MachineError, StorageError
from sm_emulate.events import ModelLoaded, ModelUnloaded
from sm_emulate.gateway.caller import CallAnswer, NoAnswerError
from sm_emulate.gateway.target_models import ModelUnavailableError
from sm_emulate.lifecycle.hosting.model_shelf import ModelShelf


class Container:
    """Room for some models; what it was asked, in order."""

    def __init__(self, room=100):
        self.room, self.models, self.asked = room, [], []
        self.statuses = {}
        self.slow = None

    async def load(self, name, key):
        self.asked.append(f"load {key}")
        if self.slow is not None:
            await self.slow.wait()
        await asyncio.sleep(0)
        if (status := self.statuses.get(key)) is not None:
            return CallAnswer(status, b"it says no")
        if name in self.models:
            return CallAnswer(409, b"")
        if len(self.models) >= self.room:
            return CallAnswer(507, b"full")
        self.models.append(name)
        return CallAnswer(200, b"{}")

    async def unload(self, name, key):
        self.asked.append(f"unload {key}")
        await asyncio.sleep(0)
        if name not in self.models:
            return CallAnswer(404, b"")
        self.models.remove(name)
        return CallAnswer(200, b"{}")

    async def get(self, name, key):
        return CallAnswer(200 if name in self.models else 404, b"")

    def loads(self):
        return [each.removeprefix("load ") for each in self.asked if each.startswith("load ")]


class Files:
    """Every key but those with `no` in them is there."""

    def __init__(self, size=10):
        self.size, self.disk, self.brought, self.raises = size, {}, [], None

    def place(self, key):
        return f"s3://bucket/models/{key}"

    def bring(self, name, key, known):
        if self.raises is not None:
            raise self.raises
        if "no" in key:
            return None
        if not known:
            self.brought.append(key)
        self.disk[name] = key
        return "v1", self.size

    def remove(self, name):
        del self.disk[name]

    def stop(self):
        pass


class Scene:
    def __init__(self, container, files, **more):
        self.heard = []
        more = {"patience_s": 180, **more}
        self.shelf = ModelShelf(container, files, publish=self.heard.append, endpoint="demo", **more)

    async def invoke(self, key, *, until=None):
        name = await self.shelf.admit(key)
        if until is not None:
            await until.wait()
        self.shelf.left(key)
        return name


def play(scene, steps):
    async def whole():
        try:
            return await asyncio.wait_for(steps(), 180)
        finally:
            await scene.shelf.close()

    return asyncio.run(whole())


async def until(holds):
    """Wait for what other tasks bring about."""
    while not holds():  # noqa: ASYNC110  # what is looked at is no event
        await asyncio.sleep(0.001)


@contextmanager
def refused(code):
    with pytest.raises(ModelUnavailableError) as caught:
        yield caught
    assert caught.value.code == code


def test_a_model_is_loaded_on_its_first_use_and_has_an_opaque_name():
    container, files = Container(), Files()
    scene = Scene(container, files)

    async def steps():
        return [
            await scene.invoke("a.tar.gz"),
            await scene.invoke("a.tar.gz"),
            await scene.invoke("b.tar.gz"),
        ]

    first, again, other = play(scene, steps)
    assert first == again != other
    assert "a.tar.gz" not in first
    assert first.isalnum()
    assert container.asked == ["load a.tar.gz", "load b.tar.gz"]
    assert scene.shelf.counts().loaded == ("a.tar.gz", "b.tar.gz")
    assert [event.target_model for event in scene.heard if isinstance(event, ModelLoaded)] == [
        "a.tar.gz",
        "b.tar.gz",
    ]


def test_many_requests_for_one_model_load_it_once_and_two_models_load_at_once():
    container, files = Container(), Files()
    scene = Scene(container, files)

    async def steps():
        container.slow = asyncio.Event()
        asking = [asyncio.ensure_future(scene.invoke(key)) for key in ["a", "a", "b", "a"]]
        await until(lambda: len(container.asked) == 2)
        container.slow.set()
        await asyncio.gather(*asking)

    play(scene, steps)
    assert sorted(container.loads()) == ["a", "b"]


def test_the_least_recently_used_model_makes_room():
    container, files = Container(room=2), Files()
    scene = Scene(container, files)

    async def steps():
        for key in ["a", "b", "a", "c", "d"]:
            await scene.invoke(key)

    play(scene, steps)
    assert container.asked == [
        "load a",
        "load b",
        "load c",
        "unload b",
        "load c",
        "load d",
        "unload a",
        "load d",
    ]
    counts = scene.shelf.counts()
    assert (counts.loaded, counts.loads, counts.evictions) == (("c", "d"), 4, 2)
    gone = [event for event in scene.heard if isinstance(event, ModelUnloaded)]
    assert [(event.target_model, event.reason) for event in gone] == [("b", "evicted"), ("a", "evicted")]
    assert sorted(files.disk.values()) == ["a", "b", "c", "d"], "files stay"
    assert files.brought == ["a", "b", "c", "d"]


def test_a_model_with_requests_stays_and_who_needs_room_waits_for_an_idle_one():
    container, files = Container(room=1), Files()
    scene = Scene(container, files)

    async def steps():
        over = asyncio.Event()
        busy = asyncio.ensure_future(scene.invoke("a", until=over))
        await until(lambda: container.models)
        waiting = asyncio.ensure_future(scene.invoke("b"))
        await until(lambda: container.asked[-1] == "load b")
        for _ in range(20):
            await asyncio.sleep(0)
        assert "unload a" not in container.asked
        over.set()
        await asyncio.gather(busy, waiting)

    play(scene, steps)
    assert container.asked == ["load a", "load b", "unload a", "load b"]


def test_two_hundred_models_at_once_in_room_for_ten():
    container, files = Container(room=10), Files()
    scene = Scene(container, files)
    keys = [f"m{number}" for number in range(200)]

    async def steps():
        return await asyncio.gather(*(scene.invoke(key) for key in keys * 2))

    names = play(scene, steps)
    assert len(set(names)) == 200
    counts = scene.shelf.counts()
    assert len(counts.loaded) == len(container.models) == 10
    assert counts.loads - counts.unloads == 10


def test_when_all_that_are_loading_are_refused_the_one_that_cannot_fit_is_told_so():
    container, files = Container(room=0), Files()
    scene = Scene(container, files)

    async def steps():
        return await asyncio.gather(scene.invoke("a"), scene.invoke("b"), return_exceptions=True)

    outcomes = play(scene, steps)
    assert [(each.code, each.status, each.message) for each in outcomes] == [("ModelError", 507, "full")] * 2


def test_a_model_that_is_loaded_already_is_loaded():
    container, files = Container(), Files()
    container.statuses["a"] = 409
    scene = Scene(container, files)
    play(scene, lambda: scene.invoke("a"))
    assert scene.shelf.counts().loaded == ("a",)


def test_a_request_waits_so_long_and_the_model_goes_on_loading():
    container, files = Container(), Files()
    scene = Scene(container, files, patience_s=0.01)

    async def steps():
        container.slow = asyncio.Event()
        with refused("ModelNotReadyException"):
            await scene.invoke("a")
        container.slow.set()
        await until(lambda: scene.shelf.counts().loaded)
        await scene.invoke("a")

    play(scene, steps)
    assert container.loads() == ["a"]


def test_a_model_that_loads_for_ever_is_given_up_and_tried_anew():
    container, files = Container(), Files()
    scene = Scene(container, files, load_limit_s=0.2)

    async def steps():
        container.slow = asyncio.Event()
        with refused("ModelNotReadyException"):
            await scene.invoke("a")
        scene.shelf._load_limit_s = 180  # the second load may take its time
        container.slow.set()
        await scene.invoke("a")

    play(scene, steps)
    assert container.loads() == ["a", "a"]


@pytest.mark.parametrize("raises", [None, StorageError("S3 refused", value="403")])
def test_a_key_that_nobody_has_is_a_validation_error_and_is_forgotten(raises):
    container, files = Container(), Files()
    files.raises = raises
    scene = Scene(container, files)

    async def steps():
        with refused("ValidationError") as caught:
            await scene.invoke("no.tar.gz")
        assert "s3://bucket/models/no.tar.gz" in caught.value.message

    play(scene, steps)
    assert container.asked == []
    assert scene.shelf.counts().loaded == ()


@pytest.mark.parametrize(
    ("raises", "code"),
    [
        (ArchiveError("the archive is damaged"), "ValidationError"),
        (MachineError("the disk is full"), "InternalFailure"),
    ],
)
def test_what_cannot_be_unpacked_is_answered(raises, code):
    files = Files()
    files.raises = raises
    scene = Scene(Container(), files)

    async def steps():
        with refused(code):
            await scene.invoke("a")
        files.raises = None
        await scene.invoke("a")

    play(scene, steps)


def test_a_container_that_cannot_load_a_model_is_quoted():
    container = Container()
    container.statuses["a"] = 500
    scene = Scene(container, Files())

    async def steps():
        with refused("ModelError") as caught:
            await scene.invoke("a")
        assert (caught.value.status, caught.value.message) == (500, "it says no")
        del container.statuses["a"]
        await scene.invoke("a")

    play(scene, steps)


def test_a_container_that_does_not_answer_is_a_model_error():
    container = Container()

    async def load(name, key):
        raise NoAnswerError("nobody there")

    container.load = load
    scene = Scene(container, Files())

    async def steps():
        with refused("ModelError") as caught:
            await scene.invoke("a")
        assert caught.value.status == 0

    play(scene, steps)


def test_what_the_container_lost_is_loaded_again_and_a_404_of_the_model_is_its_own():
    container = Container()
    scene = Scene(container, Files())

    async def steps():
        await scene.shelf.admit("a")
        assert not await scene.shelf.refused("a", 404)
        container.models.clear()
        assert await scene.shelf.refused("a", 404)
        scene.shelf.left("a")

    play(scene, steps)
    assert container.loads() == ["a", "a"]


def test_507_at_an_invocation_unloads_another_model_as_long_as_there_is_one():
    container = Container()
    scene = Scene(container, Files())

    async def steps():
        await scene.invoke("b")
        await scene.shelf.admit("a")
        assert await scene.shelf.refused("a", 507)
        assert not await scene.shelf.refused("a", 507)
        scene.shelf.left("a")

    play(scene, steps)
    assert container.asked == ["load b", "load a", "unload b"]


def test_a_full_disk_loses_unused_files_those_that_are_not_loaded_first():
    container, files = Container(room=2), Files(size=10)
    scene = Scene(container, files, disk_bytes=30)

    async def steps():
        for key in ["a", "b", "c", "d", "e"]:
            await scene.invoke(key)

    play(scene, steps)
    assert sorted(files.disk.values()) == ["c", "d", "e"]
    assert scene.shelf.counts().loaded == ("d", "e")


def test_without_a_cache_a_model_goes_after_each_request():
    container, files = Container(), Files()
    scene = Scene(container, files, keeps=False)

    async def steps():
        over = asyncio.Event()
        both = [asyncio.ensure_future(scene.invoke("a", until=over)) for _ in range(2)]
        await until(lambda: container.models)
        over.set()
        await asyncio.gather(*both)
        await until(lambda: not files.disk)
        await scene.invoke("a")

    play(scene, steps)
    assert container.asked[:3] == ["load a", "unload a", "load a"]
    assert files.brought == ["a", "a"]


def test_a_client_that_leaves_while_its_model_loads_takes_nothing_with_it():
    container, files = Container(), Files()
    scene = Scene(container, files)

    async def steps():
        container.slow = asyncio.Event()
        gone = asyncio.ensure_future(scene.invoke("a"))
        await until(lambda: container.asked)
        gone.cancel()
        await asyncio.wait({gone})
        container.slow.set()
        await scene.invoke("a")

    play(scene, steps)
    assert container.loads() == ["a"]
