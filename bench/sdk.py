"""The SageMaker SDK's local mode, in an environment of its own; optional."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from bench.ground import NotHereError, cache

if TYPE_CHECKING:
    from bench.ground import Ground

REQUIREMENT = "sagemaker[local]>=2,<3"
_NO_TELEMETRY = """\
SchemaVersion: "1.0"
SageMaker:
  PythonSDK:
    Modules:
      TelemetryOptOut: true
"""
_PROGRAM = Path(__file__).with_name("sdk_program.py")


def command(ground: Ground, verb: str, *words: str, timeout_s: float = 120) -> partial[None]:
    """Give a call that does `fit` or `deploy` in a Python process of the SDK's.

    It is tried once, since local mode depends on much that a machine may lack.

    Raises:
        NotHereError: it cannot be made to work here; the message says why.
    """
    if ground.no_sdk:
        raise NotHereError("left out by --no-sdk")
    if not _compose():
        raise NotHereError("local mode needs docker compose (Debian: apt-get install docker-compose)")
    python = _environment(ground)
    work = ground.work / "sdk"
    work.mkdir(exist_ok=True)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "SAGEMAKER_USER_CONFIG_OVERRIDE": str(work / "config.yaml"),
        # the SDK writes its settings and telemetry into the home folder
        "HOME": str(work),
        "TMPDIR": str(work),
    }
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    (work / "config.yaml").write_text(_NO_TELEMETRY)
    line = [str(python), str(_PROGRAM), verb, *words]

    def run() -> None:
        done = subprocess.run(
            line, env=environment, cwd=work, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=timeout_s, check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(_last_words(done.stdout + done.stderr))

    try:
        run()
    except (RuntimeError, subprocess.TimeoutExpired) as failure:
        raise NotHereError(f"local mode does not work here: {failure}") from failure
    return partial(run)


def versions(ground: Ground) -> str:
    """Say what is compared with."""
    asked = [str(_environment(ground)), "-c", "import importlib.metadata as m; print(m.version('sagemaker'))"]
    version = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    compose = _compose() or ""
    if compose.startswith("/"):
        said = subprocess.run([compose, "version", "--short"], capture_output=True, text=True, check=False)
        compose = f"docker-compose {said.stdout.strip()}"
    return f"SageMaker SDK {version} and {compose}; the whole Python process"


def _last_words(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it said nothing"


@lru_cache
def _compose() -> str | None:
    """Which compose local mode would take: the plugin if it calls itself v2, else the older program."""
    said = subprocess.run(["docker", "compose", "version"], capture_output=True, text=True, check=False)
    if not said.returncode and "v2" in said.stdout:
        return said.stdout.strip()
    return shutil.which("docker-compose")


def _environment(ground: Ground) -> Path:
    folder = cache() / f"sdk-v2-py{sys.version_info.major}{sys.version_info.minor}"
    if not (folder / "complete").exists():
        ground.say(f"making an environment with {REQUIREMENT} in {folder}; this takes minutes, once")
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        install = [str(folder / "bin/python"), "-m", "pip", "install", "--quiet", REQUIREMENT]
        done = subprocess.run(install, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NotHereError(f"{REQUIREMENT} cannot be installed: {_last_words(done.stderr)}")
        (folder / "complete").touch()
    return folder / "bin/python"
