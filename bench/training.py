"""(a) A whole training job against plain `docker run`; (d) what a big channel costs."""

from __future__ import annotations

import itertools
import os
import subprocess
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from bench import sdk
from bench.ground import NotHereError
from bench.measure import side_by_side
from bench.row import Row

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bench.ground import Ground
    from sm_emulate.request.service_model import OperationModel
    from sm_emulate.request.training import TrainingRequest

WHOLE, WARM, SDK, CHANNEL, MANY = 1.6, 1.15, 6.0, 1.1, 1.2


def jobs(ground: Ground) -> list[Row]:
    """Measure (a): the whole process, the API in a warm process, and the SDK's local mode."""
    image = ground.nothing
    plain = _same_container(ground, image)
    whole = partial(ground.run, ground.console("train", image))
    subjects = {
        "sm-emulate train": whole,
        "api.training.train, warm": _in_this_process(ground, image),
        "docker run --rm": plain,
    }
    times = side_by_side(subjects, rounds=ground.rounds(25, 7), warm_up=2)
    docker = times["docker run --rm"]
    rows = [
        Row(
            part="a",
            what=what,
            value=times[name].median / docker.median,
            bar=bar,
            times={name: times[name], "docker run --rm": docker},
        )
        for what, name, bar in (
            ("sm-emulate train / docker run", "sm-emulate train", WHOLE),
            ("train() in a warm process / docker run", "api.training.train, warm", WARM),
        )
    ]
    what = "SageMaker SDK v2 Estimator.fit / sm-emulate train"
    try:
        fit = sdk.command(ground, "fit", image, str(ground.work / "sdk-model"))
        times = side_by_side({"sm-emulate train": whole, "Estimator.fit": fit}, rounds=ground.rounds(5, 2))
    except NotHereError as missing:
        return [*rows, Row.skipped("a", what, str(missing))]
    ratio = times["Estimator.fit"].median / times["sm-emulate train"].median
    return [
        *rows,
        Row(part="a", what=what, value=ratio, bar=SDK, better="more", times=times, note=sdk.versions(ground)),
    ]


def channels(ground: Ground) -> Iterator[Row]:
    """Measure (d): a job with a channel of 1 GB against one with 1 KB."""
    size = 1 << 30
    big, small = ground.work / "big", ground.work / "small"
    if os.statvfs(ground.work).f_bavail * os.statvfs(ground.work).f_frsize < 2 * size:
        yield Row.skipped("d", "job with a 1 GB channel / with 1 KB", f"no space in {ground.work.parent}")
        return
    _fill(big, files=16, size=size // 16)
    _fill(small, files=1, size=1 << 10)
    train = partial(ground.console, "train", ground.nothing, "--channel")
    subjects = {
        "1 GB channel": partial(ground.run, train(f"train={big}")),
        "1 KB channel": partial(ground.run, train(f"train={small}")),
    }
    times = side_by_side(subjects, rounds=ground.rounds(15, 5))
    ratio = times["1 GB channel"].median / times["1 KB channel"].median
    yield Row(part="d", what="job with a 1 GB channel / with 1 KB", value=ratio, bar=CHANNEL, times=times)
    yield _many_files(ground)


def _many_files(ground: Ground) -> Row:
    """Measure a channel of 100,000 files against one of ten: all of them stand in its manifest."""
    many, few = ground.work / "many", ground.work / "few"
    for folder, count in ((many, 100_000), (few, 10)):
        folder.mkdir()
        for number in range(count):
            (folder / f"{number:06}.csv").touch()
    train = partial(ground.console, "train", ground.nothing, "--channel")
    subjects = {
        "100,000 files": partial(ground.run, train(f"train={many}")),
        "10 files": partial(ground.run, train(f"train={few}")),
    }
    times = side_by_side(subjects, rounds=ground.rounds(15, 5))
    ratio = times["100,000 files"].median / times["10 files"].median
    return Row(part="d", what="job with 100,000 files / with 10", value=ratio, bar=MANY, times=times)


def _fill(folder: Path, *, files: int, size: int) -> None:
    folder.mkdir()
    for number in range(files):
        with (folder / f"part-{number:02}.csv").open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, size)


@lru_cache(maxsize=1)
def _model() -> OperationModel:
    from sm_emulate.request.service_model import load
    from sm_emulate.request.training import OPERATION

    return load(OPERATION)


def _request(ground: Ground, image: str, name: str) -> TrainingRequest:
    from sm_emulate.request.flags import training_document
    from sm_emulate.request.training import from_aws

    document = training_document(
        image=image,
        job_name=name,
        role_arn="arn:aws:iam::123456789012:role/sm-emulate",
        output_path=str(ground.home / "training-jobs" / name),
        instance_type="ml.m5.large",
        instance_count=1,
        input_mode="File",
    )
    return from_aws(document, model=_model())


def _in_this_process(ground: Ground, image: str) -> partial[None]:
    """Give `train()` on an engine that is connected already."""
    from sm_emulate.api.training import train
    from sm_emulate.engine.discover import connect

    engine, number = connect(environ=os.environ), itertools.count()

    def job() -> None:
        result = train(_request(ground, image, f"bench-warm-{next(number)}"), engine=engine, home=ground.home)
        if not result.succeeded:
            raise RuntimeError(f"the job failed: {result.failure_reason}")

    return partial(job)


def _same_container(ground: Ground, image: str) -> partial[None]:
    """Give the `docker run` of the same container: its mounts, variables, names and labels."""
    from sm_emulate.api.training import plan

    name = "bench-same"
    ground.run(ground.console("train", image, "--job-name", name))
    (host,) = plan(_request(ground, image, name), home=ground.home)
    line = host.container.docker_run()
    command = ground.docker_run(*line[line.index("run") + 1 :])

    def run() -> None:
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True)

    return partial(run)
