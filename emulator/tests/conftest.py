"""Engines to test with: `stage` is either of two, the in-memory one and a real one; `engine` is for runs."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
import threading
import uuid
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from sm_emulate.engine.discover import connect
from sm_emulate.engine.memory import MemoryEngine
from sm_emulate.engine.protocol import LABEL_SESSION, ContainerSpec
from sm_emulate.errors import ImageNotFoundError
from sm_emulate.events import LogLines

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
        for _ in range(1000):
            if text in self.text():
                return
            threading.Event().wait(0.01)
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
        reader.join(30)
        assert not reader.is_alive(), "the log stream must end when the container has ended"
        self.engine.remove(container)
        return Ran(ended, reader.chunks)

    def strike(self):
        for leftover in self.engine.leftovers(self.labels):
            self.engine.remove_leftover(leftover)
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


class Heard(list):
    """A listener that remembers."""

    def __init__(self):
        super().__init__()
        self.then = []

    def __call__(self, event):
        self.append(event)
        for reaction in self.then:
            reaction(event)

    def of(self, kind):
        return [event for event in self if isinstance(event, kind)]

    def log(self, host="algo-1"):
        return b"".join(event.data for event in self.of(LogLines) if event.host == host).decode()

    def react(self, kind, action, **fields):
        """Do something once, at the first event of a kind (and with these field values)."""

        def reaction(event):
            if isinstance(event, kind) and all(getattr(event, name) == fields[name] for name in fields):
                self.then.remove(reaction)
                action()

        self.then.append(reaction)


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


@dataclass
class Jobs:
    """Runs training jobs on the in-memory engine."""

    engine: object
    home: Path
    heard: Heard
    job: object = None
    result: object = None

    def run(self, program, *, request=None, after=lambda request: request, **more):
        """Run a job whose program is a Python function; `more` goes to `training_request` or to `train`."""
        from sm_emulate import api

        self.engine.add_image("img:1", program)
        to_train = {name: more.pop(name) for name in ("platform", "stop_grace_s", "gpus") if name in more}
        if request is None:
            request = api.training_request("img:1", **{"job_name": "job", **more})
        self.result = api.train(
            after(request),
            engine=self.engine,
            listeners=(self.heard,),
            ready=lambda job: setattr(self, "job", job),
            **to_train,
        )
        return self.result

    def stop(self):
        self.job.stop()

    def folder(self, name="job"):
        from sm_emulate.storage.runs import Runs

        return Runs(self.home).folder("training-jobs", name)

    def described(self, name="job"):
        return self.folder(name).read(self.folder(name).result)


@pytest.fixture
def jobs(engine, home, heard):
    return Jobs(engine, home, heard)


class Model:
    """A program that serves HTTP: its answers and its end are up to the test."""

    def __init__(self, *, ping=200, port=8080, address="0.0.0.0", exits=0, deaf=False):
        self.ping, self.port, self.address, self.exits, self.deaf = ping, port, address, exits, deaf
        self.requests, self.signals, self.box = [], [], None
        self.crash = threading.Event()

    def __call__(self, box):
        self.box = box
        box.print("loading")
        server = _server(self, box.listen(self.port, self.address))
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            while not self.crash.is_set():
                signal = box.next_signal(0.01)
                if signal is not None:
                    self.signals.append(signal)
                    if not self.deaf:
                        return self.exits
            box.print("crashed")
            return self.exits
        finally:
            server.shutdown()


def _server(model, listening):
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            model.requests.append(("GET", self.path, dict(self.headers)))
            self.answer(model.ping, b"")

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            model.requests.append(("POST", self.path, dict(self.headers)))
            self.answer(200, body[::-1])

        def answer(self, status, body):
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Type", "text/plain")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = listening
    server.daemon_threads = True
    return server


@dataclass
class Endpoints:
    """Serves endpoints on the in-memory engine."""

    engine: object
    home: Path
    heard: Heard
    images: int = 0

    def request(self, program, *, window=None, **more):
        from sm_emulate import api

        self.images += 1
        image = f"img:{self.images}"
        self.engine.add_image(image, program)
        request = api.endpoint_request(image, **{"endpoint_name": "demo", **more})
        if window is not None:
            request = replace(request, container_startup_health_check_timeout_in_seconds=window)
        return request

    def new(self, program, *, window=None, platform=None, stop_grace_s=30, port=0, **more):
        from sm_emulate import api

        return api.new_endpoint(
            self.request(program, window=window, **more),
            engine=self.engine,
            platform=platform,
            stop_grace_s=stop_grace_s,
            port=port,
            listeners=(self.heard,),
        )

    def folder(self, name="demo"):
        from sm_emulate.storage.runs import Runs

        return Runs(self.home).folder("endpoints", name)

    def described(self, name="demo"):
        return self.folder(name).read(self.folder(name).result)


@pytest.fixture
def endpoints(engine, home, heard):
    return Endpoints(engine, home, heard)


@pytest.fixture
def model():
    return Model
