"""What is measured with: the package as a user has it, the images, a folder for runs."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import uuid
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parent.parent
NOTHING = "sm-emulate/bench-nothing"
"""An image whose `train` does nothing; made here."""
SDK_NETWORK = "sagemaker-local"
"""What local mode makes and leaves behind."""
DECISION_TREES = "sm-emulate/decision-trees"

# the whole program: exit(0), in machine code
_EXIT = {
    "x86_64": (62, bytes.fromhex("b83c000000 31ff 0f05")),
    "aarch64": (183, bytes.fromhex("000080d2 a80b80d2 010000d4")),
}


class NotHereError(Exception):
    """Something that a part needs is not on this machine; the message says what, and how to get it."""


def cache() -> Path:
    """Where environments are kept between runs."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "sm-emulate" / "bench"


def user_environment(**more: str) -> dict[str, str]:
    """The environment of a user's shell: Python keeps its compiled modules, and nobody helps it find ours."""
    hidden = ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "PYTHONUNBUFFERED")
    return {name: value for name, value in os.environ.items() if name not in hidden} | more


@dataclass(kw_only=True)
class Ground:
    """One run's surroundings. Use it as a context manager: it removes the folder of runs and our containers."""

    quick: bool = False
    no_sdk: bool = False
    made_sdk_network: bool = False
    session: str = field(default_factory=lambda: f"bench-{uuid.uuid4().hex[:12]}")
    work: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="sm-emulate-bench-")))

    def rounds(self, usual: int, quick: int) -> int:
        return quick if self.quick else usual

    @property
    def home(self) -> Path:
        return self.work / "home"

    @cached_property
    def environment(self) -> dict[str, str]:
        return user_environment(SM_EMULATE_HOME=str(self.home))

    @cached_property
    def bin(self) -> Path:
        """A virtual environment of its own with the package installed, as `pip install` leaves it."""
        key = hashlib.sha256(
            f"{ROOT}{sys.version}{(ROOT / 'pyproject.toml').read_text()}".encode()
        ).hexdigest()[:12]
        folder = cache() / f"package-{key}"
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            self.say(f"making an environment with the package in {folder}")
            subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
            install = [str(folder / "bin/python"), "-m", "pip", "install", "--quiet", "--editable", str(ROOT)]
            done = subprocess.run(install, capture_output=True, text=True, check=False)
            if done.returncode:
                raise NotHereError(f"the package cannot be installed: {done.stderr[-500:]}")
            (folder / "complete").touch()
        python = str(folder / "bin/python")
        for path in ("emulator", "contract_tests"):
            subprocess.run([python, "-m", "compileall", "-q", str(ROOT / path)], check=True)
        return folder / "bin"

    def console(self, *words: str) -> list[str]:
        """The command line of the installed `sm-emulate`."""
        return [str(self.bin / "sm-emulate"), *words]

    def docker(self, *words: str) -> str:
        """Run a docker command and give what it prints."""
        done = subprocess.run(["docker", *words], check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def docker_run(self, *words: str) -> list[str]:
        """The command line of `docker run`, labelled so that nothing of it is left behind."""
        return ["docker", "run", "--label", f"dev.sm-emulate.session={self.session}", *words]

    def has_image(self, name: str) -> bool:
        looked = subprocess.run(["docker", "image", "inspect", name], capture_output=True, check=False)
        return looked.returncode == 0

    @cached_property
    def nothing(self) -> str:
        """The do-nothing image: one file of a hundred bytes."""
        if not self.has_image(NOTHING):
            folder = self.work / "nothing"
            folder.mkdir()
            program = folder / "train"
            program.write_bytes(_program())
            program.chmod(0o755)
            (folder / "Dockerfile").write_text("FROM scratch\nCOPY train /bin/train\nENV PATH=/bin\n")
            self.docker("build", "--quiet", "--tag", NOTHING, str(folder))
        return NOTHING

    @cached_property
    def decision_trees(self) -> str:
        """The decision-tree sample image."""
        if not self.has_image(DECISION_TREES):
            self.say(f"building {DECISION_TREES}")
            folder = ROOT / "sample_images" / "decision_trees"
            base = os.environ.get("BASE_IMAGE")
            given = ["--build-arg", f"BASE_IMAGE={base}"] if base else []
            self.docker("build", "--quiet", "--tag", DECISION_TREES, *given, str(folder))
        return DECISION_TREES

    @cached_property
    def model(self) -> Path:
        """What the decision-tree image made of the iris table, as a folder."""
        self.run(
            self.console(
                "train", self.decision_trees, "--job-name", "bench-model",
                "--channel", f"training={ROOT / 'fixtures/iris/train.csv'}",
            )
        )  # fmt: skip
        return self.home / "training-jobs/bench-model/opt-ml/algo-1/model"

    def run(self, command: Sequence[str]) -> None:
        """Run a command to its end as a user would; what it said is told when it fails."""
        done = subprocess.run(
            command,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(
                f"{' '.join(command)} left with {done.returncode}:\n{done.stdout}{done.stderr}"
            )

    def say(self, words: str) -> None:
        print(words, file=sys.stderr, flush=True)

    def _left_by_compose(self) -> list[str]:
        """Containers that the SDK's local mode left behind in this run."""
        label = "com.docker.compose.project.working_dir"
        form = f'{{{{.ID}}}} {{{{.Label "{label}"}}}}'
        lines = self.docker("ps", "-a", "--filter", f"label={label}", "--format", form).splitlines()
        return [line.split()[0] for line in lines if line.split()[-1].startswith(str(self.work))]

    def __enter__(self) -> Ground:
        self.made_sdk_network = (
            SDK_NETWORK not in self.docker("network", "ls", "--format", "{{.Name}}").split()
        )
        return self

    def __exit__(self, *_: object) -> None:
        ours = self.docker("ps", "-aq", "--filter", f"label=dev.sm-emulate.session={self.session}").split()
        ours += self._left_by_compose()
        if ours:
            self.docker("rm", "--force", "--volumes", *ours)
        if self.made_sdk_network:
            subprocess.run(["docker", "network", "rm", SDK_NETWORK], capture_output=True, check=False)
        if self.home.exists():
            subprocess.run(
                self.console("clean", "--all"), env=self.environment, capture_output=True, check=False
            )
        shutil.rmtree(self.work, ignore_errors=True)


def _program() -> bytes:
    """A static ELF executable that leaves with 0."""
    machine, code = _EXIT.get(platform.machine(), (0, b""))
    if not code:
        raise NotHereError(f"no do-nothing program for {platform.machine()}")
    base, head = 0x400000, 120
    entry = (base + head).to_bytes(8, "little")
    size = (head + len(code)).to_bytes(8, "little")
    elf = b"\x7fELF\x02\x01\x01" + bytes(9) + (2).to_bytes(2, "little") + machine.to_bytes(2, "little")
    elf += (1).to_bytes(4, "little") + entry + (64).to_bytes(8, "little") + bytes(8) + bytes(4)
    elf += b"".join(number.to_bytes(2, "little") for number in (64, 56, 1, 0, 0, 0))
    segment = (1).to_bytes(4, "little") + (5).to_bytes(4, "little") + bytes(8)
    segment += base.to_bytes(8, "little") * 2 + size * 2 + (0x1000).to_bytes(8, "little")
    return elf + segment + code


def machine() -> dict[str, str | int]:
    """What a reader needs to judge the figures; no names of hosts."""
    found = {"python": platform.python_version(), "system": platform.platform(terse=True)}
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    model = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.machine(),
    )
    engine = subprocess.run(
        ["docker", "version", "--format", "{{.Server.Version}} (client {{.Client.Version}})"],
        capture_output=True, text=True, check=False,
    ).stdout.strip()  # fmt: skip
    return found | {
        "processor": model,
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(memory),
        "docker": engine or "none",
        "load": " ".join(f"{load:.1f}" for load in os.getloadavg()),
    }


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []
