"""Where the milliseconds of one do-nothing container go, next to `docker run` of the same.

    python bench/engine_steps.py IMAGE [ROUNDS]

IMAGE needs a program `true`. Order alternates from round to round; medians are printed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
import uuid
from itertools import pairwise
from statistics import median

from sm_emulate.engine.discover import connect
from sm_emulate.engine.protocol import LABEL_SESSION, ContainerSpec

STEPS = ("create", "attach", "start", "wait", "remove", "in all")


def steps(engine, image, network):
    labels = {LABEL_SESSION: str(uuid.uuid4())}
    at = [time.perf_counter()]
    container = engine.create(ContainerSpec(image=image, command=("true",), labels=labels, network=network))
    at.append(time.perf_counter())
    stream = engine.logs(container)
    at.append(time.perf_counter())
    reader = threading.Thread(target=lambda: list(stream))
    reader.start()
    engine.start(container)
    at.append(time.perf_counter())
    engine.wait(container)
    at.append(time.perf_counter())
    reader.join()
    engine.remove(container)
    at.append(time.perf_counter())
    return [1000 * (later - earlier) for earlier, later in [*pairwise(at), (at[0], at[-1])]]


def once(image, network):
    engine = connect(environ=os.environ)
    steps(engine, image, network)
    engine.close()


def seconds_of(argv):
    began = time.perf_counter()
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
    return 1000 * (time.perf_counter() - began)


def main(image, rounds):
    engine = connect(environ=os.environ)
    for network in ("bridge", "none"):
        parts = []
        jobs = {
            "docker run": lambda n=network: seconds_of(
                ["docker", "run", "--rm", "--network", n, image, "true"]
            ),
            "our process": lambda n=network: seconds_of([sys.executable, __file__, "--once", image, n]),
            "warm": lambda n=network, p=parts: p.append(steps(engine, image, n)) or p[-1][-1],
        }
        taken = {name: [] for name in jobs}
        for number in range(rounds):
            for name in list(jobs) if number % 2 else reversed(jobs):
                taken[name].append(jobs[name]())
        docker = median(taken["docker run"])
        print(f"network {network}")
        for name, values in taken.items():
            print(f"  {name:12} {median(values):6.0f} ms  ratio {median(values) / docker:.2f}")
        medians = [median(column) for column in zip(*parts, strict=True)]
        print("  " + ", ".join(f"{step} {ms:.0f}" for step, ms in zip(STEPS, medians, strict=True)))
    engine.close()


if __name__ == "__main__":
    if sys.argv[1] == "--once":
        once(*sys.argv[2:4])
    else:
        main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 15)
