"""What every test of this repository can ask for: an engine, a base image, the sample images."""

from __future__ import annotations

import fcntl
import json
import os
import re
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parent
LABEL_SESSION = "dev.sm-emulate.session"
LABEL_HOME = "dev.sm-emulate.home"

before = pytest.StashKey[set[str]]()
left = pytest.StashKey[list[str]]()
engine_here = pytest.StashKey[str]()


def find_engine() -> str | None:
    """Look for an engine as the scripts do, starting none. None when none answers."""
    found = subprocess.run([ROOT / ".ci/engine", "--find"], capture_output=True, text=True, check=False)
    return found.stdout.strip() or None


@pytest.fixture(scope="session")
def docker_endpoint() -> str:
    """The endpoint of the engine, as DOCKER_HOST takes it."""
    endpoint = find_engine()
    if endpoint is None:
        pytest.fail("no container engine answers: run .ci/engine, which finds or installs one", pytrace=False)
    return endpoint


@pytest.fixture(autouse=True)
def engine_for_engine_tests(request: pytest.FixtureRequest) -> None:
    """Fail a test marked `engine` plainly where no engine is; a skip would pass for a pass."""
    if request.node.get_closest_marker("engine"):
        request.getfixturevalue("docker_endpoint")


@pytest.fixture(scope="session")
def docker(docker_endpoint: str) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the Docker command line: `docker("run", "--rm", image)`. A failure raises unless check=False."""

    def run(*words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            ["docker", "--host", docker_endpoint, *words], capture_output=True, text=True, check=False
        )
        if check and done.returncode:
            raise AssertionError(
                f"docker {' '.join(words)}: exit {done.returncode}\n{done.stdout}{done.stderr}"
            )
        return done

    return run


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all workers of this test session."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@contextmanager
def only_one(lock: Path) -> Iterator[None]:
    """Keep the other workers out until done."""
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def base_image(docker_endpoint: str, shared_folder: Path) -> str:
    """The name of the image that sample images are built on."""
    with only_one(shared_folder / "base-image.lock"):
        made = subprocess.run(
            [ROOT / ".ci/base-image"],
            env={**os.environ, "DOCKER_HOST": docker_endpoint},
            capture_output=True,
            text=True,
            check=False,
        )
    if made.returncode:
        pytest.fail(f".ci/base-image: exit {made.returncode}\n{made.stderr}", pytrace=False)
    return made.stdout.strip()


@pytest.fixture(scope="session")
def sample_image(
    docker: Callable[..., subprocess.CompletedProcess[str]], base_image: str, shared_folder: Path
) -> Callable[..., str]:
    """Build a folder of sample_images by its name, at most once a session, and give the tag.

    Where a Dockerfile makes several images, `sample_image("pipeline", "predictor")` builds one of its targets.
    """

    def build(name: str, target: str = "") -> str:
        what = f"{name}-{target}" if target else name
        tag = f"sm-emulate/{what.replace('_', '-')}"
        with only_one(shared_folder / f"{what}.lock"):
            built = shared_folder / f"{what}.built"
            if not built.exists():
                docker(
                    "build", "--build-arg", f"BASE_IMAGE={base_image}", "--tag", tag, "--target", target,
                    str(ROOT / "sample_images" / name),
                )  # fmt: skip
                built.touch()
        return tag

    return build


def ours(endpoint: str) -> dict[str, str]:
    """Everything on the engine that carries our label: its id, and a line about it."""
    found: dict[str, str] = {}
    for kind in ("container", "network", "volume"):
        listing = [kind, "ls", "--quiet", "--filter", f"label={LABEL_SESSION}"]
        if kind == "container":
            listing += ["--all", "--no-trunc"]
        ids = subprocess.run(
            ["docker", "--host", endpoint, *listing], capture_output=True, text=True, check=False
        ).stdout.split()
        for one in ids:
            looked = subprocess.run(
                ["docker", "--host", endpoint, kind, "inspect", one],
                capture_output=True,
                text=True,
                check=False,
            )
            if looked.returncode:
                continue  # it went while we looked
            (about,) = json.loads(looked.stdout)
            labels = about.get("Labels") or about.get("Config", {}).get("Labels") or {}
            found[one] = f"{kind} {about['Name'].lstrip('/')} {labels}"
    return found


def pytest_sessionstart(session: pytest.Session) -> None:
    if hasattr(session.config, "workerinput"):
        return  # the leak guard stands once, in the process that the user started
    endpoint = find_engine()
    if endpoint is not None:
        session.config.stash[engine_here] = endpoint
        session.config.stash[before] = set(ours(endpoint))


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the session when it leaves a container, network or volume of ours on the engine."""
    endpoint = session.config.stash.get(engine_here, None)
    if endpoint is None:
        return
    # Others may use this engine just now: what goes by itself within a few seconds was not left behind.
    for pause in (0, 1, 2, 4):
        time.sleep(pause)
        leaks = [
            line
            for one, line in ours(endpoint).items()
            if one not in session.config.stash[before] and not belongs_elsewhere(session, line)
        ]
        if not leaks:
            break
    session.config.stash[left] = leaks
    if leaks and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def belongs_elsewhere(session: pytest.Session, line: str) -> bool:
    """Tell whether somebody else made it meanwhile: by hand, or with a state folder of their own."""
    if not re.search(rf"'{LABEL_SESSION}': '[0-9a-f]{{8}}-", line):
        return True  # the emulator's own sessions are UUIDs
    factory = getattr(session.config, "_tmp_path_factory", None)
    return LABEL_HOME in line and factory is not None and str(factory.getbasetemp()) not in line


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    leaks = config.stash.get(left, [])
    if leaks:
        terminalreporter.section("left behind on the engine", red=True)
        for line in leaks:
            terminalreporter.line(line)
