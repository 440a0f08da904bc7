"""Jobs of both kinds and endpoints on the in-memory engine, and the programs that they run."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sm_emulate import api
from sm_emulate.events import LogLines
from sm_emulate.storage.runs import Runs

if TYPE_CHECKING:
    from pathlib import Path


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
        self.engine.add_image("img:1", program)
        to_train = {
            name: more.pop(name)
            for name in ("platform", "stop_grace_s", "gpus", "interruptions")
            if name in more
        }
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
        return Runs(self.home).folder("training-jobs", name)

    def described(self, name="job"):
        return self.folder(name).read(self.folder(name).result)


@dataclass
class ProcessingJobs:
    """Runs processing jobs on the in-memory engine."""

    engine: object
    home: Path
    heard: Heard
    job: object = None

    def run(self, program, *, settings=None, stop_grace_s=120, **more):
        """Run a job whose program is a Python function; `more` goes to `processing_request`."""
        self.engine.add_image("img:1", program)
        more.setdefault("entrypoint", ["run"])
        return api.process(
            api.processing_request("img:1", **{"job_name": "job", **more}),
            engine=self.engine,
            platform=api.platform(settings=settings),
            stop_grace_s=stop_grace_s,
            listeners=(self.heard,),
            ready=lambda job: setattr(self, "job", job),
        )

    def stop(self):
        self.job.stop()

    def folder(self, name="job"):
        return Runs(self.home).folder("processing-jobs", name)


class Model:
    """A program that serves HTTP: its answers and its end are up to the test."""

    def __init__(self, *, ping=200, port=8080, address="0.0.0.0", exits=0, deaf=False, models=200):
        self.models = models
        self.ping, self.port, self.address, self.exits, self.deaf = ping, port, address, exits, deaf
        self.requests, self.signals, self.box = [], [], None
        self.crash = threading.Event()
        self.free = threading.Event()
        """Invocations are answered only while this is set."""
        self.free.set()

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
            self.answer(model.models if self.path == "/models" else model.ping, b"")

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            model.requests.append(("POST", self.path, dict(self.headers)))
            model.free.wait()
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
        self.images += 1
        image = f"img:{self.images}"
        self.engine.add_image(image, program)
        request = api.endpoint_request(image, **{"endpoint_name": "demo", **more})
        if window is not None:
            request = request.with_first(container_startup_health_check_timeout_in_seconds=window)
        return request

    def new(self, program, *, window=None, platform=None, stop_grace_s=30, port=0, **more):
        return api.new_endpoint(
            self.request(program, window=window, **more),
            engine=self.engine,
            platform=platform,
            stop_grace_s=stop_grace_s,
            port=port,
            listeners=(self.heard,),
        )

    def folder(self, name="demo"):
        return Runs(self.home).folder("endpoints", name)

    def described(self, name="demo"):
        return self.folder(name).read(self.folder(name).result)
