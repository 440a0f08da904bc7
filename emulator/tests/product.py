"""The product as its users meet it: a command line in a process of its own, and images made for one test."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import tarfile
import textwrap
import threading
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

import sm_emulate

GOLDEN = Path(__file__).parent / "golden"
WAIT_SECONDS = 300
"""Longer than anything takes on the slowest machine: a test that waits this long has failed."""
COMMAND = """\
import sys
from sm_emulate.cli import console
sys.argv[0] = "sm-emulate"
console()
"""
SHELL = "#!/bin/sh\n"
PYTHON = "#!/usr/bin/env python3\n"
HOME_LABEL = "dev.sm-emulate.home"


@dataclass(frozen=True)
class Ran:
    """A command that is over."""

    code: int
    out_bytes: bytes
    err_bytes: bytes

    @property
    def out(self):
        return self.out_bytes.decode()

    @property
    def err(self):
        return self.err_bytes.decode()

    @property
    def json(self):
        return json.loads(self.out)

    def __str__(self):
        return f"exit {self.code}\n--- stdout\n{self.out[-4000:]}\n--- stderr\n{self.err[-4000:]}"


@dataclass(frozen=True)
class Job(Ran):
    """A training job that is over; its JSON is the answer of DescribeTrainingJob."""

    @property
    def folder(self):
        return Path(self.json["Emulator"]["RunFolder"])

    @property
    def status(self):
        return self.json["TrainingJobStatus"], self.json["SecondaryStatus"]

    @property
    def reason(self):
        return self.json.get("FailureReason")

    @property
    def codes(self):
        return self.json["Emulator"]["ContainerExitCodes"]

    @property
    def statuses(self):
        return [step["Status"] for step in self.json["SecondaryStatusTransitions"]]

    @property
    def model(self):
        """Name and bytes of every file in model.tar.gz; None stands for what is no file."""
        return unpacked(self.json["ModelArtifacts"]["S3ModelArtifacts"])

    @property
    def output(self):
        return unpacked(self.json["Emulator"]["OutputArchive"])

    def log(self, host="algo-1"):
        return (self.folder / "logs" / f"{host}.log").read_text()

    def made(self, name, host="algo-1"):
        """The JSON that the program left as a file of /opt/ml/model, read in model.tar.gz."""
        return json.loads(self.model[name])


@dataclass(frozen=True)
class Processed(Ran):
    """A processing job that is over; its JSON is the answer of DescribeProcessingJob."""

    @property
    def folder(self):
        return Path(self.json["Emulator"]["RunFolder"])

    @property
    def status(self):
        return self.json["ProcessingJobStatus"]

    @property
    def reason(self):
        return self.json.get("FailureReason")

    @property
    def codes(self):
        return self.json["Emulator"]["ContainerExitCodes"]

    def output(self, name):
        """Text of every file that an output left, by name; None where it left no folder at all."""
        folder = Path(unquote(urlsplit(self.json["Emulator"]["Outputs"][name]).path))
        if not folder.exists():
            return None
        return {
            str(each.relative_to(folder)): each.read_text() for each in folder.rglob("*") if each.is_file()
        }


def python_for(become, folder):
    """A Python that another user may run, and folders with all our packages: theirs, or copies in `folder`."""
    packages = [Path(sm_emulate.__file__).parents[1], Path(sysconfig.get_paths()["platlib"])]
    usual = shutil.which(f"python{sys.version_info.major}.{sys.version_info.minor}", path=os.defpath)
    for python in (sys.executable, usual, "/usr/bin/python3"):
        if python is None or not can(
            become, [], python, f"import sys; assert {sys.version_info[:2]} == sys.version_info[:2]"
        ):
            continue
        if can(become, packages, python, "import sm_emulate, click, rich, botocore, regex, httptools"):
            return python, tuple(packages)
        copies = []
        for number, package in enumerate(packages):
            copies.append(folder / str(number))
            shutil.copytree(package, copies[-1], ignore=shutil.ignore_patterns("__pycache__", "tests"))
        return python, tuple(copies)
    return None


def can(become, packages, python, program):
    path = os.pathsep.join(map(str, packages))
    tried = subprocess.run(
        [*become, "env", f"PYTHONPATH={path}", python, "-c", program],
        capture_output=True,
        check=False,
        cwd="/",
    )
    return tried.returncode == 0


def unpacked(uri):
    if not uri:
        return None
    with tarfile.open(unquote(urlsplit(uri).path)) as archive:
        return {
            member.name: archive.extractfile(member).read() if member.isreg() else None
            for member in archive.getmembers()
        }


class Running:
    """A command that goes on; its stderr is read all the while."""

    def __init__(self, command, env, kind=Ran, stderr=subprocess.PIPE, cwd=None):
        self.kind = kind
        self.process = subprocess.Popen(
            command, env=env, stdout=subprocess.PIPE, stderr=stderr, start_new_session=True, cwd=cwd
        )
        self.out, self.err = bytearray(), bytearray()
        self.news = threading.Condition()
        self.readers = [
            threading.Thread(target=self._read, args=pair, daemon=True)
            for pair in ((self.process.stdout, self.out), (self.process.stderr, self.err))
            if pair[0] is not None
        ]
        for reader in self.readers:
            reader.start()

    def _read(self, stream, text):
        with stream:
            while block := os.read(stream.fileno(), 1 << 16):
                with self.news:
                    text += block
                    self.news.notify_all()
        with self.news:
            self.news.notify_all()

    def wait_for(self, words):
        """Wait until stdout or stderr holds the words, which must come."""
        wanted = words.encode()

        def come():
            return wanted in self.err or wanted in self.out or not any(r.is_alive() for r in self.readers)

        with self.news:
            self.news.wait_for(come, timeout=WAIT_SECONDS)
            if wanted not in self.err and wanted not in self.out:
                raise AssertionError(f"{words!r} never came:\n{self.out.decode()}{self.err.decode()}")
        return self

    def send(self, number):
        os.kill(self.process.pid, number)
        return self

    def interrupt(self):
        return self.send(signal.SIGINT)

    def finish(self):
        code = self.process.wait(WAIT_SECONDS)
        for reader in self.readers:
            reader.join(WAIT_SECONDS)
        return self.kind(code, bytes(self.out), bytes(self.err))

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Images:
    """Images made for tests, named by what is in them: the same programs are built only once."""

    def __init__(self, docker_endpoint, base):
        self.endpoint, self.base = docker_endpoint, base

    def make(self, *lines, files=None, base=None, **programs):
        """Build an image with programs on its PATH, further files by absolute path, and Dockerfile lines."""
        wanted = {f"/usr/local/bin/{name}": text for name, text in programs.items()} | (files or {})
        content = {path: (textwrap.dedent(text).lstrip("\n"), 0o755) for path, text in wanted.items()}
        dockerfile = "\n".join([f"FROM {base or self.base}", *(["COPY root/ /"] if content else []), *lines])
        digest = hashlib.sha256(json.dumps([dockerfile, content]).encode()).hexdigest()[:16]
        tag = f"sm-emulate/product-test:{digest}"
        if self._docker("image", "inspect", tag).returncode:
            built = self._docker(
                "build", "--quiet", "--tag", tag, "-", stdin=self._context(dockerfile, content)
            )
            assert built.returncode == 0, built.stderr.decode()
        return tag

    def train(self, program, *lines, **more):
        """An image whose `train` is this shell script."""
        return self.make(*lines, train=SHELL + textwrap.dedent(program), **more)

    def train_python(self, program, *lines, **more):
        return self.make(*lines, train=PYTHON + textwrap.dedent(program), **more)

    def serve(self, program, *lines, **more):
        """An image whose `serve` is this Python script."""
        return self.make(*lines, serve=PYTHON + textwrap.dedent(program), **more)

    def variables(self, tag):
        """The ENV of an image."""
        found = self._docker("image", "inspect", "--format", "{{json .Config.Env}}", tag)
        return dict(pair.split("=", 1) for pair in json.loads(found.stdout))

    def _docker(self, *words, stdin=b""):
        return subprocess.run(
            ["docker", "--host", self.endpoint, *words], input=stdin, capture_output=True, check=False
        )

    @staticmethod
    def _context(dockerfile, content):
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            files = {"/Dockerfile": (dockerfile, 0o644)}
            files |= {f"/root{path}": what for path, what in content.items()}
            for path, (text, mode) in files.items():
                member = tarfile.TarInfo(path.lstrip("/"))
                member.size, member.mode = len(text.encode()), mode
                archive.addfile(member, io.BytesIO(text.encode()))
        return packed.getvalue()


@dataclass
class Product:
    """The command line with a state folder of its own."""

    tmp: Path
    endpoint: str
    cache: Path
    running: list = field(default_factory=list)
    prefix: tuple = ()
    """Put before the command, such as `setpriv ...`."""
    python: str = sys.executable
    packages: tuple = ()
    """Folders that hold what is imported, where that Python has none of its own."""

    @property
    def home(self):
        return self.tmp / "home"

    @property
    def env(self):
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("SM_EMULATE", "AWS_", "XDG_")) and name not in {"COLUMNS", "FORCE_COLOR"}
        }
        return kept | {
            "SM_EMULATE_HOME": str(self.home),
            "XDG_CACHE_HOME": str(self.cache),
            "DOCKER_HOST": self.endpoint,
            "AWS_EC2_METADATA_DISABLED": "true",  # who has no credentials learns it at once
            "NO_COLOR": "1",
            "COLUMNS": "100",
            # what is tested is what the tests imported, wherever the command is started from
            "PYTHONPATH": os.pathsep.join(map(str, self.packages or [Path(sm_emulate.__file__).parents[1]])),
        }

    def command(self, *words):
        return [*self.prefix, self.python, "-c", COMMAND, *map(str, words)]

    def run(self, *words, stdin=b"", env=None, kind=Ran, cwd=None):
        done = subprocess.run(
            self.command(*words),
            input=stdin,
            env=self.env | (env or {}),
            capture_output=True,
            timeout=WAIT_SECONDS,
            check=False,
            cwd=cwd or self.tmp,
        )
        return kind(done.returncode, done.stdout, done.stderr)

    def train(self, *words, code=0, **more):
        """Run a job with `--output json`; a job name is given unless the words have a request or a name."""
        job = self.run("train", *words, "--output", "json", kind=Job, **more)
        assert job.code == code, str(job)
        return job

    def process(self, *words, code=0, **more):
        """Run a processing job with `--output json`."""
        job = self.run("process", *words, "--output", "json", kind=Processed, **more)
        assert job.code == code, str(job)
        return job

    def start(self, *words, kind=Ran, env=None, stderr=subprocess.PIPE, cwd=None):
        started = Running(self.command(*words), self.env | (env or {}), kind, stderr, cwd)
        self.running.append(started)
        return started

    def serve(self, *words, code=0):
        """Serve detached: the description of the endpoint that is in service."""
        done = self.run("serve", *words, "--detach", "--output", "json")
        assert done.code == code, str(done)
        return done.json

    def describe(self, name):
        return self.run("describe", name).json

    def folder(self, *parts, files=None):
        """Make a folder beside the state folder, with files in it."""
        made = self.tmp.joinpath(*parts)
        made.mkdir(parents=True, exist_ok=True)
        for name, content in (files or {}).items():
            file = made / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return made

    def files_that_hold(self, text):
        """Every file of the state folder with this text in it."""
        files = [path for path in self.home.rglob("*") if path.is_file()]
        return [path for path in files if text.encode() in path.read_bytes()]

    def left_on_engine(self):
        """One line for every container, network and volume that carries the label of this state folder."""
        found = []
        for kind, name in (("container", "{{.Names}}"), ("network", "{{.Name}}"), ("volume", "{{.Name}}")):
            listed = subprocess.run(
                [
                    "docker", "--host", self.endpoint, kind, "ls", *(["--all"] if kind == "container" else []),
                    "--filter", f"label={HOME_LABEL}={self.home}", "--format", name,
                ],
                capture_output=True,
                text=True,
                check=True,
            )  # fmt: skip
            found += [f"{kind} {line}" for line in listed.stdout.split()]
        return found

    def left_on_disk(self):
        """Every file of the state folder that is not the caller's."""
        return [str(path) for path in self.home.rglob("*") if path.lstat().st_uid != self.home.stat().st_uid]

    def runs(self):
        """The run folders, as `training-jobs/NAME` and `endpoints/NAME`."""
        return sorted(str(path.relative_to(self.home)) for path in self.home.glob("*/*") if path.is_dir())

    def strike(self):
        """End what a test left running; give what it left behind on the engine."""
        for started in self.running:
            started.kill()
        for owner in self.home.glob("endpoints/*/owner"):
            self.run("stop", owner.parent.name)
        left = self.left_on_engine()
        if left:
            self.run("clean")
        return left

    def plain(self, text):
        """The text without what differs from one run to the next."""
        for path, name in ((self.home, "HOME"), (self.tmp, "TMP"), (self.cache, "CACHE")):
            text = text.replace(str(path), name)
        text = text.replace(self.endpoint, "ENGINE")
        for pattern, name in NOISE:
            text = re.sub(pattern, name, text)
        return text


NOISE = [
    (r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(\+00:00|Z)?", "TIME"),
    (r"\b\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d-\d{3}\b", "TIME"),
    (r"127\.0\.0\.1:\d{4,5}", "127.0.0.1:PORT"),
    (r"sm-emulate/product-test:[0-9a-f]{16}", "IMAGE"),
    (r"\bsha256:[0-9a-f]{64}", "sha256:ID"),
    (r"\bip-10-0-\d+-\d+\b", "ip-10-0-X-Y"),
    (r"(\.tar\.gz)  \d+(\.\d+)? [kM]?B", r"\1  SIZE"),
]


def golden(name, text):
    """Compare with golden/NAME.txt, which `UPDATE_GOLDEN=1 pytest ...` writes."""
    file = GOLDEN / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.mkdir(exist_ok=True)
        file.write_text(text)
    assert file.exists(), f"no {file}: run the test once with UPDATE_GOLDEN=1 and read what it wrote:\n{text}"
    assert text == file.read_text()


WITNESS = (
    PYTHON
    + """\
import json, os, pathlib, socket, stat, sys

def entry(path):
    found = path.lstat()
    return f"{stat.filemode(found.st_mode)} {found.st_uid}:{found.st_gid}"

def text(name):
    return pathlib.Path(name).read_bytes().decode()

root = pathlib.Path("/opt/ml")
data = {"argv": text("/proc/self/cmdline").split("\\0")[1:-1],
        "environment": dict(pair.split("=", 1) for pair in text("/proc/self/environ").split("\\0")[:-1]),
        "directory": os.getcwd(), "user": f"{os.getuid()}:{os.getgid()}",
        "terminals": [number for number in (0, 1, 2) if os.isatty(number)],
        "hostname": socket.gethostname(), "pid": os.getpid(),
        "tree": {str(p): entry(p) for p in sorted(root.rglob("*"))},
        "input": {str(p.relative_to(root / "input")): p.read_bytes().decode("utf-8", "replace")
                  for p in sorted((root / "input").rglob("*")) if p.is_file()}}
(root / "model" / (sys.argv[0].rsplit("/", 1)[-1] + ".json")).write_text(json.dumps(data))
"""
)
"""A program that writes down what it finds, in /opt/ml/model/PROGRAM.json."""


SERVER = (
    PYTHON
    + """\
import errno, json, os, pathlib, signal, socket, sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

def bye(*_):
    print("bye", flush=True)
    os._exit(0)

signal.signal(signal.SIGTERM, bye)
MODEL = pathlib.Path("/opt/ml/model")

def seen():
    text = lambda name: pathlib.Path(name).read_text().split("\\0")[:-1]
    return {"argv": text("/proc/self/cmdline"), "pid": os.getpid(), "hostname": socket.gethostname(),
            "environment": dict(pair.split("=", 1) for pair in text("/proc/self/environ")),
            "terminals": [number for number in (0, 1, 2) if os.isatty(number)],
            "user": f"{os.getuid()}:{os.getgid()}"}

def write():
    try:
        (MODEL / "new").touch()
    except OSError as error:
        return os.strerror(error.errno)
    return "written"

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        PING = 200
        self.answer(PING, b"")

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        word, _, rest = body[:100].decode("latin-1").partition("=")
        made = {
            "seen": seen, "write": write, "headers": lambda: {k.lower(): v for k, v in self.headers.items()},
            "files": lambda: {str(p.relative_to(MODEL)): p.read_text() for p in MODEL.rglob("*") if p.is_file()},
        }
        if word in made and not rest:
            self.answer(200, json.dumps(made[word]()).encode(), "application/json")
        elif word == "die":
            os._exit(9)
        elif word == "status":
            self.answer(int(rest), f"answered {rest}".encode(), "text/plain")
        elif word == "attributes":
            self.answer(200, b"", **{"X-Amzn-SageMaker-Custom-Attributes": rest})
        else:
            if word == "print":
                print(rest, flush=True)
            self.answer(200, body, self.headers.get("Content-Type") or "application/octet-stream")

    def answer(self, status, body, content_type="text/plain", **headers):
        self.send_response(status)
        for name, value in {"Content-Type": content_type, "Content-Length": len(body), **headers}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

server = ThreadingHTTPServer(("", 8080), Handler)
print("serving", flush=True)
server.serve_forever()
"""
)
"""A model server that does what its payload says, and else sends the payload back."""
