"""(h) A Pipe channel of 10 GB against `cat FILE > FIFO`, with one reader in one job; and the memory of our process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bench.ground import NotHereError
from bench.measure import Times
from bench.row import Row

if TYPE_CHECKING:
    from bench.ground import Ground

FASTER, MEGABYTES = 3.0, 64.0
READER = "sm-emulate/bench-pipe-reader"
NAME = "bench-pipes"
PARTS = 5
"""The data is one file under so many names: it fits into the page cache, as a disk would else be measured."""
READERS = ("reads", "drops")
_READER = """\
# as the reader of AWS's example does: look for the FIFO ten times a second, open it without a buffer of Python's own,
# read into 16 MiB until its end. Every second epoch is not read but dropped, unseen: what the feeding alone can do
import json, os, time

taken, buffer, nowhere = {}, bytearray(16 << 20), os.open("/dev/null", os.O_WRONLY)

def reads(fifo):
    return fifo.readinto(buffer)

def drops(fifo):
    return os.splice(fifo.fileno(), nowhere, 16 << 20)

for epoch in range(int(json.load(open("/opt/ml/input/config/hyperparameters.json"))["epochs"])):
    take = (reads, drops)[epoch % 2]
    for name in ("train", "cat") if epoch // 2 % 2 else ("cat", "train"):
        path = f"/opt/ml/input/data/{name}_{epoch}"
        while not os.path.exists(path):
            time.sleep(0.1)
        with open(path, "rb", buffering=0) as fifo:
            size, began = 0, time.perf_counter()
            while count := take(fifo):
                size += count
            taken.setdefault(f"{name} {take.__name__}", []).append([size, time.perf_counter() - began])
json.dump(taken, open("/opt/ml/model/taken.json", "w"))
"""


def pipes(ground: Ground) -> list[Row]:
    """Measure (h)."""
    size = ground.rounds(2_000_000_000, 200_000_000)
    what = f"`cat FILE > FIFO` / a Pipe channel, {PARTS * size / 1e9:g} GB"
    room = os.statvfs(ground.work)
    if room.f_bavail * room.f_frsize < 2 * size:
        return [Row.skipped("h", what, f"no space in {ground.work.parent}")]
    data = _data(ground.work / "pipe-data", size)
    taken, peak = _job(ground, data, epochs=len(READERS) * (1 + ground.rounds(5, 3)))
    if {each[0] for turns in taken.values() for each in turns} != {PARTS * size}:
        raise RuntimeError(f"not every byte came through: {taken}")
    # the first of each is to warm up
    times = {name: Times(seconds=tuple(each[1] for each in turns[1:])) for name, turns in taken.items()}
    rows = []
    for reader, bar, words in ((READERS[0], FASTER, ""), (READERS[1], None, ", to a reader that drops it")):
        ours, theirs = times[f"train {reader}"], times[f"cat {reader}"]
        rates = [f"{PARTS * size / 1e9 / each.median:.2f}" for each in (ours, theirs)]
        rows.append(
            Row(
                part="h",
                what=what + words,
                value=theirs.median / ours.median,
                bar=bar,
                better="more",
                times={"a Pipe channel": ours, "cat FILE > FIFO": theirs},
                note=f"{rates[0]} against {rates[1]} GB/s",
            )
        )
    memory = "most memory of our process meanwhile"
    return [*rows, Row(part="h", what=memory, value=peak, unit="MB", bar=MEGABYTES)]


def _data(folder: Path, size: int) -> Path:
    folder.mkdir()
    first = folder / "part-0"
    with first.open("wb") as file:
        block = os.urandom(1 << 20)
        for _ in range(size >> 20):
            file.write(block)
        file.write(block[: size - file.tell()])
    for number in range(1, PARTS):
        os.link(first, folder / f"part-{number}")
    return folder


def _job(ground: Ground, data: Path, *, epochs: int) -> tuple[dict[str, list[list[float]]], float]:
    """Run the reader; give what it took, and the most memory of `sm-emulate` in MB."""
    command = ground.console(
        "train", _image(ground), "--job-name", NAME, "--channel", f"train={data},mode=Pipe",
        "--hyperparameter", f"epochs={epochs}",
    )  # fmt: skip
    host = ground.home / "training-jobs" / NAME / "opt-ml/algo-1"
    over = threading.Event()
    feeder = threading.Thread(target=_cat, args=(host / "input/data", data, epochs, over))
    feeder.start()
    peak = 0.0
    try:
        with subprocess.Popen(
            command, env=ground.environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        ) as job:  # fmt: skip
            while job.poll() is None:
                peak = max(peak, _peak(job.pid))
                time.sleep(0.05)
            said = job.stdout.read() if job.stdout else b""
    finally:
        over.set()
        feeder.join()
    if job.returncode:
        raise RuntimeError(f"the job failed:\n{said.decode()}")
    return json.loads((host / "model/taken.json").read_text()), peak


def _cat(folder: Path, data: Path, epochs: int, over: threading.Event) -> None:
    """Be the other side: `cat` into FIFOs beside ours, in the same folder of the same container."""
    while not (folder / "train_0").exists():
        if over.wait(0.01):
            return
    for number in range(epochs):
        fifo = folder / f"cat_{number}"
        os.mkfifo(fifo)
        cat = ["sh", "-c", 'exec cat "$0"/part-* > "$1"', str(data), str(fifo)]
        with subprocess.Popen(cat, stdin=subprocess.DEVNULL) as running:
            while running.poll() is None:
                if over.wait(0.05):
                    running.kill()
                    return


def _peak(process: int) -> float:
    """Give the most memory that a process has had up to now, in MB; ru_maxrss would count its parent's, too."""
    try:
        with Path(f"/proc/{process}/status").open() as status:
            found = next((line for line in status if line.startswith("VmHWM:")), None)
    except OSError:
        return 0.0
    return int(found.split()[1]) * 1024 / 1e6 if found else 0.0


def _image(ground: Ground) -> str:
    if sys.platform != "linux":
        raise NotHereError("Pipe channels need Linux")
    folder = ground.work / "reader"
    folder.mkdir()
    (folder / "reader.py").write_text(_READER)
    dockerfile = f'FROM {ground.decision_trees}\nCOPY reader.py /\nENTRYPOINT ["python3", "/reader.py"]\n'
    (folder / "Dockerfile").write_text(dockerfile)
    ground.docker("build", "--quiet", "--tag", READER, str(folder))
    return READER
