"""(j) A batch transform job of a million lines against what a load generator gets from the same container."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import statistics
import subprocess
from dataclasses import dataclass, replace
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
    rounds: int
    """So many turns: more where a job is over within a second."""


SINGLE, SINGLE_4, MULTI = (
    Way("SingleRecord", 1, 1, 7),
    Way("SingleRecord", 4, 1, 7),
    Way("MultiRecord", 1, MEGABYTE // len(RECORD), 9),
)


@dataclass(frozen=True)
class Scene:
    """An image, and what it made of the iris table."""

    image: str
    model: Path


@dataclass(frozen=True)
class Done:
    """What one turn has come to."""

    rate: float
    """Records a second."""
    seconds: float
    cpu_us: float
    """Processor time for a record, in microseconds: of the sender, not of the container."""
    peak_mb: float = 0.0


def batch(ground: Ground) -> Iterator[Row]:
    """Measure (j): with the decision-tree image behind, and with the static C image, which has no model to ask."""
    if not shutil.which("wrk"):
        raise NotHereError("wrk is not installed (Debian: apt-get install wrk)")
    lines = ground.rounds(1_000_000, 50_000)
    many, small, few = (_rows(ground, count) for count in (lines, lines // 10, 1000))
    trees, c = (_scene(ground, image) for image in (ground.decision_trees, _image(ground)))
    with _container(ground, trees) as address:
        yield _rate(ground, trees, many, address, replace(MULTI, rounds=3))
        # long enough for the job's own container, which begins cold
        yield _rate(ground, trees, _rows(ground, lines * 3 // 100), address, replace(SINGLE_4, rounds=5))
    with _container(ground, c) as address:
        yield _rate(ground, c, many, address, MULTI)
        # not for long: what the machine gives changes within seconds, and both are to have the same of it
        for way in (SINGLE_4, SINGLE):
            yield _rate(ground, c, small, address, way)
    for way in (SINGLE, MULTI):
        yield _memory(ground, c, many, few, way)


def _rows(ground: Ground, lines: int) -> Path:
    """Make a file of so many lines."""
    file = ground.work / f"rows-{lines}.csv"
    # piece by piece: our own memory would count as the job's, for a process begins as its parent's copy
    with file.open("w") as out:
        for _ in range(lines // 1000):
            out.write(RECORD * 1000)
    return file


def _memory(ground: Ground, scene: Scene, file: Path, few: Path, way: Way) -> Row:
    """Compare the most memory for the file with that for a thousand lines."""
    lines = file.stat().st_size // len(RECORD)
    little, much = (_job(ground, scene, each, way).peak_mb for each in (few, file))
    return Row(
        part="j",
        what=f"memory, {lines} lines / 1000 lines, {way.strategy}",
        value=much / little,
        bar=FLAT,
        note=f"{little:.0f} MB and {much:.0f} MB",
    )


def _rate(ground: Ground, scene: Scene, file: Path, address: str, way: Way) -> Row:
    """Let the job and the load generator take turns, each for as long as the other.

    A machine in a cloud is fast for some seconds and slow afterwards: a short run of one beside a long one of the
    other says nothing.
    """
    jobs, loads = [], []
    for _ in range(ground.rounds(way.rounds, 1)):
        jobs.append(_job(ground, scene, file, way))
        loads.append(_load(ground, address, way, max(2, round(jobs[-1].seconds))))
    ratios = [job.rate / load.rate for job, load in zip(jobs, loads, strict=True)]
    ours, theirs = [each.rate for each in jobs], [each.rate for each in loads]
    return Row(
        part="j",
        what=f"job / wrk, {scene.image.rpartition('/')[2]}, {way.strategy}, {way.connections} at once",
        value=statistics.median(ratios),
        bar=RATE,
        better="more",
        note=(
            f"{min(ratios):.2f} - {max(ratios):.2f}; {statistics.median(ours):.0f} ({min(ours):.0f} - "
            f"{max(ours):.0f}) against {statistics.median(theirs):.0f} records/s ({min(theirs):.0f} - "
            f"{max(theirs):.0f}); processor time without the container's: "
            f"{statistics.median(each.cpu_us for each in jobs):.1f} against "
            f"{statistics.median(each.cpu_us for each in loads):.1f} us a record; load {os.getloadavg()[0]:.1f}"
        ),
    )


def _job(ground: Ground, scene: Scene, file: Path, way: Way) -> Done:
    """Run a job."""
    name = f"bench-{os.urandom(4).hex()}"
    command = ground.console(
        "transform", scene.image, "--model", str(scene.model), "--input", str(file), "--content-type", "text/csv",
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
    lines = file.stat().st_size / len(RECORD)
    return Done(
        lines / seconds, seconds, (used.ru_utime + used.ru_stime) / lines * 1e6, used.ru_maxrss / 1024
    )


def _load(ground: Ground, address: str, way: Way, seconds: int) -> Done:
    """Let the load generator send for so long."""
    body = ground.work / "body"
    body.write_text(RECORD * way.records)
    script = ground.work / "batch.lua"
    script.write_text(
        f'local file = io.open("{body}", "rb")\nwrk.method = "POST"\nwrk.body = file:read("*a")\n'
        'wrk.headers["Content-Type"] = "text/csv"\n'
    )
    command = ["wrk", "-t1", f"-c{way.connections}", f"-d{seconds}s", "--timeout", "60s", "-s", str(script)]
    before = os.times()
    said = subprocess.run(
        [*command, f"http://{address}/invocations"], check=True, capture_output=True, text=True
    ).stdout
    after = os.times()
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    if rate is None or "Non-2xx" in said or "Socket errors" in said:
        raise RuntimeError(f"the load generator met errors:\n{said}")
    records = float(rate[1]) * way.records
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return Done(records, seconds, used / (records * seconds) * 1e6)


@contextlib.contextmanager
def _container(ground: Ground, scene: Scene) -> Iterator[str]:
    """Serve the image beside the jobs; give its address."""
    command = ground.docker_run(
        "--detach", "--volume", f"{scene.model}:/opt/ml/model:ro", scene.image, "serve"
    )
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


def _scene(ground: Ground, image: str) -> Scene:
    """Train an image."""
    name = f"bench-batch-{image.rpartition('/')[2]}"
    channel = f"training={ROOT / 'fixtures/iris/train.csv'}"
    ground.run(ground.console("train", image, "--job-name", name, "--channel", channel))
    return Scene(image, ground.home / f"training-jobs/{name}/opt-ml/algo-1/model")
