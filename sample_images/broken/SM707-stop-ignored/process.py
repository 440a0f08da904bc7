#!/usr/bin/env python3
"""Does not care for any signal."""

import json
import pathlib
import signal
import sys
import time

DATA = pathlib.Path("/opt/ml/processing/input/data/train.csv")
RESULT = pathlib.Path("/opt/ml/processing/output/result")
MESSAGE = pathlib.Path("/opt/ml/output/message")


def leave(*_):
    sys.exit(0)


def main():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    rows = DATA.read_text().splitlines()
    for step in range(60):
        print(f"step {step}")
        time.sleep(0.05)
    (RESULT / "rows.json").write_text(json.dumps(len(rows)))


if __name__ == "__main__":
    main()
