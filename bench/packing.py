"""Packing a model directory against `tar | gzip -6` and `tar | pigz -6` on all cores. Bar (e): 4 times pigz.

python bench/packing.py [--small] [--rounds N]
"""

from __future__ import annotations

import argparse
import array
import json
import os
import random
import shlex
import shutil
import tempfile
from pathlib import Path

from measure import side_by_side

from sm_emulate.artifacts.deflate import cores
from sm_emulate.artifacts.pack import pack
from sm_emulate.artifacts.unpack import unpack_model

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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="64 MB instead of 1 GB")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    if not shutil.which("pigz"):
        parser.error("pigz is not installed (Debian: apt-get install pigz)")
    with tempfile.TemporaryDirectory(prefix="sm-emulate-bench-") as scratch:
        model, archive, unpacked = (
            Path(scratch, "model"),
            Path(scratch, "model.tar.gz"),
            Path(scratch, "unpacked"),
        )
        size = make_model(model, 64 * MIB if asked.small else 1 << 30)

        def shell(program: str) -> list[str]:
            command = f"set -o pipefail; tar -C {shlex.quote(str(model))} -cf - . | {program}"
            return ["bash", "-c", f"{command} > {shlex.quote(str(archive))}"]

        subjects = {
            "sm-emulate": lambda: pack([model], archive),
            "tar | pigz -6": shell(f"pigz -6 -p {cores()}"),
            "tar | gzip -6": shell("gzip -6"),
        }
        times = side_by_side(
            subjects,
            rounds=asked.rounds,
            warm_up=int(asked.small),
            between=lambda: archive.unlink(missing_ok=True),
        )
        print(f"packing {size / 1e6:.0f} MB on {cores()} cores, {asked.rounds} rounds")
        ours = times["sm-emulate"].median
        for name, taken in times.items():
            rate = size / 1e6 / taken.median
            print(f"  {name:<14}{taken}  {rate:7.0f} MB/s  {taken.median / ours:6.2f} x ours")
        speed = times["tar | pigz -6"].median / ours
        print(f"  {speed:.1f} times as fast as pigz -6 (bar: {BAR:.0f})")
        for name, subject in (("sm-emulate", lambda: pack([model], archive)), ("pigz -6", shell("pigz -6"))):
            side_by_side({name: subject}, rounds=1, warm_up=0)
            print(f"  size by {name:<12}{archive.stat().st_size / size:.4f} of the files")

        def clear() -> None:
            shutil.rmtree(unpacked, ignore_errors=True)
            unpacked.mkdir()

        times = side_by_side(
            {
                "sm-emulate": lambda: unpack_model(archive, unpacked),
                "tar -xzf": ["tar", "-C", os.fspath(unpacked), "-xzf", os.fspath(archive)],
            },
            rounds=asked.rounds,
            between=clear,
        )
        print("unpacking it")
        for name, taken in times.items():
            print(f"  {name:<14}{taken}  {size / 1e6 / taken.median:7.0f} MB/s")
    return 0 if speed >= BAR else 1


if __name__ == "__main__":
    raise SystemExit(main())
