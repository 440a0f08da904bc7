"""(j) A batch transform job of a million lines against what a load generator gets from the same container."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import statistics
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.ground import ROOT, NotHereError
from bench.row import Row

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bench.ground import Ground

RATE, FLAT = 0.9, 1.25
STATIC_C = "sm-emulate/static-c"
RECORD = "5,3.6,1.4,0.2\n"
MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Way:
    """One way to send the file, by a job and by the load generator alike."""

    strategy: str
    connections: int
    records: int
    """In a request."""


SINGLE, SINGLE_4, MULTI = (
    Way("SingleRecord", 1, 1),
    Way("SingleRecord", 4, 1),
    Way("MultiRecord", 1, MEGABYTE // len(RECORD)),
)


def batch(ground: Ground) -> list[Row]:
    """Measure (j) with the static C image behind."""
    if not shutil.which("wrk"):
        raise NotHereError("wrk is not installed (Debian: apt-get install wrk)")
    image = _image(ground)
    lines = ground.rounds(1_000_000, 50_000)
    file, few = ground.work / "rows.csv", ground.work / "few.csv"
    file.write_text(RECORD * lines)
    few.write_text(RECORD * 1000)
    model = _model(ground, image)
    with _container(ground, image, model) as address:
        rows = [_rate(ground, image, model, file, address, way) for way in (SINGLE, SINGLE_4, MULTI)]
    peaks = [_job(ground, image, model, each, SINGLE)[1] for each in (few, file)]
    return [
        *rows,
        Row(
            part="j",
            what=f"memory, {lines} lines / 1000 lines, SingleRecord",
            value=peaks[1] / peaks[0],
            bar=FLAT,
            note=f"{peaks[0]:.0f} MB and {peaks[1]:.0f} MB",
        ),
    ]


def _rate(ground: Ground, image: str, model: Path, file: Path, address: str, way: Way) -> Row:
    """Let the job and the load generator take turns."""
    ours, theirs = [], []
    for turn in range(ground.rounds(3, 1)):
        for subject in ("job", "wrk") if turn % 2 else ("wrk", "job"):
            if subject == "job":
                ours.append(_job(ground, image, model, file, way)[0])
            else:
                theirs.append(_load(ground, address, way))
    job, wrk = statistics.median(ours), statistics.median(theirs)
    figures = (
        f"{job:.0f} ({min(ours):.0f} - {max(ours):.0f}) against {wrk:.0f} records/s ({min(theirs):.0f} - "
    )
    return Row(
        part="j",
        what=f"job / wrk, {way.strategy}, {way.connections} connection{'s' * (way.connections > 1)}",
        value=job / wrk,
        bar=RATE,
        better="more",
        note=f"{figures}{max(theirs):.0f})",
    )


def _job(ground: Ground, image: str, model: Path, file: Path, way: Way) -> tuple[float, float]:
    """Run a job; give its records a second and the most megabytes of our process."""
    name = f"bench-{os.urandom(4).hex()}"
    command = ground.console(
        "transform", image, "--model", str(model), "--input", str(file), "--content-type", "text/csv",
        "--split-type", "Line", "--assemble-with", "Line", "--strategy", way.strategy, "--max-payload", "1",
        "--max-concurrent", str(way.connections), "--job-name", name, "--output", "json", "--quiet",
    )  # fmt: skip
    answer = ground.work / "described.json"
    with answer.open("wb") as out:
        job = subprocess.Popen(
            command,
            env=ground.environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.DEVNULL,
        )
        _, status, used = os.wait4(job.pid, 0)
        job.returncode = os.waitstatus_to_exitcode(status)
    if job.returncode:
        raise RuntimeError(f"the job left with {job.returncode}: {answer.read_text()}")
    seconds = json.loads(answer.read_text())["Emulator"]["Seconds"]["Transform"]
    return file.stat().st_size / len(RECORD) / seconds, used.ru_maxrss / 1024


def _load(ground: Ground, address: str, way: Way) -> float:
    """Give the records a second that the load generator sends."""
    body = ground.work / "body"
    body.write_text(RECORD * way.records)
    script = ground.work / "batch.lua"
    script.write_text(
        f'local file = io.open("{body}", "rb")\nwrk.method = "POST"\nwrk.body = file:read("*a")\n'
        'wrk.headers["Content-Type"] = "text/csv"\n'
    )
    seconds = 2 if ground.quick else 10
    command = ["wrk", "-t1", f"-c{way.connections}", f"-d{seconds}s", "--timeout", "60s", "-s", str(script)]
    said = subprocess.run(
        [*command, f"http://{address}/invocations"], check=True, capture_output=True, text=True
    ).stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    if rate is None or "Non-2xx" in said or "Socket errors" in said:
        raise RuntimeError(f"the load generator met errors:\n{said}")
    return float(rate[1]) * way.records


@contextlib.contextmanager
def _container(ground: Ground, image: str, model: Path) -> Iterator[str]:
    """Serve the image beside the jobs; give its address."""
    command = ground.docker_run("--detach", "--volume", f"{model}:/opt/ml/model:ro", image, "serve")
    container = ground.docker(*command[1:])
    try:
        yield f"{ground.docker('inspect', '--format', '{{.NetworkSettings.IPAddress}}', container)}:8080"
    finally:
        ground.docker("rm", "--force", container)


def _image(ground: Ground) -> str:
    """The static C sample image."""
    if not ground.has_image(STATIC_C):
        ground.say(f"building {STATIC_C}")
        base = os.environ.get("BASE_IMAGE")
        given = ["--build-arg", f"BASE_IMAGE={base}"] if base else []
        ground.docker("build", "--quiet", "--tag", STATIC_C, *given, str(ROOT / "sample_images" / "static_c"))
    return STATIC_C


def _model(ground: Ground, image: str) -> Path:
    """What the image made of the iris table, as a folder."""
    channel = f"training={ROOT / 'fixtures/iris/train.csv'}"
    ground.run(ground.console("train", image, "--job-name", "bench-batch-model", "--channel", channel))
    return ground.home / "training-jobs/bench-batch-model/opt-ml/algo-1/model"
