#!/usr/bin/env python3
"""Sums up the columns of CSV files: reads its inputs from processingjobconfig.json, and shares them among hosts."""

from __future__ import annotations

import csv
import json
import pathlib
import signal
import sys
import time
from types import FrameType

CONFIG = pathlib.Path("/opt/ml/config")
MESSAGE = pathlib.Path("/opt/ml/output/message")


def main() -> int:
    job = json.loads((CONFIG / "processingjobconfig.json").read_text())
    resources = json.loads((CONFIG / "resourceconfig.json").read_text())
    hosts, host = resources["hosts"], resources["current_host"]
    folders = [each["S3Input"]["LocalPath"] for each in job["ProcessingInputs"] or ()]
    outputs = (job["ProcessingOutputConfig"] or {"Outputs": []})["Outputs"]
    if not folders or not outputs:
        MESSAGE.write_text("one input and one output are needed", encoding="utf-8")
        return 1
    files = sorted(file for folder in folders for file in pathlib.Path(folder).rglob("*.csv"))
    mine = files[hosts.index(host) :: len(hosts)]
    summary = {}
    for file in mine:
        print(f"{host}: {file}")
        summary[file.name] = columns(file)
        time.sleep(0.5)  # so that there is something to stop
    target = pathlib.Path(outputs[0]["S3Output"]["LocalPath"]) / f"{host}.json"
    target.write_text(json.dumps(summary, indent=1), encoding="utf-8")
    MESSAGE.write_text(f"{host}: {len(mine)} files. ", encoding="utf-8")
    return 0


def columns(file: pathlib.Path) -> list[dict[str, float]]:
    with file.open(newline="") as lines:
        rows = [row for row in csv.reader(lines) if row]
    found = []
    for column in zip(*rows):
        numbers = [number for text in column if (number := as_number(text)) is not None]
        found.append({"count": len(numbers), "mean": sum(numbers) / len(numbers) if numbers else 0.0})
    return found


def as_number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def leave(number: int, _frame: FrameType | None) -> None:
    MESSAGE.write_text("stopped", encoding="utf-8")
    sys.exit(128 + number)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, leave)
    signal.signal(signal.SIGTERM, leave)
    sys.exit(main())
