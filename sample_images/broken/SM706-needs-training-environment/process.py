#!/usr/bin/env python3
"""Asks who it is as if it were a training job."""

import json
import os
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
    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGINT, leave)
    rows = DATA.read_text().splitlines()
    for step in range(20):
        print(f"step {step}")
        time.sleep(0.05)
    (RESULT / f"{os.environ['TRAINING_JOB_NAME']}.json").write_text(json.dumps(len(rows)))


if __name__ == "__main__":
    main()
