"""Softmax regression in PyTorch, on several hosts: torch.distributed over gloo."""

import csv
import json
import os
import pathlib
import signal
import time
from datetime import timedelta

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

ML = pathlib.Path("/opt/ml")
stop_asked = False


def on_sigterm(signum, frame):
    global stop_asked
    stop_asked = True


def main():
    signal.signal(signal.SIGTERM, on_sigterm)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    resources = json.loads((ML / "input/config/resourceconfig.json").read_text())
    hosts, me = resources["hosts"], resources["current_host"]
    hyperparameters = json.loads((ML / "input/config/hyperparameters.json").read_text())
    epochs = int(hyperparameters.get("epochs", "100").strip('"'))
    pause = float(hyperparameters.get("seconds_per_epoch", "0.01").strip('"'))

    # gloo would look up this host's own name, ip-10-0-x-y.ec2.internal, which resolves nowhere.
    # An isolated host that is alone has no interface but lo.
    os.environ["GLOO_SOCKET_IFNAME"] = resources["network_interface_name"] if len(hosts) > 1 else "lo"
    dist.init_process_group(
        "gloo",
        init_method=f"tcp://{hosts[0]}:29500",
        rank=hosts.index(me),
        world_size=len(hosts),
        timeout=timedelta(minutes=15),  # names resolve after a while: it tries again until then
    )
    rank, size = dist.get_rank(), dist.get_world_size()

    rows = [
        row
        for file in sorted((ML / "input/data/training").rglob("*.csv"))
        for row in csv.reader(file.open(newline=""))
        if row
    ]
    labels = sorted({row[0] for row in rows})
    wanted = torch.tensor([labels.index(row[0]) for row in rows])[rank::size]
    features = torch.tensor([[float(value) for value in row[1:]] for row in rows])[rank::size]
    print(f"rank {rank} of {size} on {me}: {len(features)} of {len(rows)} rows")

    model = DistributedDataParallel(torch.nn.Linear(features.shape[1], len(labels)))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    done, stopped = 0, False
    while done < epochs and not stopped:
        done += 1
        optimizer.zero_grad()
        scores = model(features)
        torch.nn.functional.cross_entropy(scores, wanted).backward()  # gradients meet here
        optimizer.step()
        # rows that were right, and whether anybody was asked to stop: all hosts leave in the same epoch
        told = torch.tensor([float((scores.argmax(1) == wanted).sum()), float(stop_asked)])
        dist.all_reduce(told)
        stopped = bool(told[1])
        if rank == 0 and (done % 20 == 0 or stopped):
            print(f"epoch={done} train_accuracy={told[0] / len(rows):.4f};")
        time.sleep(pause)
    if rank == 0:
        torch.save({"labels": labels, **model.module.state_dict()}, ML / "model/model.pt")
        print("stopped early, model saved" if stopped else "training complete")
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    try:
        main()
    except Exception as error:
        (ML / "output/failure").write_text(f"{type(error).__name__}: {error}")
        raise
