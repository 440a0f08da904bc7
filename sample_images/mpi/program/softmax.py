"""One rank: softmax regression on its share of the rows; gradients are summed over all ranks."""

import array
import csv
import json
import math
import pathlib
import signal
import time

from mpi4py import MPI

ML = pathlib.Path("/opt/ml")
stop_asked = False


def on_stop(signum, frame):
    global stop_asked
    stop_asked = True


def main():
    signal.signal(signal.SIGUSR1, on_stop)
    world = MPI.COMM_WORLD
    hyperparameters = json.loads((ML / "input/config/hyperparameters.json").read_text())
    rounds = int(hyperparameters.get("rounds", "100").strip('"'))
    pause = float(hyperparameters.get("seconds_per_round", "0.01").strip('"'))
    rows = [
        row
        for file in sorted((ML / "input/data/training").rglob("*.csv"))
        for row in csv.reader(file.open(newline=""))
        if row
    ]
    if not rows:
        raise ValueError("channel `training` has no rows")
    labels = sorted({row[0] for row in rows})
    columns = [[float(text) for text in column] for column in zip(*(row[1:] for row in rows))]
    middle = [sum(column) / len(column) for column in columns]
    table = [
        ([1.0, *(float(text) - mean for text, mean in zip(row[1:], middle))], labels.index(row[0])) for row in rows
    ]
    mine = table[world.rank :: world.size]
    host = json.loads((ML / "input/config/resourceconfig.json").read_text())["current_host"]
    print(f"rank {world.rank} of {world.size} on {host}: {len(mine)} of {len(rows)} rows", flush=True)

    wide = len(table[0][0])
    weights = [[0.0] * wide for _ in labels]
    done, stopped = 0, False
    while done < rounds and not stopped:
        done += 1
        # gradient, number of rows that were right, and whether anybody was asked to stop
        sums = array.array("d", [0.0] * (wide * len(labels) + 2))
        for features, label in mine:
            chances = softmax([sum(w * x for w, x in zip(row, features)) for row in weights])
            sums[-2] += chances.index(max(chances)) == label
            for number, chance in enumerate(chances):
                for place, x in enumerate(features):
                    sums[number * wide + place] += (chance - (number == label)) * x
        sums[-1] = stop_asked
        world.Allreduce(MPI.IN_PLACE, sums)
        for number, row in enumerate(weights):
            for place in range(wide):
                row[place] -= 0.5 / len(rows) * sums[number * wide + place]
        stopped = bool(sums[-1])
        if world.rank == 0 and (done % 25 == 0 or done == rounds or stopped):
            print(f"round={done} train_accuracy={sums[-2] / len(rows):.4f};", flush=True)
        time.sleep(pause)
    if world.rank == 0:
        model = {"labels": labels, "middle": middle, "weights": weights, "rounds": done, "ranks": world.size}
        (ML / "model/model.json").write_text(json.dumps(model) + "\n")
        print("stopped early, model saved" if stopped else "training complete", flush=True)


def softmax(scores):
    most = max(scores)
    powers = [math.exp(score - most) for score in scores]
    return [power / sum(powers) for power in powers]


if __name__ == "__main__":
    try:
        main()
    except Exception as error:
        (ML / "output/failure").write_text(f"{type(error).__name__}: {error}")
        print(f"error: {error}", flush=True)
        # All ranks wait for each other in Allreduce: an exit of one would leave the others there.
        MPI.COMM_WORLD.Abort(1)
