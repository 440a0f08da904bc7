"""Engines to test with: `stage` is either of two, the in-memory one and a real one; `engine` is for runs."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
import threading
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from product import WAIT_SECONDS, Images, Product
from s3_scene import bucket, s3_server, wire  # noqa: F401  # fixtures
from scenes import Endpoints, Heard, Jobs, Model, ProcessingJobs

from sm_emulate.engine.discover import connect
from sm_emulate.engine.memory import MemoryEngine
from sm_emulate.engine.protocol import LABEL_SESSION, ContainerSpec
from sm_emulate.errors import ImageNotFoundError

BASE = "sm-emulate/base:bookworm"
BUSYBOX = "sm-emulate/engine-suite:1"


@dataclass
class Ran:
    exit: object
    chunks: list
    out: bytes = b""
    err: bytes = b""

    def __post_init__(self):
        self.out = b"".join(chunk.data for chunk in self.chunks if chunk.stream == "stdout")
        self.err = b"".join(chunk.data for chunk in self.chunks if chunk.stream == "stderr")


class Reader(threading.Thread):
    """Reads a log stream as the lifecycle does: in a thread, from before the start."""

    def __init__(self, stream):
        super().__init__(daemon=True)
        self.stream, self.chunks = stream, []
        self.start()

    def run(self):
        for chunk in self.stream:
            self.chunks.append(chunk)

    def text(self):
        return b"".join(chunk.data for chunk in list(self.chunks))

    def wait_for(self, text):
        until = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < until:
            if text in self.text():
                return
            time.sleep(0.01)
        raise AssertionError(f"{text!r} was never printed, only {self.text()!r}")


@dataclass
class Stage:
    """Plays a scene that is written twice: for a shell, and for the in-memory engine."""

    engine: object
    docker: bool
    image: str = ""
    session: str = field(default_factory=lambda: str(uuid.uuid4()))
    _programs: int = 0

    @property
    def labels(self):
        return {LABEL_SESSION: self.session}

    def spec(self, shell, python, **more):
        labels = {**self.labels, **more.pop("labels", {})}
        if self.docker:
            return ContainerSpec(image=self.image, command=("sh", "-c", shell), labels=labels, **more)
        self._programs += 1
        reference = f"suite:{self._programs}"
        self.engine.add_image(reference, python)
        return ContainerSpec(image=reference, command=("run",), labels=labels, **more)

    def create(self, shell, python, **more):
        return self.engine.create(self.spec(shell, python, **more))

    def started(self, shell, python, **more):
        container = self.create(shell, python, **more)
        reader = self.read(container)
        self.engine.start(container)
        return container, reader

    def read(self, container):
        return Reader(self.engine.logs(container))

    def play(self, shell, python, **more):
        container, reader = self.started(shell, python, **more)
        ended = self.engine.wait(container)
        reader.join(WAIT_SECONDS)
        assert not reader.is_alive(), "the log stream must end when the container has ended"
        self.engine.remove(container)
        return Ran(ended, reader.chunks)

    def strike_containers(self):
        for leftover in self.engine.leftovers(self.labels):
            self.engine.remove_leftover(leftover)

    def strike(self):
        self.strike_containers()
        left = self.engine.leftovers(self.labels)
        self.engine.close()
        assert left == []


@pytest.fixture(params=["memory", pytest.param("docker", marks=pytest.mark.engine)])
def stage(request):
    if request.param == "memory":
        yield from playing(Stage(MemoryEngine(), docker=False))
    else:
        yield from playing(real_stage())


@pytest.fixture
def docker_stage():
    yield from playing(real_stage())


def real_stage():
    engine = connect(environ=os.environ)
    return Stage(engine, docker=True, image=shell_image(engine))


def playing(stage):
    yield stage
    stage.strike()


def shell_image(engine):
    """Give an image with a shell: busybox of this machine, else the project's base image."""
    busybox = shutil.which("busybox")
    if busybox is None:
        return engine.image(BASE) and BASE
    try:
        engine.image(BUSYBOX)
    except ImageNotFoundError:
        # two test processes may do this at once: both make the same image
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            archive.add(Path(busybox).resolve(), "bin/busybox")
            for name in (
                "sh",
                "seq",
                "sleep",
                "cat",
                "hostname",
                "nslookup",
                "nc",
                "kill",
                "id",
                "touch",
                "mkdir",
            ):
                link = tarfile.TarInfo(f"bin/{name}")
                link.type, link.linkname = tarfile.SYMTYPE, "busybox"
                archive.addfile(link)
        subprocess.run(
            ["docker", "import", "--change", "ENV PATH=/bin", "-", BUSYBOX],
            input=packed.getvalue(),
            check=True,
            capture_output=True,
        )
    return BUSYBOX


@pytest.fixture
def heard():
    return Heard()


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def home(tmp_path, cache, monkeypatch):
    """The folder of all runs, as the environment names it."""
    folder = tmp_path / "home"
    monkeypatch.setenv("SM_EMULATE_HOME", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    return folder


@pytest.fixture
def engine():
    """An engine on which nothing may be left of any run."""
    engine = MemoryEngine()
    yield engine
    left = engine.leftovers({LABEL_SESSION: ""})
    engine.close()
    assert left == []


@pytest.fixture
def jobs(engine, home, heard):
    return Jobs(engine, home, heard)


@pytest.fixture
def processing(engine, home, heard):
    return ProcessingJobs(engine, home, heard)


@pytest.fixture
def endpoints(engine, home, heard, monkeypatch):
    # two seconds may pass on a busy machine before a container has its turn
    monkeypatch.setattr("sm_emulate.lifecycle.hosting.health.PING_TIMEOUT_S", 180.0)
    return Endpoints(engine, home, heard)


@pytest.fixture
def model():
    return Model


@pytest.fixture(scope="session")
def images(docker_endpoint, base_image):
    return Images(docker_endpoint, base_image)


@pytest.fixture(scope="session")
def new_product(docker_endpoint, shared_folder, tmp_path_factory):
    """Makes command lines with state folders of their own, for fixtures that several tests share."""

    def make(name):
        return Product(tmp_path_factory.mktemp(name), docker_endpoint, shared_folder / "cache")

    return make


@pytest.fixture
def product(tmp_path, docker_endpoint, shared_folder):
    """The command line with a state folder of its own. What a test leaves on the engine fails it."""
    made = Product(tmp_path, docker_endpoint, shared_folder / "cache")
    yield made
    assert made.strike() == [], "left behind on the engine"
    assert made.left_on_disk() == [], "not the caller's"
