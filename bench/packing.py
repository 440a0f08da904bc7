"""(e) Packing a model directory against `tar | gzip -6` and `tar | pigz -6` on all cores. Bar (e): 4 times pigz."""

from __future__ import annotations

import array
import json
import os
import random
import shlex
import shutil
from typing import TYPE_CHECKING

from bench.ground import NotHereError
from bench.measure import run, side_by_side
from bench.row import Row
from sm_emulate.artifacts.deflate import cores
from sm_emulate.artifacts.pack import pack
from sm_emulate.artifacts.unpack import unpack_model

if TYPE_CHECKING:
    from pathlib import Path

    from bench.ground import Ground
    from bench.measure import Subject

MIB = 1 << 20
BAR = 4.0


def make_model(folder: Path, size: int) -> int:
    """Write what a fine-tuned model looks like: 7/8 float32 weights, the rest tokenizer and log text."""
    chance = random.Random(2)
    weights = array.array("f", (chance.gauss(0, 0.02) for _ in range(2 * MIB))).tobytes()
    words = [
        "".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=chance.randint(2, 9))) for _ in range(4000)
    ]
    text = "\n".join(
        json.dumps({"id": number, "token": word, "score": round(chance.uniform(-12, 0), 4)})
        for number in range(30_000)
        for word in chance.choices(words, cum_weights=range(1, 4001))
    ).encode()
    for name, part, content in (
        ("model-00001-of-00002.bin", 7 * size // 16, weights),
        ("checkpoint/model-00002-of-00002.bin", 7 * size // 16, weights),
        ("tokenizer.json", size // 16, text),
        ("code/training.log", size // 16, text),
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            while (left := part - file.tell()) > 0:
                # each copy begins elsewhere, so that no two stretches of the file are aligned alike
                at = chance.randrange(len(content) // 4)
                file.write(content[at : at + left])
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def packing(ground: Ground) -> list[Row]:
    """Measure (e), and unpacking beside it."""
    what = "pigz -6 / packing"
    if not shutil.which("pigz"):
        raise NotHereError("pigz is not installed (Debian: apt-get install pigz)")
    goal = 64 * MIB if ground.quick else 1 << 30
    if shutil.disk_usage(ground.work).free < 3 * goal:
        raise NotHereError(f"no space for {3 * goal / 1e9:.1f} GB")
    model, archive, unpacked = (ground.work / name for name in ("model", "model.tar.gz", "unpacked"))
    size = make_model(model, goal)

    def shell(program: str) -> list[str]:
        command = f"set -o pipefail; tar -C {shlex.quote(str(model))} -cf - . | {program}"
        return ["bash", "-c", f"{command} > {shlex.quote(str(archive))}"]

    subjects: dict[str, Subject] = {
        "sm-emulate": lambda: pack([model], archive),
        "tar | pigz -6": shell(f"pigz -6 -p {cores()}"),
        "tar | gzip -6": shell("gzip -6"),
    }
    sizes: dict[str, float] = {}
    for name in ("sm-emulate", "tar | pigz -6"):  # this is the warm-up, too
        run(subjects[name])
        sizes[name] = archive.stat().st_size / size
    times = side_by_side(
        subjects, rounds=ground.rounds(3, 3), warm_up=0, between=lambda: archive.unlink(missing_ok=True)
    )
    ours = times["sm-emulate"]
    note = ", ".join(
        [f"{size / 1e6:.0f} MB on {cores()} cores", f"ours {size / 1e6 / ours.median:.0f} MB/s"]
        + [f"{name} leaves {part:.3f} of the size" for name, part in sizes.items()]
    )
    rows = [
        Row(
            part="e",
            what=what,
            value=times["tar | pigz -6"].median / ours.median,
            bar=BAR,
            better="more",
            times=times,
            note=note,
        ),
        Row(
            part="e",
            what="gzip -6 / packing",
            value=times["tar | gzip -6"].median / ours.median,
            better="more",
        ),
    ]
    pack([model], archive)

    def clear() -> None:
        shutil.rmtree(unpacked, ignore_errors=True)
        unpacked.mkdir()

    times = side_by_side(
        {
            "unpacking": lambda: unpack_model(archive, unpacked),
            "tar -xzf": ["tar", "-C", os.fspath(unpacked), "-xzf", os.fspath(archive)],
        },
        rounds=ground.rounds(3, 3),
        between=clear,
    )
    ratio = times["tar -xzf"].median / times["unpacking"].median
    return [*rows, Row(part="e", what="tar -xzf / unpacking", value=ratio, better="more", times=times)]
